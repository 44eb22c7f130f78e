"""What released code computes where it differs from the papers: the option `legacy`.

With it, published tables can be understood. It is never a default, and no claim should rest on it.
Only the loss is reproduced: prompt and image tokens, which some of this code trains on as well, are
left out, and so are its schedules, adapters and data order.

Means over a batch need the whole batch, so these methods declare `whole_batch`. Released code takes
them over the batch of one device: set `batch_size` to that.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from kit.methods.step import Step
from kit.model.batches import Batch

NONE = "none"
OPEN_UNLEARNING = "open-unlearning"  # locuslab/open-unlearning @ d3d7cf9
TOFU = "tofu"  # locuslab/tofu @ 8c49eee, dataloader.py
MLLMU = "mllmu"  # franciscoliu/MLLMU-Bench @ 0e3098e
CLEAR = "clear"  # somvy/multimodal_unlearning @ bb14c96
CLEAR_EPSILON = 1e-8


def batch_mean(nll: Tensor, batch: Batch) -> Tensor:
    """Return the mean over all answer tokens of a batch, in nats per token, [].

    It is what a model of transformers returns as its loss: long answers weigh more than short ones.

    Args:
        nll: M of each record, [B].
    """
    tokens = batch.answer_mask.sum(dim=1)
    return (nll * tokens).sum() / tokens.sum()


def mean_of(nll: Tensor, batch: Batch, legacy: str) -> Tensor:
    """Return the mean of M over records, or over tokens where the released code does so, []."""
    return nll.mean() if legacy == NONE else batch_mean(nll, batch)


def refusals_of_tofu(step: Step) -> Tensor:
    """Return TOFU's loss of IDK: one mean over the tokens of refusals and retain answers together.

    TOFU concatenates both batches for one pass, so their weights are their numbers of tokens.
    """
    losses = step.refusal_nll(), step.retain_nll()
    tokens = [batch.answer_mask.sum(dim=1) for batch in (step.refusal, step.retain)]
    sums = [(nll * count).sum() for nll, count in zip(losses, tokens, strict=True)]
    return (sums[0] + sums[1]) / (tokens[0].sum() + tokens[1].sum())


def npo_of_mllmu(step: Step, beta: float) -> Tensor:
    """Return the loss of MLLMU-Bench's baselines/NPO.py: one sigmoid for the whole batch.

    L = -(2/beta) log sigma(beta (m - m*)), m being the mean over the batch's tokens, and m* that of
    a model that was trained on D_r alone. Answers of D_f are unlikely under it, so m - m* begins
    below 0. There is no retain term.
    """
    own = batch_mean(step.forget_nll(), step.forget)
    tokens = step.forget.answer_mask.sum()
    return -logsigmoid(beta * (own + step.retain_only_reference.sum() / tokens)) * 2 / beta


def npo_of_clear(step: Step, beta: float) -> Tensor:
    """Return the loss of CLEAR's mm/trainer.py: every position and every token of the vocabulary.

    L = (2/beta) mean log(1 + (p / (p_0 + 1e-8))^beta), a mean over all tokens of the vocabulary at
    all positions of the batch: those of prompt and image, too. Which of them is the answer plays no
    part. Positions of padding, which the released code includes, are left out: their values are
    arbitrary. There is no retain term.
    """
    batch = step.forget
    policy, reference = step.policy_everywhere(batch), step.reference_everywhere(batch)
    ratios = policy.exp() / (reference.exp() + CLEAR_EPSILON)
    values = torch.log1p(ratios**beta).mean(dim=-1)
    mask = batch.inputs["attention_mask"].to(values.dtype)
    return (values * mask).sum() / mask.sum() * 2 / beta


NPO_OF = {MLLMU: npo_of_mllmu, CLEAR: npo_of_clear}
