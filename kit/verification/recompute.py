"""Recompute rows and verdicts of a result from its stored answers, without a model.

A valid signature says who wrote the numbers, not that they follow from the answers; this does.
Each row is computed by the version of the metric that it names, each verdict by the version of the
rule that claims.json names.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from kit.errors import KitError, VerificationError
from kit.metrics.attacked import with_attacks
from kit.metrics.families import names_of_all
from kit.metrics.outside import stored_metric
from kit.metrics.rows import Further, Measured, judgement_of, measure, rows_of
from kit.metrics.versions import stored_definitions, stored_system_metrics
from kit.names import show
from kit.result.asked_for import families_of, options_of
from kit.result.layout import (
    ANSWERS,
    ATTACKED,
    DISTANCES,
    GRADIENTS,
    JUDGED,
    LIKELIHOODS,
    READ_BY_VANILLA,
    RECORDS,
    ROWS,
    SETS,
    TOKENS,
)
from kit.result.stored import StoredResult
from kit.result.stored_values import same_words
from kit.result.tables import ROW_TYPES, SCHEMAS
from kit.verdicts.claims_file import require_claims
from kit.verdicts.judging import RULE, Verdict, judge_claims
from kit.verification.limits import require_sane_draws
from kit.verification.memory_limit import REMEDY

# `rows_of` rounds intervals to 12 decimals; on another processor the last one may flip.
INTERVAL_TOLERANCE = 1.5e-12
KEY = ("system", "target", "part", "column", "metric")  # of a row
NAMED = 5


@dataclass(frozen=True)
class Recomputed:
    """What follows from the stored answers of a result: values, rows and verdicts."""

    stored: StoredResult
    measured: Measured
    rows: pd.DataFrame
    verdicts: list[Verdict]

    @property
    def retired(self) -> dict[str, str]:
        """Return {metric/version: why} of the stored rows' metrics that are no longer computed."""
        used = set(self.stored.rows["metric"].to_pylist())
        known = self.measured.scores.definitions.values()
        return {each.id: each.retired for each in known if each.retired and each.name in used}


def recompute(stored: StoredResult) -> Recomputed:
    """Compute rows and verdicts from the answers and compare them with the stored ones.

    Raises:
        VerificationError: a number differs, or this kit cannot compute it.
    """
    found = rescore(stored)
    require_rows(found)
    require_verdicts(found)
    return found


def rescore(stored: StoredResult) -> Recomputed:
    """Compute rows and verdicts from the answers; stored values are not looked at.

    Raises:
        VerificationError: a table does not fit the others, a metric or rule has a version that this
            kit does not know, or more has to be computed than for any honest result.
    """
    tables = stored.tables
    columns = (stored.rows[name].to_pylist() for name in ("metric", "version"))
    named, families = set(zip(*columns, strict=True)), families_of(stored.run)
    outside = stored_metric(stored.run, names_of_all())
    named -= {(outside.name, outside.version)} if outside else set()
    definitions = stored_definitions(named, stored.kit.version, families)
    of_systems = stored_system_metrics(named, stored.kit.version, families)
    optional = tables.get(GRADIENTS), tables.get(READ_BY_VANILLA)
    given = tables.get(TOKENS), tables.get(DISTANCES), outside
    judgement = judgement_of(tables.get(JUDGED), stored.run)
    further = Further(families, options_of(stored.run), *given, *optional, judgement)
    # Without claims.json nothing names a rule. The newest says which verdicts are missing.
    rule = stored.verdicts.rule if stored.verdicts else RULE
    try:
        measured = measure(
            tables[RECORDS], tables[SETS], tables[ANSWERS], tables[LIKELIHOODS], stored.systems,
            protocol=stored.protocol, definitions=definitions, further=further,
        )  # fmt: skip
        measured = with_attacks(measured, tables.get(ATTACKED))
        require_sane_draws(measured, stored.claims, stored.draws)
        rows = rows_of(
            measured, draws=stored.draws, seed=stored.seed, interval=stored.versions.interval,
            of_systems=of_systems,
        )  # fmt: skip
        verdicts = judge_claims(stored.claims, measured, seed=stored.seed, rule=rule)
    except VerificationError:
        raise
    except KitError as error:
        raise VerificationError(
            "the rows cannot be recomputed from the stored answers",
            expected="answers and tables that every number of a result follows from",
            found=show(error.what),
            remedy=error.remedy or REMEDY,
        ) from error
    return Recomputed(stored, measured, rows, verdicts)


