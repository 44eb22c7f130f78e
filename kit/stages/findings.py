"""A short summary of a result, in sentences that follow from the numbers of its report."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.eligibility import MARGIN
from kit.report.attacks import BEHAVIOURAL, DURABLE
from kit.report.damage import MARKS
from kit.report.glance import VERBS
from kit.result.layout import REPORT
from kit.state_files import damaged, read_object

BOUNDS = (VANILLA, RETAIN_ONLY)
MOST_NAMES = 3  # of methods at one distance
Facts = Mapping[str, Any]


def findings(result: Path) -> list[str]:
    """Return the sentences: could anything be forgotten, how do methods fare, what of the claims?

    Where systems were attacked, a sentence for each part says what comes back.

    Args:
        result: a result folder that this kit has written, now or in an earlier call.

    Raises:
        StorageError: its report.json was damaged since.
    """
    path = result / REPORT / "report.json"
    report = read_object(path, remove=result)
    try:
        return [_eligible(report), _methods(report), *_attacked(report), _claims(report)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}", result) from None


def _eligible(report: Facts) -> str:
    found = report["eligibility"]
    if not found:
        return "Whether there was anything to forget was not measured."
    good = [_part(each) for each in found if not each["reason"]]
    bad = [f"{_part(each)} ({each['reason']})" for each in found if each["reason"]]
    if not good:
        return f"No forgetting can be claimed: {'; '.join(bad)}."
    said = (
        f"Forgetting can be measured ({', '.join(good)}): Vanilla knows the forget set clearly "
        f"better than Retain-only, by more than {MARGIN:g}"
    )
    return f"{said}; but not: {'; '.join(bad)}." if bad else f"{said}."


def _part(each: Facts) -> str:
    return each["target"] if each["part"] == each["target"] else f"{each['target']}: {each['part']}"


def _methods(report: Facts) -> str:
    lines = [line for line in report["whole"]["lines"] if line["entry"] not in BOUNDS]
    if not lines:
        return "The manifest has no method."
    near = list(_nearest(lines))
    said = f"Closest to Retain-only: {', '.join(near)}" if near else "No distance was measured"
    labels = {line["entry"] for line in lines}
    marked = list(_marked(report, labels))
    if not marked:
        return f"{said}. No method is marked as damaged."
    return f"{said}. Of {len(labels)} methods: {', '.join(marked)}."


def _nearest(lines: Sequence[Facts]) -> Iterator[str]:
    """Yield the methods of each target whose columns differ least from Retain-only's."""
    for target in dict.fromkeys(line["target"] for line in lines):
        gaps = {
            line["label"]: line["gap"]["value"]
            for line in lines
            if line["target"] == target and line["gap"]["value"] is not None
        }
        if gaps:
            least = min(gaps.values())
            equal = [label for label, gap in gaps.items() if gap == least]
            if len(equal) > MOST_NAMES:
                equal = [equal[0], f"{len(equal) - 1} others"]
            yield f"{' and '.join(equal)} ({target}, mean distance {least:.3f})"


def _marked(report: Facts, methods: set[str]) -> Iterator[str]:
    """Yield for each mark the methods that have it in some table."""
    marks: dict[str, dict[str, None]] = {mark: {} for mark in MARKS}
    for name, lines in report["tables"].items():
        for line in lines if not name.endswith("_distance") else ():
            if line["entry"] in methods:
                for mark in line["marks"]:
                    marks[mark][line["label"]] = None
    for mark, labels in marks.items():
        if labels:
            yield f"{len(labels)} {VERBS[mark]} ({'; '.join(labels)})"


def _attacked(report: Facts) -> Iterator[str]:
    """Yield for each part whose methods come back under some attack, and whose never do."""
    parts: dict[str, list[Facts]] = {}
    for each in (report.get("attacks") or {}).get("headlines", ()):
        parts.setdefault(_part(each), []).append(each)
    for part, every in parts.items():
        back, away = (
            [each["label"] for each in every if each["outcome"] == outcome]
            for outcome in (BEHAVIOURAL, DURABLE)
        )
        yield (
            f"Under attack ({part}), what was forgotten comes back for {_some(back, len(every))}, "
            f"and stays away for {_some(away, len(every))}."
        )


def _some(labels: Sequence[str], of: int) -> str:
    return f"{len(labels)} of {of} ({'; '.join(labels)})" if labels else f"none of {of}"


def _claims(report: Facts) -> str:
    verdicts = [claim["verdict"] for claim in report["claims"]]
    if not verdicts:
        return "The manifest makes no claim."
    counts = ", ".join(
        f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)
    )
    return f"Of {len(verdicts)} claims: {counts}."
