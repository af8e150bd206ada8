"""Floor 4: a case is a network on an input, validated once and inferred once: a tuple of steps.

Whatever a network was written in, analyses see steps and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from archcalc.count import Number
from archcalc.errors import ArchitectureError, meant, quoted
from archcalc.layers.base import BUFFER, Layer, Parameter
from archcalc.network import Network, Node, Port, Reference, node_of
from archcalc.shape import LARGEST, Shape, check_shape, check_values, parse_shape, parse_values
from archcalc.units import ALIASES, BYTES_OF

SizesOfInput = str | Shape
Values = str | Mapping[str, Number]


class Value(NamedTuple):
    """A tensor that flows from step to step."""

    name: str  # unique: of the network's input, or of the step that makes it
    shape: Shape  # for one example
    dtype: str  # of its elements


class Step(NamedTuple):
    """A layer at work."""

    name: str  # unique in the network
    layer: Layer  # what it does
    inputs: tuple[Value, ...]  # the tensors that it reads
    outputs: tuple[Value, ...]  # the tensors that it makes, one for most layers
    # the tensors that it holds; those of an earlier owner count there
    parameters: tuple[Parameter, ...] = ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of all inputs."""
        return tuple(value.shape for value in self.inputs)

    @property
    def output(self) -> Shape:
        """The shape of the first output."""
        return self.outputs[0].shape

    @property
    def own(self) -> tuple[Parameter, ...]:
        """The parameters that no earlier step uses."""
        return tuple(each for each in self.parameters if each.owner == self.name)

    @property
    def learns(self) -> bool:
        """Whether it has parameters, its own or an earlier step's."""
        return any(each.role != BUFFER for each in self.parameters)


@dataclass(frozen=True)
class Case:
    """A network on an input; see :meth:`of`."""

    network: Network  # with numbers for the letters that got values
    inputs: tuple[Value, ...]  # the tensors that go in, for one example
    steps: tuple[Step, ...]  # the layers at work, in order
    outputs: tuple[Value, ...]  # the tensors that come out
    batch: int = 1  # examples at once
    dtype: str = "fp32"  # of parameters and values
    bias: bool = True  # whether biases of convolutions and linear layers are counted

    @staticmethod
    def of(
        network: Network,
        input: SizesOfInput | Mapping[str, SizesOfInput] | None = None,  # noqa: A002 - the command line's own word
        *,
        batch: int = 1,
        dtype: str = "fp32",
        bias: bool = True,
        at: Values | None = None,
    ) -> Case:
        """Put a network on an input; for the arguments see :func:`archcalc.api.report`.

        Raises:
            ArchitectureError: an input that the network cannot take, an option that cannot be.
        """
        shapes = _shapes(network, input)
        values: Mapping[str, Number] = {}
        if at is not None:
            values = parse_values(at) if isinstance(at, str) else check_values(at)
            waiting = network.letters().union(*(shape.letters() for shape in shapes))
            for name in values:
                if name not in waiting:
                    known = f"the letters are {', '.join(sorted(waiting))}"
                    hint = known if waiting else "write letters first, e.g. --input HxWx3"
                    raise ArchitectureError(f"{name} is no letter here", hint=hint)
            shapes = [shape.substitute(values) for shape in shapes]
            network = network.substitute(values)
        dtype = known_dtype(dtype)
        if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= LARGEST:
            raise ArchitectureError(f"a batch is between 1 and {LARGEST:,} examples, not {batch}")
        if not bias:
            network = network.without_biases()
        inputs = tuple(
            Value(each.name, shape, dtype)
            for each, shape in zip(network.inputs, shapes, strict=True)
        )
        try:
            steps, values_of = _inferred(network, inputs, dtype)
        except ArchitectureError as error:
            if not values:
                raise
            raise error.at(", ".join(f"{name}={value}" for name, value in values.items())) from None
        outputs = tuple(_value(values_of, reference) for reference in network.outputs)
        return Case(network, inputs, steps, outputs, batch, dtype, bias)

    @property
    def input(self) -> Shape:
        """The shape of the first input."""
        return self.inputs[0].shape

    @property
    def sizes(self) -> str:
        """What goes in, as text: ``224x224x3``; several inputs by their names."""
        if len(self.inputs) == 1:
            return str(self.input)
        return ", ".join(f"{value.name} {value.shape}" for value in self.inputs)

    def letters(self) -> frozenset[str]:
        """The letters that still stand for numbers, in shapes or channels."""
        return self.network.letters().union(*(value.shape.letters() for value in self.inputs))


