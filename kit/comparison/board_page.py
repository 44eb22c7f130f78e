"""A board as a page: one file that loads nothing, the same bytes for the same results."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from markupsafe import Markup

from kit.comparison.board import COUNTED, OTHER, REFUSED, Board, LeftOut, Shown
from kit.comparison.board_figure import Point, draw_claim
from kit.comparison.claims import Compared
from kit.comparison.page import DEPTHS
from kit.report.cells import NO_NUMBER, number
from kit.report.claims import in_percent, printed
from kit.report.drawing import css
from kit.report.pages import TEMPLATES, drawn, page
from kit.verdicts.claims_file import entry
from kit.verdicts.outcome import Outcome, Verdict

SIGNS = {
    Outcome.REPRODUCED: "✓", Outcome.NOT_REPRODUCED: "✗", Outcome.INCONCLUSIVE: "?",
    Outcome.SKIPPED: "-",
}  # fmt: skip
MAX_OPEN = 8  # claims whose values are unfolded
KINDS = {
    REFUSED: (
        "Does not verify",
        "Their numbers are not used. Each has the first check that failed.",
    ),
    OTHER: ("Of another manifest", "They verify, but they are about another experiment."),
    COUNTED: ("Counted already", "The same files count once."),
}


class CellLine(TypedDict):
    """One result's value for one claim, as it is printed."""

    label: str
    outcome: str
    sign: str
    value: str
    interval: str
    difference: str
    bounds: str
    repeated: str
    notes: list[str]


class ClaimLine(TypedDict):
    """One claim with the values of the reference and of all results."""

    id: str
    text: str
    of: str
    threshold: str
    margin: str
    value: str
    interval: str
    reproduced: int
    cells: list[CellLine]
    figure: Markup
    opened: bool


def board_page(board: Board) -> str:
    """Return the page."""
    claims = [_claim(board, number) for number in range(len(board.reference.verdicts))]
    for line in [each for each in claims if each["reproduced"] < len(each["cells"])][:MAX_OPEN]:
        line["opened"] = True
    style = "".join(
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "board.css")
    )
    return page(
        "board.html.j2",
        style=Markup(style + css()),
        board=board,
        headline=headline(board),
        glance=list(_glance(board, claims)),
        results=[(_label(n), result, _counts(result)) for n, result in enumerate(board.results)],
        groups=[(*KINDS[kind], listed) for kind in KINDS if (listed := _left_out(board, kind))],
        claims=claims,
        signs=[(sign, str(outcome)) for outcome, sign in SIGNS.items()],
        proofs=list(dict.fromkeys(result.not_proven for result in board.results)),
    )


def headline(board: Board) -> str:
    """Return how many results reproduce the reference, in one sentence."""
    done = sum(result.comparison.reproduced for result in board.results)
    if len(board.results) == 1:
        return f"One result, which {'reproduces' if done else 'does not reproduce'} the reference"
    some = f"{done} of {len(board.results)} results {'reproduces' if done == 1 else 'reproduce'}"
    return f"{some} the reference"


def _label(number: int) -> str:
    return f"R{number + 1}"


def _left_out(board: Board, kind: str) -> list[LeftOut]:
    return [each for each in board.left_out if each.kind == kind]


COPIES = "are copies, or equal machines computed the same again: the files cannot tell which"


def _counts(result: Shown) -> list[tuple[str, int]]:
    outcomes = [claim.outcome for claim in result.comparison.claims]
    return [(str(each), outcomes.count(each)) for each in Outcome if each in outcomes]


def _glance(board: Board, claims: Sequence[ClaimLine]) -> Iterator[str]:
    shown, out = len(board.results), len(board.left_out)
    refused = len(_left_out(board, REFUSED))
    yield (
        f"{_many(shown + out, 'folder was', 'folders were')} given: {_many(shown, 'is', 'are')} "
        f"compared below, {_many(refused, 'does', 'do')} not verify, "
        f"{_many(out - refused, 'is', 'are')} left out for another reason."
    )
    keys = {result.signer if result.by_identity else result.key for result in board.results}
    signed = "It is" if shown == 1 else "They are"
    yield (
        f"{signed} signed by {_many(len(keys), 'key or identity', 'different keys or identities')}"
        ". One person may hold several."
    )
    machines = {result.machine for result in board.results}
    days = sorted(result.written[:10] for result in board.results)
    when = f"on {days[0]}" if days[0] == days[-1] else f"from {days[0]} to {days[-1]}"
    yield (
        f"By {'its own statement, it was' if shown == 1 else 'their own statement, they were'} "
        f"made {when} on "
        f"{_many(len(machines), 'kind of machine', 'kinds of machine')}."
    )
    if claims:
        everywhere = sum(line["reproduced"] == shown for line in claims)
        nowhere = sum(line["reproduced"] == 0 for line in claims)
        yield (
            f"Of {_many(len(claims), 'claim', 'claims')} of the reference, {everywhere} "
            f"{'is' if everywhere == 1 else 'are'} reproduced by every result, "
            f"{len(claims) - everywhere - nowhere} by some, {nowhere} by none."
        )
    names = {result.name for result in board.results}
    if repeated := sum(result.equal_to in names for result in board.results):
        yield (
            f"They hold {_many(shown - repeated, 'set', 'different sets')} of answers. Results "
            f"with equal answers, all or all but a few, {COPIES}."
        )
    if again := sum(bool(r.equal_to) and r.equal_to not in names for r in board.results):
        yield (
            f"{_many(again, 'result has', 'results have')} the answers of the reference, all or "
            f"all but a few. They {COPIES}."
        )


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _claim(board: Board, number: int) -> ClaimLine:
    reference = list(board.reference.verdicts.values())[number]
    found = [(r, r.comparison.claims[number]) for r in board.results]
    claim, said = reference.claim, printed(entry(reference), percent=True)
    cells = [
        _cell(_label(n), result.verdicts[claim.id], compared)
        for n, (result, compared) in enumerate(found)
    ]
    points = [
        Point(_label(n), result.verdicts[claim.id], compared.outcome)
        for n, (result, compared) in enumerate(found)
    ]
    return ClaimLine(
        id=claim.id, text=claim.text, of=said["of"], threshold=said["threshold"],
        margin=number_of(claim.equivalence, reference, signed=False),
        value=said["value"], interval=said["interval"],
        reproduced=sum(compared.outcome is Outcome.REPRODUCED for _, compared in found),
        cells=cells, figure=drawn(draw_claim(reference, points)), opened=False,
    )  # fmt: skip


def _cell(label: str, verdict: Verdict, compared: Compared) -> CellLine:
    said, finding = printed(entry(verdict), percent=True), compared.finding
    ends = (
        [number_of(v, verdict, signed=True) for v in (finding.low, finding.high)] if finding else []
    )
    return CellLine(
        label=label,
        outcome=str(compared.outcome),
        sign=SIGNS[compared.outcome],
        value=said["value"],
        interval=said["interval"],
        difference=number_of(finding.difference, verdict, signed=True) if finding else NO_NUMBER,
        bounds=f"[{ends[0]}, {ends[1]}]" if ends else "",
        repeated=DEPTHS.get(compared.depth, compared.depth),
        notes=[text for text in (compared.reason, compared.note) if text],
    )


def number_of(value: float | None, verdict: Verdict, *, signed: bool) -> str:
    """Return a value of a claim as printed: in percent, or in points for a difference."""
    return number(value, in_percent(verdict.claim.metric), signed)
