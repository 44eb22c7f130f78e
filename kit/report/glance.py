"""The sentences at the top of a report: what was asked, and what was found.

First of all they say whether Vanilla knew what was to be forgotten: where it did not, no number
below says anything about forgetting.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.experiment.systems import VANILLA
from kit.metrics.eligibility import MARGIN, Eligibility
from kit.report.access import SUPPRESSION, WEIGHTS
from kit.report.cells import Cell
from kit.report.damage import NOTHING, UNDER, is_at_chance
from kit.report.facts import ColumnFacts
from kit.report.run_types import Source
from kit.report.sentences import count, listing, lowered
from kit.report.tables import Table, part_titles
from kit.report.whole import Whole

MARKS = {"collapsed": "collapsed", "over-forgets": "over-forget"}
LATER_MARKS = {NOTHING: "forgot nothing", UNDER: "under-forget"}  # of schema 2
VERBS = {**MARKS, **LATER_MARKS}  # what methods with a mark do
NEAREST = 3  # methods that the sentence about distances names
ALARMS = ("NOT ELIGIBLE", "NOT LOCKED", "VALIDATION PART")  # how sentences of warning begin
UNITS = {"person": ("person", "people"), "event": ("event", "events")}  # of clusters


def asked(
    tables: Sequence[Table],
    columns: Sequence[ColumnFacts],
    protocol: Protocol,
    systems: int,
    answers: int,
) -> list[str]:
    """Return the sentences about the question: what is to be forgotten, by how many methods.

    Args:
        tables: the printed ones.
        columns: the facts of their columns.
        protocol: of the benchmark.
        systems, answers: how many there are.
    """
    run = [c for c in columns if c["column"] == Column.EFFICACY and c["records"]]
    titles = dict.fromkeys(protocol.targets[c["target"]].title for c in run)
    methods = {line.entry for table in tables for line in table.lines if not line.role}
    said = [
        f"Can a model forget what it has learnt, and keep everything else? "
        f"{count(len(methods), 'method')} {'was' if len(methods) == 1 else 'were'} tried: "
        f"{listing([lowered(title) for title in titles])}. "
        f"{count(systems, 'system')} gave {count(answers, 'answer')}."
    ]
    for fact in run:
        kept = [
            c for c in columns
            if (c["target"], c["part"], c["column"]) == (fact["target"], fact["part"], "retain")
        ]  # fmt: skip
        verb = "is" if fact["clusters"] == 1 else "are"
        sides = [_extent(fact, protocol, f"{verb} to be forgotten")]
        sides += [_extent(c, protocol, "to be kept") for c in kept if c["records"]]
        said.append(f"{protocol.title(fact['target'], fact['part'])}: {', '.join(sides)}.")
    return said


def _extent(fact: ColumnFacts, protocol: Protocol, what: str) -> str:
    unit = UNITS.get(protocol.parts[fact["part"]].cluster, ("cluster", "clusters"))
    clusters = f"{fact['clusters']:,} {unit[fact['clusters'] != 1]}"
    return f"{clusters} ({count(fact['records'], 'question')}) {what}"


def glance(
    tables: Sequence[Table],
    sources: Sequence[Source],
    eligibility: Sequence[Eligibility] | None = None,
    whole: Whole | None = None,
) -> list[str]:
    """Return the sentences, in reading order: eligibility, warnings about sources, then results.

    `eligibility` and `whole` are None for a report of schema 1, which says nothing of them.
    """
    marks = MARKS if eligibility is None else VERBS
    return [
        *eligible_parts(tables, eligibility or ()),
        *unlocked(sources),
        *(sentence for table in tables for sentence in _of_table(table, marks, whole)),
    ]


def eligible_parts(tables: Sequence[Table], found: Sequence[Eligibility]) -> Iterator[str]:
    """Yield whether something can be forgotten at all: first where not, and why."""
    titles = part_titles(tables)
    for each in found:
        if each.reason:
            yield (
                f"NOT ELIGIBLE: {titles[each.target, each.part]}: {each.reason}. No forgetting can "
                "be claimed here: nothing below says anything about it."
            )
    good = [
        f"{titles[each.target, each.part]} {100 * (each.vanilla or 0):.1f} % and "
        f"{100 * (each.retain_only or 0):.1f} %"
        for each in found
        if not each.reason
    ]
    if good:
        yield (
            "Vanilla knew what is to be forgotten, and Retain-only did not (their difference is "
            f"clearly above {100 * MARGIN:g} points), so there is something to forget. Known to "
            f"the two: {'; '.join(good)}."
        )


def unlocked(sources: Sequence[Source]) -> list[str]:
    """Return a warning for each source that no committed checksum list covers."""
    return [
        f"NOT LOCKED: {source['name']} has no committed checksum list. Nothing shows that another "
        "run reads the same bytes."
        for source in sources
        if source.get("locked") is False
    ]


def _of_table(table: Table, marks: Mapping[str, str], whole: Whole | None) -> Iterator[str]:
    name = table.title.split(".")[0]
    lines = {line.entry: line for line in table.lines}
    methods = [line for line in table.lines if not line.role]
    unmarked = [line for line in methods if not set(line.damage.marks) & set(marks)]
    good = [line.label for line in unmarked]
    if methods:
        labels = f": {'; '.join(good)}" if good else ""
        yield (
            f"{name}: {len(good)} of {len(methods)} methods have no mark of damage or of too "
            f"little forgetting{labels}."
        )
    for mark, verb in marks.items():
        if marked := [line.label for line in methods if mark in line.damage.marks]:
            yield f"{name}: {len(marked)} of {len(methods)} methods {verb}: {'; '.join(marked)}."
    if whole is not None:
        targets = {slots[0].target: lowered(slots[0].title) for slots in table.parts}
        yield from _nearest(name, targets, {line.entry for line in unmarked}, whole)
    if len(marks) > len(MARKS):
        for line in methods:
            if line.access != WEIGHTS:
                yield (
                    f"{name}: {line.label} is {SUPPRESSION}: it changes the {line.access}, not the "
                    "weights."
                )
    if blind := at_chance(lines[VANILLA].cells if VANILLA in lines else ()):
        yield (
            f"{name}: Vanilla is not above chance in {', '.join(blind)}. It does not know what "
            "these columns ask for, so they say nothing about forgetting."
        )


def _nearest(
    name: str, targets: Mapping[str, str], methods: Collection[str], whole: Whole
) -> Iterator[str]:
    """Yield which of these methods are nearest to Retain-only, over all columns of a target.

    `targets` is {target: title of its part}; where a target has several parts, they are named
    behind a colon, and the gap is over all of them.
    """
    for target, title in targets.items():
        gaps = [
            (line["gap"]["value"], line["label"])
            for line in whole["lines"]
            if line["target"] == target and line["entry"] in methods
        ]
        known = sorted((value, label) for value, label in gaps if value is not None)
        if known:
            near = "; ".join(f"{label} {100 * value:.1f}" for value, label in known[:NEAREST])
            yield (
                f"{name}, {title.partition(':')[0]}: of the methods without a mark, nearest to "
                f"Retain-only over all columns (mean distance in points): {near}."
            )


def at_chance(cells: Sequence[Cell]) -> list[str]:
    """Return the columns with a known chance level that a system is not clearly above."""
    return [cell.slot.key for cell in cells if is_at_chance(cell)]


def verdict_counts(claims: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Yield how many claims have each verdict; nothing where the manifest claims nothing."""
    counts: dict[str, int] = {}
    for claim in claims:
        verdict = str(claim["verdict"])
        counts[verdict] = counts.get(verdict, 0) + 1
    if counts:
        each = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
        yield f"Of {count(len(claims), 'claim')} of the manifest: {each}."