def known_dtype(name: str) -> str:
    """A dtype by one of its names.

    Raises:
        ArchitectureError: there is none of that name.
    """
    dtype = ALIASES.get(name.lower(), name.lower())
    if dtype not in BYTES_OF:
        raise ArchitectureError(f"{quoted(name)} is no dtype", hint=f"one of {', '.join(BYTES_OF)}")
    return dtype


def _inferred(
    network: Network, inputs: tuple[Value, ...], dtype: str
) -> tuple[tuple[Step, ...], dict[Reference, Value]]:
    """Shapes through the graph.

    Raises:
        ArchitectureError: a layer that cannot take the shapes that reach it; all are named.
    """
    values: dict[Reference, Value] = {value.name: value for value in inputs}
    steps: dict[str, Step] = {}
    for node in network.nodes:
        given = tuple(_value(values, reference) for reference in node.inputs)
        shapes = tuple(value.shape for value in given)
        try:
            outputs = node.layer.outputs(*shapes)
            parameters = _parameters(node, shapes, steps)
        except ArchitectureError as error:
            where = f"{node.name}, input {shapes[0]}"
            if len(shapes) > 1:
                where = f"{node.name} ({' | '.join(value.name for value in given)})"
            raise error.at(where) from None
        made = [Value(node.name, outputs[0], dtype)]
        values[node.name] = made[0]
        for number, shape in enumerate(outputs[1:], 1):
            made.append(Value(f"{node.name}:{number}", shape, dtype))
            values[Port(node.name, number)] = made[-1]
        steps[node.name] = Step(node.name, node.layer, given, tuple(made), parameters)
    return tuple(steps.values()), values


def _value(values: Mapping[Reference, Value], reference: Reference) -> Value:
    """What a reference is to; that the node is there, the network has checked."""
    if reference not in values:
        raise ArchitectureError(f"{node_of(reference)} has no output {reference!r}")
    return values[reference]


def _parameters(
    node: Node, shapes: tuple[Shape, ...], steps: Mapping[str, Step]
) -> tuple[Parameter, ...]:
    """A node's own parameters, or those of the node whose it uses."""
    parameters = tuple(
        Parameter(name, role, size, dtype, node.name)
        for name, role, size, dtype, _ in node.layer.parameters(*shapes)
    )
    if not node.shares:
        return parameters
    shared = steps[node.shares].parameters
    for mine, earlier in zip(parameters, shared, strict=True):
        if mine.size.value != earlier.size.value:
            fact = f"the {earlier.name} of {node.shares} has {earlier.size.equation()} values"
            raise ArchitectureError(f"{fact}, this input needs {mine.size.equation()}")
    return shared


def _shapes(
    network: Network, given: SizesOfInput | Mapping[str, SizesOfInput] | None
) -> list[Shape]:
    """The shape of every input: the one that is given, or the network's own."""
    names = [each.name for each in network.inputs]
    if given is None or isinstance(given, Mapping):
        by_name = dict(given or {})
    else:
        by_name = {names[0]: given}
    for name in by_name:
        if name not in names:
            fact = f"{quoted(name)} is no input of this network"
            raise ArchitectureError(fact, hint=meant(name, names))
    return [_shape(network, *each, by_name.get(each.name)) for each in network.inputs]


def _shape(
    network: Network, name: str, made_for: Shape | None, given: SizesOfInput | None
) -> Shape:
    if given is None:
        shape = made_for
    else:
        shape = parse_shape(given) if isinstance(given, str) else check_shape(given, name)
    if shape is None:
        where = f" at {name}" if len(network.inputs) > 1 else ""
        fact = f"this network does not say what goes in{where}"
        raise ArchitectureError(fact, hint="add e.g. --input 224x224x3")
    if made_for is not None and len(made_for.sizes) != len(shape.sizes):
        words = {0: "UNITS", 1: "LENGTHxCHANNELS", 2: "HEIGHTxWIDTHxCHANNELS"}
        form = words.get(len(made_for.sizes), "DEPTHxHEIGHTxWIDTHxCHANNELS")
        fact = f"{network.name or 'this network'} takes {form}, not {shape}"
        raise ArchitectureError(fact, hint=f"e.g. {made_for}")
    return shape
