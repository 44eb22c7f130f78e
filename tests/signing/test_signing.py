"""A signature binds every file of a result, or is refused."""

import base64
import json
import os
import shutil
import subprocess

import pytest

from kit import __version__
from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.errors import MissingStageError, SignatureError
from kit.result.layout import ENVELOPE, SIGNATURES, SUMS
from kit.signing.predicate import PREDICATE_TYPE, Claim
from kit.signing.sign import sign
from kit.signing.statement import STATEMENT_TYPE
from tests.toys.signed_result import KEY, LISTS, write_result


@pytest.fixture
def result(tmp_path):
    return write_result(tmp_path / "tiny-0123abcd")


def statement_of(result):
    envelope = json.loads((result / ENVELOPE).read_text(encoding="utf-8"))
    return json.loads(base64.b64decode(envelope["payload"]))


def test_the_statement_names_every_file_with_its_digest(result):
    assert sign(result, key=KEY) == result / ENVELOPE
    statement = statement_of(result)
    files = sorted(
        path.relative_to(result).as_posix()
        for path in result.rglob("*")
        if path.is_file() and path.name not in SIGNATURES
    )
    assert statement["_type"] == STATEMENT_TYPE
    assert statement["predicateType"] == PREDICATE_TYPE
    assert [subject["name"] for subject in statement["subject"]] == files
    for subject in statement["subject"]:
        assert subject["digest"] == {"sha256": sha256_file(result / subject["name"])}


def test_the_predicate_says_what_was_run(result):
    sign(result, key=KEY)
    predicate = statement_of(result)["predicate"]
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    assert predicate == {
        "manifest": {"name": "tiny", "digest": {"sha256": run["manifest_digest"]}},
        "kit_version": __version__,
        "environment": {"python": "3.11.2", "torch_threads": 2},
        "sources": [
            {"name": name, "digest": {"sha256": sha256_file(PROJECT / listed)}, "locked": True}
            for name, listed in LISTS.items()
        ],
        "systems": ["vanilla", "person-npo-s1", "retain_only-person"],
        "claims": [
            {name: claim[name] for name in Claim.model_fields}
            for claim in json.loads((result / "claims.json").read_bytes())["claims"]
        ],
    }
    assert [claim["id"] for claim in predicate["claims"]] == ["C1", "C2", "C3", "C4"]


def test_coreutils_can_check_the_sums(result):
    sign(result, key=KEY)
    if not shutil.which("sha256sum"):
        pytest.skip("sha256sum is not on PATH")
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet", SUMS], cwd=result, check=True)


def test_signing_again_gives_the_same_bytes(result):
    first = sign(result, key=KEY).read_bytes()
    assert sign(result, key=KEY).read_bytes() == first


def test_signing_again_replaces_both_files_after_a_change(result):
    sign(result, key=KEY)
    (result / "note.txt").write_text("new", encoding="utf-8")
    sign(result, key=KEY)
    assert "  note.txt\n" in (result / SUMS).read_text(encoding="utf-8")
    assert "note.txt" in [subject["name"] for subject in statement_of(result)["subject"]]


def test_signing_leaves_no_other_file_and_removes_drafts_of_a_killed_run(result):
    before = set(result.rglob("*"))
    (result / ".SHA256SUMS.4711.tmp").write_text("half", encoding="utf-8")
    (result / "answers" / ".answers.parquet.4711.tmp").write_text("half", encoding="utf-8")
    sign(result, key=KEY)
    assert set(result.rglob("*")) - before == {result / name for name in SIGNATURES | {SUMS}}


def symlink(result):
    (result / "link").symlink_to("run.json")


def symlinked_folder(result):
    (result / "linked").symlink_to(result / "answers")


def dangling_symlink(result):
    (result / "link").symlink_to("nowhere")


def hard_link(result):
    os.link(result / "run.json", result.parent / "outside.json")


def pipe(result):
    os.mkfifo(result / "pipe")


def empty_folder(result):
    (result / "empty").mkdir()


def newline(result):
    (result / "a\nb").touch()


def backslash(result):
    (result / "a\\b").touch()


def not_nfc(result):
    (result / "e\u0301").touch()


def invisible(result):
    (result / "rows\u200b.parquet").touch()


def not_utf8(result):
    (result / os.fsdecode(b"\xff")).touch()


def case_collision(result):
    (result / "RUN.json").touch()


def folder_case_collision(result):
    (result / "Answers").mkdir()
    (result / "Answers" / "x").touch()


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (symlink, "link: symbolic link"),
        (symlinked_folder, "linked: symbolic link"),
        (dangling_symlink, "link: symbolic link"),
        (hard_link, r"run.json: hard link \(2 names"),
        (pipe, "pipe: neither a file nor a folder"),
        (empty_folder, "empty: empty folder"),
        (newline, r"a\\x0ab: name with a backslash, a control"),
        (backslash, "name with a backslash"),
        (not_nfc, "not in Unicode normal form C"),
        (invisible, r"rows\\u200b.parquet: name with .* an invisible character"),
        (not_utf8, r"\\udcff: name with"),
        (case_collision, "run.json: differs from RUN.json only by letter case"),
        (folder_case_collision, "answers: differs from Answers only by letter case"),
    ],
)
def test_what_a_signature_cannot_bind_is_refused(result, tamper, reason):
    tamper(result)
    with pytest.raises(SignatureError, match=reason):
        sign(result, key=KEY)
    assert not (result / ENVELOPE).exists()


def test_all_reasons_are_listed_at_once(result):
    symlink(result)
    empty_folder(result)
    with pytest.raises(SignatureError, match=r"(?s)empty: .*link: "):
        sign(result, key=KEY)


def test_without_a_run_there_is_nothing_to_sign(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MissingStageError, match=r"\./run\.sh all"):
            sign(folder, key=KEY)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"manifest": {}}', '{"a": 1, "a": 2}', '{"a": NaN}', "{" * 99]
)
def test_a_run_json_that_says_nothing_is_refused(result, content):
    (result / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(SignatureError, match="does not state what was run"):
        sign(result, key=KEY)
