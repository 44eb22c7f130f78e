"""What a record says of determinism is what was switched and what ran."""

import warnings

import torch

from kit.determinism import switches, watched


def test_operations_without_a_deterministic_form_are_named_once():
    with watched() as names:
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
        with watched() as names:
            torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
    finally:
        torch.use_deterministic_algorithms(False)
    assert names == {"put_"}


def test_a_record_of_a_cpu_names_the_threads_that_decide_its_bits():
    torch.set_num_threads(1)
    assert switches(set()) == {"device": "cpu", "threads": 1}
