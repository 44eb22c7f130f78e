"""A policy small enough to compute by hand: the next token depends on the last one alone.

Tokens: 0 pad, 1 end of answer, 2 and 3 words. `TABLE[i]` holds the probabilities after token i.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from kit.methods import Needs, Step
from kit.model.batches import Batch

PAD, END, A, B = range(4)
TABLE = [
    [0.25, 0.25, 0.25, 0.25],
    [0.25, 0.25, 0.25, 0.25],
    [0.1, 0.2, 0.3, 0.4],
    [0.1, 0.5, 0.2, 0.2],
]
DIRECTION = torch.tensor([0.1, 0.7, 0.5, 0.5])  # of length 1
OTHER = [
    [0.25, 0.25, 0.25, 0.25],
    [0.25, 0.25, 0.25, 0.25],
    [0.2, 0.3, 0.3, 0.2],
    [0.1, 0.4, 0.4, 0.1],
]


class Bigram(nn.Module):
    """Answers like a causal language model of transformers, as far as the kit asks.

    Its decoder layers do nothing: the hidden state of a token is its row of the table.
    """

    def __init__(self, table: list[list[float]] = TABLE) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(table, dtype=torch.float64).log().float())
        self.layers = nn.ModuleList([nn.Identity(), nn.Identity()])
        self.norm = nn.Identity()

    def get_decoder(self):
        return self

    def forward(self, input_ids, attention_mask, logits_to_keep, use_cache):
        state = self.table[input_ids]
        for layer in (*self.layers, self.norm):
            state = layer(state)
        return SimpleNamespace(logits=state[:, -logits_to_keep:])


def batch_of(*samples: tuple[list[int], list[int]], padding: int = 0) -> Batch:
    """Return a batch of (prompt, answer) samples; `padding` more columns than it needs."""
    answers = [answer for _, answer in samples]
    ids, attention = _right_aligned([prompt + answer for prompt, answer in samples], padding)
    answer_ids, mask = _right_aligned(answers, padding)
    inputs = {"input_ids": ids, "attention_mask": attention}
    names = tuple(f"{prompt}->{answer}" for prompt, answer in samples)
    return Batch(names, inputs, answer_ids, mask.float())


EVERYTHING = Needs(
    retain=True, refusals=True, reference_scalars=True, reference_distribution=True,
    concept_balance=True, single_image=True, other_answers=True, random_answers=True,
    alternates=True, subject_facts=True, hidden_states=True, text_view=True,
)  # fmt: skip


@contextmanager
def as_reference(policy: nn.Module, reference: nn.Module) -> Iterator[None]:
    """Give `policy` the weights of `reference`, without gradient."""
    own = policy.table.data
    with torch.no_grad():
        policy.table.data = reference.table.data
        try:
            yield
        finally:
            policy.table.data = own


def step_of(
    policy: nn.Module, reference: nn.Module, needs: Needs = EVERYTHING, **prepared: object
) -> Step:
    """Return a step; reference scalars are filled in for the batches that are given."""
    prepared.setdefault("direction", DIRECTION)
    with torch.no_grad():
        for name in ("forget", "refusal", "alternate"):
            if name in prepared:
                prepared[f"{name}_reference"] = logprobs(reference, prepared[name])
    return Step(policy, partial(as_reference, policy, reference), needs, prepared)


def trained_on(model: nn.Module, batch: Batch) -> Step:
    """Return a step of supervised fine-tuning on one batch."""
    needs = Needs(forget=False, retain=True)
    return Step(model, nullcontext, needs, {"retain": batch})


def logprobs(model: nn.Module, batch: Batch) -> Tensor:
    """Return log pi(y), [B], by walking along each answer: no code of the kit."""
    table = model.table.log_softmax(-1)
    values = []
    for row, mask in zip(batch.inputs["input_ids"], batch.answer_mask, strict=True):
        length = int(mask.sum())
        tokens = row[len(row) - length - 1 :].tolist()
        values.append(sum(table[a, b] for a, b in pairwise(tokens)))
    return torch.stack(values)


def _right_aligned(rows: list[list[int]], padding: int) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows)) + padding
    ids = torch.tensor([[PAD] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask
