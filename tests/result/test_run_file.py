"""run.json is read if its schema is known and its parts are what they should be."""

import json
import re
import subprocess

import pytest

from kit import __version__
from kit.errors import VerificationError
from kit.report.renderer import renderer_digest
from kit.result.made_by import Kit, kit_of
from kit.result.run_file import SCHEMA, SCHEMAS, read_run
from kit.result.schemas import require_schema
from kit.supply_chain import machine
from kit.supply_chain.machine import REVISION, source_revision
from tests.compat import FOLDER, RESULT
from tests.toys.signed_result import KIT, edit_json, forge, rejects


def test_a_result_states_the_kit_that_made_it(signed):
    run = read_run((signed / "run.json").read_bytes())
    assert run["schema"] == SCHEMA
    assert kit_of(run) == Kit(__version__, "c0" * 20, renderer_digest())
    assert str(kit_of(run)) == f"{__version__} (c0c0c0c0c0c0)"


def test_a_result_of_the_first_version_states_its_version_alone():
    run = read_run((FOLDER / "0.1.0" / RESULT / "run.json").read_bytes())
    assert kit_of(run) == Kit("0.1.0", None, None)


def test_every_later_schema_is_refused_with_the_newest_that_is_read():
    require_schema("run.json", SCHEMA, SCHEMAS)
    with pytest.raises(VerificationError, match="later version of the kit") as refused:
        require_schema("run.json", "pebench-kit/run/17", SCHEMAS)
    assert "pebench-kit/run/17" in refused.value.what
    assert f"the newest that version {__version__} of the kit reads is {SCHEMA}" in str(
        refused.value
    )
    assert refused.value.remedy == "verify with a newer version of the kit"


@pytest.mark.parametrize(
    "schema",
    [None, 3, "", "pebench-kit/run/0", "pebench-kit/run/-3", "other/run/3", ["x"], "\x1b[2J"],
)
def test_what_is_no_schema_of_the_kit_is_not_taken_for_a_later_one(schema):
    with pytest.raises(VerificationError, match=r"run\.json cannot be used") as refused:
        require_schema("run.json", schema, SCHEMAS)
    assert "\x1b" not in str(refused.value)


WRONG = {
    "no kit": (None, "kit is missing"),
    "a kit of one word": ("0.2.0", "kit is missing"),
    "no version": (KIT | {"version": None}, "kit.version is not a version"),
    "a version of two lines": (KIT | {"version": "1\n2"}, "kit.version is not a version"),
    "a version in words": (KIT | {"version": "0.5.0 of the authors"}, "kit.version is not a vers"),
    "a version without a number": (KIT | {"version": "newest"}, "kit.version is not a version"),
    "a version in other digits": (KIT | {"version": "\uff10.5.0"}, "kit.version is not a version"),
    "a version without end": (KIT | {"version": "1" * 51}, "kit.version is not a version"),
    "a renderer that is a number": (KIT | {"renderer": 3}, "kit.renderer is not 64 hexadecimal"),
    "a renderer that is a list": (KIT | {"renderer": ["ab" * 32]}, "kit.renderer is not 64"),
    "no renderer": ({"version": "0.2.0", "revision": None}, "kit.renderer is not 64"),
    "a short renderer": (KIT | {"renderer": "ab"}, "kit.renderer is not 64 hexadecimal digits"),
    "a revision that is a branch": (KIT | {"revision": "main"}, "kit.revision is not a git commit"),
    "a revision that is a number": (KIT | {"revision": 7}, "kit.revision is not a git commit"),
}


@pytest.mark.parametrize(("kit", "reason"), WRONG.values(), ids=WRONG)
def test_a_kit_of_the_wrong_form_is_refused_by_name(damaged, kit, reason):
    edit_json(damaged / "run.json", kit=kit)
    forge(damaged)
    rejects(damaged, VerificationError, f"(?s)run.json.*{reason}")


@pytest.mark.parametrize("revision", [None, "ab" * 20, "ab" * 20 + "-changed", "ab" * 32])
def test_a_revision_is_a_commit_or_nothing(revision):
    run = {"schema": SCHEMA, "kit": KIT | {"revision": revision}}
    assert kit_of(json.loads(json.dumps(run))).revision == revision


def test_the_revision_of_a_repository_is_its_commit_and_says_what_differs(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, "-C", str(tmp_path), *arguments], check=True)

    monkeypatch.setattr(machine, "PROJECT", tmp_path)
    assert source_revision() is None, "no repository"
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "code.py").write_text("x = 1\n")
    git("init", "-q")
    assert source_revision() is None, "no commit"
    git("add", "kit")
    git("commit", "-qm", "one")
    clean = source_revision()
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (tmp_path / "my.toml").write_text("")
    assert source_revision() == clean, "a manifest is not the program"
    (tmp_path / "kit" / "code.py").write_text("x = 2\n")
    assert source_revision() == f"{clean}-changed"
    assert re.fullmatch(REVISION, source_revision())
    monkeypatch.setattr(machine, "PROJECT", tmp_path / "kit")
    assert source_revision() is None, "the kit lies in the repository of something else"


def test_an_image_states_the_revision_that_it_was_built_from(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "IMAGE", tmp_path)
    monkeypatch.setattr(machine, "PROJECT", tmp_path)
    (tmp_path / "inputs.json").write_text(json.dumps({"revision": "cd" * 20}))
    assert source_revision() == "cd" * 20
    (tmp_path / "inputs.json").write_text(json.dumps({"revision": "unknown"}))
    assert source_revision() is None
