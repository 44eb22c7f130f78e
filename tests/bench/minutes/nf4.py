"""A 4-bit linear layer against the product with its dequantised weight: values, gradient, time."""

import time
from collections.abc import Callable
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from torch import Tensor

from tests.bench.minutes.models import device, quantised, synchronise

ROWS = {"full": (1, 8, 650, 5200), "tiny": (1, 8, 65, 520)}
# (inputs, outputs): the widest layers of LLaVA 1.5 7B in both directions.
SHAPES = {"full": ((4096, 11008), (11008, 4096)), "tiny": ((128, 256), (256, 128))}
REPEATS = {"full": 20, "tiny": 2}
# The error of a bfloat16 product against float32, as a share of the largest value. 4-bit kernels
# may add in another order, so they may have a few times that of the plain product.
MOST_ERROR, MOST_TIMES = 0.02, 4.0


def run(notes: Any, scale: str) -> None:
    """Compare both for each shape and number of rows."""
    for inputs, outputs in SHAPES[scale]:
        plain = torch.nn.Linear(inputs, outputs, bias=False, dtype=torch.bfloat16)
        torch.nn.init.normal_(plain.weight, std=0.02)
        layer = quantised(plain.to(device()))
        for rows in ROWS[scale]:
            name = f"{rows} x {inputs} -> {outputs}"
            notes.attempt(name, lambda r=rows, one=layer: _compared(one, r, REPEATS[scale]))


def _compared(layer: Linear4bit, rows: int, repeats: int) -> dict[str, Any]:
    weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(torch.bfloat16)
    given = torch.randn(rows, layer.in_features, device=device(), dtype=torch.bfloat16)
    back = torch.randn(rows, layer.out_features, device=device(), dtype=torch.bfloat16)
    exact = given.float() @ weight.float().T, back.float() @ weight.float()
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "nf4": layer, "dequantised": lambda x: x @ weight.T
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, way in ways.items():
        values = given.clone().requires_grad_()
        result = way(values)
        result.backward(back)
        found[name] = {
            "forward_error": _error(result, exact[0]),
            "gradient_error": _error(values.grad, exact[1]),
            "forward_and_backward_s": _seconds(lambda way=way: _both(way, given, back), repeats),
        }
    with torch.no_grad():  # one row takes another kernel without a gradient
        found["nf4"]["generating_error"] = _error(layer(given), exact[0])
        found["nf4"]["generating_s"] = _seconds(lambda: layer(given), repeats)
    plain = found["dequantised"]
    pairs = [(found["nf4"][f"{k}_error"], plain[f"{k}_error"]) for k in ("forward", "gradient")]
    pairs.append((found["nf4"]["generating_error"], plain["forward_error"]))
    good = [one <= MOST_ERROR and one <= MOST_TIMES * other + 1e-4 for one, other in pairs]
    return {**found, "as_expected": all(good)}


def _both(way: Callable[[Tensor], Tensor], given: Tensor, back: Tensor) -> None:
    way(given.clone().requires_grad_()).backward(back)


def _error(found: Tensor | None, exact: Tensor) -> float:
    """Return the largest difference as a share of the largest exact value; NaN stays NaN."""
    assert found is not None
    return float((found.detach().float() - exact).abs().max() / exact.abs().max())


def _seconds(work: Callable[[], Any], repeats: int) -> float:
    with torch.set_grad_enabled(torch.is_grad_enabled()):
        work()
        synchronise()
        started = time.monotonic()
        for _ in range(repeats):
            work()
        synchronise()
    return (time.monotonic() - started) / repeats
