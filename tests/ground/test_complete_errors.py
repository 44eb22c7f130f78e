"""Errors say what was expected and what was found, and a remedy: in every room.

The walk reads the source, so that an error counts whether a test raises it or not. What an error
says is for the tests of its room.
"""

import ast

import pytest

from kit.artifacts import PROJECT
from tests.ground.test_error_kinds import CLASSES

ALL = {"expected", "found", "remedy"}
KIT = PROJECT / "kit"
ROOMS = sorted(path.parent.name for path in KIT.glob("*/__init__.py"))
NONE = {"doctor", "schemas", "smoke"}  # rooms that make no error
# Functions of which one error lacks something for a reason: {(file, function): what it lacks}.
EXCEPTIONS = {
    # No one foresees it, so nothing else was expected.
    ("failures.py", "_known"): {"expected"},
}


def made(path):
    """Yield (function, names) of the calls in a file that make an error."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node): function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in {*CLASSES, "KitError"}:
                yield inside.get(id(node), ""), {each.arg for each in node.keywords}


def lacking(paths):
    """Return {(file, function): what an error in it lacks}, and the number of errors."""
    count, found = 0, {}
    for path in paths:
        for function, names in made(path):
            count += 1
            if not names >= ALL:
                place = (path.relative_to(KIT).as_posix(), function)
                found.setdefault(place, set()).update(ALL - names)
    return count, found


@pytest.mark.parametrize("room", [*ROOMS, ""], ids=[*ROOMS, "ground"])
def test_every_error_of_a_room_says_what_was_expected_and_found_and_a_remedy(room):
    paths = sorted((KIT / room).rglob("*.py") if room else KIT.glob("*.py"))
    count, found = lacking(paths)
    assert bool(count) is (room not in NONE), "the walk finds them"
    names = {path.relative_to(KIT).as_posix() for path in paths}
    assert found == {place: what for place, what in EXCEPTIONS.items() if place[0] in names}
