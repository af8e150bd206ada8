"""Floor 4: the notation. A network is text, after the papers' own words.

Words are separated by spaces; a word is a layer:

===================  ==========================================================================
``conv3-64``         3x3 convolution, 64 filters, stride 1, padding that keeps the size
``conv7-64/2 p3``    stride 2; ``p`` pads, ``d`` dilates, ``g`` groups, ``nobias``; ``conv3x5-64``
``convt4-64/2``      transposed convolution; ``op1`` is the output padding
``pool2``            2x2 max pool of stride 2; ``pool3/2 p1``, ``ceil``; ``avgpool7/1``
``adaptiveavgpool6`` adaptive pool to 6x6, ``adaptivemaxpool6``; ``gap``, ``gmp`` are global
``fc-1000``          fully connected
``bn ln gn32 lrn5``  batch, layer, group, local response normalization; ``noaffine``
``relu tanh ...``    activations; ``leakyrelu.01``; ``drop.5`` dropout; ``flatten``
===================  ==========================================================================

and words make networks:

===================  ==========================================================================
``[a | b]``          branches, their channels concatenated
``(a + b)``          branches added; ``(a * b)`` multiplied; ``id`` is the shortcut
``(a b) x3``         repeated; a layer or a bracket repeats as well
``stem: conv7-64``   a name, for a layer or a bracket; names inside a named bracket read ``3a/1x1``
``@stem``            goes on from a layer named earlier
``=stem``            that layer again, with the same weights
``224x224x3 ...``    the input's size, in front of everything
``# ...``            a comment, to the end of the line
===================  ==========================================================================

A name inside something that is repeated gets ``_1``, ``_2``, ... Layers without a name are called
``conv1``, ``relu1``, ... in the order of their kind, in each scope. :func:`parse` and
:func:`write` are inverse.
"""

from archcalc.notation.naming import JOINS
from archcalc.notation.parser import MAX_LAYERS, parse
from archcalc.notation.reader import MAX_DEPTH
from archcalc.notation.words import parse_word, stems, write_word
from archcalc.notation.writer import write

__all__ = [
    "JOINS",
    "MAX_DEPTH",
    "MAX_LAYERS",
    "parse",
    "parse_word",
    "stems",
    "write",
    "write_word",
]
