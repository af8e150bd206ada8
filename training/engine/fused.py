"""An update as one pass over memory, compiled from the rule's own equations.

An optimizer does little arithmetic on many numbers: written with a tensor operation a symbol it
reads and writes memory a dozen times. Here :func:`training.engine.updates.traced` gives a rule's
terms; what is the same for all numbers of a member is computed once, and the rest becomes one loop:
by numba on the CPU, by ``torch.compile`` on a GPU. Parameters and state are changed in place.
"""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from training.engine.equations import Letter, Number, Operation, Term
from training.engine.kernel import spread
from training.engine.updates import Mixed, Rate, Rule, State, Updated, traced

LARGE: Final = 2**17  # numbers of a member, from which one pass is worth its compilation
WORKS: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
PIECE: Final = 2**16  # numbers a thread is woken for


class Program(NamedTuple):
    """A rule as code.

    Attributes:
        arrays: what every number has its own of: ``theta``, ``g``, and the slots of the state.
        lines: assignments that a loop over these makes.
        shared: terms that are the same for all numbers of a member, ``c0``, ``c1``, ...
        kept: the state that is one number a member, and what it becomes.
        letters: hyperparameters, and the state that is one number a member.
    """

    arrays: tuple[str, ...]
    lines: tuple[str, ...]
    shared: tuple[Term, ...]
    kept: dict[str, Term]
    letters: dict[str, Letter]


@cache
def program(rule: Rule) -> Program:
    """The code of a rule."""
    found = traced(rule)
    gradient = found.equations[0]
    slots = [name for name, letter in found.letters.items() if letter.each]
    arrays = tuple(name for name in slots if name not in {"theta", "g"})
    words: dict[Term, str] = {found.letters[name]: name for name in slots}
    lines: list[str] = []
    shared: dict[Term, str] = {}

    def word(term: Term) -> str:
        """What holds a term's value, once all lines so far are run."""
        if term is gradient.left:
            return word(gradient.right)
        if not _varies(term):
            return shared.setdefault(term, f"c{len(shared)}")
        if term not in words:
            assert isinstance(term, Operation)
            line = _line(term, word)
            words[term] = f"v{len(lines)}"
            lines.append(f"{words[term]} = {line}")
        return words[term]

    outputs = {"theta": found.updated.parameters}
    outputs |= {name: found.updated.state[name] for name in arrays}
    last = [f"{name} = {word(term)}" for name, term in outputs.items()]
    kept = {name: term for name, term in found.updated.state.items() if name not in arrays}
    loop = (*lines, *last)
    return Program(("theta", "g", *arrays), loop, tuple(shared), kept, found.letters)


def _varies(term: Term) -> bool:
    """Whether a term differs from number to number of a member."""
    if isinstance(term, Operation):
        return any(map(_varies, term.parts))
    return isinstance(term, Letter) and term.each


def _line(term: Operation, word: Callable[[Term], str]) -> str:
    """An operation on what holds its parts' values."""
    if term.operator == "sqrt":
        return f"sqrt({word(term.parts[0])})"
    left, right = term.parts
    if term.operator == "**":
        assert isinstance(right, Number), "of what varies no power is one"
        assert right.value == 2, "and none but a square is taken"  # noqa: PLR2004
        return f"{word(left)} * {word(left)}"
    if term.operator == "/" and not _varies(right):  # a product is faster
        return f"{word(left)} * {word(1 / right)}"
    return f"{word(left)} {term.operator} {word(right)}"


def _value(term: Term, given: Mapping[Letter, float]) -> float:
    """A shared term as a number."""
    if isinstance(term, Letter):
        return given[term]
    if isinstance(term, Number):
        return term.value
    assert isinstance(term, Operation)
    parts = [_value(part, given) for part in term.parts]
    if term.operator == "sqrt":
        return math.sqrt(parts[0])
    left, right = parts
    return float(WORKS[term.operator](left, right))


def compiles(theta: Tensor) -> bool:
    """Whether an update of parameters ``(members, numbers)`` is one pass, and in place.

    On a CPU of what is large; on a GPU always, since an operation a symbol is a launch a symbol.
    """
    if theta.device.type != "cpu":
        return True
    plain = theta.dtype == torch.float32 and theta.is_contiguous()
    return theta.shape[1] >= LARGE and plain and _has("numba")


@cache
def _has(package: str) -> bool:
    return find_spec(package) is not None


def update(
    rule: Rule, theta: Tensor, g: Tensor | Sequence[Tensor], state: State, rate: Rate, t: int
) -> Updated:
    """What :meth:`training.engine.updates.Rule.update` gives; in place where it :func:`compiles`.

    Args:
        rule: of all members.
        theta: parameters ``(members, numbers)``.
        g: the gradient, of the same shape; where it compiles, also as parts ``(members, some)``
            which side by side are the gradient.
        state: what the last update returned.
        rate: the learning rate, or one a member ``(members, 1)``, on the CPU: to ask a GPU for
            them would be to wait for all that it has to do.
        t: the number of the update, counted from 1.
    """
    if not compiles(theta):
        assert isinstance(g, torch.Tensor), "parts are for compiled code"
        return rule.update(theta, g, state, rate, t)
    table = shared(rule, theta, state, rate, t).to(theta.device, non_blocking=True)
    change(rule, theta, g, state, table)
    return Updated(theta, state)


