"""How many records of a batch are general ones, which fine-tuning rehearses."""


def rehearsed(batch: int, share: float) -> int:
    """Return the records that are a share of a batch, rounded.

    Args:
        batch: records of a step.
        share: `finetune.rehearsal`, in [0, 1).
    """
    return round(batch * share)
