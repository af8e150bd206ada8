"""Wrong input gives one line that says what was read, where, and what works; never a traceback."""

import io
import os
import re
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import archcalc as ac
from archcalc.console import invoke
from archcalc.main import main, run
from archcalc.open import LARGEST_FILE

LONG = 99_999
BINARY = b"\xff\xfe8x8x3 conv3-64"

# Every case is a command line and what its message has to say. Most are networks on 8x8x3.

NETWORKS = [
    (["vgg20"], ["'vgg20'", "vgg19"]),
    (["vg19"], ["'vg19'", "did you mean vgg19"]),
    (["VGG91"], ["'VGG91'", "did you mean vgg19"]),
    (["resnet"], ["'resnet'", "resnet50"]),
    (["resnet-51"], ["'resnet-51'", "did you mean", "resnet50"]),
    (["googlnet"], ["'googlnet'", "did you mean googlenet"]),
    (["foo"], ["'foo'", "archcalc networks"]),
    (["rnn-10"], ["'rnn-10'", "no network, no file and no kind of layer", "conv, convt"]),
    (["lstm-10"], ["'lstm-10'", "no kind of layer is called lstm", "cannot be written yet"]),
    ([""], ["''", "archcalc networks"]),
    ([" "], ["' '", "archcalc networks"]),
    (["x" * LONG], ["'xxxxx", "..."]),
    (["vgg19\0"], [r"'vgg19\x00'"]),
    (["\0"], [r"'\x00'"]),
    (["8x8x3"], ["at the end", "nothing to build", "conv3-64"]),
    (["conv3-64"], ["what goes in", "--input 224x224x3"]),
    (["compare", "vgg19", "alexnett"], ["'alexnett'", "did you mean alexnet"]),
    (["compare", "vgg19", "conv3-64"], ["conv3-64", "what goes in", "--input 224x224x3"]),
    (["receptive-field", "vgg91"], ["'vgg91'", "did you mean vgg19"]),
]

COMMANDS = [
    (["networs"], ["'networs'", "did you mean networks"]),
    (["compar", "vgg19", "alexnet"], ["'compar'", "did you mean compare"]),
    (["recptive-field", "5x5", "5x5"], ["'recptive-field'", "did you mean receptive-field"]),
    (["vgg19", "alexnet"], ["archcalc compare vgg19 alexnet"]),
    (["foo", "vgg19"], ["'foo'"]),
    (["vgg19", "foo"], ["'foo'"]),
    (["trainin"], ["'trainin'", "did you mean training"]),
    (["networks", "vgg19"], ["vgg19"]),
    (["show"], ["NETWORK"]),
    (["--table"], ["NETWORK"]),
    (["compare"], ["Missing argument"]),
    (["receptive-field"], ["Missing argument"]),
]

SIZES = [
    (["vgg19", "--input", ""], ["''", "224x224x3"]),
    (["vgg19", "--input", "224"], ["HEIGHTxWIDTHxCHANNELS", "224x224x3"]),
    (["vgg19", "--input", "224x224"], ["not 224x224;", "HEIGHTxWIDTHxCHANNELS", "224x224x3"]),
    (["vgg19", "--input", "2x2x2x2x2"], ["'2x2x2x2x2'", "5 parts", "224x224x3"]),
    (["vgg19", "--input", "224xx3"], ["'224xx3', column 5", "missing", "224x224x3"]),
    (["vgg19", "--input", "224x224x"], ["'224x224x', column 9", "missing", "224x224x3"]),
    (["vgg19", "--input", "x224x3"], ["'x224x3', column 1", "missing", "224x224x3"]),
    (["vgg19", "--input", "224x-1x3"], ["column 5", "'-1'", "224x224x3"]),
    (["vgg19", "--input", "0x224x3"], ["column 1", "at least 1, not 0", "224x224x3"]),
    (["vgg19", "--input", "224x224x3.5"], ["column 9", "'3.5'", "224x224x3"]),
    (["vgg19", "--input", "224*224*3"], ["column 1", "'224*224*3'", "224x224x3"]),
    (["vgg19", "--input", "224 x 224 x 3"], ["column 1", "'224 '", "224x224x3"]),
    (["vgg19", "--input", "1e3x224x3"], ["column 1", "'1e3'", "224x224x3"]),
    (["vgg19", "--input", "224X224X3"], ["column 1", "'224X224X3'", "224x224x3"]),
    (["vgg19", "--input", "1000000001x224x3"], ["column 1", "larger than 1,000,000,000"]),
    (["vgg19", "--input", f"{'9' * LONG}x224x3"], ["column 1", "larger than 1,000,000,000"]),
    (["vgg19", "--input", "2\uff124x224x3"], ["column 1", "'2\uff124'", "224x224x3"]),
    (["vgg19", "--input", "224x224x😀"], ["column 9", "'😀'", "224x224x3"]),
    (["vgg19", "--input", "224x224x3\n"], ["column 9", r"'3\n'", "224x224x3"]),
    (["vgg19", "--input", "16x16x3"], ["pool5, input 1x1x512", "2", "padded input of 1"]),
    (["8x8x0 conv3-64"], ["word 1, column 1", "'8x8x0', column 5", "at least 1, not 0"]),
    (["8x8x3 conv3-64 16x16x3"], ["word 3, column 16", "'16x16x3'", "in front of the first"]),
    (["inception", "--input", "32x32"], ["32x32", "HEIGHTxWIDTHxCHANNELS", "32x32x256"]),
]

