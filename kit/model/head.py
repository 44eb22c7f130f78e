"""A linear head on stored states: softmax regression with a unique best solution."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

STEPS = 500  # at most; a small head is done after a few dozen


def fit_head(states: Tensor, classes: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Return weights [C, d] and bias [C] that minimise the mean loss and `decay` / 2 x |W|^2.

    The loss is convex and the head begins at zero: nothing is drawn.

    Args:
        states: [n, d], float64.
        classes: of each state, from 0 to C - 1, int64, [n].
        decay: > 0.
    """
    count = int(classes.max()) + 1
    weights = torch.zeros(count, states.shape[1], dtype=states.dtype, requires_grad=True)
    bias = torch.zeros(count, dtype=states.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights, bias],
        max_iter=STEPS,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = cross_entropy(states @ weights.T + bias, classes)
        value = value + decay / 2 * weights.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach(), bias.detach()


def predict(trained: Tensor, classes: Tensor, asked: Tensor, decay: float) -> list[int]:
    """Return the class that a head trained on states gives to others.

    Each feature is centred and scaled by the states that the head is trained on.

    Args:
        trained: [n, d].
        classes: of the trained states, [n].
        asked: [m, d].
    """
    mean, spread = trained.double().mean(dim=0), trained.double().std(dim=0, correction=0)
    scale = spread + 1e-6 * spread.max().clamp(min=1e-12)
    weights, bias = fit_head((trained.double() - mean) / scale, classes, decay)
    scores = ((asked.double() - mean) / scale) @ weights.T + bias
    return [int(each) for each in scores.argmax(dim=1)]
