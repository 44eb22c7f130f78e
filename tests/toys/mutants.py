"""Results in which one method's answers are another's: would a claim that names it notice?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from kit.experiment.claims import ClaimSection
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.attacked import Attacked, with_attacks
from kit.metrics.rows import Measured, measure
from kit.metrics.scores import score_answers
from kit.metrics.versions import stored_definitions
from kit.result.layout import ANSWERS, ATTACKED, LIKELIHOODS, RECORDS, SETS
from kit.result.run_file import System, entries
from kit.result.stored import StoredResult, read_result
from kit.verdicts.evidence import asked_of, members
from kit.verdicts.judging import judge
from kit.verdicts.outcome import Outcome
from tests.toys.results import NO_LIKELIHOODS

BROKEN = {"(empty)": "", "(one word)": "US US US"}  # systems that say the same to everything
# SMFA's forget adapter learns to refuse. SimNPO, WGA and SatImp weigh the tokens of ascent.
# Balanced GD and KL are GD and KL with other weights. In the small experiment their effect is
# smaller than that of a seed, so no claim tells them from the plain methods.
KINDS = {
    "po": "refuse", "dpo": "refuse", "siu": "refuse", "prompt_only": "prompt",
    "grad_ascent": "ascend", "grad_diff": "ascend", "kl_min": "ascend", "npo": "ascend",
    "balanced_grad_diff": "ascend", "balanced_kl_min": "ascend",
    "simnpo": "ascend", "wga": "ascend", "satimp": "ascend",
    "smfa": "refuse", "retain_finetune": "retain",
}  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """Systems of `entry` for `target` answer as `by` does; `lost` is a claim that notices it."""

    entry: str
    target: str
    by: str
    lost: tuple[str, ...]
    naming: int


def read_measured(folder: Path) -> tuple[StoredResult, Measured]:
    """Return a stored result and its measured answers, with the systems of `BROKEN` besides."""
    stored = read_result(folder, pages=False)
    rows = stored.rows
    named = zip(rows["metric"].to_pylist(), rows["version"].to_pylist(), strict=True)
    tables = stored.tables
    measured = measure(
        tables[RECORDS], tables[SETS], tables[ANSWERS], tables[LIKELIHOODS], stored.systems,
        protocol=stored.protocol, definitions=stored_definitions(named, stored.kit.version),
    )  # fmt: skip
    measured = with_attacks(measured, tables.get(ATTACKED))
    return stored, with_broken(measured, tables[RECORDS])


def with_broken(measured: Measured, records: pd.DataFrame) -> Measured:
    """Add the systems of `BROKEN`, which no claim and no list of systems names."""
    told = pd.DataFrame(
        [(name, system, text, 1, "eos") for system, text in BROKEN.items() for name in records.id],
        columns=["record_id", "system", "text", "tokens", "stop"],
    )
    scores = measured.scores
    more = score_answers(records, told, NO_LIKELIHOODS, list(BROKEN), scores.definitions)
    joined = replace(
        scores,
        rows={**scores.rows, **{name: len(scores.rows) + row for name, row in more.rows.items()}},
        values={name: np.vstack([v, more.values[name]]) for name, v in scores.values.items()},
        weights={name: np.vstack([v, more.weights[name]]) for name, v in scores.weights.items()},
        answered=np.vstack([scores.answered, more.answered]),
    )
    return replace(measured, scores=joined, answers=pd.concat([measured.answers, told]))


def mutate(measured: Measured, system: str, how: str) -> Measured:
    """Return the result in which `system` gives the answers of `how`, another system."""
    return mutate_all(measured, {system: how})


def mutate_all(measured: Measured, by: Mapping[str, str]) -> Measured:
    """Do so for several systems at once: {system: the one whose answers it gives}."""
    rows = {name: measured.scores.rows[by.get(name, name)] for name in measured.scores.rows}
    answers = measured.answers
    told = [answers[answers["system"] == how].assign(system=name) for name, how in by.items()]
    left = answers[~answers["system"].isin(list(by))]
    return replace(
        measured,
        scores=replace(measured.scores, rows=rows),
        answers=pd.concat([left, *told]),
        attacked=measured.attacked and _under_attack(measured.attacked, by),
    )


def _under_attack(attacked: Attacked, by: Mapping[str, str]) -> Attacked:
    """Do so with answers under attack, where the other system was attacked."""
    under, clean = (
        {key: found.get((by.get(key[0], key[0]), *key[1:]), found[key]) for key in found}
        for found in (attacked.under, attacked.clean)
    )
    return replace(attacked, under=under, clean=clean)


def naming(claims: Sequence[ClaimSection], entry: str, target: str | None) -> list[ClaimSection]:
    """Return the claims that name an entry for a target (None: for any)."""
    return [
        claim for claim in claims
        if any(name == entry and target in (None, of) for name, of in asked_of(claim))
    ]  # fmt: skip


def mutations(claims: Sequence[ClaimSection], measured: Measured, seed: int) -> Iterator[Mutation]:
    """Yield every mutation of every entry and target, with the first claim that is lost.

    A claim is lost that was REPRODUCED and is not any more. Cheap claims are judged first, and the
    first loss is enough.
    """
    good = {
        claim.id: claim for claim in claims
        if judge(claim, measured, seed).outcome is Outcome.REPRODUCED
    }  # fmt: skip
    for entry, target, mine in watched(measured.systems):
        named = naming(list(good.values()), entry, target)
        named.sort(key=lambda claim: claim.forgetting)  # the cheap ones first
        for by in replacements(measured.systems, entry, target, mine[0]["method"]):
            mutant = mutate_all(measured, _pairs(measured.systems, mine, by, target))
            lost = next(
                (c.id for c in named if judge(c, mutant, seed).outcome is not Outcome.REPRODUCED),
                None,
            )
            yield Mutation(entry, target or "-", by, (lost,) if lost else (), len(named))


def watched(systems: Sequence[System]) -> Iterator[tuple[str, str | None, list[System]]]:
    """Yield (entry, target, its systems); Vanilla and a Retain-only for all have target None."""
    for entry, listed in entries(systems).items():
        for target in dict.fromkeys(system["target"] for system in listed):
            yield entry, target, [system for system in listed if system["target"] == target]


def replacements(
    systems: Sequence[System], entry: str, target: str | None, method: str
) -> Iterator[str]:
    """Yield what an entry is replaced by: broken text, Vanilla, and methods of other kinds."""
    yield from BROKEN
    if entry != VANILLA:
        yield VANILLA
    if method in (VANILLA, RETAIN_ONLY):
        return
    for other, listed in entries(systems).items():
        there = [system for system in listed if system["target"] == target]
        known = there and there[0]["method"] in KINDS
        if known and KINDS[there[0]["method"]] != KINDS.get(method):
            yield other


def _pairs(
    systems: Sequence[System], mine: Sequence[System], by: str, target: str | None
) -> dict[str, str]:
    """Return {system: its replacement}: that of the same seed, where there are several."""
    if by in BROKEN or by == VANILLA:
        return {system["name"]: by for system in mine}
    theirs = members(systems, by, str(target))
    of_seed = {system["seed"]: system["name"] for system in theirs}
    return {s["name"]: of_seed.get(s["seed"], theirs[0]["name"]) for s in mine}


def table(found: Sequence[Mutation]) -> Iterator[str]:
    """Yield a table: a method and target a line, how many mutations are noticed, and which not."""
    yield f"{'method':<18}{'target':<9}{'claims':>7}{'noticed':>9}  not noticed"
    for entry, target in dict.fromkeys((each.entry, each.target) for each in found):
        mine = [each for each in found if (each.entry, each.target) == (entry, target)]
        lost = sum(bool(each.lost) for each in mine)
        missed = ", ".join(each.by for each in mine if not each.lost)
        yield f"{entry:<18}{target:<9}{mine[0].naming:>7}{f'{lost}/{len(mine)}':>9}  {missed}"
    lost = sum(bool(each.lost) for each in found)
    yield f"{lost} of {len(found)} mutations are noticed"
