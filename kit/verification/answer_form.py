"""Can answers be as they are told: text, number of tokens, and why generation stopped?"""

from collections.abc import Iterator, Mapping

import pandas as pd

from kit.result.layout import ANSWERS, ATTACKED
from kit.verification.contradiction import contradicts

LENGTH = "length"  # the reason to stop of an answer that the token limit cut off


def count_faults(table: pd.DataFrame, most: int | None) -> Iterator[str]:
    """Yield numbers of tokens that no engine gives.

    Args:
        table: answers, with text and tokens.
        most: evaluation.max_new_tokens; None where the manifest does not say.
    """
    if most is not None and len(table) and not table["tokens"].between(0, most).all():
        yield f"an answer has a number of tokens that is not in 0 to {most}"
    if table.loc[table["tokens"] == 0, "text"].str.strip().ne("").any():
        yield "an answer has words and no token"


def require_possible(tables: Mapping[str, pd.DataFrame], most: object) -> None:
    """Check that answers have no more words than tokens, and were not cut off early.

    A token holds at most one word: the tokenizers of all families of the kit cut a text at its
    blanks first. Under attack a question may be longer, so that the context ends an answer early.

    Args:
        tables: those of a result.
        most: evaluation.max_new_tokens; no number where the manifest does not say.

    Raises:
        VerificationError: an answer is one that no engine gives.
    """
    faults = [
        f"{name}: {fault}"
        for name in (ANSWERS, ATTACKED)
        if name in tables
        for fault in form_faults(
            tables[name], most if name == ANSWERS and isinstance(most, int) else None
        )
    ]
    if faults:
        raise contradicts(
            "answers are told that no engine gives",
            "at most one word for each token, and the whole number of tokens of what was cut off",
            faults,
        )


def form_faults(table: pd.DataFrame, most: int | None) -> Iterator[str]:
    """Yield what no engine gives; with `most` tokens, also what it would not have cut off."""
    told = table.assign(words=table["text"].str.count(r"\S+"))
    first = _first(told, told["words"] > told["tokens"])
    if first is not None:
        who, count, said = first
        yield f"an answer has more words than tokens: that of {who} has {said} in {count} tokens"
    if most is not None:
        first = _first(told, (told["stop"] == LENGTH) & (told["tokens"] < most))
        if first is not None:
            who, count, _ = first
            yield f"an answer was cut off early: that of {who} after {count} of {most} tokens"


def _first(table: pd.DataFrame, wrong: "pd.Series[bool]") -> tuple[str, int, int] | None:
    """Return the first of the wrong answers: whose it is, its tokens, its words."""
    found = table.loc[wrong, ["system", "record_id", "tokens", "words"]]
    for system, record, tokens, words in found.head(1).itertuples(index=False, name=None):
        return f"{system} to {record}", int(tokens), int(words)
    return None
