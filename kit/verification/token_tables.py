"""Do the tables of likelihoods contradict each other, or themselves?

The likelihood of a given answer is the sum over its tokens, and both were measured in one pass. Of
n tokens that are at least as likely as one, none has more than a share 1/n of the probability.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kit.errors import VerificationError
from kit.result.layout import LIKELIHOODS, TOKENS
from kit.verification.contradiction import contradicts

KEY = ["system", "record_id", "role", "text"]
# Sums are stored in 64 bits and tokens in 32; the orders of summation differ.
NATS, SHARE = 1e-3, 1e-4
RANK_NATS = 0.2  # of a token; no rounding comes near


def require_tokens_agree(tables: Mapping[str, pd.DataFrame]) -> None:
    """Check tokens.parquet, if there is one, against itself and against likelihoods.parquet.

    Raises:
        VerificationError: a likelihood is not the sum of its tokens, or a rank is impossible.
    """
    tokens, sums = tables.get(TOKENS), tables[LIKELIHOODS]
    if tokens is None:
        return
    found = [*_rank_faults(tokens), *_sum_faults(tokens, sums)]
    if found:
        raise _contradiction(found)


def _rank_faults(tokens: pd.DataFrame) -> list[str]:
    lengths = tokens["rank"].map(len).to_numpy()
    rows = np.repeat(np.arange(len(tokens)), lengths)
    if not len(rows):
        return []
    ranks, logprobs = (
        np.concatenate(tokens[name].to_numpy()).astype(np.float64) for name in ("rank", "logprob")
    )
    wrong = np.flatnonzero(logprobs > -np.log(ranks) + RANK_NATS)
    return [
        f"{_shown(tokens.iloc[rows[n]])}: a token of {logprobs[n]:.3g} nats has rank "
        f"{ranks[n]:.0f}, so that {ranks[n]:.0f} tokens together have more than all probability"
        for n in wrong
    ]


def _sum_faults(tokens: pd.DataFrame, sums: pd.DataFrame) -> list[str]:
    # Letters of a choice are measured by their first token alone, and have no list of tokens.
    both = tokens.merge(sums, on=KEY, suffixes=("_of_each", ""))
    if not len(both):
        return []
    told = both["logprob_of_each"].map(lambda each: float(np.sum(each, dtype=np.float64)))
    counts = both["logprob_of_each"].map(len)
    apart = (told - both["logprob"]).abs() > NATS + SHARE * both["logprob"].abs()
    wrong = (apart | (counts != both["tokens"])).to_numpy(dtype=bool)
    return [
        f"{_shown(both.iloc[n])}: its likelihood is {both['logprob'].iloc[n]:.6g} nats in "
        f"{both['tokens'].iloc[n]} tokens, and its {counts.iloc[n]} tokens add up to "
        f"{told.iloc[n]:.6g}"
        for n in np.flatnonzero(wrong)
    ]


def _shown(row: "pd.Series[str]") -> str:
    return f"{row['system']}, {row['record_id']}, {row['role']}"


def _contradiction(found: list[str]) -> VerificationError:
    return contradicts(
        f"{TOKENS} contradicts {LIKELIHOODS} or itself",
        "tokens that add up to the likelihood of their answer, and ranks that are possible",
        found,
    )
