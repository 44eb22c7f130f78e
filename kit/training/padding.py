"""Left-padded batches are checked before the first job: they must not change what is computed.

Attention kernels with a mask have given wrong gradients, or NaN, for padded rows on some cards.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kit.benchmarks.records import Record
from kit.console import say
from kit.errors import TrainingError
from kit.failures import out_of_memory
from kit.model.batches import Batcher
from kit.model.determinism import backward, with_fallback
from kit.model.likelihood import answer_distribution, mean_nll
from kit.model.memory import release

# How far a padded record may differ from itself alone, by the type that the base computes in: nats
# per token, and the length of the difference of the gradients as a share of the gradient's.
# Measured on the small experiment: rounding alone gives 0 and 4e-6 in float32, 0.01 and 0.04 in
# bfloat16; a mask that is ignored gives gradients 0.4 to 1.3 apart in either.
TOLERANCE = {"float32": (1e-3, 1e-2), "float16": (0.03, 0.1), "bfloat16": (0.1, 0.25)}


def extremes(records: Sequence[Record]) -> list[Record]:
    """Return the records with the shortest and the longest question and answer, with an image.

    Records without an image are taken where none has one.
    """
    shown = [record for record in records if record.image is not None] or list(records)
    by_length = sorted(shown, key=lambda record: len(record.question) + len(record.answer))
    return [by_length[0], by_length[-1]]


def require_harmless_padding(
    model: torch.nn.Module, batcher: Batcher, records: Sequence[Record], name: str
) -> None:
    """Compare the loss and LoRA's gradients of a record in a left-padded batch and alone.

    Gradients, mode and random numbers of the model are left as they were.

    Args:
        records: the shortest, which is padded, and a longer one.
        name: of the job, for messages.

    Raises:
        TrainingError: they differ by more than rounding, or one is not finite.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()  # dropout would make every pass different
    try:
        with torch.random.fork_rng():
            found = [
                with_fallback(partial(_probe, model, batcher, batch))
                for batch in (records, records[:1])
            ]
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        found = []
    finally:
        for module, training in modes:
            module.training = training
        for parameter in model.parameters():
            parameter.grad = None
    if not found:
        release()
        say(f"  {name}: two records do not fit into memory at once: padding was not checked")
        return
    _require_equal(model, *found)


def _probe(
    model: torch.nn.Module, batcher: Batcher, records: Sequence[Record]
) -> tuple[float, list[Tensor]]:
    """Return M of the first record of a batch, and its gradients; the others fill the batch."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.grad = None
    batch = batcher(records)
    loss = mean_nll(answer_distribution(model, batch), batch)[0]
    backward(loss)
    return float(loss.detach()), [p.grad for p in parameters if p.grad is not None]


def _require_equal(
    model: torch.nn.Module, together: tuple[float, list[Tensor]], alone: tuple[float, list[Tensor]]
) -> None:
    config: Any = model.config  # torch declares every attribute as a tensor or a module
    dtype = str(config.dtype).removeprefix("torch.")
    of_loss, of_gradient = TOLERANCE.get(dtype, TOLERANCE["bfloat16"])
    loss = abs(together[0] - alone[0])
    pairs = zip(together[1], alone[1], strict=True)
    difference = torch.stack([(one - two).float().norm() for one, two in pairs]).norm()
    length = torch.stack([gradient.float().norm() for gradient in alone[1]]).norm()
    share = float(difference / length.clamp(min=1e-30))
    if loss <= of_loss and share <= of_gradient:  # false for NaN, too
        return
    raise TrainingError(
        "left padding changes what the model computes",
        expected=f"a short record beside a long one as alone: within {of_loss:g} nats per token, "
        f"gradients within {of_gradient:.0%} ({dtype})",
        found=f"{loss:.3g} nats per token, gradients {share:.3g} of their length apart, with the "
        f"attention '{config._attn_implementation}' of torch {torch.__version__}",
        remedy="set micro_batch_size = 1 in [finetune] and [unlearn], so that no batch is padded",
    )
