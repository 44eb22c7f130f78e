"""One base on several cards: each of N processes keeps a share of every decoder layer's weights.

All processes do the same work: the same records, passes and adapters. A layer's weights are
gathered while it computes, and freed afterwards (torch's `fully_shard`, FSDP2, arXiv 2304.11277).
So every number is computed as one process computes it, whatever a method does: the sum of a loss is
never divided up. It makes room for a larger base, and no step faster.

The base is frozen, so no gradient is exchanged. In 4 bits, the packed weights are shared out; their
scales (a thirtieth) are whole in every process, as are embeddings, output layer, vision tower,
projector and adapters. What decides how the work goes on is taken from the first process
(`agreed`): rounding on a GPU may differ, and processes that part would wait for each other.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")
FIRST = 0  # the process whose word counts
# All processes are on one machine: their addresses stay on it.
LOCAL = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
READ_BY_PEFT = ("compress_statistics", "quant_type")  # of a 4-bit weight, when LoRA is added

_size = 1  # processes that share a base with this one, itself included


def join(meeting: Path, rank: int, size: int, patience_s: float) -> None:
    """Let this process share its base with others; call it once, before the base is loaded.

    Args:
        meeting: a file that does not exist yet, the same for all processes.
        rank: of this process, from 0.
        size: how many processes there are.
        patience_s: how long a process waits for the others, in seconds.
    """
    global _size
    for name, value in LOCAL.items():
        os.environ.setdefault(name, value)
    # NCCL for weights; what is said in Python objects goes through main memory.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(
        backend,
        init_method=meeting.as_uri(),
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=patience_s),
    )
    _size = size


def size() -> int:
    """Return how many processes share a base with this one, itself included: 1 without any."""
    return _size


def meet() -> None:
    """Wait until every process is here."""
    if _size > 1:
        dist.all_gather_object([None] * _size, None)


def agreed(value: T) -> T:
    """Return the value of the first process; every process calls this at the same place."""
    if _size == 1:
        return value
    said = [value]
    dist.broadcast_object_list(said, src=FIRST)
    return said[0]


def agree_on(tensor: torch.Tensor) -> None:
    """Replace a tensor's values, in place, by those of the first process."""
    if _size > 1:
        dist.broadcast(tensor, src=FIRST)


def share_out(base: Any, device: torch.device) -> None:
    """Keep this process's share of the decoder's weights, on `device`, and everything else whole.

    Args:
        base: a frozen model of transformers without adapters, in main memory; changed in place.
    """
    # Here, because every plan and every worker imports this file, and few share a base.
    from bitsandbytes.nn import Linear4bit
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    mesh = init_device_mesh(device.type, (_size,))
    for layer in base.get_decoder().layers:  # one by one: a card need not hold two of them
        layer.to(device)
        packed: dict[Any, Any] = {m: m.weight for m in layer.modules() if isinstance(m, Linear4bit)}
        for module, weight in packed.items():
            module.quant_state = weight.quant_state  # bitsandbytes looks for it there
        fully_shard(layer, mesh=mesh, reshard_after_forward=True)
        for module, weight in packed.items():
            for name in READ_BY_PEFT:
                setattr(module.weight, name, getattr(weight, name))
    whole = {p for p in base.parameters() if not isinstance(p, DTensor)}
    for tensor in (*whole, *base.buffers()):
        tensor.data = tensor.data.to(device)
    fully_shard(base, mesh=mesh, ignored_params=whole)


def has_lost_others(error: BaseException) -> bool:
    """Return whether an error says that another process ended or did not answer in time."""
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and ("gloo" in str(error) or "NCCL" in str(error))
    )
