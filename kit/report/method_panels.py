"""All that a report knows of one method: settings, costs, curves, attacks, forgotten people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.experiment.own_settings import own_budget
from kit.experiment.systems import RETAIN_ONLY, TRAINING_FREE, UNTRAINED
from kit.report.attack_grid import RELEARNING
from kit.report.attacks import AttackCell
from kit.report.costs import MethodCosts
from kit.report.curves import loss_chart, relearning_chart
from kit.report.drawing import Drawing
from kit.report.facts import Facts
from kit.report.owners import OwnerTable
from kit.report.run_types import MethodSection, Run
from kit.report.sentences import count
from kit.report.tables import Table
from kit.result.losses import Curve
from kit.result.run_file import entries, labels

ROUNDING = "round_"  # how the names of attacks that quantise begin
NAMED = 2  # of the best and the worst people or events


@dataclass(frozen=True)
class TargetPanel:
    """One method with one target: (term, text) pairs, and its charts."""

    title: str
    facts: tuple[tuple[str, str], ...]
    charts: tuple[Drawing, ...]


@dataclass(frozen=True)
class MethodPanel:
    """One method: `marks` are those of all its targets, `facts` (term, text) pairs."""

    entry: str
    label: str
    role: str
    marks: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    targets: tuple[TargetPanel, ...]


def method_panels(
    run: Run,
    facts: Facts,
    tables: Sequence[Table],
    owners: Sequence[OwnerTable],
    losses: Mapping[str, Curve],
) -> list[MethodPanel]:
    """Return a panel for each line of the tables, in their order.

    Args:
        run: run.json.
        facts: the parts of the report beside its tables.
        tables: the printed tables.
        owners: what is known of each person or event.
        losses: {name of a kept adapter: its losses}.
    """
    sections = {each["name"]: each for each in run["manifest"].get("methods", [])}
    costs = {each["entry"]: each for each in facts["methods"]}
    names = labels(facts["systems"])
    panels = []
    for entry, members in entries(facts["systems"]).items():
        lines = [line for table in tables for line in table.lines if line.entry == entry]
        if not lines:
            continue
        marks = dict.fromkeys(mark for line in lines for mark in line.damage.marks)
        targets: list[TargetPanel] = []
        for target in dict.fromkeys(t for table in tables for t in table.targets):
            own = [s["name"] for s in members if s["target"] in (None, target)]
            if own:
                curves = [losses[name] for name in own if name in losses]
                if targets and members[0]["target"] is None:
                    curves = []  # the same model for every target
                targets.append(_target(entry, target, facts, owners, curves))
        section = sections.get(entry)
        said = tuple(_facts(members[0]["method"], section, run, costs.get(entry)))
        panels.append(
            MethodPanel(entry, names[entry], lines[0].role, tuple(marks), said, tuple(targets))
        )
    return panels


def _facts(
    method: str, section: MethodSection | None, run: Run, costs: MethodCosts | None
) -> Iterator[tuple[str, str]]:
    """Yield what holds for all targets of a method."""
    if section is not None:
        yield "File", f"kit/methods/{method}.py"
        defaults = run["manifest"].get("unlearn", {})
        if method not in UNTRAINED | TRAINING_FREE:
            yield from _training(section, defaults)
        if budget := [*own_budget(defaults, section)]:
            yield "Own budget", ", ".join(budget)
        if section.get("options"):
            options = (f"{name} = {value}" for name, value in sorted(section["options"].items()))
            yield "Options", ", ".join(options)
    if costs is not None:
        if "access" in costs:
            yield "May change", costs["access"]
        if costs["seconds"] is not None:
            yield "Training", f"{costs['seconds']:,.0f} s in {count(costs['jobs'], 'job')}"
        for stopped in costs["stopped"]:
            yield "Stopped early", stopped


def _training(section: MethodSection, defaults: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield how a method is trained; targets with steps of their own are named."""
    for name in ("learning_rate", "steps", "stop"):
        own = section.get(name)
        value = defaults.get(name) if own is None else own
        if value is None:
            continue
        longer = defaults.get("target_steps", {}) if name == "steps" and own is None else {}
        more = [
            f"{target}: {n}" for target, n in longer.items() if target in section.get("targets", ())
        ]
        text = f"{value} ({', '.join(more)})" if more else f"{value}"
        yield name.replace("_", " ").capitalize(), text


