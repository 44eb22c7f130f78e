"""What a verifier knows of methods and attacks is what their files accept; the rest is said."""

import dataclasses
from types import SimpleNamespace

import pytest

from kit.attacks import registry as attacks
from kit.methods import registry as methods
from kit.verification.case import NOT_CHECKED
from kit.verification.known_files import ATTACKS, METHODS, file_lines, known_file
from kit.verification.verify import verify
from tests.toys.signed_result import TRUSTED
from tests.verification.test_contradictions import Edit, edit_run, job, method, remake_and_sign


@pytest.mark.parametrize("name", methods.names())
def test_options_and_needs_of_a_method_are_those_of_its_class(name):
    known, built = known_file(METHODS, name), methods.build(name, {})
    assert set(known.options) == {option.name for option in dataclasses.fields(built)}
    if known.needs is not None:
        assert {need for need, on in known.needs.items() if on} == set(built.needs.declared())


@pytest.mark.parametrize("name", attacks.names())
def test_options_and_levels_of_an_attack_are_those_of_its_class(name):
    import importlib

    kind = importlib.import_module(f"kit.attacks.{name}").ATTACK
    known = known_file(ATTACKS, name)
    assert set(known.options) == {option.name for option in dataclasses.fields(kind)}
    assert known.levels == {"least": kind.least, "most": kind.most}


@pytest.mark.parametrize("name", ["needs", "registry", "no_such", "../cli/verbs", "", None, 5])
def test_what_is_no_method_is_not_read(name):
    assert known_file(METHODS, name) is None


def unknown(run):
    run["manifest"]["methods"][0]["method"] = run["systems"][1]["method"] = "my_own"


UNKNOWN: dict[str, tuple[Edit, str]] = {
    "a method of the author's own": (unknown, "method npo: this kit has no method 'my_own'; what"),
    "an option": (method(options={"magic": 1}), "has no option 'magic'; what it does was not"),
    "a value out of range": (method(options={"beta": -1.0}), "refuses beta = -1.0: it accepts a"),
    "a value of another type": (method(options={"retain_weight": True}),
                                "refuses retain_weight = true, of another type"),
    "needs": (lambda run: (run["manifest"]["methods"][0].update(method="siu", options={}),
                           run["systems"][1].update(method="siu")),
              "person-npo-s1 states other needs than kit/methods/siu.py of this kit: reference_sc"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_this_kit_does_not_know_is_said_and_not_refused(damaged, name):
    change, said = UNKNOWN[name]
    edit_run(damaged, change)
    remake_and_sign(damaged)
    found = [f for f in verify(damaged, trusted=TRUSTED).findings if f.outcome == NOT_CHECKED]
    assert any(said in each.message and each.check == "plan" for each in found), found


def test_a_known_method_with_its_own_options_says_nothing(damaged):
    edit_run(damaged, job(2, steps=30))
    remake_and_sign(damaged)
    assert all(f.outcome != NOT_CHECKED for f in verify(damaged, trusted=TRUSTED).findings)


def test_a_level_that_no_attack_of_the_name_has_is_said():
    entries = [{"name": "crop", "attack": "crop", "levels": [0.9, 0.0], "options": {"soft": True}}]
    planned, facts = SimpleNamespace(entries={}, methods={}), SimpleNamespace(jobs=[])
    lines = list(file_lines({"attack": {"entries": entries}}, facts, planned))
    assert [line.split(": ", 1)[1][:40] for line in lines] == [
        "kit/attacks/crop.py of this kit has no o", "kit/attacks/crop.py of this kit has leve",
    ]  # fmt: skip
    assert lines[1].endswith("levels from 0.1 to 1, not 0")
