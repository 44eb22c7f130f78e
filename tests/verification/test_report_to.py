"""`report RESULT --to FOLDER`: today's pages of somebody's result, from verified numbers alone."""

import json

import pytest

from kit.cli.entry import main
from kit.signing.sign import sign
from tests.compat import FOLDER, PUBLIC, RESULT
from tests.toys.signed_result import KEY, copy_of

OLD, OLD_KEY = FOLDER / "0.1.0" / RESULT, FOLDER / "0.1.0" / PUBLIC
FILES = [
    "answers.html", "claims.csv", "forget_retain.svg", "report.html", "report.json", "report.md",
    "rows.csv", "table1.csv",
]  # fmt: skip


def call(capsys, *words):
    try:
        main(["report", *map(str, words)])
        code = 0
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    told = capsys.readouterr()
    return code, told.out + told.err


def test_pages_of_an_old_result_are_made_from_its_verified_numbers(tmp_path, capsys):
    code, said = call(capsys, OLD, "--to", tmp_path / "pages", "--trust", OLD_KEY)
    assert code == 0, said
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == FILES
    made, stored = (
        json.loads((folder / "report.json").read_text())["tables"]
        for folder in (tmp_path / "pages", OLD / "report")
    )
    assert made == stored
    assert "ok  75 rows recomputed" in said
    assert f"pages of these numbers: {tmp_path / 'pages' / 'report.html'}" in said


@pytest.mark.parametrize("name", ["rows.parquet", "report/report.json", "report/table1.csv"])
def test_no_page_is_made_of_numbers_that_do_not_follow(tmp_path, capsys, name):
    result = copy_of(OLD, tmp_path)
    data = (result / name).read_bytes()
    assert b"0.5" in data or b"50" in data or name.endswith("parquet")
    changed = b"" if name.endswith("parquet") else data.replace(b"50", b"75").replace(b"0.5", b"1")
    (result / name).write_bytes(changed)
    sign(result, key=KEY)
    code, said = call(capsys, result, "--to", tmp_path / "pages", "--trust", OLD_KEY)
    assert code == 1
    assert "Traceback" not in said
    assert not (tmp_path / "pages").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["copy"], "nothing is left half-made"


def test_a_result_by_an_unknown_key_has_no_pages_made(tmp_path, capsys):
    code, said = call(capsys, OLD, "--to", tmp_path / "pages")
    assert code == 10
    assert "not signed by a key that you trust" in said
    assert not (tmp_path / "pages").exists()


def test_a_folder_that_exists_is_left_as_it_is(tmp_path, capsys):
    (tmp_path / "pages").mkdir()
    code, said = call(capsys, OLD, "--to", tmp_path / "pages", "--trust", OLD_KEY)
    assert code == 7
    assert "pages already exists" in said
    assert "name another folder" in said
    assert not list((tmp_path / "pages").iterdir())


@pytest.mark.parametrize("place", ["copy/pages", "copy/report/pages", "link/pages"])
def test_no_page_is_written_into_the_result_itself(tmp_path, capsys, place):
    result = copy_of(OLD, tmp_path)
    (tmp_path / "link").symlink_to(result)
    code, said = call(capsys, result, "--to", tmp_path / place, "--trust", OLD_KEY)
    assert code == 7
    assert "expected: a path outside the result" in said
    assert not (tmp_path / place).exists()


@pytest.mark.parametrize(
    ("words", "said_of_it"),
    [
        (("manifests/smoke.toml", "--to", "pages"), "manifests/smoke.toml is not a result folder"),
        (("nowhere", "--to", "pages"), "nowhere is not a result folder"),
        ((OLD,), "is a folder, and `report` without --to takes a manifest"),
        (("manifests/smoke.toml", "--trust", OLD_KEY), "belong to RESULT --to FOLDER"),
        ((OLD, "--to", "pages", "--identity", "a@example.org"), "--identity and --issuer"),
    ],
)
def test_a_manifest_and_a_result_are_not_taken_for_each_other(capsys, words, said_of_it):
    code, said = call(capsys, *words)
    assert code == 2
    assert said_of_it in said
    assert "Traceback" not in said


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code, said = call(capsys, OLD, "--to", tmp_path / "file" / "pages", "--trust", OLD_KEY)
    assert code == 7
    assert str(tmp_path / "file" / "pages") in said
