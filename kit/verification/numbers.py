"""The numbers of a report, whoever rendered it: report.json and the CSV files.

They are compared as numbers and structure. The words of a sentence may be those of another
version, because a result must outlive the wording of the kit. `kit.verification.pages` compares
pages byte for byte, where the code of this kit rendered them.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import PurePosixPath

from kit.errors import VerificationError
from kit.names import show
from kit.report import number_files
from kit.report.contents import SCHEMAS, Contents
from kit.result.layout import REPORT
from kit.result.made_by import Kit
from kit.result.schemas import require_schema
from kit.result.stored_values import ABSENT, other_numbers, same_value, same_words
from kit.result.strict_json import parse_json
from kit.result.unusable import unusable
from kit.verification.csv_numbers import csv_faults

REPORT_JSON = f"{REPORT}report.json"
# What a person reads. It holds no number that is not in report.json as well.
PAGES = frozenset({".html", ".md", ".svg"})
# The first version whose CSV files have formulas made harmless.
SAFE_CELLS = (0, 3, 0)


def _at(*places: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(place.split(".")) for place in places)


# Places of report.json that hold prose; "*" is any key or any item of a list. Prose that does not
# depend on the answers is free. A sentence about the answers is free in its words alone.
PROSE = _at("rule", "comparability", "definitions.*.sentence", "samples.*.why", "tables.*.*.role")
SENTENCES = _at(
    "columns.*.reason", "claims.*.reason", "tables.*.*.cells.*.reason",
    "health.lines.*.worst.*.reason", "eligibility.*.reason",
    "further.*.lines.*.cells.*.reason", "whole.lines.*.*.reason",
    "whole.lines.*.forget_quality.*.reason", "whole.agreement.*.reason",
    "attacks.cells.*.reason", "attacks.headlines.*.reason",
)  # fmt: skip
LISTS_OF_SENTENCES = _at("glance", "methods.*.lost", "tuning.notes")
NAMED = 5


def require_numbers(
    contents: Contents, stored: Mapping[str, bytes], kit: Kit, retired: Collection[str] = ()
) -> int:
    """Hold report.json and every CSV file of a report against those that follow.

    Args:
        contents: what the report says, made from verified rows.
        stored: {path in the result: bytes} of everything under report/.
        kit: which made the result.
        retired: the metrics, as `name/version`, whose values this kit no longer computes.

    Returns:
        The number of files that were compared.

    Raises:
        VerificationError: a number or the structure differs, a file is missing, or one is neither
            a page nor a file of numbers.
    """
    made = {REPORT + name: data for name, data in number_files(contents).items()}
    # No more than are named: a hostile report.json can have millions.
    if faults := list(islice(_faults(made, stored, kit, retired), NAMED + 1)):
        more = ["and more"] if len(faults) > NAMED else []
        raise VerificationError(
            "the report does not follow from the stored answers",
            expected="the numbers that this version of the kit computes from them",
            found="\n    ".join(faults[:NAMED] + more),
            remedy="do not use the report; ask the signer how it came to be",
        )
    return len(made)


def _faults(
    made: Mapping[str, bytes], stored: Mapping[str, bytes], kit: Kit, retired: Collection[str]
) -> Iterator[str]:
    for name in sorted(made.keys() - stored.keys()):
        yield f"{show(name)}: missing"
    for name in sorted(stored.keys() - made.keys()):
        page = PurePosixPath(name.removeprefix(REPORT))
        if page.suffix not in PAGES or len(page.parts) > 1:
            yield f"{show(name)}: no file of a report"
    for name in sorted(made.keys() & stored.keys()):
        if stored[name] == made[name]:
            continue
        if name == REPORT_JSON:
            faults = _json_faults(stored[name], made[name], retired)
        else:
            faults = csv_faults(stored[name], made[name], raw=kit.numbers < SAFE_CELLS)
        yield from (f"{name}: {fault}" for fault in faults)


def _json_faults(stored: bytes, made: bytes, retired: Collection[str]) -> Iterator[str]:
    try:
        held, right = (parse_json(data, max_bytes=len(data)) for data in (stored, made))
    except ValueError as error:
        raise unusable(REPORT_JSON, error) from None
    if not isinstance(held, dict) or not isinstance(right, dict):
        raise unusable(REPORT_JSON, "not a JSON object")
    require_schema(REPORT_JSON, held.get("schema"), SCHEMAS)
    for value in (held, right):
        value["definitions"] = _by_id(value.get("definitions"))
    for place, left, follows in _differences(held, right, (), retired):
        has = "missing" if left is ABSENT else repr(left)[:100]
        needs = "nothing" if follows is ABSENT else repr(follows)[:100]
        if _is_at(place, LISTS_OF_SENTENCES):
            needs = str(follows)
        yield show(f"{'.'.join(place)} is {has}, recomputed {needs}")


def _by_id(definitions: object) -> object:
    """Return the list of metric definitions by their id: a registry may be put in another order.

    What is not such a list, with each id once, stays a list, which no list of definitions equals.
    """
    if not isinstance(definitions, list) or not all(isinstance(d, dict) for d in definitions):
        return [definitions]
    by_id = {str(each.get("id")): each for each in definitions}
    return by_id if len(by_id) == len(definitions) else definitions


def _differences(
    held: object, right: object, place: tuple[str, ...], retired: Collection[str]
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    """Yield (place, stored value, value that follows) of all that differs."""
    if _is_at(place, PROSE):
        if not _is_prose(held) or type(held) is not type(right) or bool(held) != bool(right):
            yield place, held, right
    elif _is_at(place, LISTS_OF_SENTENCES) and isinstance(right, list):
        if not isinstance(held, list) or not _is_prose(held) or bool(held) != bool(right):
            yield place, held, "a list of sentences" if right else "no sentence"
        elif wrong := other_numbers(held, right):
            yield place, wrong, "another number in the same words"
    elif _is_at(place, SENTENCES):
        if not same_words(held, right):
            yield place, held, right
    elif isinstance(held, dict) and isinstance(right, dict):
        if _is_uncomputed(right, place, retired):
            return
        for key in sorted({*held, *right}):
            pair = held.get(key, ABSENT), right.get(key, ABSENT)
            yield from _differences(*pair, (*place, key), retired)
    elif isinstance(held, list) and isinstance(right, list) and len(held) == len(right):
        for number, (left, follows) in enumerate(zip(held, right, strict=True)):
            yield from _differences(left, follows, (*place, str(number)), retired)
    elif not same_value(held, right):
        yield place, held, right


def _is_prose(value: object) -> bool:
    sentences = value if isinstance(value, list) else [value]
    return all(isinstance(each, str) for each in sentences)


def _is_uncomputed(
    right: Mapping[str, object], place: tuple[str, ...], retired: Collection[str]
) -> bool:
    """Say whether this is the difference to Retain-only of a metric that is no longer computed."""
    is_cell = len(place) == 5 and place[0] == "tables" and place[1].endswith("_distance")
    return is_cell and right.get("metric") in retired


def _is_at(place: tuple[str, ...], patterns: tuple[tuple[str, ...], ...]) -> bool:
    return any(
        len(place) == len(pattern)
        and all(part in ("*", key) for part, key in zip(pattern, place, strict=True))
        for pattern in patterns
    )
