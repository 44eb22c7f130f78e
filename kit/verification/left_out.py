"""Hold the odd rows that run.json says were left out against the rule and against the records."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from kit.benchmarks.left_out import few
from kit.names import show
from kit.result.layout import RECORDS, RUN
from kit.verification.contradiction import contradicts
from kit.verification.run_facts import LeftOutFacts

ROWS = "rows"


def check_left_out(left_out: Sequence[LeftOutFacts], records: pd.DataFrame) -> list[str]:
    """Compare what was left out with the rule of `kit.benchmarks.left_out` and the records.

    Returns:
        One line on what was left out; none if nothing was.

    Raises:
        VerificationError: more was left out of a table than the rule allows or than the table has,
            one reason is stated twice, or the records use more rows than were kept.
    """
    if not left_out:
        return []
    if faults := [*_faults(left_out), *_used(left_out, records["id"].tolist())]:
        raise contradicts(
            f"{RUN} says of the rows that were left out what cannot be",
            "at most one row of a table, or one in a hundred; and no record of what was left out",
            faults,
        )
    rows = sum(each.count for each in left_out)
    tables = ", ".join(dict.fromkeys(show(each.table) for each in left_out))
    return [f"odd entries of the published tables that were left out: {rows} (in {tables})"]


def _faults(left_out: Sequence[LeftOutFacts]) -> Iterator[str]:
    reasons = Counter((each.table, each.unit, each.kind) for each in left_out)
    for (table, unit, kind), count in reasons.items():
        if count > 1:
            yield f"{table}, {unit}: {kind!r} is stated {count} times"
    for table, unit in dict.fromkeys((each.table, each.unit) for each in left_out):
        here = [each for each in left_out if (each.table, each.unit) == (table, unit)]
        totals = {each.of for each in here}
        if len(totals) > 1:
            yield f"{table} has {' and '.join(map(str, sorted(totals)))} {unit}"
        if sum(each.count for each in here) >= min(totals):
            yield f"{table}: all of its {min(totals)} {unit} were left out"
        odd = sum(each.count for each in here if not each.published)
        if not few(odd, min(totals)):
            yield f"{table}: {odd} of {min(totals)} {unit} were left out"


def _used(left_out: Sequence[LeftOutFacts], ids: Sequence[str]) -> Iterator[str]:
    """Yield tables of which records use more rows than are left: `clear/forget10/17#name` is one.

    Only ids of this form name their row.
    """
    for table in dict.fromkeys(each.table for each in left_out if each.unit == ROWS):
        here = [each for each in left_out if (each.table, each.unit) == (table, ROWS)]
        named = re.compile(rf"(?:.*/)?{re.escape(table)}/(\d{{1,12}})#[^/]*")
        rows = {int(found[1]) for name in ids if (found := named.fullmatch(name))}
        total, count = here[0].of, sum(each.count for each in here)
        if len(rows) > total - count or any(row >= total for row in rows):
            yield f"{RECORDS} uses {len(rows)} rows of {table}, of which {total - count} were kept"
