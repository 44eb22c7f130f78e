"""The first of two passes over a batch, for methods that weigh the records of a whole batch."""

from collections.abc import Sequence

import torch

from kit.methods import Step
from kit.methods.balance import WholeBatch


def survey(parts: Sequence[Step]) -> None:
    """Give each micro-batch of a batch the values of all its forget records, without gradient.

    A batch of one micro-batch needs no first pass.
    """
    if len(parts) == 1:
        return
    with torch.no_grad():
        nll = torch.cat([part.forget_nll() for part in parts])
    start = torch.cat([part.forget_start() for part in parts])
    is_person = torch.cat([part.forget_is_person for part in parts])
    for part in parts:
        part.whole = WholeBatch(nll, start, is_person, len(parts))
