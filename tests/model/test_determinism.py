"""What a record says of determinism is what was switched and what ran."""

import warnings

import pytest
import torch

from kit.model import determinism
from kit.model.determinism import backward, record_nondeterminism, state, with_fallback


def test_operations_without_a_deterministic_form_are_named_once():
    with record_nondeterminism() as names:
        for _ in range(2):
            warnings.warn(
                "cumsum_cuda_kernel does not have a deterministic implementation, but you set "
                "'torch.use_deterministic_algorithms(True, warn_only=True)'.",
                stacklevel=1,
            )
        warnings.warn(
            "Memory Efficient attention defaults to a non-deterministic algorithm. To explicitly "
            "enable determinism call torch.use_deterministic_algorithms(True, warn_only=False).",
            stacklevel=1,
        )
        warnings.warn("something else is deprecated", stacklevel=1)
    assert names == {"cumsum_cuda_kernel", "Memory Efficient attention"}


def test_a_warning_of_torch_itself_is_understood():
    """`put_` has no deterministic form on any device."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with record_nondeterminism() as names:
            torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
    finally:
        torch.use_deterministic_algorithms(False)
    assert names == {"put_"}


def test_a_record_of_a_cpu_names_the_threads_that_decide_its_bits():
    torch.set_num_threads(1)
    assert state(set()) == {"device": "cpu", "threads": 1}


class Put(torch.autograd.Function):
    """Goes backward through an operation that has no deterministic form."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clone().put_(torch.tensor([0]), gradient[:1])


@pytest.fixture
def insisting(monkeypatch):
    """As on a GPU: deterministic kernels are asked for."""
    monkeypatch.setattr(determinism, "_given_up", set())
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def test_going_backward_insists_on_deterministic_kernels_and_gives_up_once(insisting):
    tries = []

    def work():
        tries.append(len(tries))
        x = torch.ones(3, requires_grad=True)
        backward(Put.apply(x).sum())
        return x.grad

    assert torch.equal(with_fallback(work), torch.ones(3))
    assert len(tries) == 2
    assert determinism._given_up == {"put_"}
    with_fallback(work)
    assert len(tries) == 3, "the second time it knows"
    assert torch.is_deterministic_algorithms_warn_only_enabled(), (
        "forward it is a warning as before"
    )


def test_another_error_going_backward_is_not_swallowed(insisting):
    def work():
        raise RuntimeError("expected all tensors to be on the same device")

    with pytest.raises(RuntimeError, match="same device"):
        with_fallback(work)
    assert not determinism._given_up


def test_a_process_names_an_operation_in_the_record_of_each_of_its_jobs(insisting):
    for _ in range(2):
        with record_nondeterminism() as names:
            torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
        assert names == {"put_"}
