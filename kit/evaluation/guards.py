"""Two guards of an evaluation: every adapter has an effect, and a second engine agrees.

An engine can silently ignore an adapter or serve a system with another one's. Its answers would
look plausible, and the table would be wrong.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kit.benchmarks.records import Benchmark
from kit.errors import GuardError
from kit.evaluation import SECOND_ENGINE
from kit.evaluation.answers_file import read_answers
from kit.evaluation.engines import Engine, Request, require_complete
from kit.evaluation.questions import Questions, records_of
from kit.evaluation.serving import open_engine
from kit.experiment.manifest import EvaluationSection
from kit.experiment.systems import VANILLA
from kit.plan.jobs import Plan, System
from kit.streams import sample

CANARY_RECORDS = 4
MIN_CANARY_NATS = 1e-4  # an adapter without effect gives exactly 0
MIN_COMPARED = 8  # answers per system: with three, two near ties would condemn a system


def require_effects(
    systems: Sequence[System], engine: Engine, questions: Questions
) -> dict[str, float]:
    """Return how far each adapter moves the log-probability of a likely first token, in nats.

    Known as the canary: an engine can silently ignore an adapter (vLLM issue 48019). Vanilla and
    retain-only are compared with the bare base, an unlearned system with vanilla. A system without
    an adapter of its own is not probed; an engine without log-probabilities probes none.

    Raises:
        GuardError: an adapter changes nothing.
    """
    effects = {}
    for system in systems:
        if system.instruction:
            continue
        effect = _effect(system, engine, questions)
        if effect is None:
            return {}
        if effect < MIN_CANARY_NATS:
            raise GuardError(
                f"the adapter of {system.name} does nothing in the engine",
                expected=f"a log-probability that changes by at least {MIN_CANARY_NATS} nats",
                found=f"{effect:.1e}",
                remedy="the engine ignores this adapter: set evaluation.serving = 'merged'",
            )
        effects[system.name] = effect
    return effects


def _effect(system: System, engine: Engine, questions: Questions) -> float | None:
    """Return the largest change on a few forget records, or None if the engine shows none."""
    benchmark = questions.benchmark
    forget = benchmark.splits[system.target or next(iter(benchmark.splits))].forget
    ids = sample(forget, min(CANARY_RECORDS, len(forget)), "canary", system.name)
    asked = questions.requests(system, [benchmark.records[record_id] for record_id in ids])
    start = VANILLA if len(system.adapters) > 1 else ""
    before = engine.first_logprobs([_asked_of(start, request) for request in asked])
    after = engine.first_logprobs(asked)
    if before is None or after is None:
        return None
    return max(
        change_of_logprob(before[start, record_id], after[system.name, record_id])
        for record_id in ids
    )


def _asked_of(system: str, request: Request) -> Request:
    return Request(request.record_id, system, request.prompt, request.image)


def change_of_logprob(before: dict[int, float], after: dict[int, float]) -> float:
    """Return how far the log-probability of the likeliest first token has changed, in nats.

    Both arguments map the likeliest tokens to their log-probabilities. A token that is missing
    after the change is less likely than all that are listed: the change is at least that large.
    """
    token = max(before, key=lambda candidate: before[candidate])
    return abs(before[token] - after.get(token, min(after.values())))


@dataclass(frozen=True)
class Pair:
    """Two answers to one question: the stored one, and the second engine's."""

    system: str
    record_id: str
    stored: str
    second: str


def compare_engines(plan: Plan) -> dict[str, int]:
    """Ask a second engine a sample of the questions; return the numbers of `require_agreement`.

    Runs in a process of its own, like every use of an engine.

    Raises:
        GuardError: the engines agree on fewer answers than the manifest demands.
    """
    questions = Questions.of(plan)
    engine = open_engine(plan, plan.systems, SECOND_ENGINE)
    return require_agreement(pair_answers(plan, engine, questions), plan.manifest.evaluation)


def pair_answers(plan: Plan, engine: Engine, questions: Questions) -> list[Pair]:
    """Return a seeded sample of the stored answers, each with the engine's answer."""
    requests: list[Request] = []
    share = math.ceil(plan.manifest.evaluation.agreement_sample / len(plan.systems))
    for system in plan.systems:
        chosen = sample_records(system, questions.benchmark, max(share, MIN_COMPARED))
        requests += [r for r in questions.requests(system) if r.record_id in chosen]
    stored = read_answers(plan.systems)
    answers = require_complete(requests, engine.answer(requests))
    return [Pair(a.system, a.record_id, stored[a.system, a.record_id], a.text) for a in answers]


def sample_records(system: System, benchmark: Benchmark, size: int) -> set[str]:
    """Return up to `size` ids of a system's records, half of them forget records.

    A system differs from vanilla on its forget records, so that is where wrong weights show.
    """
    ids = {record.id for record in records_of(system, benchmark)}
    targets = [system.target] if system.target else list(benchmark.splits)
    forget = {name for target in targets for name in benchmark.splits[target].forget} & ids
    chosen = sample(sorted(forget), min(size // 2, len(forget)), "agreement", system.name)
    others = sorted(ids - forget)
    wanted = min(size - len(chosen), len(others))
    return {*chosen, *sample(others, wanted, "agreement", system.name)}


def require_agreement(pairs: Sequence[Pair], section: EvaluationSection) -> dict[str, int]:
    """Return how many answers were compared (`sample`) and how many of them are `equal`.

    One answer of a system may always differ, because a near tie can flip it. A system that the
    engine serves with wrong weights gets far fewer right.

    Raises:
        GuardError: too few answers are equal, of all or of one system.
    """
    differing = [pair for pair in pairs if not _equal(pair, section.agreement_words)]
    compared, wrong = Counter(p.system for p in pairs), Counter(p.system for p in differing)
    share = 1 - section.agreement_of_each
    bad = [name for name in wrong if wrong[name] > max(1, share * compared[name])]
    equal = len(pairs) - len(differing)
    if bad or equal < section.agreement_minimum * len(pairs):
        shown = next((pair for pair in differing if pair.system in bad), differing[0])
        raise _disagreement(section, shown, len(pairs), equal)
    return {"sample": len(pairs), "equal": equal}


def _equal(pair: Pair, words: int) -> bool:
    """Compare two answers: their first `words` words, or the whole texts if that is 0."""
    if not words:
        return pair.stored == pair.second
    return pair.stored.split()[:words] == pair.second.split()[:words]


def _disagreement(section: EvaluationSection, shown: Pair, compared: int, equal: int) -> GuardError:
    return GuardError(
        "the two engines disagree",
        expected=f"{section.agreement_minimum:.0%} of {compared} answers equal, and "
        f"{section.agreement_of_each:.0%} of each system's",
        found=f"{equal} equal; {shown.system}, {shown.record_id}: {shown.stored!r} and "
        f"{shown.second!r}",
        remedy="if answers differ from the first word, the engine does not serve what was "
        "trained: do not trust its answers; if they differ late, at a near tie of bfloat16, set "
        "evaluation.agreement_words (stored answers are kept)",
    )
