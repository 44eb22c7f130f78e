"""The numbers of whole models as CSV: one line for each method and target, one for each column.

Several parts may have a forget quality, as in CLEAR. It has a table of its own, with a line for
each of them. Reports of schema 2 had one table for both, which repeated all other numbers of a
method in a line for each part.
"""

from kit.report.csv_cells import csv_lines
from kit.report.whole import Number, Whole, WholeLine

_NUMBERS = (
    "model_utility", "utility_columns", "gap_to_retain_only", "gap_columns", "refusal_forget",
    "refusal_forget_n", "refusal_kept", "refusal_kept_n",
)  # fmt: skip
LINES = ("target", "method", *_NUMBERS)
QUALITIES = ("target", "method", "part", "p", "n")
# Of schema 2.
REPEATED = (
    "target", "method", "forget_quality_part", "forget_quality_p", "forget_quality_n", *_NUMBERS,
)  # fmt: skip
AGREEMENT = ("target", "column", "metric", "kendall_tau", "methods", "few")


def whole_files(whole: Whole, *, repeated: bool = False) -> dict[str, str]:
    """Return {name: CSV} of the tables; an absent number is `absent (reason)`.

    `whole_model.csv` has one line for each target and method, `forget_quality.csv` one for each
    of their parts with a forget quality. The second is left out where no part has one.

    Args:
        whole: the numbers.
        repeated: in the form of schema 2. To read one number of each method, keep the first of its
            lines (`drop_duplicates` of target and method in pandas).
    """
    qualities = [
        (line["target"], line["label"], each["part"], *_cells(each))
        for line in whole["lines"]
        for each in line["forget_quality"]
    ]
    lines: list[tuple[object, ...]] = [
        (line["target"], line["label"], *part, *_numbers(line))
        for line in whole["lines"]
        for part in (_parts(line) if repeated else [()])
    ]
    agreement = [
        (
            each["target"],
            each["column"],
            each["metric"],
            _cell(each["tau"], each["reason"]),
            each["n"],
            "yes" if each["few"] else "no",
        )
        for each in whole["agreement"]
    ]
    files = {
        "whole_model.csv": csv_lines(REPEATED if repeated else LINES, lines),
        "rank_agreement.csv": csv_lines(AGREEMENT, agreement),
    }
    if qualities and not repeated:
        files["forget_quality.csv"] = csv_lines(QUALITIES, qualities)
    return files


_NONE: Number = {"part": "", "value": None, "n": 0, "reason": "no truth ratio"}


def _parts(line: WholeLine) -> list[tuple[str, str, int]]:
    return [(each["part"], *_cells(each)) for each in line["forget_quality"] or [_NONE]]


def _numbers(line: WholeLine) -> tuple[object, ...]:
    kinds = (line["utility"], line["gap"], line["refusal_forget"], line["refusal_kept"])
    return tuple(cell for number in kinds for cell in _cells(number))


def _cells(number: Number) -> tuple[str, int]:
    return _cell(number["value"], number["reason"]), number["n"]


def _cell(value: float | None, reason: str) -> str:
    return f"absent ({reason})" if value is None else f"{value:.6g}"
