"""How a judge finds each answer: the value of its replies, weighted by their probabilities.

G-Eval (arXiv 2303.16634, section 2) weights scores by token probabilities in the same way. That
only some replies are allowed, and that each is scored whole, with its end token, is the kit's own.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from kit.benchmarks.records import Record, asked_tokens
from kit.errors import DataError
from kit.metrics.definition import StoredAnswer
from kit.metrics.stored_answers import MAX_NATS, REMEDY, refuse
from kit.metrics.system_tables import Numbers


class Judgement(NamedTuple):
    """The table of replies, columns as in judged.parquet, and the value of each reply."""

    table: pd.DataFrame
    replies: Mapping[str, float]


def judged(answer: StoredAnswer, record: Record) -> float | None:
    """Return how well the judge finds the answer, in [0, 1]; None if it did not read it."""
    return answer.judged


def read_judged(
    given: Judgement | None,
    answers: pd.DataFrame,
    records: Mapping[str, Record],
    systems: Collection[str],
) -> Numbers:
    """Return the judge's value of each answer in free text, in [0, 1]; {} without a judge.

    It is sum_i p_i v_i over the replies: v_i is the value of reply i, and p_i its probability
    divided by that of all replies together.

    Raises:
        DataError: a row has an unknown record, system or reply, occurs twice, or is no
            log-probability; or the replies about an answer are not all there.
    """
    if given is None:
        return {}
    table, keys = given.table, ["system", "record_id", "reply"]
    ordered = table.sort_values(keys, kind="stable")
    refuse(
        ordered,
        "judge's reply",
        (
            (~ordered["record_id"].isin(list(records)), "belongs to no record of this result"),
            (~ordered["system"].isin(list(systems)), "belongs to no system of this result"),
            (~ordered["reply"].isin(list(given.replies)), "is none that the manifest allows"),
            (ordered.duplicated(keys), "occurs twice"),
            (~ordered["logprob"].between(-MAX_NATS, 0), "is not a log-probability"),
        ),
    )
    _require_all(ordered, answers, records, len(given.replies))
    values = ordered["reply"].map(given.replies).to_numpy(dtype=np.float64)
    shape = (-1, len(given.replies))
    found = _expected(ordered["logprob"].to_numpy(dtype=np.float64).reshape(shape),
                      values.reshape(shape))  # fmt: skip
    first = ordered.iloc[:: len(given.replies)]
    return dict(
        zip(zip(first["system"], first["record_id"], strict=True), found.tolist(), strict=True)
    )


def _expected(logprobs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return [n] means of values [n, replies], weighted by the softmax of [n, replies]."""
    weights = np.exp(logprobs - logprobs.max(axis=1, keepdims=True))
    return np.asarray((weights * values).sum(axis=1) / weights.sum(axis=1))


def _require_all(
    ordered: pd.DataFrame, answers: pd.DataFrame, records: Mapping[str, Record], replies: int
) -> None:
    """Check that every answer in free text has every reply, and no other answer has one."""
    there = zip(answers["system"], answers["record_id"], strict=True)
    wanted = {key for key in there if key[1] in records and asked_tokens(records[key[1]])}
    counts = ordered.groupby(["system", "record_id"]).size()
    complete = set(counts.index[counts == replies])
    if other := sorted(wanted ^ complete | (set(counts.index) - wanted)):
        system, record_id = other[0]
        raise DataError(
            f"the judge's replies about the answer of system {system} to record {record_id} are "
            "not those asked for",
            expected=f"{replies} rows of judged.parquet for each answer in free text",
            found=f"{len(other)} answers that differ",
            remedy=REMEDY,
        )
