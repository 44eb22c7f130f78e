"""Log-probabilities of answers: the only code that turns logits into numbers.

Every loss and every likelihood metric uses it. Answers are right-aligned in a batch
(`kit.model.batches`), so the model computes logits only for the last positions; prompt, image and
padding positions never enter a loss.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from kit.model.batches import TEXT, Batch, Prompts
from kit.model.prompts import KINDS


def answer_distribution(model: torch.nn.Module, batch: Batch) -> Tensor:
    """Return log pi(. | image, question, answer so far), [B, T, V] in float32.

    T is the longest answer of the batch with its end token; shorter answers are right-aligned and
    `batch.answer_mask` [B, T] says which positions are answers.
    """
    length = batch.answer_ids.shape[1]
    logits = model(**batch.inputs, logits_to_keep=length + 1, use_cache=False).logits
    # Position t predicts token t + 1: the last position predicts beyond the end token.
    return log_softmax(logits[:, :-1].float(), dim=-1)


def whole_distribution(model: torch.nn.Module, batch: Batch) -> Tensor:
    """Return the log-probabilities of the next token at every position, [B, P + T, V], in float32.

    Positions of padding have values, too, which mean nothing.
    """
    logits = model(**batch.inputs, logits_to_keep=0, use_cache=False).logits
    return log_softmax(logits.float(), dim=-1)


def answer_logprobs(distribution: Tensor, batch: Batch) -> Tensor:
    """Return log pi(y_t) of the batch's answers, in nats, [B, T]; zero on padding."""
    gathered = distribution.gather(-1, batch.answer_ids.unsqueeze(-1)).squeeze(-1)
    return gathered * batch.answer_mask


def sequence_logprob(distribution: Tensor, batch: Batch) -> Tensor:
    """Return log pi(y) = sum_t log pi(y_t), [B], in nats."""
    return answer_logprobs(distribution, batch).sum(dim=1)


def mean_nll(distribution: Tensor, batch: Batch) -> Tensor:
    """Return M = -(1/T) sum_t log pi(y_t), in nats per token, [B]: long answers weigh no more."""
    return -sequence_logprob(distribution, batch) / batch.answer_mask.sum(dim=1)


def token_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over positions of each record, [B]; 0 for a record without positions.

    Args:
        values: [B, T].
        weight: 1 where a position counts, else 0, [B, T].
    """
    return (values * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def cross_entropy(target: Tensor, policy: Tensor) -> Tensor:
    """Return -sum_v target_v log policy_v at each position, in nats, [B, T].

    Args:
        target, policy: log-probabilities, [B, T, V]; those of the target may be -infinity.
    """
    return -(target.exp() * policy).sum(dim=-1)


def mean_kl(reference: Tensor, policy: Tensor, weight: Tensor) -> Tensor:
    """Return KL(reference || policy) per record, mean over positions, in nats per token, [B].

    Args:
        reference: log-probabilities of the reference, [B, T, V].
        policy: log-probabilities of the policy, [B, T, V].
        weight: 1 where a position counts, else 0, [B, T]; a record without such a position gives 0.
    """
    per_token = kl_div(policy, reference, log_target=True, reduction="none").sum(dim=-1)
    return token_mean(per_token, weight)


@dataclass(frozen=True)
class Prompted:
    """The state of a model that has read B prompts of at most P tokens; answers can follow."""

    first: Tensor
    """Log-probabilities of the token after each prompt, [B, V]."""
    mask: Tensor
    """1 on prompt tokens, 0 on padding, [B, P]."""
    cache: Any
    """Keys and values of the prompts, as transformers holds them."""
    following: Tensor | None
    """Position of the token after each prompt, [B, 1], for models whose positions have several
    axes. None: the model counts positions by itself."""
    inputs: dict[str, Tensor]
    """The model's arguments for the prompts, to read them again where the cache forgets."""

    def outgrown(self, length: int) -> bool:
        """Return whether a layer with a sliding window forgets some of `length` tokens.

        Its cache could then not be brought back to the end of the prompt.
        """
        layers = [layer for layer in self.cache.layers if layer.is_sliding]
        return any(length >= layer.sliding_window for layer in layers)


def read_prompts(model: torch.nn.Module, prompts: Prompts) -> Prompted:
    """Run the model over prompts and images once, before any number of answers."""
    found = model(**prompts.inputs, logits_to_keep=1, use_cache=True)
    first = log_softmax(found.logits[:, -1].float(), dim=-1)
    mask = prompts.inputs["attention_mask"]
    following = None
    if hasattr(found, "rope_deltas"):  # Qwen-VL: an image takes fewer positions than tokens
        if "image_grid_thw" in prompts.inputs:
            following = mask.sum(dim=1, keepdim=True) + found.rope_deltas
        else:  # the model's `rope_deltas` are of an earlier batch; text positions include padding
            following = torch.full_like(mask[:, :1], mask.shape[1])
    return Prompted(first, mask, found.past_key_values, following, prompts.inputs)


def continuation_logprob(
    model: torch.nn.Module, prompted: Prompted, ids: Tensor, mask: Tensor
) -> Tensor:
    """Return log pi(y) of one answer to each of the prompts, [B], in nats.

    Args:
        ids: tokens of the answers, left-aligned, [B, T].
        mask: 1 on answer and end tokens, 0 on padding, [B, T].

    The cache is unchanged when this returns: other answers can follow.
    """
    logprobs = continuation_distribution(model, prompted, ids, mask)
    return (logprobs.gather(-1, ids.unsqueeze(-1)).squeeze(-1) * mask).sum(dim=1)


def continuation_distribution(
    model: torch.nn.Module, prompted: Prompted, ids: Tensor, mask: Tensor
) -> Tensor:
    """Return log pi of every token of one answer to each of the prompts, [B, T, V].

    Arguments are as for `continuation_logprob`; the cache is unchanged as well.
    """
    logprobs = prompted.first.unsqueeze(1)
    given = ids.shape[1] - 1  # the last token is only predicted
    if given and prompted.outgrown(prompted.mask.shape[1] + given):
        logprobs = _read_again(model, prompted, ids, mask)
    elif given:
        places = {}
        if prompted.following is not None:
            steps = torch.arange(given, device=ids.device)
            places["position_ids"] = (prompted.following + steps).expand(3, -1, -1)
        logits = model(
            input_ids=ids[:, :-1],
            attention_mask=torch.cat([prompted.mask, mask[:, :-1]], dim=1),
            past_key_values=prompted.cache,
            use_cache=True,
            **places,
        ).logits
        prompted.cache.crop(-given)
        logprobs = torch.cat([logprobs, log_softmax(logits.float(), dim=-1)], dim=1)
    return logprobs


def _read_again(model: torch.nn.Module, prompted: Prompted, ids: Tensor, mask: Tensor) -> Tensor:
    """Return log pi of every answer token, [B, T, V], in one pass with the prompts."""
    inputs = dict(prompted.inputs)
    for name in KINDS:
        if name in inputs:
            inputs[name] = torch.cat([inputs[name], torch.full_like(ids[:, :-1], TEXT)], dim=1)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], ids[:, :-1]], dim=1)
    inputs["attention_mask"] = torch.cat([prompted.mask, mask[:, :-1]], dim=1)
    logits = model(**inputs, logits_to_keep=ids.shape[1], use_cache=False).logits
    return log_softmax(logits.float(), dim=-1)
