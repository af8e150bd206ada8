# ruff: noqa: TID253 - these tests are of what needs torch
"""Members in turn compute in memory that begins where it begins alone, on every processor."""

from __future__ import annotations

import pytest
import torch

from training.engine import cohort, fused, losses
from training.engine.alignment import BYTES, aligned, by_member
from training.engine.cohort import Cohort, Member
from training.engine.models import Mlp
from training.engine.networks import Net
from training.engine.updates import SGD, Adam

CONVOLUTION = "5x5x1 conv3-3/1 bn relu flatten drop.5 fc-3"  # 3 channels, 262 parameters
LINEAR = "1x1x7 fc-5 relu fc-3"


def beginnings(*tensors):
    """Where the values of tensors begin, beyond the last multiple of 64 bytes."""
    return [tensor.data_ptr() % BYTES for tensor in tensors]


@pytest.mark.parametrize("shape", [(3, 498), (3, 2, 5, 5), (1, 7), (4, 16)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.float64])
def test_every_member_begins_at_a_multiple(shape, dtype):
    """What is laid by member has the same values, and each member's begin at 64 bytes."""
    values = torch.arange(torch.Size(shape).numel()).to(dtype).view(shape)
    laid = by_member(values)
    assert torch.equal(laid, values)
    assert beginnings(*laid) == [0] * shape[0]
    assert by_member(laid) is laid


def test_memory_that_begins_elsewhere_is_copied():
    """One member whose memory begins between two multiples is moved to one."""
    values = torch.arange(65.0)[1:][None]
    assert not aligned(values)
    assert beginnings(*by_member(values)) == [0]
    assert torch.equal(by_member(values), values)


@pytest.fixture
def company(monkeypatch):
    """Builds three members of a network that compute in turn, whatever their size."""
    monkeypatch.setattr(cohort, "SMALL", 10)

    def made(text):
        model = Net.read(text) if "conv" in text else Mlp.read(text)
        members = [Member(number, "torch", rule=rule) for number, rule in enumerate(RULES)]
        return Cohort.born(model, members, 3, loss=losses.cross_entropy, rule=SGD())

    return made


RULES = (SGD(momentum=0.9), Adam(), Adam())


def of(text, batch=5):
    """A batch of each of three members, of an odd number of values."""
    shape = (1, 5, 5) if "conv" in text else (7,)
    x = torch.arange(3.0 * batch * torch.Size(shape).numel()).view(3, batch, *shape).cos()
    return x, torch.arange(3 * batch).view(3, batch) % 3


@pytest.mark.parametrize("text", [CONVOLUTION, LINEAR])
@pytest.mark.parametrize("how", ["born", "some of them", "laid anew"])
def test_members_in_turn_begin_as_they_do_alone(text, how, company):
    """Parameters, state and statistics of each member begin at 64 bytes, however they came."""
    some = company(text)
    if how == "some of them":
        some = some.part([2, 0])
    if how == "laid anew":  # as a record's arrays are
        some.parameters = some.parameters.contiguous()
        some.state = {name: value.contiguous() for name, value in some.state.items()}
    x, y = of(text)
    some.advance(x[: len(some)], y[: len(some)])
    seen = some.each(
        lambda one, _: torch.tensor(
            [beginnings(one.parameters, *one.state.values(), *one.buffers.values())]
        )
    )
    assert seen.shape == (len(some), 1 + len(some.state) + len(some.buffers))
    assert not seen.any()


@pytest.mark.parametrize("text", [CONVOLUTION, LINEAR])
def test_batches_and_gradients_begin_as_they_do_alone(text, company, monkeypatch):
    """What a member in turn reads, and the gradient that it is updated by, begin at 64 bytes."""
    made = company(text)
    seen = []
    forward, update = type(made.model).forward, fused.update

    def watched(model, theta, x, *more, **given):
        seen.extend(beginnings(theta, x))
        return forward(model, theta, x, *more, **given)

    def updated(rule, theta, gradient, *more):
        seen.extend(beginnings(theta, gradient))
        return update(rule, theta, gradient, *more)

    monkeypatch.setattr(type(made.model), "forward", watched)
    monkeypatch.setattr(fused, "update", updated)
    made.advance(*of(text))
    made.predict(of(text)[0])
    assert seen == [0] * (3 * 4 + 3 * 2)
