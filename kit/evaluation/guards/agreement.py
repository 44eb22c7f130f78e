"""The second look: the implementation that trains reads the stored answers, teacher-forced.

Two implementations of one model differ by rounding. A near tie can flip a token of a greedy answer
and everything after it, so equal texts cannot be demanded. But every token that the engine chose
must be nearly the likeliest one: with errors of logits up to e, it is at most 2 e less likely than
the likeliest one of the other implementation. Answers by other weights are unlikely under its own.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kit.benchmarks.records import Benchmark, Record
from kit.console import say
from kit.errors import GuardError
from kit.evaluation.answers_file import read_token_ids
from kit.evaluation.guards.sampling import sample_records
from kit.evaluation.questions import asked_records
from kit.experiment.manifest import EvaluationSection
from kit.failures import at
from kit.methods.merger_file import merge_in
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution
from kit.model.lora import load_adapter
from kit.model.memory import HalvingBatches, release
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.sources.datasets import base_folder

RECORDS = 8  # in one pass
# How much less likely than the likeliest token a chosen one may be, by the type that the model
# computes in. `./run.sh bench agreement` measures the small experiment's 27 trained systems: own
# answers are at most 0.56 nats away in bfloat16 (its logits from 16 to 32 are multiples of 0.125)
# and 0.0000 in float32; another system's answers are at least 1.12 and 1.30 nats away.
NEAR_TIE_NATS = {"float32": 0.01, "bfloat16": 1.0}


@dataclass(frozen=True)
class Given:
    """A stored answer: the record as it was asked, and the tokens that the engine generated."""

    record: Record
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Distance:
    """How far a stored answer's unlikeliest token is from the likeliest one, in nats, >= 0."""

    record_id: str
    nats: float
    token: int
    place: int
    """Position of the token in the answer, from 0."""


class SecondLook:
    """Checks stored answers with the 4-bit base and stacked adapters, exactly as in training.

    The base is loaded when it is first needed, and again after `release`.
    """

    def __init__(self, plan: Plan, benchmark: Benchmark) -> None:
        self._plan, self._benchmark = plan, benchmark
        self._base: Any = None
        self._batcher: Batcher | None = None
        self._limit = limit_nats(plan.manifest.evaluation, plan.manifest.model.compute_dtype)

    def check(self, systems: Sequence[System]) -> None:
        """Check a sample of each system's stored answers and publish what was found.

        Raises:
            GuardError: a token is further from the likeliest one than rounding explains.
        """
        share = self._plan.manifest.evaluation.read_again(len(self._plan.systems))
        for system in systems:
            given = sampled_answers(system, self._benchmark, share)
            largest = round(self.furthest(system, given), 6)
            system.agreement.partial.mkdir(parents=True, exist_ok=True)
            system.agreement.publish(
                {
                    "stage": "evaluate",
                    "answers": len(given),
                    "tokens": sum(len(each.ids) for each in given),
                    "largest_nats": largest,
                    "limit_nats": self._limit,
                }
            )

    def furthest(self, system: System, given: Sequence[Given]) -> float:
        """Return the largest distance of some answers' tokens, in nats, if rounding explains it."""
        with at(f"system {system.name}, second look"):
            found = self._distances(system, given)
        require_near(system.name, found, self._limit)
        return max(distance.nats for distance in found)

    def release(self) -> None:
        """Return the memory of the base to the device."""
        self._base = None
        release()

    def _distances(self, system: System, given: Sequence[Given]) -> list[Distance]:
        if self._batcher is None or self._base is None:
            folder = base_folder(self._plan.manifest)
            determinism.enable()
            self._batcher = Batcher(load_processor(folder, self._plan.manifest.model), device())
            self._base = load_base(folder, self._plan.manifest.model)
        require_known(system, given, int(self._base.config.get_text_config().vocab_size))
        model = self._base
        for number, artifact in enumerate(system.adapters):
            model = load_adapter(model, f"adapter{number}", artifact.path, merge_in)
        work = partial(distances, model, self._batcher)
        found = HalvingBatches(RECORDS, "answers").run(work, given)
        if system.adapters:
            self._base = model.unload()
        return found


def check_systems(plan: Plan, names: Sequence[str]) -> None:
    """Check the stored answers of the named systems; runs in a process of its own.

    Raises:
        GuardError: as in `SecondLook.check`.
    """
    from kit.benchmarks import load as load_benchmark
    from kit.sources.datasets import places

    torch.set_num_threads(plan.manifest.compute.threads)
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    look = SecondLook(plan, benchmark)
    look.check([system for system in plan.systems if system.name in names])


