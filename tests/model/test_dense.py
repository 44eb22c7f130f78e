"""Weights that are dequantised once give the same bits as those dequantised each time."""

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from torch import nn

from kit.model.dense import keep_dense

torch.set_num_threads(1)


def layer(inputs, outputs, dtype, *, bias):
    """Return a 4-bit layer with double quantisation, as the base has them."""
    torch.manual_seed(inputs + outputs)
    plain = nn.Linear(inputs, outputs, bias=bias, dtype=dtype)
    made = Linear4bit(
        inputs, outputs, bias=bias, compute_dtype=dtype, compress_statistics=True, quant_type="nf4"
    )
    made.load_state_dict(plain.state_dict())
    made.to("cpu")
    made.support_avx512bf16_for_cpu = False
    return made.requires_grad_(False).eval()


def passes(module, x):
    """Return output and gradient by the input."""
    x = x.clone().requires_grad_()
    output = module(x)
    output.float().square().sum().backward()
    return output.detach(), x.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(64, 128), (192, 64)])
@pytest.mark.parametrize("rows", [(1, 1), (2, 7), (16, 33)])
def test_output_and_gradient_have_equal_bits(dtype, bias, shape, rows):
    made = nn.Sequential(layer(*shape, dtype, bias=bias))
    x = torch.randn(*rows, shape[0], generator=torch.Generator().manual_seed(5)).to(dtype)
    with torch.no_grad():
        alone = made(x)
    before = passes(made, x)
    assert keep_dense(made)
    for one, other in zip(before, passes(made, x), strict=True):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
    with torch.no_grad():
        assert torch.equal(made(x), alone)


def test_an_input_of_another_type_comes_back_in_its_own():
    made = nn.Sequential(layer(64, 64, torch.bfloat16, bias=True))
    x = torch.randn(3, 64)
    before = made(x)
    keep_dense(made)
    assert made(x).dtype == torch.float32
    assert torch.equal(made(x), before)


def test_a_base_that_would_take_too_much_memory_stays_as_it_is():
    made = nn.Sequential(layer(64, 64, torch.float32, bias=False))
    assert not keep_dense(made, most_bytes=64 * 64 * 4 - 1)
    assert "forward" not in vars(made[0])
    assert keep_dense(made, most_bytes=64 * 64 * 4)


def test_the_quantised_weight_stays_and_no_state_is_added():
    made = nn.Sequential(layer(64, 64, torch.float32, bias=False))
    packed, names = made[0].weight.data.clone(), set(made.state_dict())
    keep_dense(made)
    assert torch.equal(made[0].weight.data, packed)
    assert set(made.state_dict()) == names
