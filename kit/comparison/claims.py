"""Two results, claim by claim: is the value of one that of the other?

Three depths, each with the test that fits. Equal answers give equal numbers, exactly. The same
adapters asked again, or adapters trained again, are held against each other record by record.
Where they were trained again and the reference has at least three seeds, what another seed does is
known, and the value is held against their spread instead. A claim is REPRODUCED if its value is
the reference's and the claim itself holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kit.experiment.claims import ClaimSection
from kit.experiment.systems import VANILLA
from kit.result.layout import ANSWERS, LIKELIHOODS, RECORDS
from kit.result.run_file import entries
from kit.verdicts.equivalence import (
    FEWEST_SEEDS,
    Finding,
    against_records,
    against_seeds,
    agreement,
    kappa,
)
from kit.verdicts.judging import Evidence, Outcome, Verdict, gather, judge
from kit.verification.recompute import Recomputed


@dataclass(frozen=True)
class Compared:
    """One claim of the reference, held against another result.

    `here` and `there` are the claim's own verdicts. `depth` says what was done again ("answers":
    nothing, "evaluation", "training"), `test` how it was decided. `agreement` is the share of
    records with equal values, `kappa` what of it is beyond chance. `fatal`: a skipped claim counts
    against the result, because the reference has what it needs.
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
    """Hold every claim of the reference, with its margins, against the answers of `ours`."""
    return [_compare(verdict, ours, reference, seed) for verdict in reference.verdicts]


def _compare(there: Verdict, ours: Recomputed, reference: Recomputed, seed: int) -> Compared:
    claim = there.claim
    wanted, found = gather(claim, reference.measured), gather(claim, ours.measured)
    base = Compared(claim, judge(claim, found, seed).outcome, there.outcome)
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
        # Not even seeds can be held against each other: another set may be easier.
        return replace(base, reason="the two results asked other records, or other questions")
    if not (found.systems == wanted.systems and _jobs(ours, found) == _jobs(reference, wanted)):
        base = replace(base, depth="training")
        each = list(_of_each_seed(claim, reference))
        finding = against_seeds(
            float(base.value or 0), found.seeds, each, records=base.n, margin=claim.equivalence
        )
        if len(each) >= FEWEST_SEEDS:
            return replace(_decided(base, finding), test="seeds")
        base = replace(base, note=f"against seeds SKIPPED: {finding.reason}; one training of each "
                                  "result is compared")  # fmt: skip
    else:
        base = replace(base, depth="evaluation")
    if wanted.weights is not None:
        return replace(base, reason="a ratio of sums has no difference per record")
    key = ("compare", seed, claim.target, claim.part, claim.column, claim.metric, claim.system,
           claim.other or "", claim.unit)  # fmt: skip
    widest = claim.range[1] - claim.range[0]
    finding = against_records(
        found.values, wanted.values, wanted.units,
        limits=(-widest, widest), margin=claim.equivalence, key=key,
    )  # fmt: skip
    return replace(_decided(base, finding), test="paired")


def _decided(base: Compared, finding: Finding) -> Compared:
    """Set the verdict: REPRODUCED if the value is the reference's and the claim itself holds."""
    outcome, reason = finding.outcome, finding.reason
    if outcome is Outcome.REPRODUCED and base.here is not Outcome.REPRODUCED:
        outcome = base.here
        reason = f"the value is the reference's, but the claim itself is {base.here}"
    return replace(base, outcome=outcome, reason=reason, finding=finding)


def _mean(evidence: Evidence) -> float:
    return round(float(np.average(evidence.values, weights=evidence.weights)), 9)


def _of_each_seed(claim: ClaimSection, result: Recomputed) -> Iterator[float]:
    """Yield the claim's value for each seed that both its systems (or the trained one) have."""
    groups = entries(result.measured.systems)
    asked = [(claim.system, claim.target)]
    asked += [(claim.other, claim.other_target or claim.target)] if claim.other else []
    seeds = [
        {s["seed"] for s in groups.get(entry, []) if s["target"] == target}
        for entry, target in asked
    ]
    several = [found - {None} for found in seeds if len(found) > 1]
    for seed in sorted(set.intersection(*several)) if several else []:  # type: ignore[type-var]
        evidence = gather(claim, result.measured, only_seed=seed)
        if not isinstance(evidence, str):
            yield _mean(evidence)


def _asked(result: Recomputed, evidence: Evidence) -> list[tuple[object, ...]]:
    """Return what was asked; the image's own name is no part of it."""
    table = result.stored.tables[RECORDS].set_index("id").loc[list(evidence.ids)]
    columns = [
        [tuple(cell) if not isinstance(cell, str) else cell for cell in table[name]]
        for name in table.columns
        if name != "image"
    ]
    return list(zip(*columns, strict=True))


def _answered(result: Recomputed, evidence: Evidence) -> list[tuple[object, ...]]:
    """Return all that was answered about the records of a claim, and how likely it was."""
    rows: list[tuple[object, ...]] = []
    for name, keys in ((ANSWERS, []), (LIKELIHOODS, ["role", "text"])):
        table = result.stored.tables[name]
        mine = table["system"].isin(evidence.systems) & table["record_id"].isin(evidence.ids)
        order = ["system", "record_id", *keys]
        columns = [*order, *sorted(set(table.columns) - set(order))]
        rows += table.loc[mine, columns].sort_values(order).itertuples(index=False, name=None)
    return rows


def _jobs(result: Recomputed, evidence: Evidence) -> list[object]:
    """Return the digest of the training behind each system; a prompt's is Vanilla's."""
    listed = result.stored.run.get("jobs")
    jobs = listed if isinstance(listed, list) else []
    digests: Mapping[object, object] = {
        str(job.get("name")): job.get("digest") for job in jobs if isinstance(job, dict)
    }
    # An adapter of which nothing is recorded is not known to be the same.
    unknown = object()
    return [digests.get(name, digests.get(VANILLA, unknown)) for name in evidence.systems]
