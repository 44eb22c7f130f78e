"""What claims notice: mutations of a result, each of its seeds against the others, other results.

    ./run.sh bench claims [RESULT [OTHER ...]]

RESULT is a result with several seeds, by default the committed reference. Each OTHER is compared
with it.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.artifacts import PROJECT
from kit.comparison.compare import compare
from kit.experiment.claims import ClaimSection
from kit.metrics.rows import Measured
from kit.result.stored import read_result
from kit.verdicts.equivalence import against_seeds, within_limit
from kit.verdicts.evidence import gather
from kit.verdicts.judging import judge
from kit.verdicts.outcome import Outcome
from kit.verdicts.seeds import of_seed, seeds_of
from tests.toys.mutants import mutations, read_measured, table


@dataclass(frozen=True)
class Left:
    """One seed compared with the others: {claim: why it is not reproduced} of those that fail."""

    seed: int
    failed: dict[str, str]


def leave_one_out(
    claims: Sequence[ClaimSection], measured: Measured, *, rule: int, seed: int
) -> list[Left]:
    """Compare each seed with the others, as `compare` does with trained systems of a reference.

    Args:
        claims: those of the result.
        measured: the answers of a result with several seeds.
        rule: the version of the rule of its verdicts, which decides how seeds are compared.
        seed: the seed of the intervals.
    """
    test = against_seeds if rule == 1 else within_limit
    seeds = [s for s in seeds_of(measured) if any(
        system["seed"] == s and system["method"] != "prompt_only" for system in measured.systems
    )]  # fmt: skip
    alone = {each: of_seed(measured, each) for each in seeds}
    found = [Left(each, {}) for each in seeds]
    for claim in claims:
        evidence = {each: gather(claim, alone[each]) for each in seeds}
        values = {s: float(e.values.mean()) for s, e in evidence.items() if not isinstance(e, str)}
        once = len({e.systems for e in evidence.values() if not isinstance(e, str)}) == 1
        for left in found:
            here = judge(claim, alone[left.seed], seed)
            if here.outcome is not Outcome.REPRODUCED:
                left.failed[claim.id] = f"the claim is {here.outcome}"
            elif not once:
                others = [value for each, value in values.items() if each != left.seed]
                records = len(evidence[left.seed].ids)  # type: ignore[union-attr]
                outcome = test(
                    values[left.seed], 1, others, records=records, margin=claim.equivalence
                ).outcome
                if outcome is not Outcome.REPRODUCED:
                    left.failed[claim.id] = f"its value is {outcome}"
    return found


def main() -> None:
    """Print the three tables."""
    folder, *others = [Path(name) for name in sys.argv[1:]] or [
        PROJECT / "manifests" / "reference" / "smoke"
    ]
    stored, measured = read_measured(folder)
    rule = stored.verdicts.rule if stored.verdicts else 0
    print(f"{folder}: {len(stored.claims)} claims, rule {rule}\n")
    for line in table(list(mutations(stored.claims, measured, stored.seed))):
        print(line)
    found = leave_one_out(stored.claims, measured, rule=rule, seed=stored.seed)
    passed = sum(not left.failed for left in found)
    print(f"\nEach seed compared with the others: {passed} of {len(found)} reproduce them")
    for left in found:
        said = ", ".join(f"{name} ({why})" for name, why in left.failed.items())
        print(f"  seed {left.seed}: {said or 'all claims'}")
    for other in others:
        compared = compare(read_result(other, pages=False), stored)
        failed = [c for c in compared.claims if c.outcome is not Outcome.REPRODUCED]
        print(f"\n{other}: {'reproduces' if compared.reproduced else 'does not reproduce'} it")
        print(f"  {len(failed)} of {len(compared.claims)} claims fail: "
              f"{', '.join(f'{c.claim.id} {c.outcome}' for c in failed)}")  # fmt: skip


if __name__ == "__main__":
    main()
