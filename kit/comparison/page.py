"""A comparison of two results as a page: one file that loads nothing."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from markupsafe import Markup

from kit.comparison.claims import Compared
from kit.comparison.compare import Comparison
from kit.comparison.differences import Difference
from kit.report.cells import NO_NUMBER, number
from kit.report.claims import in_percent
from kit.report.pages import TEMPLATES, page

MAX_LISTED = 200  # differences of one kind on the page; --json has all
DEPTHS = {
    "": "not compared",
    "answers": "nothing: all answers are equal",
    "evaluation": "the evaluation",
    "training": "training and evaluation",
}


class ClaimLine(TypedDict):
    """One claim as it is printed."""

    id: str
    text: str
    outcome: str
    here: str
    there: str
    value: str
    reference: str
    difference: str
    interval: str
    margin: str
    n: str
    agreement: str
    kappa: str
    repeated: str
    test: str
    notes: list[str]


def comparison_page(found: Comparison, names: tuple[str, str]) -> str:
    """Return the page; `names` are what to call A, the result, and B, the reference."""
    counts: dict[str, int] = {}
    for claim in found.claims:
        counts[str(claim.outcome)] = counts.get(str(claim.outcome), 0) + 1
    return page(
        "comparison.html.j2",
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        names=names,
        headline=found.headline,
        counts=counts,
        claims=[_claim(each) for each in found.claims],
        copied=bool(found.claims) and all(each.depth == "answers" for each in found.claims),
        groups={
            "Differences that may change a verdict": _by_kind(found.differences, matters=True),
            "Differences that change no verdict": _by_kind(found.differences, matters=False),
        },
        most=MAX_LISTED,
    )


def _claim(compared: Compared) -> ClaimLine:
    claim, finding = compared.claim, compared.finding
    percent = in_percent(claim.metric)
    values = [
        NO_NUMBER if value is None else number(value, percent, claim.paired)
        for value in (compared.value, compared.reference)
    ]
    bounds = [number(v, percent, True) for v in (finding.low, finding.high)] if finding else []
    agreed = NO_NUMBER if compared.agreement is None else f"{100 * compared.agreement:.1f} %"
    return ClaimLine(
        id=claim.id,
        text=claim.text,
        outcome=str(compared.outcome),
        here=str(compared.here),
        there=str(compared.there),
        value=values[0],
        reference=values[1],
        difference=number(finding.difference, percent, True) if finding else NO_NUMBER,
        interval=f"[{bounds[0]}, {bounds[1]}]" if bounds else "",
        margin=number(claim.equivalence, percent, False),
        n=f"{compared.n} ({compared.clusters})" if compared.n else NO_NUMBER,
        agreement=agreed,
        kappa="" if compared.kappa is None else f"{compared.kappa:.2f}",
        repeated=DEPTHS.get(compared.depth, compared.depth),
        test=compared.test or "none",
        notes=[text for text in (compared.reason, compared.note) if text],
    )


def _by_kind(found: Sequence[Difference], *, matters: bool) -> Mapping[str, list[Difference]]:
    """Return the differences by kind, in their order."""
    kinds: dict[str, list[Difference]] = {}
    for each in found:
        if each.matters is matters:
            kinds.setdefault(each.kind, []).append(each)
    return kinds
