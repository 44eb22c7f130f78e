"""A shared base after a pass that ended early.

`fully_shard` gathers a layer's weights before the layer computes and frees them behind it. A pass
that ends in between (`kit.model.hidden`) leaves that layer gathered. The next whole or backward
pass would free it, but adapters cannot be added to it before.
"""

import torch

from kit.model import sharding


def free_gathered(model: torch.nn.Module) -> None:
    """Leave every layer with this process's share of its weights alone.

    Args:
        model: with or without adapters; nothing is done where its base is not shared.
    """
    if sharding.size() == 1:
        return
    from torch.distributed.fsdp import FSDPModule  # slow to import, and few share a base

    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
