"""Claims and comparisons as text for a terminal, or as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from kit.comparison.claims import Compared
from kit.comparison.compare import Comparison
from kit.names import show
from kit.report.cells import number
from kit.report.claims import in_percent, printed
from kit.verdicts.claims_file import count, entry
from kit.verdicts.judging import Verdict

REPEATED = {"answers": "nothing, answers are equal"}  # by the depth of a comparison
MAX_DIFFERENCES = 5  # printed of each kind
MAX_WIDTH = 60  # characters of a printed value
DIGEST_WIDTH = 12  # of a longer one without blanks, such as a digest
MIN_ID = 5  # characters of the column of ids


def claims_table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the lines of a table of claims: each verdict, and below it the numbers behind it."""
    width = _id_width([verdict.claim.id for verdict in verdicts])
    for verdict in verdicts:
        line = printed(entry(verdict))
        yield show(f"{line['id']:<{width}}{line['verdict']:<15} {line['text']}")
        yield show(f"     {line['of']}, {line['threshold']}")
        if verdict.estimate is not None:
            yield (
                f"     {line['value']} {line['interval']}, n {line['n']}, resampled: "
                f"{line['asked']}, detectable {line['detectable']}"
            )
        if line["reason"]:
            yield show(f"     {line['reason']}")
    yield f"{len(verdicts)} claims: {count(verdicts) or 'none'}"


def comparison_text(comparison: Comparison) -> Iterator[str]:
    """Yield the differences of two results, then every claim with its test."""
    for matters in (True, False):
        found = [d for d in comparison.differences if d.matters is matters]
        effect = "may change a verdict" if matters else "change no verdict"
        yield f"differences that {effect}: {len(found)}"
        for kind in dict.fromkeys(item.kind for item in found):
            mine = [item for item in found if item.kind == kind]
            for item in mine[:MAX_DIFFERENCES]:
                ours, reference = (_short(value) for value in (item.ours, item.reference))
                yield show(f"  {kind}: {item.what}: A {ours}, B {reference}")
            if len(mine) > MAX_DIFFERENCES:
                yield f"  {kind}: and {len(mine) - MAX_DIFFERENCES} more; --json lists all"
    yield ""
    width = _id_width([compared.claim.id for compared in comparison.claims])
    for claim in comparison.claims:
        yield from _claim_lines(claim, width)
    numbers: dict[str, int] = {}
    for claim in comparison.claims:
        numbers[claim.outcome] = numbers.get(claim.outcome, 0) + 1
    counts = ", ".join(f"{number} {outcome}" for outcome, number in numbers.items())
    yield f"{len(comparison.claims)} claims compared: {counts or 'none'}"
    all_equal = all(claim.depth == "answers" for claim in comparison.claims)
    if comparison.shared.is_copy and not all_equal:
        yield (
            f"Of the answers to the same questions, {comparison.shared} are equal: as in a copy, "
            "or in equal work on a like machine."
        )
    yield comparison.headline
    if comparison.claims and all_equal:
        yield "No work was repeated: all answers are identical, as in a copy."
    yield "Signatures were not checked; `./run.sh verify` shows who signed each result."


def _short(value: object) -> str:
    """Return a value in few characters: a digest by its first ones, words as far as they fit."""
    text = "none" if value is None else str(value)
    if len(text) <= MAX_WIDTH:
        return text
    return f"{text[: MAX_WIDTH - 1 if ' ' in text else DIGEST_WIDTH]}…"


def _id_width(ids: Sequence[str]) -> int:
    """Return the width of the column of ids: `C1`, or `C4.retain-finetune`."""
    return max([MIN_ID, *(len(name) + 1 for name in ids)])


def _claim_lines(compared: Compared, width: int) -> Iterator[str]:
    claim = compared.claim
    yield show(f"{claim.id:<{width}}{compared.outcome:<15} {claim.text}")
    yield f"     the claim itself: {compared.here} in A, {compared.there} in B"
    percent = in_percent(claim.metric)
    unit, points = (" %", " points") if percent else ("", "")
    if compared.value is not None:
        values = [number(v, percent, claim.paired) for v in (compared.value, compared.reference)]
        yield (
            f"     A {values[0]}{unit}, B {values[1]}{unit}, n {compared.n} ({compared.clusters})"
            f"{_shared(compared)}"
        )
    if (finding := compared.finding) is not None:
        shown = [number(v, percent, True) for v in (finding.difference, finding.low, finding.high)]
        least = number(finding.detectable, percent, False)
        repeated = REPEATED.get(compared.depth, compared.depth)
        yield (
            f"     repeated: {repeated}; test: {compared.test}; difference {shown[0]} "
            f"[{shown[1]}, {shown[2]}], margin {number(claim.equivalence, percent, False)}, "
            f"detectable {least}{points}"
        )
    for text in (compared.reason, compared.note):
        if text:
            yield show(f"     {text}")


def _shared(compared: Compared) -> str:
    """Return how far the records agree, if both results have the same records."""
    if compared.agreement is None:
        return ""
    beyond = "" if compared.kappa is None else f", kappa {compared.kappa:.2f}"
    return f", agreement {100 * compared.agreement:.1f} %{beyond}"


def comparison_json(comparison: Comparison) -> str:
    """Return a whole comparison as JSON."""
    claims = []
    for compared in comparison.claims:
        fields = {name: value for name, value in vars(compared).items() if name != "claim"}
        finding = compared.finding and asdict(compared.finding)
        claims.append({**compared.claim.model_dump(mode="json"), **fields, "finding": finding})
    listed = [asdict(item) for item in comparison.differences]
    found = {"reproduced": comparison.reproduced, "claims": claims, "differences": listed}
    return json.dumps(found, indent=2, ensure_ascii=True, allow_nan=False)


def claims_json(verdicts: Sequence[Verdict], *, follows: bool, difference: str) -> str:
    """Return recomputed claims as JSON, and whether the stored ones are equal to them."""
    claims = [entry(verdict) for verdict in verdicts]
    found = {"follows": follows, "difference": difference, "claims": claims}
    return json.dumps(found, indent=2, ensure_ascii=True, allow_nan=False)