def require_rows(found: Recomputed) -> None:
    """Hold the stored rows against those that follow: exactly, intervals but for the last decimal.

    Rows are joined by what they are about, never by position. The words of a reason may be another
    version's.

    Raises:
        VerificationError: they differ; it names the first cells that do.
    """
    retired = {name.partition("/")[0] for name in found.retired}
    computed = pa.Table.from_pandas(found.rows, schema=SCHEMAS[ROWS], preserve_index=False)
    if faults := list(_row_faults(found.stored.rows, computed, retired)):
        more = [f"and {len(faults) - NAMED} more"] if len(faults) > NAMED else []
        raise VerificationError(
            f"{ROWS} does not follow from the stored answers",
            expected="the rows that this version of the kit computes from them",
            found="\n    ".join(faults[:NAMED] + more),
            remedy="do not use these numbers; ask the signer how they came to be",
        )


def _row_faults(stored: pa.Table, computed: pa.Table, retired: set[str]) -> Iterator[str]:
    held, right = ({place: n for n, place in enumerate(_places(t))} for t in (stored, computed))
    if held.keys() != right.keys() or len(held) != stored.num_rows:
        yield f"{stored.num_rows} rows are stored, {computed.num_rows} follow"
    twice = (place for place, times in Counter(_places(stored)).items() if times > 1)
    yield from (f"{_shown(place)} is there twice" for place in twice)
    yield from (f"{_shown(place)} is missing" for place in right if place not in held)
    yield from (f"{_shown(place)} does not follow" for place in held if place not in right)
    metric = KEY.index("metric")
    both = [p for p in held if p in right and p[metric] not in retired]
    for name in ROW_TYPES:
        left_column, right_column = stored[name].to_pylist(), computed[name].to_pylist()
        for place in both:
            left, follows = left_column[held[place]], right_column[right[place]]
            if not _same(name, left, follows):
                yield f"{_shown(place)}: {show(f'{name} is {left!r}')}, recomputed {follows!r}"


def _places(table: pa.Table) -> Iterator[tuple[object, ...]]:
    return zip(*(table[name].to_pylist() for name in KEY), strict=True)


def _same(name: str, stored: object, computed: object) -> bool:
    if name in {"low", "high"} and isinstance(stored, float) and isinstance(computed, float):
        return math.isclose(stored, computed, rel_tol=0, abs_tol=INTERVAL_TOLERANCE)
    return same_words(stored, computed) if name == "reason" else stored == computed


def _shown(place: tuple[object, ...]) -> str:
    return show(f"row ({', '.join(map(str, place))})")


def require_verdicts(found: Recomputed) -> None:
    """Hold the stored verdicts against those that follow from the answers.

    Raises:
        VerificationError: claims.json is missing or differs; it names the claims that do.
    """
    retired = found.retired
    unchecked = [claim.id for claim in found.stored.claims if claim.metric in retired]
    require_claims(found.stored.verdicts, found.verdicts, unchecked)


def count_checked_rows(found: Recomputed) -> int:
    """Return how many of the stored rows were compared with recomputed ones."""
    retired = {name.partition("/")[0] for name in found.retired}
    return sum(name not in retired for name in found.stored.rows["metric"].to_pylist())


def unchecked_numbers(found: Recomputed) -> list[str]:
    """Return a line for each metric version that is no longer computed, and for its claims."""
    names = found.stored.rows["metric"].to_pylist()
    lines = []
    for metric, why in found.retired.items():
        name, _, version = metric.partition("/")
        claims = [claim.id for claim in found.stored.claims if claim.metric == metric]
        rests = f"; the claims {', '.join(claims)} rest on it" if claims else ""
        lines.append(
            f"version {version} of {name} is no longer computed ({why}): its "
            f"{names.count(name)} rows were NOT checked{rests}"
        )
    return lines
