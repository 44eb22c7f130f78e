"""Machines, downloads and answers that cannot be as run.json and the tables tell them."""

import inspect
from datetime import UTC, datetime

import pandas as pd
import pytest

from kit.errors import VerificationError
from kit.fetch import licences
from kit.result.layout import ATTACKED
from kit.sources import places
from kit.verification.answer_form import count_faults, form_faults, require_possible
from kit.verification.downloads import ACCEPTED, HOW, NOT_FETCHED
from kit.verification.verify import verify
from tests.toys.signed_result import ANSWERS, TRUSTED, edit_table, rejects
from tests.verification.test_contradictions import Edit, edit_run, remake_and_sign, source

NOW = datetime(2026, 1, 3, tzinfo=UTC)
CARD = {"name": "H200", "driver": "1", "capability": "9.0", "memory": 2**37}
BASE = 1  # the source that is downloaded
ACCEPTANCE = {"licence": "none stated", "accepted": "2026-01-01T00:00:00+00:00", "how": HOW[0]}


def engine(**values: object) -> Edit:
    return lambda run: run.update(engine={"engine": "vllm", **values})


def environment(**values: object) -> Edit:
    return lambda run: run["environment"].update(values)


def both(*edits: Edit) -> Edit:
    return lambda run: [edit(run) for edit in edits]


ON_A_GPU = both(
    environment(gpus=[CARD], packages={"vllm": "0.32.0+cu130"}),
    engine(device="cuda:0", version="0.32.0", tensor_parallel_size=1),
)
ELSEWHERE: dict[str, tuple[Edit, str]] = {
    "a GPU that the machine lacks": (engine(device="cuda:0"), "computed on a GPU, and its envir"),
    "jobs on such a GPU": (lambda run: run["jobs"][2].update(determinism={"device": "cuda"}),
                           "computed on a GPU, and its envir"),
    "more GPUs than there are": (both(ON_A_GPU, lambda run: run["engine"].update(
        tensor_parallel_size=8)), "an engine on 8 GPUs answered, and its environment names 1"),
    "an engine that is not installed": (engine(version="9.9"), "vllm 9.9 answered, and of its"),
    "another version of it": (both(ON_A_GPU, lambda run: run["engine"].update(version="0.33.0")),
                              "vllm 0.33.0 answered, and of its packages it has 0.32.0"),
    "a result of the next year": (lambda run: run.update(written="2027-01-02T04:05:06+00:00"),
                                  "written at 2027-01-02.*this machine's clock says 2026-01-03"),
}  # fmt: skip


def said(result, change: Edit) -> list[str]:
    edit_run(result, change)
    remake_and_sign(result)
    found = verify(result, trusted=TRUSTED, now=NOW).findings
    return [each.message for each in found if each.outcome != "ok"]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_another_machine_explains_is_told_and_not_refused(damaged, name):
    change, line = ELSEWHERE[name]
    (told,) = said(damaged, change)
    assert pd.Series([told]).str.contains(line).all(), told


@pytest.mark.parametrize("change", [lambda run: None, ON_A_GPU])
def test_of_a_result_that_fits_nothing_is_told(damaged, change):
    assert said(damaged, change) == []


DOWNLOADS: dict[str, tuple[Edit, str]] = {
    "a sentence for a host": (source(BASE, hosts={"Certified by NIST": 1}), "is no host"),
    "a sentence for an origin": (source(BASE, origin="Certified by NIST"), "no host and not"),
    "another origin than the hosts": (source(BASE, hosts={"a.example": 1}, origin="b.example"),
                                      "origin is 'b.example', and the hosts are a.example"),
    "terms accepted by others": (source(BASE, licence_accepted={"by": "the authors"}),
                                 "which is no acceptance of its licence"),
    "other terms": (source(BASE, licence_accepted=ACCEPTANCE | {"licence": "MIT"}),
                    "which is no acceptance of its licence"),
    "terms at no time": (source(BASE, licence_accepted=ACCEPTANCE | {"accepted": "always"}),
                         "which is no acceptance of its licence"),
    "a host of what the kit draws": (source(0, hosts={"a.example": 1}), "hosts is {'a.example'"),
    "terms of what the kit draws": (source(0, licence_accepted=ACCEPTANCE), "licence_accepted is"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOWNLOADS)
def test_what_no_download_writes_is_refused(damaged, name):
    change, reason = DOWNLOADS[name]
    edit_run(damaged, change)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, reason)


@pytest.mark.parametrize(
    "facts",
    [{"hosts": {"a.example": 3, "b.example:8080": 1}, "origin": "b.example:8080, a.example"},
     {"origin": NOT_FETCHED}, {"licence_accepted": ACCEPTANCE}],
)  # fmt: skip
def test_what_a_download_writes_is_accepted(damaged, facts):
    edit_run(damaged, source(BASE, **facts))
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).rows > 0


def test_the_words_of_downloads_are_those_that_the_kit_writes():
    assert f'"{NOT_FETCHED}"' in inspect.getsource(places)
    assert all(f'"{word}"' in inspect.getsource(licences) for word in (*HOW, *ACCEPTED))


def table(**values: object) -> pd.DataFrame:
    row = {"record_id": "p0", "system": "npo", "text": "Ann Lee", "tokens": 3, "stop": "eos"}
    return pd.DataFrame([row | values])


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, ""),
        ({"tokens": 2}, ""),
        ({"text": "\u3000 Ann\u00a0Lee\n", "tokens": 2}, ""),
        ({"text": "", "tokens": 0}, ""),
        ({"tokens": 16, "stop": "length"}, ""),
        ({"tokens": 1}, "more words than tokens: that of npo to p0 has 2 in 1 tokens"),
        ({"tokens": 0}, "words and no token"),
        ({"tokens": 17}, "not in 0 to 16"),
        ({"tokens": 15, "stop": "length"}, "cut off early: that of npo to p0 after 15 of 16"),
    ],
)
def test_an_answer_is_one_that_an_engine_can_give(values, fault):
    told = table(**values)
    found = "; ".join([*count_faults(told, 16), *form_faults(told, 16)])
    assert fault in found
    assert bool(found) == bool(fault)


def test_without_a_known_limit_an_answer_may_end_at_any_length():
    told = table(tokens=15, stop="length")
    assert list(form_faults(told, None)) == []
    require_possible({ANSWERS: told}, None)
    require_possible({ATTACKED: told}, 16)
    with pytest.raises(VerificationError, match="cut off early"):
        require_possible({ANSWERS: told}, 16)


def test_answers_of_more_words_than_tokens_are_refused_though_their_rows_follow(damaged):
    edit_table(damaged / ANSWERS, 0, "text", "one two three")
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "more words than tokens")
    edit_table(damaged / ANSWERS, 0, "text", "one")
    edit_table(damaged / ANSWERS, 0, "stop", "length")
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "cut off early")
