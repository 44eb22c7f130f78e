"""The numbers of whole models as CSV: one line per method and target, one per column and target.

Where several parts have a forget quality, as in CLEAR, a method has one line for each of them, and
its other numbers are repeated.
"""

from kit.report.csv_cells import csv_lines
from kit.report.whole import Number, Whole

LINES = (
    "target", "method", "forget_quality_part", "forget_quality_p", "forget_quality_n",
    "model_utility", "utility_columns", "gap_to_retain_only", "gap_columns", "refusal_forget",
    "refusal_forget_n", "refusal_kept", "refusal_kept_n",
)  # fmt: skip
AGREEMENT = ("target", "column", "metric", "kendall_tau", "methods", "few")


def whole_files(whole: Whole) -> dict[str, str]:
    """Return {name: CSV} of both tables; an absent number is `absent (reason)`.

    To read one number of each method, keep the first of its lines (`drop_duplicates` of target and
    method in pandas).
    """
    lines = [
        (line["target"], line["label"], quality["part"], *_cells(quality), *_cells(line["utility"]),
         *_cells(line["gap"]), *_cells(line["refusal_forget"]), *_cells(line["refusal_kept"]))
        for line in whole["lines"]
        for quality in line["forget_quality"] or [_NONE]
    ]  # fmt: skip
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
    return {
        "whole_model.csv": csv_lines(LINES, lines),
        "rank_agreement.csv": csv_lines(AGREEMENT, agreement),
    }


_NONE: Number = {"part": "", "value": None, "n": 0, "reason": "no truth ratio"}


def _cells(number: Number) -> tuple[str, int]:
    return _cell(number["value"], number["reason"]), number["n"]


def _cell(value: float | None, reason: str) -> str:
    return f"absent ({reason})" if value is None else f"{value:.6g}"
