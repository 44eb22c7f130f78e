"""Do one model's readings of one text agree? Vanilla and the judge read the answers of all systems.

An answer that two systems give to one question is one text, so what the same model finds of it is
one number, but for rounding. Who improves the numbers of one system alone contradicts the others'.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from kit.result.layout import ANSWERS, JUDGED, READ_BY_VANILLA
from kit.verification.contradiction import contradicts

# Nats by which two readings of one text may differ, for each of its tokens: batches are composed in
# other ways, and bfloat16 has 8 bits.
NATS = {"float32": 0.01, "bfloat16": 0.3}
FEWEST = 64  # readings of a text that was read before; a run has hundreds


def require_same_readings(tables: Mapping[str, pd.DataFrame], dtypes: Mapping[str, str]) -> None:
    """Check what Vanilla and the judge found of answers that several systems give.

    Args:
        tables: those of a result.
        dtypes: {table: the type that its model computes in}; one that is not known is not checked.

    Raises:
        VerificationError: one text was read in two ways.
    """
    faults: list[str] = []
    answers = tables[ANSWERS][["system", "record_id", "text", "stop"]]
    if (read := tables.get(READ_BY_VANILLA)) is not None:
        # Of a text that was cut off, the end token is not read.
        faults += _faults(answers, read, ["text", "stop"], dtypes.get(READ_BY_VANILLA, ""))
    if (judged := tables.get(JUDGED)) is not None:
        told = judged.assign(tokens=1)
        faults += _faults(answers, told, ["text", "reply"], dtypes.get(JUDGED, ""))
    if faults:
        raise contradicts(
            "one model reads the same answer to the same question in two ways",
            "one log-probability for one text, whichever system gives it",
            faults,
        )


def _faults(
    answers: pd.DataFrame, read: pd.DataFrame, words: list[str], dtype: str
) -> Iterator[str]:
    nats = NATS.get(dtype)
    both = read.merge(answers, on=["system", "record_id"])
    groups = both.groupby(["record_id", *words], sort=True)
    if nats is None or len(both) - groups.ngroups < FEWEST:
        return
    numbers = groups[["logprob", "tokens"]].agg(["min", "max"])
    low, high = numbers["logprob", "min"], numbers["logprob", "max"]
    few, many = numbers["tokens", "min"], numbers["tokens", "max"]
    wrong = (few != many) | (high - low > nats * many.clip(lower=1))
    for place in numbers.index[wrong]:
        group = groups.get_group(place).sort_values("logprob")
        one, other = group.iloc[0], group.iloc[-1]
        yield (
            f"{one['record_id']}: {one['system']} and {other['system']} give one answer, which has "
            f"{one['logprob']:.6g} and {other['logprob']:.6g} nats"
        )
