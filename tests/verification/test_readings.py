"""What one model finds of one text is one number, whichever system gave the text."""

import pandas as pd
import pytest

from kit.errors import VerificationError
from kit.result.layout import ANSWERS, JUDGED, READ_BY_VANILLA
from kit.verification.readings import FEWEST, require_same_readings

SYSTEMS = ("npo", "dpo")
COUNT = 80  # answers of each
FLOAT = {READ_BY_VANILLA: "float32", JUDGED: "float32"}


def answers(count: int = COUNT, stop: str = "eos") -> pd.DataFrame:
    rows = [(f"r{n}", s, f"Ann {n}", 3, stop) for s in SYSTEMS for n in range(count)]
    return pd.DataFrame(rows, columns=["record_id", "system", "text", "tokens", "stop"])


def read(count: int = COUNT) -> pd.DataFrame:
    rows = [(f"r{n}", s, -1.0 - n, 3) for s in SYSTEMS for n in range(count)]
    return pd.DataFrame(rows, columns=["record_id", "system", "logprob", "tokens"])


def judged(count: int = COUNT) -> pd.DataFrame:
    return read(count).drop(columns="tokens").assign(reply="Yes")


def check(said: pd.DataFrame, dtypes=FLOAT, **changed: pd.DataFrame) -> None:
    require_same_readings({ANSWERS: said, **changed}, dtypes)


@pytest.mark.parametrize(("name", "table"), [(READ_BY_VANILLA, read), (JUDGED, judged)])
def test_one_text_is_read_in_one_way(name, table):
    check(answers(), **{name: table()})
    better = table()
    better.loc[COUNT + 5, "logprob"] += 0.5
    with pytest.raises(
        VerificationError, match="r5: npo and dpo give one answer, which has -6 and"
    ):
        check(answers(), **{name: better})
    check(answers(), {name: "bfloat16"} if name == READ_BY_VANILLA else {}, **{name: better})


def test_another_number_of_tokens_of_one_text_is_noticed():
    more = read()
    more.loc[COUNT + 5, "tokens"] = 4
    with pytest.raises(VerificationError, match="r5: "):
        check(answers(), **{READ_BY_VANILLA: more})


def test_rounding_is_no_other_reading():
    near = read()
    near["logprob"] += [0.0] * COUNT + [0.02] * COUNT
    check(answers(), **{READ_BY_VANILLA: near})


def test_other_texts_and_texts_that_were_cut_off_have_their_own_numbers():
    better = read()
    better.loc[COUNT + 5, "logprob"] += 0.5
    for column, value in (("text", "Bob"), ("stop", "length")):
        said = answers()
        said.loc[COUNT + 5, column] = value
        check(said, **{READ_BY_VANILLA: better})


def test_a_handful_of_equal_answers_is_no_run():
    better = read(FEWEST - 1)
    better["logprob"] += [0.0] * (FEWEST - 1) + [0.5] * (FEWEST - 1)
    check(answers(FEWEST - 1), **{READ_BY_VANILLA: better})