def _target(
    entry: str,
    target: str,
    facts: Facts,
    owners: Sequence[OwnerTable],
    curves: Sequence[Curve],
) -> TargetPanel:
    said = list(_gap(entry, target, facts))
    for table in owners:
        if table.target == target:
            said += _extremes(entry, table, len([t for t in owners if t.target == target]) > 1)
    charts = [loss_chart(curves)] if curves else []
    attacked = facts["attacks"]["cells"] if "attacks" in facts else []
    cells = [c for c in attacked if (c["target"], c["entry"]) == (target, entry)]
    said += _attacks(entry, target, facts, cells)
    charts += _relearning(facts, cells)
    titles = [table.title for table in owners if table.target == target]
    title = titles[0].partition(":")[0] if titles else target
    return TargetPanel(title, tuple(said), tuple(charts))


def _gap(entry: str, target: str, facts: Facts) -> Iterator[tuple[str, str]]:
    for line in facts["whole"]["lines"] if "whole" in facts else []:
        if (line["entry"], line["target"]) == (entry, target) and entry != RETAIN_ONLY:
            value = line["gap"]["value"]
            if value is not None:
                yield "Distance to Retain-only", f"{100 * value:.1f} points, mean of all columns"


def _extremes(entry: str, table: OwnerTable, several: bool) -> Iterator[tuple[str, str]]:
    """Yield the best and the worst people (or events) of a method, by the share known."""
    for forgotten, term in ((True, "to be forgotten"), (False, "to be kept")):
        shares = table.of(entry, forgotten=forgotten)
        if not shares:
            continue
        where = f", {table.part}" if several else ""
        yield f"{table.kind.capitalize()} {term}{where}", _ends(shares)


def _ends(shares: Sequence[tuple[float, str]]) -> str:
    """Return who is known least and most, of (share, name) in rising order."""
    low, high = (f"{100 * share:.0f} %" for share, _ in (shares[0], shares[-1]))
    if low == high:
        return f"all {len(shares)}: {low} known"
    ends = (shares[:NAMED], shares[: -NAMED - 1 : -1])
    least, most = (", ".join(f"{name} {100 * share:.0f} %" for share, name in e) for e in ends)
    return f"least known: {least}; most known: {most}" if len(shares) > NAMED else least


def _attacks(
    entry: str, target: str, facts: Facts, cells: Sequence[AttackCell]
) -> Iterator[tuple[str, str]]:
    if "attacks" not in facts:
        return
    for head in facts["attacks"]["headlines"]:
        if (head["entry"], head["target"]) == (entry, target):
            back = f": it comes back under {', '.join(head['attacks'])}" if head["attacks"] else ""
            reason = f" ({head['reason']})" if head["reason"] else ""
            yield f"Under attack, {head['part']}", f"{head['outcome']}{reason}{back}"
    kinds = _kinds(facts)
    for cell in cells:
        if kinds.get(cell["attack"], "").startswith(ROUNDING) and cell["value"] is not None:
            yield (
                f"{cell['attack_label']} ({cell['level']:g}), {cell['part']}",
                (
                    f"known {100 * (cell['before'] or 0):.0f} % before rounding, "
                    f"{100 * (cell['under'] or 0):.0f} % after it; Retain-only "
                    f"{100 * (cell['control'] or 0):.0f} %"
                ),
            )


def _relearning(facts: Facts, cells: Sequence[AttackCell]) -> Iterator[Drawing]:
    """Yield a chart for each part and attack that trains a system again."""
    kinds = _kinds(facts)
    for part, attack in dict.fromkeys((cell["part"], cell["attack"]) for cell in cells):
        mine = [cell for cell in cells if (cell["part"], cell["attack"]) == (part, attack)]
        if kinds.get(attack, "").startswith(RELEARNING):
            known = list(_by_level(mine))
            if known:
                title = f"{mine[0]['attack_label']}, {part}"
                control = [
                    cell
                    for cell in facts["attacks"]["cells"]
                    if (cell["target"], cell["part"], cell["attack"], cell["entry"])
                    == (mine[0]["target"], part, attack, RETAIN_ONLY)
                ]
                yield relearning_chart(title, known, list(_by_level(control)))


def _by_level(cells: Sequence[AttackCell]) -> Iterator[tuple[float, float]]:
    """Yield (level, share known) of one system under one attack, from 0: without the attack."""
    measured = [(c["level"], c["before"], c["under"]) for c in cells]
    for place, (level, before, under) in enumerate(sorted(m for m in measured if None not in m)):
        if place == 0 and before is not None:
            yield 0.0, before
        if under is not None:
            yield level, under


def _kinds(facts: Facts) -> dict[str, str]:
    """Return {name of an attack in the manifest: its file}."""
    listed = facts["manifest"].get("attack", {"entries": []})["entries"]
    return {each["name"]: each["attack"] for each in listed}
