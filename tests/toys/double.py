"""A bigram model in float64, and losses of it without any code of the kit: for exact gradients."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

import torch
from torch import Tensor

from kit.methods import Step
from kit.model.batches import Batch

Sample = tuple[list[int], list[int]]
Table = list[list[float]]
"""Logits of the next token after each token."""
SHIFT = 1e-6


@dataclass
class DoubleStep(Step):
    """A step whose policy and reference are computed in float64; a model of the kit is float32."""

    def policy(self, batch: Batch) -> Tensor:
        return _distribution(self.model.table, batch)

    def reference(self, batch: Batch) -> Tensor:
        with torch.no_grad(), self.without_adapter():
            return _distribution(self.model.table.double(), batch)


def _distribution(table: Tensor, batch: Batch) -> Tensor:
    length = batch.answer_ids.shape[1]
    return table[batch.inputs["input_ids"]][:, -length - 1 : -1].log_softmax(-1)


def doubled(step: Step) -> DoubleStep:
    """Return the step in float64, prepared tensors included."""
    step.model.double()
    own = {**vars(step), "prepared": {name: _double(v) for name, v in step.prepared.items()}}
    return DoubleStep(**own)


def _double(value: Batch | Tensor) -> Batch | Tensor:
    if isinstance(value, Batch):
        mask = value.answer_mask.double()
        return Batch(value.record_ids, value.inputs, value.answer_ids, mask)
    return value.double() if value.is_floating_point() else value


def probabilities(row: Sequence[float]) -> list[float]:
    """Return the softmax of a row of logits."""
    top = max(row)
    shares = [exp(value - top) for value in row]
    return [share / sum(shares) for share in shares]


def walked(table: Table, sample: Sample) -> Iterator[tuple[int, int, list[float]]]:
    """Yield (last token, answer's token, probabilities after the last token) along an answer."""
    prompt, answer = sample
    for last, token in pairwise([prompt[-1], *answer]):
        yield last, token, probabilities(table[last])


def mean_nll_of(table: Table, sample: Sample) -> float:
    """Return M of an answer in nats per token."""
    values = [-log(p[token]) for _, token, p in walked(table, sample)]
    return sum(values) / len(values)


def differences(loss: Callable[[Table], float], table: Table) -> Tensor:
    """Return the gradient of a loss of the logits by central finite differences."""
    found = torch.zeros(len(table), len(table[0]), dtype=torch.float64)
    for i, row in enumerate(table):
        for j in range(len(row)):
            sides = []
            for shift in (SHIFT, -SHIFT):
                moved = [list(each) for each in table]
                moved[i][j] += shift
                sides.append(loss(moved))
            found[i, j] = (sides[0] - sides[1]) / (2 * SHIFT)
    return found
