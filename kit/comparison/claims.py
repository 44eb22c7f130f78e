"""Compare two results claim by claim: is each value reproduced?

The test depends on what was done again. Equal answers give exactly equal numbers. If the same
adapters were evaluated again, or new adapters were trained, values are compared record by record.
If adapters were trained again and the reference has at least three seeds, the value is compared
with the mean of its seeds instead: it must be within the claim's `equivalence`, which was set from
other seeds. A reference whose claims were judged by version 1 of the rule is compared as it was
then: two one-sided tests with the spread of its own seeds. A claim is REPRODUCED if its value
equals that of the reference and the claim itself holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kit.experiment.claims import ClaimSection
from kit.experiment.systems import VANILLA
from kit.result.layout import ANSWERS, ATTACKED, LIKELIHOODS, RECORDS
from kit.result.run_file import entries
from kit.verdicts.equivalence import (
    MIN_SEEDS,
    Finding,
    against_records,
    against_seeds,
    agreement,
    kappa,
    within_limit,
)
from kit.verdicts.evidence import Evidence, asked_of, gather
from kit.verdicts.judging import judge
from kit.verdicts.outcome import Outcome, Verdict
from kit.verification.recompute import Recomputed


@dataclass(frozen=True)
class Compared:
    """One claim of the reference, compared with another result.

    `here` and `there` are the claim's own verdicts in the two results. `depth` says what was done
    again: "answers" (nothing), "evaluation" or "training". `test` is the test that decided:
    "exact", "paired" or "seeds". `agreement` is the share of records with equal values, `kappa` the
    agreement beyond chance. `fatal`: if skipped, the claim counts against the result, because the
    reference can answer it.
    """

    claim: ClaimSection
    here: Outcome
    there: Outcome
    outcome: Outcome = Outcome.SKIPPED
    reason: str = ""
    note: str = ""
    depth: str = ""
    test: str = ""
    value: float | None = None
    reference: float | None = None
    finding: Finding | None = None
    n: int = 0
    clusters: int = 0
    agreement: float | None = None
    kappa: float | None = None
    fatal: bool = True


def compare_claims(ours: Recomputed, reference: Recomputed, seed: int) -> list[Compared]:
    """Compare every claim of the reference, with its margins, with the answers of `ours`."""
    return [_compare(verdict, ours, reference, seed) for verdict in reference.verdicts]


def _compare(there: Verdict, ours: Recomputed, reference: Recomputed, seed: int) -> Compared:
    claim = there.claim
    wanted, found = gather(claim, reference.measured), gather(claim, ours.measured)
    base = Compared(claim, judge(claim, ours.measured, seed).outcome, there.outcome)
    if isinstance(wanted, str):
        return replace(base, reason=f"the reference: {wanted}", fatal=False)
    if isinstance(found, str):
        return replace(base, reason=f"this result: {found}")
    base = replace(
        base, value=_mean(found), reference=_mean(wanted), n=len(wanted.ids),
        clusters=wanted.clusters,
    )  # fmt: skip
    same_records = found.ids == wanted.ids and _asked(ours, found) == _asked(reference, wanted)
    if same_records:
        base = replace(
            base, agreement=agreement(found.values, wanted.values),
            kappa=kappa(found.values, wanted.values),
        )  # fmt: skip
    if same_records and _answered(ours, found) == _answered(reference, wanted):
        exact = Finding(Outcome.REPRODUCED, "", 0.0, 0.0, 0.0, 0.0)
        return replace(_decided(base, exact), depth="answers", test="exact")
    return _trained_or_asked_again(base, found, wanted, ours, reference, seed, same_records)


def _trained_or_asked_again(
    base: Compared,
    found: Evidence,
    wanted: Evidence,
    ours: Recomputed,
    reference: Recomputed,
    seed: int,
    same_records: bool,
) -> Compared:
    claim = base.claim
    if not same_records:
        # Even seeds cannot be compared: another set may be easier.
        return replace(base, reason="the two results have different records or questions")
    if not (found.systems == wanted.systems and _jobs(ours, found) == _jobs(reference, wanted)):
        base = replace(base, depth="training")
        each = list(_of_each_seed(claim, reference))
        verdicts = reference.stored.verdicts
        test = against_seeds if verdicts and verdicts.rule == 1 else within_limit
        finding = test(
            float(base.value or 0), found.seeds, each, records=base.n, margin=claim.equivalence
        )
        if len(each) >= MIN_SEEDS:
            return replace(_decided(base, finding), test="seeds")
        note = f"test on seeds SKIPPED: {finding.reason}; one training run of each is compared"
        base = replace(base, note=note)
    else:
        base = replace(base, depth="evaluation")
    if wanted.weights is not None:
        return replace(base, reason="a ratio of sums has no difference per record")
    key = ("compare", seed, claim.target, claim.part, claim.column, claim.metric, claim.system,
           claim.other or "", claim.unit)  # fmt: skip
    widest = wanted.limits[1] - wanted.limits[0]
    finding = against_records(
        found.values, wanted.values, wanted.units,
        limits=(-widest, widest), margin=claim.equivalence, key=key,
    )  # fmt: skip
    return replace(_decided(base, finding), test="paired")


def _decided(base: Compared, finding: Finding) -> Compared:
    """Set the verdict: REPRODUCED if the values are equal and the claim itself holds."""
    outcome, reason = finding.outcome, finding.reason
    if outcome is Outcome.REPRODUCED and base.here is not Outcome.REPRODUCED:
        outcome = base.here
        reason = f"the value equals the reference's, but the claim itself is {base.here}"
    return replace(base, outcome=outcome, reason=reason, finding=finding)


def _mean(evidence: Evidence) -> float:
    return round(float(np.average(evidence.values, weights=evidence.weights)), 9)


def _of_each_seed(claim: ClaimSection, result: Recomputed) -> Iterator[float]:
    """Yield the claim's value for each seed that both of its systems (or the trained one) have."""
    groups = entries(result.measured.systems)
    seeds = [
        {s["seed"] for s in groups.get(entry, []) if s["target"] == target}
        for entry, target in asked_of(claim)
    ]
    several = [found - {None} for found in seeds if len(found) > 1]
    for seed in sorted(set.intersection(*several)) if several else []:  # type: ignore[type-var]
        evidence = gather(claim, result.measured, only_seed=seed)
        if not isinstance(evidence, str):
            yield _mean(evidence)


