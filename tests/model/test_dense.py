"""Weights that are dequantised once give the same bits as those dequantised each time."""

import json

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.bnb import Linear4bit as AdaptedLayer
from safetensors.torch import save_file
from torch import nn

from kit.model.dense import add_below, add_in_place, keep_dense
from kit.result.layout import ADAPTER_CONFIG, NEURONS, WEIGHTS

torch.set_num_threads(1)
NAMES = ["first", "second"]  # of adapters


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


class Small(nn.Module):
    """Two 4-bit layers at the paths of a language model's."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([layer(64, 128, torch.float32, bias=True)])
        self.layers.append(layer(128, 64, torch.float32, bias=False))

    def forward(self, x):
        return self.layers[1](torch.tanh(self.layers[0](x)))


def adapted(model, ranks):
    """Return the model with an adapter of each rank; no matrix is zero."""
    torch.manual_seed(9)
    for number, rank in enumerate(ranks):
        config = LoraConfig(r=rank, lora_alpha=12, target_modules=r"layers\.\d")
        if number:
            model.add_adapter(NAMES[number], config)
        else:
            model = get_peft_model(model, config, adapter_name=NAMES[0])
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            weight.data = 0.1 * torch.randn_like(weight)
    model.base_model.set_adapter(NAMES[: len(ranks)])
    return model


def gradients(model, x):
    model.zero_grad()
    output, by_input = passes(model, x)
    return [output, by_input, *(p.grad for p in model.parameters() if p.requires_grad)]


@pytest.mark.parametrize("ranks", [(4,), (4, 8)])
@pytest.mark.parametrize("rows", [(1, 1), (2, 7)])
def test_a_sum_in_place_is_what_peft_computes(ranks, rows):
    model = Small()
    keep_dense(model)
    model = adapted(model, ranks)
    x = torch.randn(*rows, 64, generator=torch.Generator().manual_seed(3))
    peft = gradients(model, x)
    add_in_place(model)
    assert all("forward" in vars(m) for m in model.modules() if isinstance(m, AdaptedLayer))
    ours = gradients(model, x)
    assert len(ours) == len(peft) == 2 + 4 * len(ranks)
    for one, other in zip(ours, peft, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))
    with model.disable_adapter():
        assert torch.equal(model(x), model.get_base_model()(x))


def test_an_adapter_that_is_switched_off_adds_nothing():
    model = Small()
    keep_dense(model)
    model = adapted(model, (4, 8))
    add_in_place(model)
    x = torch.randn(3, 64)
    both = model(x)
    model.base_model.set_adapter(NAMES[1:])
    only = model(x)
    assert not torch.allclose(both, only)
    model.delete_adapter(NAMES[0])
    torch.testing.assert_close(model(x), only)


def test_adapters_in_bfloat16_are_left_to_peft():
    model = Small()
    keep_dense(model)
    model = adapted(model, (4,))
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            weight.data = weight.data.bfloat16()
    x = torch.randn(3, 64)
    before = model(x)
    add_in_place(model)
    assert torch.equal(model(x), before)


def store(model, name, folder):
    """Write one adapter as training does, under the names of PEFT."""
    folder.mkdir()
    kept = {
        n.replace(f".{name}.", "."): p.detach().clone()
        for n, p in model.named_parameters()
        if f".{name}." in n
    }
    save_file(kept, folder / WEIGHTS)
    config = {"r": model.peft_config[name].r, "lora_alpha": model.peft_config[name].lora_alpha}
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config))
    return folder


def test_adapters_below_are_added_to_the_weights_and_leave_with_them(tmp_path):
    base = Small()
    keep_dense(base)
    x = torch.randn(5, 64)
    alone = base(x)
    model = adapted(base, (4, 8))
    beside = model(x).detach()
    folders = [store(model, name, tmp_path / name) for name in NAMES]
    base = model.unload()
    assert torch.equal(base(x), alone)
    assert add_below(base, folders)
    torch.testing.assert_close(base(x), beside, rtol=1e-5, atol=1e-6)
    keep_dense(base)
    assert torch.equal(base(x), alone)


def test_adapters_are_not_added_where_weights_are_packed_or_neurons_removed(tmp_path):
    base = Small()
    folder = store(adapted(Small(), (4,)), NAMES[0], tmp_path / "first")
    assert not add_below(base, [folder])
    keep_dense(base)
    (folder / NEURONS).write_text('{"layers.0.mlp.down_proj": [1]}')
    assert not add_below(base, [folder])
