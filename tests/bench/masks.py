"""Why MMUnlearner leaves people on the small experiment: what its mask depends on.

    ./run.sh bench masks             # the mask of each seed of the reference
    ./run.sh bench masks train 201   # MMUnlearner of a seed with its mask, and with other ones

It starts from the vanilla model in the cache. Fisher is the trace of MMUnlearner's: the mean of
single records' squared gradients of B.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kit.methods import Gradient, Measured, State
from kit.methods.mmunlearner import MMUnlearner
from kit.model.dense import keep_dense
from kit.training.gradients import Gradients
from kit.training.masters import MasterWeights
from tests.bench.small_runs import SmallRuns, reference_forgets, said

ENTRY = "mmunlearner"


@dataclass(frozen=True)
class Squares(MMUnlearner):
    """Keeps the squared gradients in place of their mask."""

    def begin(self, measured: Mapping[str, Measured]) -> State:
        return State(weights={name: each.square for name, each in measured.items()})


@dataclass(frozen=True)
class Shuffled(MMUnlearner):
    """The mask of as many weights, drawn within each tensor."""

    def begin(self, measured: Mapping[str, Measured]) -> State:
        drawn = torch.Generator().manual_seed(1)
        mask = super().begin(measured).weights["mask"]
        other = {
            name: each.flatten()[torch.randperm(each.numel(), generator=drawn)].view(each.shape)
            for name, each in mask.items()
        }
        return State(weights={"mask": Gradient(other)})


@dataclass(frozen=True)
class Relative(MMUnlearner):
    """Each Fisher over its own trace: the mask no longer depends on how large F_p is."""

    def begin(self, measured: Mapping[str, Measured]) -> State:
        forget, preserved = measured["forget"].square, measured["retain"].square
        ratio = float(flat(forget).sum() / flat(preserved).sum())
        return State(weights={"mask": forget.at_least(preserved * ratio)})


@dataclass(frozen=True)
class Salient(MMUnlearner):
    """SalUn's mask: the largest mean gradients of D_f, as many as seed 201 leaves free."""

    def begin(self, measured: Mapping[str, Measured]) -> State:
        return State(weights={"mask": measured["forget"].mean.abs().largest(SHARE)})


SHARE = 0.12
WAYS: dict[str, tuple[MMUnlearner, dict[str, float]]] = {
    "as it is": (MMUnlearner(preserve_text=False), {}),
    "as many weights, drawn": (Shuffled(preserve_text=False), {}),
    "SalUn's 12 %": (Salient(preserve_text=False), {}),
    "each Fisher over its trace": (Relative(preserve_text=False), {}),
    "mask on the gradient alone": (MMUnlearner(preserve_text=False, mask_update=False), {}),
    "twice the steps": (MMUnlearner(preserve_text=False), {"steps": 120}),
}


def main() -> int:
    """Print the masks of the reference's seeds, or train one seed with several masks."""
    runs, (what, *seeds) = SmallRuns(), sys.argv[1:] or ["masks"]
    if what == "train":
        for seed in map(int, seeds):
            for way, (method, settings) in WAYS.items():
                outcome = runs.outcome(runs.job(ENTRY, seed, method, **settings))
                print(f"seed {seed}, {way}: {said(outcome)}", flush=True)
        return 0
    print("seed  F_p / F_f  largest record of F_p  free of B  forgotten")
    for seed, forgotten in reference_forgets(ENTRY).items():
        print(f"{seed}  {mask_of(runs, seed)}  {100 * forgotten:8.0f} %", flush=True)
    return 0


def mask_of(runs: SmallRuns, seed: int) -> str:
    """Return what the mask of a seed rests on: traces, their largest record, and its share."""
    method = Squares(preserve_text=False)
    job = runs.job(ENTRY, seed, method)
    model = runs.worker._with_adapters(job)
    source = runs.worker.source(job, model)
    forget, preserved = [], []
    for step in source.measured():
        one = Gradients(method, MasterWeights(model))
        one.measure(lambda step=step: [step])
        forget.append(flat(one.state.weights["forget"]))
        preserved.append(flat(one.state.weights["retain"]))
    source.close()
    runs.worker.base = model.unload()
    keep_dense(runs.worker.base)
    ours, theirs = sum(forget), sum(preserved)
    largest = max(float(each.sum()) for each in preserved) / float(theirs.sum())
    free = float((ours >= theirs).float().mean())
    return f"{float(theirs.sum() / ours.sum()):9.1f}  {100 * largest:19.0f} %  {100 * free:7.0f} %"


def flat(gradient: Gradient) -> Tensor:
    """Return the values of all B as one vector; A has no gradient before the first step."""
    return torch.cat([each.flatten() for name, each in gradient.items() if "lora_B" in name])


if __name__ == "__main__":
    raise SystemExit(main())