def _asked(result: Recomputed, evidence: Evidence) -> list[tuple[object, ...]]:
    """Return what was asked, without the names of images."""
    table = result.stored.tables[RECORDS].set_index("id").loc[list(evidence.ids)]
    columns = [
        [tuple(cell) if not isinstance(cell, str) else cell for cell in table[name]]
        for name in table.columns
        if name != "image"
    ]
    return list(zip(*columns, strict=True))


def _answered(result: Recomputed, evidence: Evidence) -> list[tuple[object, ...]]:
    """Return all answers about the records of a claim, also under attack, and all likelihoods."""
    rows: list[tuple[object, ...]] = []
    attacked = ["target", "attack", "level"]
    tables = {ANSWERS: [], LIKELIHOODS: ["role", "text"], ATTACKED: attacked}
    for name, keys in tables.items():
        if name not in result.stored.tables:  # a result without attacks
            continue
        table = result.stored.tables[name]
        mine = table["system"].isin(evidence.systems) & table["record_id"].isin(evidence.ids)
        order = ["system", "record_id", *keys]
        columns = [*order, *sorted(set(table.columns) - set(order))]
        rows += table.loc[mine, columns].sort_values(order).itertuples(index=False, name=None)
    return rows


def _jobs(result: Recomputed, evidence: Evidence) -> list[object]:
    """Return the digest of the training job of each system; for a prompt, that of Vanilla."""
    listed = result.stored.run.get("jobs")
    jobs = listed if isinstance(listed, list) else []
    digests: Mapping[object, object] = {
        str(job.get("name")): job.get("digest") for job in jobs if isinstance(job, dict)
    }
    # An adapter without a record may be another one, so it equals nothing.
    unknown = object()
    return [digests.get(name, digests.get(VANILLA, unknown)) for name in evidence.systems]