def limit_nats(section: EvaluationSection, dtype: str) -> float:
    """Return how far a token may be from the likeliest one: the manifest's number, or dtype's."""
    return section.agreement_nats or NEAR_TIE_NATS[dtype]


def sampled_answers(system: System, benchmark: Benchmark, size: int) -> list[Given]:
    """Return a seeded sample of a system's stored answers, each with the question as asked."""
    stored = read_token_ids(system)
    chosen = sample_records(system, benchmark, size)
    records = [record for record in asked_records(system, benchmark) if record.id in chosen]
    return [Given(record, stored[record.id]) for record in records]


@torch.no_grad()
def distances(model: torch.nn.Module, batcher: Batcher, given: Sequence[Given]) -> list[Distance]:
    """Return the largest distance of each answer, in order.

    A broken model may answer with the token that stands for an image. As an input, that token would
    need a second image, so an answer is read up to the first such token, which is judged as well.
    """
    read = [up_to_media(each.ids, batcher.media_ids) for each in given]
    filler = [[0 if token in batcher.media_ids else token for token in ids] for ids in read]
    batch = batcher.given([each.record for each in given], filler)
    chosen = batch.answer_ids.clone()
    for row, ids in zip(chosen, read, strict=True):
        row[-1] = ids[-1]  # the only one that may differ from what the model reads
    gaps = gaps_of(answer_distribution(model, batch), chosen, batch.answer_mask)
    return list(_largest(gaps, [Given(e.record, i) for e, i in zip(given, read, strict=True)]))


def up_to_media(ids: tuple[int, ...], media: Set[int]) -> tuple[int, ...]:
    """Return the tokens of an answer up to the first that stands for an image, that one included.

    The last token of an answer is never an input of what is judged.
    """
    first = next((place for place, token in enumerate(ids) if token in media), len(ids))
    return ids[: first + 1]


def gaps_of(distribution: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Return max_v log pi(v) - log pi(y_t) of every answer token, in nats, [B, T]; 0 on padding.

    Args:
        distribution: log-probabilities, [B, T, V].
        ids: the tokens of the answers, [B, T].
        mask: 1 on answer tokens, 0 on padding, [B, T].
    """
    chosen = distribution.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return (distribution.max(dim=-1).values - chosen) * mask


def _largest(gaps: Tensor, given: Sequence[Given]) -> Iterator[Distance]:
    for row, each in zip(gaps, given, strict=True):
        own = row[len(row) - len(each.ids) :]
        place = int(own.argmax())
        yield Distance(each.record.id, float(own[place]), each.ids[place], place)


def require_known(system: System, given: Sequence[Given], vocabulary: int) -> None:
    """Check that the base has every token of stored answers: a device fails on others.

    Raises:
        GuardError: it does not have one.
    """
    for each in given:
        if wrong := [token for token in each.ids if not 0 <= token < vocabulary]:
            raise GuardError(
                f"a stored answer of {system.name} has a token that the base does not have",
                expected=f"tokens from 0 to {vocabulary - 1}",
                found=f"{wrong[0]} in the answer to {each.record.id}",
                remedy=f"remove {system.answers.path} and run `./run.sh evaluate`: it asks these "
                "questions again",
            )


def require_near(system: str, found: Sequence[Distance], limit: float) -> None:
    """Check the distances of one system's answers.

    Raises:
        GuardError: one is above the limit, or not a number.
    """
    far = [distance for distance in found if not distance.nats <= limit]
    if not far:
        return
    worst = max(far, key=lambda distance: distance.nats)
    say(f"  {system}: {len(far)} of {len(found)} sampled answers are not those of its weights")
    raise GuardError(
        f"the engine's answers of {system} are not those of the model that was trained",
        expected=f"every token within {limit:g} nats of the likeliest one in transformers (the "
        "base of training with stacked adapters)",
        found=f"{worst.nats:.3g} nats at token {worst.place} ({worst.token}) of the answer to "
        f"{worst.record_id}; answers beyond the limit: {len(far)} of {len(found)}",
        remedy="if most answers are beyond the limit, the engine serves other weights: do not "
        "trust it. If few are, and not by much, rounding may be larger on this device: set "
        "evaluation.agreement_nats (stored answers are kept and checked again)",
    )
