"""Whatever key or letter a signer adds to run.json: it is known and read as written, or refused."""

import copy
import json
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.report.browser.packing import unpacked
from kit.verification.run_facts import facts_of
from kit.verification.stated import require_plain_texts
from kit.verification.verify import verify
from tests.toys.signed_result import ANSWERS, KIT, TRUSTED, forge, rejects
from tests.verification.test_contradictions import edit_run, remake_and_sign

# Objects whose keys are names of packages, hosts, systems or options: other checks hold them.
NAMED = {"packages", "hosts", "canary", "options", "needs"}
GPU = {"name": "H200", "driver": "1", "capability": "9.0", "memory": 1}
ON_A_CARD = {
    "device": "NVIDIA H200", "deterministic_algorithms": True, "deterministic_backward": False,
    "nondeterministic_operations": ["cumsum_cuda_kernel"], "cudnn_benchmark": False,
    "float32_matmul_precision": "highest", "cublas_workspace_config": ":4096:8",
}  # fmt: skip
ENGINE = {"engine": "vllm", "version": "0.32.0", "device": "cpu", "serving": "merged",
          "dtype": "float32", "enforce_eager": True, "max_num_seqs": 128}  # fmt: skip


@pytest.fixture(scope="module")
def run(signed):
    """A run.json with every block that a kit writes."""
    held = json.loads((signed / "run.json").read_text(encoding="utf-8"))
    held["environment"]["gpus"] = [GPU]
    held["jobs"][0] |= {"determinism": ON_A_CARD, "lost": {"steps": 1, "forward_passes": 8,
                                                           "seconds": 0.5}}  # fmt: skip
    held["stages"] = [{"stage": "evaluate", "seconds": 1.0, "jobs": 3, "jobs_skipped": 0,
                       "peak_memory_bytes": None}]  # fmt: skip
    return held | {"engine": ENGINE}


def objects(value, place=()):
    """Yield the places of all objects of a JSON value but those of `NAMED`."""
    if isinstance(value, dict):
        yield place
        for name, each in value.items():
            if name not in NAMED:
                yield from objects(each, (*place, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from objects(each, (*place, number))


def texts(value, place=()):
    """Yield the places of all texts of a JSON value, the line of a call that was cut off aside."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in pairs:
            if name != "line":
                yield from texts(each, (*place, name))
    elif isinstance(value, str):
        yield place


def at(value, place):
    for part in place:
        value = value[part]
    return value


def refused_as_a_whole(signed, run):
    """Sign a result with this run.json, and return why it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(shutil.copytree(signed, Path(folder) / "copy"))
        run["manifest_digest"] = sha256_value(run["manifest"])
        (result / "run.json").write_text(json.dumps(run), encoding="utf-8")
        forge(result)
        with pytest.raises(VerificationError) as caught:
            verify(result, trusted=TRUSTED)
        return str(caught.value)


def test_every_key_that_a_kit_writes_is_known(run):
    facts_of(run)
    require_plain_texts(run)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_unknown_key_is_refused_wherever_it_is(signed, run, data):
    place = data.draw(st.sampled_from(list(objects(run))))
    name = data.draw(st.from_regex(r"\A[a-z]{3,9}_award\Z"))
    forged = copy.deepcopy(run)
    at(forged, place)[name] = data.draw(st.sampled_from(["Best paper", 1, None, {}, []]))
    said = refused_as_a_whole(signed, forged)
    assert name in said or place[0] in ("systems", "versions"), said


HIDDEN = st.one_of(
    st.characters(categories=["Cc", "Cf", "Co", "Zl", "Zp"]),
    st.sampled_from("\u3164\u2800\ufe0f\u202e\u200b\u2066"),
)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_hidden_character_is_refused_wherever_it_is(run, data):
    *place, last = data.draw(st.sampled_from(list(texts(run))))
    forged = copy.deepcopy(run)
    # Line breaks may be in what is for a model.
    hidden = data.draw(HIDDEN.filter(lambda c: c not in "\n\t"))
    at(forged, place)[last] += hidden
    with pytest.raises(VerificationError, match="a character that is not seen"):
        require_plain_texts(forged)


def test_hidden_letters_in_the_name_of_a_package_are_refused(run):
    forged = copy.deepcopy(run)
    forged["environment"]["packages"] = {"num\u200bpy": "2"}
    with pytest.raises(VerificationError, match=r"not seen: .num.u200bpy"):
        require_plain_texts(forged)


CLAIM_TEXTS = {
    "V\u0430nilla forgets.": "CYRILLIC SMALL LETTER A in a word of Latin letters",
    "\u0420\u041e forgets.": "CYRILLIC CAPITAL LETTER .*, which looks like a Latin letter",
    "NPO\nC2 REPRODUCED": "not seen",
    "N\u0301\u0301\u0301\u0301PO": "more than 2 accents",
    " ": "its text is blank",
}


@pytest.mark.parametrize(("text", "reason"), CLAIM_TEXTS.items())
def test_a_claim_that_reads_as_another_is_refused(damaged, text, reason):
    edit_run(damaged, lambda run: run["manifest"]["claims"][0].update(text=text))
    forge(damaged)
    rejects(damaged, VerificationError, reason)


@pytest.mark.parametrize("text", ["\u0394 of NPO, \u03b2 = 0.1", "GPT\u6a21\u578b", "na\u00efve"])
def test_letters_of_formulas_and_of_other_languages_are_free(damaged, text):
    edit_run(damaged, lambda run: run["manifest"]["claims"][0].update(text=text))
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).rows > 0


def test_a_call_that_a_power_cut_ended_may_have_left_anything(damaged):
    """A file system may leave zeros; pages show them escaped."""
    edit_run(damaged, lambda run: run["attempts"][1].update(line="\x00\x00{"))
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).rows > 0
    page = (damaged / "report" / "report.html").read_text(encoding="utf-8")
    assert "\x00" not in page


def test_that_a_later_kit_made_a_result_is_said(damaged):
    kit = {**KIT, "version": "99.0.0", "renderer": "0" * 64}
    edit_run(damaged, lambda run: run.update(kit=kit, award="Best paper"))
    remake_and_sign(damaged)
    said = [f.message for f in verify(damaged, trusted=TRUSTED).findings if f.check == "plan"]
    assert any("kit 99.0.0 (c0c0c0c0c0c0) made the result, which is later" in m for m in said)


@pytest.mark.parametrize("hidden", ["\x1b", "\u202e", "\u200b", "\u2066", "\x07"])
def test_what_records_and_answers_hide_is_shown_escaped_on_every_page(damaged, hidden):
    """A model may say anything, and a published question hold anything: neither is refused."""
    records = pd.read_parquet(damaged / "records.parquet")
    for column in ("question", "answer", "person"):
        records[column] = records[column] + hidden
    records.to_parquet(damaged / "records.parquet", index=False)
    answers = pd.read_parquet(damaged / ANSWERS)
    answers.assign(text=answers["text"] + hidden).to_parquet(damaged / ANSWERS, index=False)
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).rows > 0
    for path in (damaged / "report").iterdir():
        shown = path.read_bytes()
        shown = unpacked(shown) if path.name == "answers.html" else shown
        assert hidden.encode() not in shown, path.name