LETTERS = [
    (["vgg19", "--at", "H=448"], ["H", "--input HxWx3"]),
    (["vgg19", "--input", "HxWx3", "--at", "448"], ["'448'", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", ""], ["''", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H"], ["'H'", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H="], ["H=", "missing", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H=x"], ["H=x", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H=W"], ["H", "number", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H=0"], ["H=0", "at least 1", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H=-1"], ["H=-1", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H=1,H=2"], ["H=2", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H=448 W=448"], ["448 W=448", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "H=\x1b[31m"], [r"\x1b[31m", "H=448,W=448"]),
    (["vgg19", "--input", "HxWx3", "--at", "C=3"], ["C", "the letters are H, W"]),
    (["vgg19", "--input", "HxWx3", "--at", "H=16,W=16"], ["pool5, input 1x1x512", "kernel"]),
    (["8x8x3 fc-K", "--at", "K=0"], ["K=0", "at least 1"]),
]

# A word alone on the command line, on 8x8x3.
LONE_WORDS = [
    ("conv3-0", ["'conv3-0'", "at least 1, not 0"]),
    ("conv0-64", ["'conv0-64'", "at least 1, not 0"]),
    ("conv3-64/0", ["'conv3-64/0'", "stride", "at least 1, not 0"]),
    ("conv3-64d0", ["'conv3-64d0'", "dilation", "at least 1, not 0"]),
    ("conv3-64g0", ["'conv3-64g0'", "groups", "at least 1, not 0"]),
    ("conv3", ["'conv3'", "-channels", "conv3-64"]),
    ("conv3x64", ["'conv3x64'", "-channels", "conv3-64"]),
    ("conv3_64", ["'conv3_64'", "did you mean conv3-64?"]),
    ("Conv3-64", ["'Conv3-64'", "did you mean conv3-64?"]),
    ("cnv3-64", ["'cnv3-64'", "did you mean conv3-64?"]),
    ("maxpool2", ["'maxpool2'", "did you mean pool2?"]),
    ("swish", ["'swish'", "did you mean silu?"]),
    ("groupnorm8", ["'groupnorm8'", "did you mean gn8?"]),
    ("prelu", ["'prelu'", "no kind of layer is called prelu", "leakyrelu is another layer"]),
    ("glu", ["'glu'", "no kind of layer is called glu", "gelu is another function"]),
    ("gn3x3", ["'gn3x3'", "number of groups is a whole number, not 3x3", "gn32"]),
    ("lrn3x3", ["'lrn3x3'", "size is a whole number, not 3x3"]),
    ("conv.5-64", ["'conv.5-64'", "kernel is a whole number, not .5", "conv3-64"]),
    ("pool.5", ["'pool.5'", "kernel is a whole number, not .5", "pool2"]),
    ("conv1x1x1x1-8", ["'conv1x1x1x1-8'", "kernel is for 1 to 3 axes", "conv3-64"]),
    ("pool99999999999", ["'pool99999999999'", "larger than 1,000,000,000"]),
    (f"conv3-{'9' * LONG}", ["'conv3-999", "...", "larger than 1,000,000,000"]),
    ("conv3-\uff164", ["'conv3-\uff164'"]),
    ("x2", ["'x2'"]),
    ("😀", ["'😀'"]),
]

# Words behind "8x8x3 "; columns count from there.
WORDS = [
    ("conv3-64 pol2", ["word 3, column 16", "'pol2'", "did you mean pool2?"]),
    ("conv3-64 POOL2", ["word 3, column 16", "'POOL2'", "did you mean pool2?"]),
    ("conv3-64 reul", ["word 3, column 16", "'reul'", "did you mean relu?"]),
    ("conv3-64 sigmiod", ["word 3, column 16", "'sigmiod'", "did you mean sigmoid?"]),
    ("conv3-64 dense-10", ["word 3, column 16", "'dense-10'", "did you mean fc-10?"]),
    ("conv3-64 dropout.5", ["word 3, column 16", "'dropout.5'", "did you mean drop.5?"]),
    ("conv3-64 batchnorm", ["word 3, column 16", "'batchnorm'", "did you mean bn?"]),
    ("conv3-64 globalavgpool", ["word 3, column 16", "'globalavgpool'", "did you mean gap?"]),
    ("conv3-64 attention", ["word 3, column 16", "'attention'", "cannot be written yet"]),
    ("conv3-64 rnn-10", ["word 3, column 16", "'rnn-10'", "layers read like conv3-64"]),
    ("conv3-64, pool2", ["word 2, column 7", "'conv3-64,'", "conv3-64"]),
    ("conv3-64 -> pool2", ["word 3, column 16", "'->'", "conv3-64"]),
    ("conv3--64", ["word 2, column 7", "'conv3--64'", "conv3-64"]),
    ("conv3-64/", ["word 2, column 7", "'conv3-64/'", "conv3-64"]),
    ("conv3-64 p-1", ["word 3, column 16", "'p-1'"]),
    ("conv3-64 p1 p2", ["word 2, column 7", "p twice"]),
    ("conv3-64 bn p1", ["word 3, column 16", "bn takes no padding"]),
    ("softmax2", ["word 2, column 7", "softmax takes no number"]),
    ("fc10", ["word 2, column 7", "'fc10'", "fc-1"]),
    ("fc-0", ["word 2, column 7", "'fc-0'", "at least 1, not 0"]),
    ("fc-1.5", ["word 2, column 7", "'fc-1.5'", "fc-1000"]),
    ("gn0", ["word 2, column 7", "'gn0'", "at least 1, not 0"]),
    ("drop2", ["word 2, column 7", "'drop2'", "drop.5"]),
    ("relu7", ["word 2, column 7", "'relu7'", "relu takes no number"]),
    ("pool\uff12", ["word 2, column 7", "'pool\uff12'"]),
    ("conv3-64 x\uff12", ["word 3, column 16", "'x\uff12'"]),
    ("conv3-64 x", ["word 3, column 16", "'x'", "x2"]),
    ("conv3-64 x2 x2", ["word 4, column 19", "'x2'", "repeat"]),
    ("x2 conv3-64", ["word 2, column 7", "'x2'", "repeat"]),
    ("conv3-64 x0", ["word 3, column 16", "repeats", "at least 1, not 0"]),
    ("conv3-64 x99999999999", ["word 3, column 16", "repeats", "larger than"]),
    ("conv3-64 x100001", ["word 2, column 7", "more than 100,000 layers"]),
    ("(conv3-64 x1000) x1000", ["more than 100,000"]),
    ("conv3-64 😀", ["word 3, column 16", "'😀'"]),
    ("conv3-64 \x1b[31mfoo", ["word 3, column 16", r"'\x1b'"]),
    ("conv3-64\nfoo\nbar", ["'foo'", "conv3-64"]),
    ("conv3-64\u2028foo", ["'foo'", "conv3-64"]),
    ("conv3-64 foo\r\x08\x7f", ["word 3, column 16", "'foo"]),
    ("# no layer", ["at the end", "nothing to build", "conv3-64"]),
]

BRACKETS = [
    ("[conv3-64", ["at the end", "] for the [ at word 2, column 7"]),
    ("(conv3-64", ["at the end", ") for the ( at word 2, column 7"]),
    ("((conv3-64)", ["at the end", ") for the ( at word 2, column 7"]),
    ("conv3-64]", ["word 3, column 15", "']' closes nothing"]),
    ("conv3-64)", ["word 3, column 15", "')' closes nothing"]),
    ("[conv3-64 | conv3-64)", ["word 6, column 27", "')'", "[ at word 2, column 7"]),
    ("[conv3-64 + conv3-32]", ["word 4, column 17", "'+'", "(a + b) to add"]),
    ("(conv3-64 | conv3-32)", ["word 4, column 17", "'|'", "[a | b] to concatenate"]),
    ("(id + id * id)", ["word 6, column 16", "'*'", "(a * b) to multiply"]),
    ("conv3-64 | conv3-64", ["word 3, column 16", "'|'", "[a | b]"]),
    ("conv3-64 + conv3-64", ["word 3, column 16", "'+'", "(a + b)"]),
    ("conv3-64 *2", ["word 3, column 16", "'*'", "x2"]),
    ("[conv3-64]", ["word 2, column 7", "two branches", "[a | b]"]),
    ("[]", ["word 2, column 7", "two branches", "[a | b]"]),
    ("()", ["word 3, column 8", "empty"]),
    ("[conv3-64 | ]", ["word 5, column 19", "empty", "write id"]),
    ("[ | conv3-64]", ["empty", "write id"]),
    ("(conv3-3 + + id)", ["empty", "write id"]),
    ("(" * 61 + "relu" + ")" * 61, ["word 62, column 67", "60 deep"]),
    ("(" * LONG + "relu", ["word 62, column 67", "60 deep"]),
]

REFERENCES = [
    ("@stem", ["word 2, column 7", "'stem'", "stem: conv7-64"]),
    ("stem: conv3-3 @stm", ["word 4, column 21", "'stm'", "did you mean @stem?"]),
    ("a: conv3-3 (relu + @a/b)", ["'a/b'", "word 7, column 26"]),
    ("a: conv3-3 (relu + @)", ["word 7, column 26", "'@'"]),
    ("a: conv3-3 relu @a", ["word 5, column 23", "@a"]),
    ("conv3-64 conv3-3 @input fc-10", ["conv2", "nothing uses"]),
    ("a: conv3-3 a: conv3-3", ["word 4, column 18", "'a' is taken"]),
    ("(a: relu) x2 a_1: relu", ["'a_1' is taken"]),
    ("input: conv3-3", ["word 2, column 7", "'input' is taken"]),
    ("a:", ["word 2, column 7", "'a' names nothing", "stem: conv7-64/2"]),
    ("a: id", ["word 2, column 7", "'a'", "stem: conv7-64/2"]),
    (
        "a: conv3-8 x2 [id | @a]",
        ["word 8, column 27", "'a'", "and @a_2 is its last"],
    ),
    ("=stem", ["word 2, column 7", "'stem'", "stem: conv7-64"]),
    ("stem: conv3-3 =stm", ["word 4, column 21", "'stm'", "did you mean =stem?"]),
    ("=input", ["word 2, column 7", "'=input' is for one layer"]),
    ("a: (relu bn) =a", ["word 7, column 20", "'=a' is for one layer", "name the layer itself"]),
    ("a: conv3-4 =a", ["conv2, input 8x8x4", "the weight of a has", "this input needs", "= 144"]),
    ("a,b: conv3-3", ["word 2, column 7", "'a,b' cannot be a name", "stem: conv7-64/2"]),
    (": conv3-3", ["word 2, column 7", "cannot be a name", "stem: conv7-64/2"]),
]

SHAPES = [
    ("stem: conv9-64 p0", ["stem, input 8x8x3", "9", "padded input of 8"]),
    ("conv3-64 pool9", ["pool1, input 8x8x64", "9", "padded input of 8"]),
    ("conv3-64 conv3-3 d5 p0", ["conv2, input 8x8x64", "11", "padded input of 8"]),
    ("conv3-64 g2", ["conv1, input 8x8x3", "2 groups do not divide 3 input", "g1 would"]),
    ("conv3-64 g3", ["conv1, input 8x8x3", "3 groups do not divide 64 output", "g1 would"]),
    ("conv3-64 g6", ["conv1, input 8x8x3", "6 groups do not divide 3 input", "g1 would"]),
    ("conv3-64 gn7", ["gn1, input 8x8x64", "7 groups do not divide 64", "gn4 would"]),
    ("pool2 p9", ["pool1, input 8x8x3", "9", "p1 would"]),
    ("convt1-64 p5", ["convt1, input 8x8x3", "padding of 5"]),
    ("conv3x3x3-64", ["conv1, input 8x8x3", "3x3x3 has 3 axes", "2"]),
    ("conv3-64/2x2x2", ["conv1, input 8x8x3", "stride 2x2x2 has 3 axes"]),
    ("adaptiveavgpool6x6x6", ["adaptivepool1, input 8x8x3", "6x6x6 has 3 axes"]),
    ("fc-10 conv3-64", ["conv1, input 10", "vector of 10", "before flatten and fc"]),
    ("fc-10 pool2", ["pool1, input 10", "vector of 10", "before flatten and fc"]),
    ("fc-10 gap", ["gap1, input 10", "vector of 10", "before flatten and fc"]),
    ("[conv3-64 | pool2]", ["concat1", "conv1", "pool1", "8x8x64", "4x4x3"]),
    ("(conv3-64 + pool2)", ["add1", "conv1", "pool1", "8x8x64", "4x4x3"]),
    ("(conv3-64 + conv3-32)", ["add1", "conv1", "conv2", "8x8x64", "8x8x32"]),
    ("(conv3-64 * conv3-32)", ["mul1", "conv1", "conv2", "8x8x64", "8x8x32"]),
    ("sum: (a: conv3-64 + id)", ["sum", "sum/a", "input", "8x8x64", "8x8x3"]),
]

OPTIONS = [
    (["vgg19", "--batch", "0"], ["--batch", "'0'", "whole number from 1"]),
    (["vgg19", "--batch", "-1"], ["--batch", "'-1'", "whole number from 1"]),
    (["vgg19", "--batch", "99999999999"], ["--batch", "'99999999999'", "to 1,000,000,000"]),
    (["vgg19", "--batch", "x"], ["--batch", "'x'", "whole number"]),
    (["vgg19", "--batch", "1.5"], ["--batch", "'1.5'"]),
    (["vgg19", "--batch", "\uff11\uff10"], ["--batch", "'\uff11\uff10'"]),
    (["vgg19", "--batch", "\x1b[31m\n1"], ["--batch", r"\x1b[31m\n1"]),
    (["vgg19", "--batch"], ["--batch", "argument"]),
    (["vgg19", "--depth", "x"], ["--depth", "'x'"]),
    (["vgg19", "--depth", "-1"], ["--depth", "'-1'", "whole number from 0"]),
    (["vgg19", "--dtype", "foo"], ["'foo'", "fp32"]),
    (["vgg19", "--dtype", "fp23"], ["'fp23'", "fp32"]),
    (["vgg19", "--dtype", ""], ["''", "fp32"]),
    (["vgg19", "--format", "foo"], ["--format", "'foo'", "markdown"]),
    (["vgg19", "--format", "mardown"], ["--format", "'mardown'", "did you mean markdown?"]),
    (["vgg19", "--format", "JSON"], ["--format", "'JSON'", "did you mean json?"]),
    (["vgg19", "--format", "md"], ["--format", "'md'", "markdown"]),
    (["vgg19", "--format", "tex"], ["--format", "'tex'", "did you mean latex?"]),
    (["vgg19", "--format", ""], ["--format", "''", "markdown"]),
    (["vgg19", "--format", "\x1b[31m"], ["--format", r"'\x1b[31m'", "markdown"]),
    (["vgg19", "--table", "--working"], ["--table", "--working"]),
    (["vgg19", "--train", "--input", "HxWx3"], ["--train", "letters", "--at H=224"]),
    (["vgg19", "--train", "--optimizer", "adm"], ["'adm'", "did you mean adam?"]),
    (["vgg19", "--depht", "1"], ["--depht", "--depth"]),
    (["--batsh", "2", "vgg19"], ["--batsh", "--batch"]),
    (["vgg19", "--no-bias=1"], ["--no-bias", "value"]),
    (["vgg19", "-x"], ["-x"]),
    (["vgg19", "--input", "8x8x3", "--input", "9x9x3"], ["--input", "more than once"]),
    (["--batch", "2", "vgg19", "--batch=2"], ["--batch", "more than once"]),
    (["inception", "--conv1", "3", "--conv1", "4"], ["--conv1", "more than once"]),
    (["verify", "lenet5", "--batch", "2", "--batch", "3"], ["--batch", "more than once"]),
    (["networks", "--batch", "2"], ["--batch"]),
    (["inception", "--conv1", "0"], ["--conv1", "'0'", "whole number from 1"]),
    (["inception", "--conv1", "-5"], ["--conv1", "'-5'", "whole number from 1"]),
    (["inception", "--conv3", "9999999999"], ["--conv3", "'9999999999'", "whole number"]),
    (["inception", "--conv1", "x"], ["--conv1", "'x'"]),
    (["inception", "--pool_proj", "1"], ["--pool_proj", "--pool-proj"]),
    (["receptive-field", "5x5", "0x0"], ["'0x0'", "word 2, column 5", "at least 1, not 0"]),
    (["receptive-field", "5x5", "3x3/0"], ["'3x3/0'", "word 2, column 5", "at least 1, not 0"]),
    (["receptive-field", "5x5", "3x3", "foo"], ["'foo'", "word 3, column 9"]),
    (["receptive-field", "5X5"], ["'5X5'", "5x5"]),
    (["receptive-field", "5x5x5", "3x3"], ["conv2", "3x3 has 2 axes"]),
]

FILES = [
    (["missing.txt"], ["missing.txt", "No such file"]),
    (["no/such/file"], ["'no/such/file'", "no file"]),
    (["dangling.txt"], ["dangling.txt", "No such file"]),
    (["folder"], ["folder", "directory"]),
    (["small.net", "bare"], ["archcalc compare small.net bare sets"]),
    (["bare", "bare"], ["archcalc compare bare bare sets"]),
    (["receptive-field", "small.net", "vgg19"], ["archcalc compare small.net vgg19 sets"]),
    (["verify", "small.net", "8x8x3 relu"], ["archcalc compare small.net '8x8x3 relu' sets"]),
    (["small.net", "missing.net"], ["missing.net", "No such file"]),
    (["net.py"], ["net.py: Python code", "conv3-64"]),
    (["net.py:Net"], ["net.py:Net: Python code", "conv3-64"]),
    (["vgg19", "net.py"], ["net.py: Python code"]),
    (["net.onnx"], ["net.onnx: an ONNX graph", "conv3-64"]),
    (["net.PT2"], ["net.PT2: an exported PyTorch program", "conv3-64"]),
    (["net.prototxt"], ["net.prototxt: a Caffe network", "conv3-64"]),
    (["a\0.txt"], ["null byte"]),
    (["folder.txt"], ["folder.txt", "directory"]),
    (["empty.txt"], ["empty.txt", "nothing to build", "conv3-64"]),
    (["comment.txt"], ["comment.txt", "nothing to build", "conv3-64"]),
    (["binary.txt"], ["binary.txt", "not a text file", "byte 0"]),
    (["null.txt"], ["null.txt", "not a text file", "null bytes"]),
    (["large.txt"], ["large.txt", "larger than 4,000,000 bytes"]),
    (["typo.txt"], ["typo.txt, line 2, column 3", "'pol2'", "did you mean pool2?"]),
    (["open.txt"], ["open.txt", "at the end", "line 2, column 1"]),
    (["name.txt"], ["name.txt, line 1, column 1", "'vgg19'", "conv3-64"]),
    (["\x1b[31m.txt"], [r"\x1b[31m.txt", "No such file"]),
    (["vgg19", "--output", "folder"], ["folder", "is a directory"]),
    (["vgg19", "--output", ""], ["--output"]),
    (["vgg19", "--output", "no/such/out.txt"], ["no/such/out.txt", "No such file"]),
    (["vgg19", "--output", "typo.txt/out.txt"], ["typo.txt/out.txt", "Not a directory"]),
    (["vgg19", "--output", "a\0b"], ["null byte"]),
    (["vgg19", "--output", "no/\x1b[31m"], [r"no/\x1b[31m", "No such file"]),
    (["vgg19", "--output", "x" * 300], ["too long"]),
    (["vgg19", "--format", "foo", "--output", "new.txt"], ["'foo'", "markdown"]),
    (["vgg20", "--output", "typo.txt"], ["'vgg20'"]),
    (["tables", "no/such"], ["no/such", "No such file"]),
]

ON_8X8X3 = [(["8x8x3 " + w], s) for w, s in WORDS + BRACKETS + REFERENCES + SHAPES]
LONE = [([word, "--input", "8x8x3"], says) for word, says in LONE_WORDS]
CASES = [*NETWORKS, *COMMANDS, *SIZES, *LETTERS, *LONE, *ON_8X8X3, *OPTIONS, *FILES]


def label(args):
    """A test's name: the command line, if need be its beginning."""
    return ascii(" ".join(args))[1:-1][:60]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of every wrong kind."""
    here = tmp_path_factory.mktemp("wrong")
    (here / "folder").mkdir()
    (here / "folder.txt").mkdir()
    (here / "dangling.txt").symlink_to("nowhere.txt")
    files = {
        "empty.txt": b"",
        "comment.txt": b"# nothing\n\n",
        "binary.txt": BINARY,
        "null.txt": b"8x8x3 conv3-64\0",
        "large.txt": b" " * (LARGEST_FILE + 1),
        "typo.txt": b"8x8x3 conv3-64\n  pol2\n",
        "open.txt": b"8x8x3\n[conv3-64 |\n conv3-32\n",
        "name.txt": b"vgg19\n",
        "small.net": b"8x8x3 conv3-64",
        "bare": b"8x8x3 conv3-64",
        "net.py": b"8x8x3 conv3-64",
    }
    for name, content in files.items():
        (here / name).write_bytes(content)
    return here


def contents(here):
    """Every file below a folder and what is in it."""
    return {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}


def is_one_line(message):
    """Whether it is one line of archcalc's that no terminal can take for more than text."""
    start, line, end = message[:10], message[10:-1], message[-1:]
    return start == "archcalc: " and end == "\n" and line.isprintable() and line == line.strip()


def test_there_are_many_cases():
    """At least 150 different wrong command lines are tried."""
    assert len({tuple(args) for args, _ in CASES}) == len(CASES) >= 150


@pytest.mark.parametrize(("args", "says"), CASES, ids=[label(args) for args, _ in CASES])
def test_wrong_input_gives_one_line(capsys, monkeypatch, folder, args, says):
    """The line says what was wrong, where, and what works; the status is 2, nothing is written."""
    monkeypatch.chdir(folder)
    before = contents(folder)
    assert run(args) == 2
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err.encode("utf-8", "backslashreplace").decode()), err
    assert len(err) < 500
    assert [said for said in says if said not in err] == [], err
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("message", "fine"),
    [
        ("archcalc: no network is called 'vgg20'\n", True),
        ("archcalc: no network is called 'vgg20'", False),
        ("archcalc: no network\nis called 'vgg20'\n", False),
        ("archcalc: \x1b[31m\n", False),
        ("archcalc: \n", True),
        ("archcalc: word 1 \n", False),
        ("Error: no network is called 'vgg20'\n", False),
        ("", False),
    ],
)
def test_the_check_of_a_line_can_fail(message, fine):
    """A second line, a missing end, a foreign beginning and a control character are noticed."""
    assert is_one_line(message) == fine


@pytest.mark.parametrize("function", [ac.load, ac.report, ac.verify, ac.profile, ac.twin])
def test_a_module_of_torch_is_one_line(function):
    """What archcalc does not read yet is called so in a sentence, whoever is asked to read it."""
    nn = pytest.importorskip("torch.nn")
    fact = r"archcalc reads names and text, and no torch\.nn\.\S*\.Linear yet; write it as e\.g\. "
    for what, says in ((nn.Linear(3, 4), fact), (None, "no builtins.NoneType yet")):
        with pytest.raises(ac.ArchitectureError, match=says):
            function(what)


# ------------------------------------------------------------------------- whatever is written

INPUTS = ["8x8x4", "HxWx4", "HxWxC", "16x4", "Lx4", "4x5x6x4", "DxHxWx4", "12", "N", "1x1x4", "9xW"]
GOOD = (
    *("conv3-8", "conv1-C", "conv5-4/2", "conv3-8p0", "conv3x1-4", "conv2-4/3d2", "conv4-4g2"),
    *("convt3-4/2", "convt2-4/2op1", "convt4-K/2p1", "pool2", "pool3/2ceil", "pool3/1", "avgpool2"),
    *("adaptiveavgpool3", "adaptivemaxpool5", "gap", "gmp", "fc-10", "fc-K", "flatten", "gn2"),
    *("bn", "ln", "lrn", "drop.5", "relu", "leakyrelu.1", "nobias", "p1", "d2", "g2", "x2", "x3"),
    *("id", "a:", "b:", "/c:", "@a", "@b", "@input", "=a", "=b", "=/c"),
)
BAD = (
    *("conv", "conv3", "conv3-", "conv3-0", "pool", "fc10", "x0", "x", "@", ":", "a/b:", "@a/b"),
    *("-", "/", "3", "8x8", "#", "(", ")", "[", "]", "|", "+", "*", ""),
    *("\0", "\x1b", "\u2028", "\uff12", "\U0001f600", "\udcff"),
)


def bracketed(inside):
    """Branches joined in one of the ways there are, or a group that is repeated."""
    ways = st.sampled_from(["[{} | {}]", "({} + {})", "({} * {})", "({}) x2", "a: ({} + {})"])
    return st.builds(str.format, ways, inside, inside)


SENTENCES = st.lists(
    st.recursive(
        st.sampled_from(GOOD),
        lambda inside: bracketed(st.lists(inside, min_size=1, max_size=3).map(" ".join)),
        max_leaves=8,
    ),
    min_size=1,
    max_size=5,
).map(" ".join)
NONSENSE = st.lists(st.sampled_from(GOOD + BAD), max_size=8).map(" ".join)
PAGES = [[], ["--working"], ["--table"], ["--depth", "1"], ["--no-bias"], ["--at", "H=20,W=30"]]


@settings(max_examples=250, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    network=SENTENCES | NONSENSE | st.text(max_size=20),
    shape=st.sampled_from(INPUTS),
    page=st.sampled_from(PAGES),
    command=st.sampled_from([["show"], ["receptive-field"], ["compare", "lenet5"]]),
    form=st.sampled_from(["text", "markdown", "latex", "csv", "json", "html"]),
)
def test_whatever_is_written_is_counted_or_refused(network, shape, page, command, form):
    """Any text at all gives either a result and no message, or one line and no result."""
    options = page if command == ["show"] else []
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run([*command, *options, "--input", shape, "--format", form, "--", network])
    if status == 0:
        assert out.getvalue()
        assert not err.getvalue()
    else:
        assert status == 2
        assert not out.getvalue()
        assert is_one_line(err.getvalue()), err.getvalue()


@pytest.mark.parametrize(
    "network",
    [
        *("HxWx3 gap convt2-4/2", "HxWx3 (id * gap)", "HxWx3 (id * gap conv1-3) adaptiveavgpool6"),
        *("HxWx3 convt2-4/2 gap", "HxWx3 convt2-4/2 fc-10", "HxWx3 pool2 convt2-4/2op1 flatten"),
        *("Lx3 convt3-4/2 adaptiveavgpool3", "Lx3 adaptivemaxpool5 gmp", "HxWx3 fc-10 flatten"),
        *("HxWx3 [pool3/2 p1 | conv3-8/2]", "HxWx3 (conv3-3p0 flatten + conv3-3p0 flatten)"),
        *("HxWx3 [convt2-4/2 | convt4-4/2 p1]", "DxHxWxC conv3-K [gap | gmp] fc-C"),
    ],
)
@pytest.mark.parametrize("command", ["show", "receptive-field"])
def test_letters_are_counted_behind_every_layer(capsys, command, network):
    """Whatever layers follow one another, a network with letters in its input is counted."""
    assert run([command, network]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


# ------------------------------------------------------------------------------- what hints say

# A command line, and the word in it that a hint replaces.
HINTED = [
    (["vgg20"], "vgg20"),
    (["vg19"], "vg19"),
    (["resnet"], "resnet"),
    (["resnet-51"], "resnet-51"),
    (["alexnet-ungroup"], "alexnet-ungroup"),
    (["inception-naiv"], "inception-naiv"),
    (["compare", "vgg19", "vgg-19x"], "vgg-19x"),
    (["receptive-field", "googlenett"], "googlenett"),
    (["vgg19", "--format", "mardown"], "mardown"),
    (["vgg19", "--format", "HTML"], "HTML"),
    (["vgg19", "--dtype", "fp23"], "fp23"),
    (["networs"], "networs"),
    *(
        ([f"8x8x3 conv3-64 {word}"], word)
        for word in (
            *("pol2", "POOL2", "maxpool2", "maxpool", "averagepool2", "adaptivepool6", "gap2"),
            *("conv3_64", "Conv3-64", "cnv3-64", "conv-3-64", "conv3-64/", "conv3x3", "conv3-0"),
            *("convolution3-64", "conv2d3-64", "deconv4-64", "convt4", "conv3-64s2", "conv3-64p"),
            *("fc10", "dense-10", "linear10", "fc", "fc-k", "softmax2", "reul", "ReLU", "leaky.01"),
            *("leakyrelu-1", "drop2", "dropout0.5", "drop", "batchnorm", "bn2", "gn", "flat"),
            *(
                "globalpool",
                "lrn0",
                "swish",
                "layernorm",
                "groupnorm8",
                "foo",
                "g",
                "gelo",
                "hardswish1",
                "conv3-64x2",
            ),
        )
    ),
    (["8x8x3 stem: conv3-64 (relu + @stm)"], "@stm"),
    (["8x8x3 a: (b: relu) (relu + @a/c)"], "@a/c"),
    (["8x8x3 stem: conv3-3 =stm"], "=stm"),
    (["8x8x3 a: conv3-3 x2 (id + @a)"], "@a"),
    (["8x8x3 conv3-64 g2"], "g2"),
    (["8x8x3 conv3-64 g3"], "g3"),
    (["8x8x9 conv3-64 g6"], "g6"),
    (["8x8x3 conv3-66 gn7"], "gn7"),
    (["8x8x3 pool2 p9"], "p9"),
]


def hinted(message):
    """The spellings that a message suggests."""
    if meant := re.search(r"did you mean (?:e\.g\. )?(.+)\?$", message):
        return meant[1].split(" or ")
    if example := re.search(r"(?:write )e\.g\. (\S+)$", message):
        return [example[1]]
    if last := re.search(r"it is repeated, and (\S+) is its last$", message):
        return [last[1]]
    if would := re.search(r"(\w+) would(?: work)?$", message):
        return [would[1]]
    if like := re.search(r"(?:layers read like|one of) (.+)$", message):
        return like[1].replace(",", "").split()
    return []


@pytest.mark.parametrize(("args", "word"), HINTED, ids=[label(args) for args, _ in HINTED])
def test_what_a_hint_says_works(capsys, args, word):
    """Whatever a message suggests instead of the wrong word is accepted in its place."""
    assert run(args) == 2
    message = capsys.readouterr().err.rstrip("\n")
    assert hinted(message), message
    for better in hinted(message):
        mended = [arg.replace(word, better) for arg in args]
        assert mended != args
        assert run(mended) == 0, (message, mended, capsys.readouterr().err)


# -------------------------------------------------------------------------- in a process of its own

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and devices of Unix")
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
BIG = ["resnet152", "--working"]  # more than a pipe holds


def archcalc(*args, **options):
    """Run the command as a person does."""
    command = [sys.executable, "-m", "archcalc", *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, check=False, timeout=60, **pipes | options)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["vgg20"], "vgg20"),
        (["vgg19", "--input", "224x224x😀"], "224x224x3"),
        (["vgg19", "--batch", "x"], "--batch"),
        (["show"], "NETWORK"),
        (["missing.txt"], "missing.txt"),
        pytest.param([b"\xff.txt"], ".txt", marks=posix),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_process_gives_one_line(tmp_path, args, says, encoding):
    """A real process too ends with status 2 and one line on standard error, in any encoding."""
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = archcalc(*args, cwd=tmp_path, env=env)
    err = done.stderr.decode(encoding).replace(os.linesep, "\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert is_one_line(err), err
    assert says in err
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.parametrize("args", [["vgg19"], [*BIG, "--format", "json"], ["--help"]])
def test_a_closed_pipe_gives_one_line(args):
    """Where nobody reads, one line says so, and the status is not 0."""
    reading, writing = os.pipe()
    os.close(reading)
    done = archcalc(*args, stdout=writing)
    os.close(writing)
    assert done.returncode == 2
    assert is_one_line(done.stderr.decode()), done.stderr.decode()
    assert b"the reader closed the pipe" in done.stderr


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_may_leave_early(unbuffered):
    """A reader that goes after the first line is no reason to report that all was well."""
    command = [sys.executable, "-m", "archcalc", *BIG, "--format", "json"]
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, bufsize=0, env=env) as process:
        assert process.stdout.read(2) == b"{\n"
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait(60) == 2
    assert is_one_line(err), err
    assert "the reader closed the pipe" in err


@full
@pytest.mark.parametrize("args", [["vgg19"], [*BIG, "--format", "json"], ["--help"], ["--version"]])
def test_a_full_disk_gives_one_line(args):
    """Where standard output cannot hold the result, one line says so, and the status is not 0."""
    with Path("/dev/full").open("wb") as device:
        done = archcalc(*args, stdout=device)
    assert done.returncode == 2
    assert is_one_line(done.stderr.decode()), done.stderr.decode()
    assert b"No space left" in done.stderr


@full
def test_a_full_disk_behind_a_file_gives_one_line(capsys):
    """`--output` onto a device that is full says so in one line."""
    assert run(["vgg19", "--output", "/dev/full"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert is_one_line(err), err
    assert "/dev/full: No space left" in err


@posix
@pytest.mark.parametrize("args", [["vgg19"], ["vgg19", "--format", "json"], ["--version"]])
def test_no_standard_output_gives_one_line(args):
    """Where there is no standard output at all, one line says so."""
    closing = "import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"
    command = [sys.executable, "-c", closing, sys.executable, "-m", "archcalc", *args]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False, text=True, timeout=60)
    assert done.returncode == 2
    assert is_one_line(done.stderr), done.stderr
    assert "standard output" in done.stderr


@posix
@pytest.mark.parametrize("where", [pytest.param("/dev/full", marks=full), None])
def test_without_standard_error_the_status_stays(where):
    """Where the line cannot be written, nothing goes to standard output and the status is 2."""
    redirect = "os.close(2)" if where is None else f"os.dup2(os.open({where!r}, os.O_WRONLY), 2)"
    program = f"import os, sys; {redirect}; os.execv(sys.executable, sys.argv[1:])"
    command = [sys.executable, "-c", program, sys.executable, "-m", "archcalc", "vgg20"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="the superuser may read and write everything"
)
def test_what_may_not_be_read_or_written_gives_one_line(capsys, tmp_path):
    """A file without the permission to read, a directory without that to write are named."""
    secret = tmp_path / "secret.txt"
    secret.write_text("8x8x3 conv3-64")
    secret.chmod(0)
    tmp_path.chmod(0o500)
    try:
        for args in (["secret.txt"], ["vgg19", "--output", "new.txt"]):
            path = tmp_path / args[-1]
            assert run([*args[:-1], str(path)]) == 2
            out, err = capsys.readouterr()
            assert not out
            assert is_one_line(err), err
            assert f"{path}: Permission denied" in err
    finally:
        tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == [secret]


@pytest.mark.parametrize(
    "network",
    [
        "8x8x3 (id x100000) x100000 relu",
        "8x8x3 adaptiveavgpool1000000000 conv3-3",
        "8x8x3 adaptiveavgpool999983 pool3/2 adaptiveavgpool999979 conv3-3",
        "8x8x3 convt3-3/999999937 conv3-3",
        "8x8x3 convt3-3/9973 pool3 convt3-3/9967 pool2",
        "1000000000x1000000000x3 adaptiveavgpool7 conv3-3",
        "8x8x3 " + "[relu | " * 40 + "relu" + "]" * 40,
        "8x8x3 " + "(relu + id) " * 500,
        "8x8x3 conv3-64" + "9" * LONG,
    ],
    ids=lambda network: network[:50],
)
def test_no_network_takes_for_ever(network):
    """However large its numbers, a network of one line is counted or refused within seconds."""
    program = "import sys; from archcalc.main import run; sys.exit(run([sys.stdin.read()]))"
    command = [sys.executable, "-c", program]
    try:
        done = subprocess.run(
            command, input=network, capture_output=True, check=False, text=True, timeout=10
        )
    except subprocess.TimeoutExpired:
        pytest.fail("took more than ten seconds")
    assert done.returncode in {0, 2}
    assert bool(done.stdout) == (done.returncode == 0)
    assert done.returncode == 0 or is_one_line(done.stderr), done.stderr


def test_a_folder_hides_no_layer(capsys, monkeypatch, tmp_path):
    """A folder called as a layer is none to read; a file of that name is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relu").mkdir()
    assert run(["relu", "--input", "8x8x3"]) == 0
    assert run(["8x8x3", "conv3-64", "relu"]) == 0
    (tmp_path / "tanh").write_text("9x9x3 relu")
    assert run(["tanh"]) == 0
    out, err = capsys.readouterr()
    assert "9x9x3" in out
    assert not err


VALID = [
    *(
        ["vgg19", "--table"],
        ["lenet5", "--format", "csv"],
        ["8x8x3", "conv3-8", "relu", "--working"],
    ),
    *(["googlenet", "--depth", "1", "--format=json"], ["receptive-field", "5x5", "pool2", "3x3d2"]),
    *(["inception", "--conv1", "3"], ["compare", "lenet5", "vgg11", "--no-bias"], ["networks"]),
    *(["vgg11", "--input", "HxWx3", "--at", "H=448,W=448"], ["--version"], ["show", "--help"]),
    *(["lenet5", "--convention", "torchinfo", "--batch", "3"], ["lenet5", "--output", "l.csv"]),
    *(["8x8x3", "a:", "conv3-3", "=a"], ["lenet5", "--train", "--optimizer", "adam"]),
]
WORDS_OF_LINES = sorted({word for line in VALID for word in line})


@st.composite
def spoilt(draw):
    """A valid command line with words lost, doubled, strange, cut, or out of order."""
    line = [*draw(st.sampled_from(VALID))]
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(line)))
        piece = draw(st.sampled_from(WORDS_OF_LINES) | st.text(max_size=3))
        line[place : place + draw(st.integers(0, 1))] = draw(
            st.sampled_from([[], [piece], [word[:-1] + piece for word in line[place:][:1]]])
        )
    return draw(st.permutations(line)) if draw(st.booleans()) else line


@settings(max_examples=200, deadline=None, derandomize=True, phases=[Phase.generate])
@given(line=spoilt())
def test_whatever_is_typed_is_answered_or_refused(tmp_path_factory, line):
    """A command line however spoilt gives a result and no message, or one line and no result."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(tmp_path_factory.mktemp("spoilt")), redirect_stdout(out), redirect_stderr(err):
        status = run(line)
    if status == 0 or not line:
        assert not err.getvalue()
    else:
        assert status == 2
        assert not out.getvalue()
        assert is_one_line(err.getvalue()), err.getvalue()


def application(function):
    """An application of one command."""
    made = typer.Typer(add_completion=False)
    made.command()(function)
    return made


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        (None, 0, ""),
        (0, 0, ""),
        (3, 3, ""),
        ("no\nluck", 1, "archcalc: no luck\n"),
        (BrokenPipeError(), 2, "archcalc: standard output: the reader closed the pipe\n"),
    ],
)
def test_an_exit_is_what_it_says(capsys, monkeypatch, code, status, says):
    """A command that exits has its own status; only a broken pipe behind it is a closed pipe."""

    def leave():
        try:
            raise code if isinstance(code, Exception) else SystemExit(code)
        except BrokenPipeError:
            sys.exit(1)  # as typer does

    monkeypatch.setattr(os, "dup2", lambda *_: None)  # the tests' own output stays
    assert invoke(application(leave), [], "archcalc leave") == status
    assert capsys.readouterr().err == says


def test_a_failure_with_a_file_names_the_file(capsys, tmp_path):
    """Where a file cannot be opened, it is named, and not standard output."""

    def fail():
        (tmp_path / "no" / "such").write_text("")

    assert invoke(application(fail), [], "archcalc fail") == 2
    expected = f"archcalc: {tmp_path / 'no' / 'such'}: No such file or directory\n"
    assert capsys.readouterr().err == expected


def test_a_broken_guest_is_one_line(capsys, monkeypatch):
    """A command of another package that cannot be loaded says why, and hides no other command."""
    entry = EntryPoint("broken", "no_such_module", "archcalc.commands")
    monkeypatch.setattr("archcalc.main._offered", lambda: {"broken": entry})
    assert run(["broken", "--help"]) == 1
    expected = "archcalc: broken cannot be loaded: No module named 'no_such_module'\n"
    assert capsys.readouterr().err == expected
    assert run(["--help"]) == 0
    out, err = capsys.readouterr()
    assert "networks" in out
    assert "Cannot be loaded" in out
    assert not err


def test_an_interrupt_is_no_traceback(capsys, monkeypatch):
    """Ctrl-C ends the command with status 130 and without a traceback."""

    def interrupted(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr("archcalc.options.load", interrupted)
    assert run(["vgg19"]) == 130
    out, err = capsys.readouterr()
    assert not out
    assert "Traceback" not in err


def test_an_interrupt_while_a_command_is_loaded_is_no_traceback(monkeypatch):
    """Ctrl-C before a command has begun ends the process with status 130 too."""

    def interrupted(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr("archcalc.main.application", interrupted)
    monkeypatch.setattr(sys, "argv", ["archcalc", "vgg19"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
