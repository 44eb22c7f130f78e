"""The canary: every adapter has an effect in the engine."""

from collections.abc import Mapping, Sequence

from kit.errors import GuardError
from kit.evaluation.engines import Engine, Key, Reading, Request
from kit.evaluation.questions import Questions
from kit.experiment.systems import VANILLA
from kit.plan.systems import System
from kit.streams import sample

RECORDS = 4
MIN_NATS = 1e-4  # an adapter without effect gives exactly 0


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
        if effect < MIN_NATS:
            raise GuardError(
                f"the adapter of {system.name} does nothing in the engine",
                expected=f"a log-probability that changes by at least {MIN_NATS} nats",
                found=f"{effect:.1e}",
                remedy="the engine ignores this adapter: report it with the engine's version, and "
                "answer with another engine (evaluation.engine = 'transformers')",
            )
        effects[system.name] = effect
    return effects


def _effect(system: System, engine: Engine, questions: Questions) -> float | None:
    """Return the largest change on a few forget records, or None if the engine shows none."""
    benchmark = questions.benchmark
    forget = benchmark.splits[system.target or next(iter(benchmark.splits))].forget
    ids = sample(forget, min(RECORDS, len(forget)), "canary", system.name)
    asked = questions.requests(system, [benchmark.records[record_id] for record_id in ids])
    start = VANILLA if len(system.adapters) > 1 else ""
    before = engine.read([Request(request.record, start) for request in asked])
    after = engine.read(asked)
    changes = []
    for request in asked:
        old = _first(before, (start, request.record_id))
        new = _first(after, (system.name, request.record_id))
        if old is None or new is None:
            return None
        changes.append(change_of_logprob(old, new))
    return max(changes)


def _first(readings: Mapping[Key, Reading], key: Key) -> Mapping[int, float] | None:
    return readings[key].first


def change_of_logprob(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return how far the log-probability of the likeliest first token has changed, in nats.

    Both arguments map the likeliest tokens to their log-probabilities. A token that is missing
    after the change is less likely than all that are listed: the change is at least that large.
    """
    token = max(before, key=lambda candidate: before[candidate])
    return abs(before[token] - after.get(token, min(after.values())))