def shared(rule: Rule, theta: Tensor, state: State, rate: Rate, t: int) -> Tensor:
    """What is the same for all numbers of a member in an update: ``(members, terms)``, on the CPU.

    The state that is one number a member goes on to its next value. The arguments are those of
    :func:`update`. For a GPU the memory is pinned, so that a copy need not be waited for.
    """
    rates = rate[:, 0].tolist() if isinstance(rate, torch.Tensor) else [rate] * len(theta)
    rows: list[list[float]] = []
    for own, one, mine in _runs(rule, state):
        code = program(one)
        kept = [mine[name][:, 0].tolist() for name in code.kept]
        known: dict[tuple[float, ...], list[list[float]]] = {}  # members often share their numbers
        numbers = list(zip(rates[own], *kept, strict=True))
        for each in dict.fromkeys(numbers):
            named = {**vars(one), "t": t, **dict(zip(("rate", *code.kept), each, strict=True))}
            given = {code.letters[name]: named[name] for name in code.letters if name in named}
            terms = (code.shared, code.kept.values())
            known[each] = [[_value(term, given) for term in some] for some in terms]
        rows += [known[each][0] for each in numbers]
        for place, name in enumerate(code.kept):
            mine[name].copy_(torch.tensor([[known[each][1][place]] for each in numbers]))
    widest = max(map(len, rows), default=0)
    padded = [row + [0.0] * (widest - len(row)) for row in rows]
    return torch.tensor(padded, dtype=torch.float32, pin_memory=theta.is_cuda)


def change(
    rule: Rule, theta: Tensor, g: Tensor | Sequence[Tensor], state: State, table: Tensor
) -> None:
    """Change parameters and state in place by what :func:`shared` gave, on their device."""
    parts = [g] if isinstance(g, torch.Tensor) else g
    for own, one, mine in _runs(rule, state):
        code = program(one)
        make = _looped if theta.device.type == "cpu" else _of_tensors
        run = make(code.arrays, code.lines, len(code.shared))
        terms = table[own, : len(code.shared)]
        first = 0
        for part in parts:
            end = first + part.shape[1]
            arrays = {
                name: slot[:, first:end] for name, slot in {**mine, "theta": theta[own]}.items()
            }
            arrays["g"] = part[own].contiguous()
            given = [arrays[name] for name in code.arrays]
            first = end
            if theta.device.type != "cpu":
                run(*given, *terms.T.unsqueeze(2))
                continue
            for rows in zip(*(one.numpy() for one in (*given, terms)), strict=True):
                spread(run, part.shape[1], *rows, least=PIECE)


def _runs(rule: Rule, state: State) -> Iterator[tuple[slice, Rule, State]]:
    """Members with the same rule that stand side by side, their rule, and what it remembers."""
    if not isinstance(rule, Mixed):
        yield slice(None), rule, state
        return
    for own, one, held in rule.runs():
        yield own, one, rule.of(state, own, held)


@cache
def _looped(arrays: tuple[str, ...], lines: tuple[str, ...], shared: int) -> Callable[..., None]:
    """Compiled by numba: a loop over numbers ``first`` to ``end`` of one member."""
    import numba  # noqa: PLC0415 - slow to load, and only large networks need it

    source = [
        f"def loop({', '.join(f'{name}_' for name in arrays)}, c, first, end):",
        *(f"    c{n} = c[{n}]" for n in range(shared)),
        *(f"    {name}_ = {name}_[first:end]" for name in arrays),
        "    for i in range(end - first):",  # from 0: no place is counted from the end
        *(f"        {name} = {name}_[i]" for name in arrays),
        *(f"        {line}" for line in lines),
        *(f"        {name}_[i] = {name}" for name in arrays if name != "g"),
    ]
    types = ", ".join(["float32[::1]"] * (len(arrays) + 1))
    # numpy's error model: a division by zero is infinite, as in tensors, and not an error
    options: Any = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    made = numba.njit(f"void({types}, int64, int64)", **options)
    compiled: Callable[..., None] = made(_made(source, {"sqrt": math.sqrt}))
    return compiled


@cache
def _of_tensors(
    arrays: tuple[str, ...], lines: tuple[str, ...], shared: int, backend: str = "inductor"
) -> Callable[..., None]:
    """Compiled by torch: the same on tensors ``(members, numbers)``, what is shared a column."""
    given = [*(f"{name}_" for name in arrays), *(f"c{n}" for n in range(shared))]
    source = [
        f"def loop({', '.join(given)}):",
        *(f"    {name} = {name}_" for name in arrays),
        *(f"    {line}" for line in lines),
        *(f"    {name}_.copy_({name})" for name in arrays if name != "g"),
    ]
    plain = _made(source, {"sqrt": torch.sqrt})
    # the number of members changes from run to run; of two sizes torch makes one program for all
    fast: Callable[..., None] = torch.compile(plain, backend=backend)
    state = {"run": fast}

    def run(*tensors: Tensor) -> None:
        try:
            state["run"](*tensors)
        except Exception:
            if state["run"] is plain:
                raise
            # every line but the last ones gives new tensors: nothing is half done
            logging.getLogger(__name__).warning("torch.compile failed; updates are slower")
            state["run"] = plain
            plain(*tensors)

    return run


def _made(source: list[str], given: dict[str, Any]) -> Callable[..., None]:
    """A function from its lines, which come of this module and no person."""
    exec("\n".join(source), given)  # noqa: S102 - see above
    made: Callable[..., None] = given["loop"]
    return made
