"""Every error has one id, which is printed; the catalogue has every id once, and explains it.

The kit makes errors in hundreds of places. The walk below finds each of them, by the class that is
called there. An error of that class is then raised in a module of that name, and must have the id
that the catalogue says, found here in another way. That an error is raised where it should be, with
the message that it should have, is what the tests of each room show.
"""

import ast
import json
import pickle
import re
import subprocess

import pytest

from kit import errors
from kit.artifacts import PROJECT
from kit.benchmarks.left_out import OddCell
from kit.cli.entry import main
from kit.error_kinds import RETIRED, kind_of, kinds
from kit.errors import DataError, KitError, ManifestError, StorageError, unknown
from tests.ground.test_imports import MODULES

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, KitError) and value is not KitError
}
MAKERS = {**CLASSES, "OddCell": DataError, "NoRightOption": DataError, "unknown": ManifestError}


def sites():
    """Yield (module, class) of every call that makes an error."""
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                if name in MAKERS and module != "kit.errors":
                    yield module, MAKERS[name]


SITES = sorted(set(sites()), key=lambda each: (each[0], each[1].exit_code))


def explained_by(kind, module):
    """Return the kinds that speak of a module, the most special one first."""
    spoken = [
        (len(name), each)
        for each in kinds()
        if each.exit_code == kind.exit_code
        for name in each.modules or ("",)
        if f"{module}.".startswith(f"kit.{name}.") or not name
    ]
    return [each for _, each in sorted(spoken, key=lambda pair: -pair[0])]


def test_the_walk_finds_the_places():
    assert len(list(sites())) > 500
    assert ("kit.experiment.manifest_file", ManifestError) in SITES
    assert ("kit.benchmarks.pebench.csv", DataError) in SITES


@pytest.mark.parametrize(
    ("module", "kind"), SITES, ids=lambda each: getattr(each, "__name__", each)
)
def test_an_error_of_each_place_has_the_id_of_the_catalogue(module, kind):
    names = {"__name__": module, "error": kind}
    with pytest.raises(kind) as caught:
        exec("def stop():\n    raise error('what')\nstop()", names)
    assert caught.value.made_by == module
    assert caught.value.id == explained_by(kind, module)[0].id
    assert caught.value.id[3:5] == f"{kind.exit_code:02}"


def test_every_kind_is_made_somewhere_or_retired():
    made = {explained_by(kind, module)[0].id for module, kind in SITES}
    others = {f"PE-{kind.exit_code:02}00" for kind in CLASSES.values()}
    retired = {kind.id for kind in kinds() if kind.modules == (RETIRED,)}
    shell = {name for _, name in failures_of_the_shell()}
    assert {kind.id for kind in kinds()} == made | others | retired | shell
    assert not retired & made


def test_ids_are_unique_in_order_and_each_module_has_one():
    ids = [kind.id for kind in kinds()]
    assert ids == sorted(set(ids))
    for kind in kinds():
        assert len(kind.id) == len("PE-0000")
        assert kind.exit_code in {each.exit_code for each in CLASSES.values()}
        assert (kind.modules == ()) == kind.id.endswith("00")
    elsewhere = {RETIRED, "run.sh"}
    places = [(k.exit_code, name) for k in kinds() for name in k.modules if name not in elsewhere]
    assert len(places) == len(set(places))
    assert {f"kit.{name}" for _, name in places} <= set(MODULES)


def test_every_kind_says_what_is_wrong_and_what_to_do():
    for kind in kinds():
        assert len(kind.problem) > 20, kind.id
        assert len(kind.remedy) > 10, kind.id
        assert "|" not in kind.problem + kind.remedy


def test_the_module_is_that_of_the_caller_of_a_function_that_makes_errors():
    assert unknown("no x", "x", ["y"], remedy="do").made_by == __name__
    odd = OddCell("row 1", "name", "is empty", expected="a text", found="")
    assert odd.made_by == __name__, "not that of the constructor"


def test_the_constructor_of_another_object_makes_errors_of_its_own_module():
    source = "class Thing:\n    def __init__(self, error):\n        raise error('what')"
    names = {"__name__": "kit.fetch.hub"}
    exec(source, names)
    with pytest.raises(DataError) as caught:
        names["Thing"](DataError)
    assert caught.value.made_by == "kit.fetch.hub"


def made_in(module, kind, what):
    error = kind(what)
    error.made_by = module
    return error


def test_an_error_that_adds_a_place_keeps_the_id():
    made = {}
    try:
        raise made_in("kit.artifacts", StorageError, "the disk is full")
    except StorageError as error:
        made["with its place"] = StorageError(f"job 3: {error.what}")
        made["another thing"] = StorageError("another thing")
        made["another class"] = DataError(f"job 3: {error.what}")
    assert made["with its place"].id == "PE-0700"
    assert {name: error.made_by for name, error in made.items()} == {
        "with its place": "kit.artifacts",
        "another thing": __name__,
        "another class": __name__,
    }


def test_an_error_of_a_worker_process_keeps_its_id():
    error = made_in("kit.benchmarks.pebench.csv", DataError, "no rows")
    assert pickle.loads(pickle.dumps(error)).id == error.id == "PE-0502"


def test_code_from_outside_of_the_kit_has_the_id_of_the_class():
    assert kind_of(5, "my_loader").id == kind_of(5, "").id == "PE-0500"


CALLS = {
    "PE-0201": ["plan", "manifests/none.toml"],
    "PE-0203": ["try-method", "none"],
    "PE-0207": ["plan", "--emit", "slurm", "--jobs"],
    "PE-0210": ["new", "method", "No Name"],
    "PE-1200": ["show", "manifests/pebench.toml"],
}


@pytest.mark.parametrize("name", CALLS)
def test_the_id_is_a_line_of_what_a_verb_prints(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main(CALLS[name])
    lines = capsys.readouterr().err.splitlines()
    assert any(line.lower().startswith("error: ") for line in lines)
    assert lines.count(f"  id: {name}") == 1
    assert ended.value.code == int(name[3:5])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PE-0201", ["all", "manifests/none.toml", "--json"]),
        ("PE-0207", ["report", "--json", "kit", "--to", "x", "--set", "seeds=[1]"]),
        ("PE-1002", ["verify", "kit", "--json"]),
    ],
)
def test_programs_get_the_id_as_well(name, words, capsys):
    with pytest.raises(SystemExit):
        main(words)
    printed = capsys.readouterr().out
    facts = json.loads(printed if words[0] == "verify" else printed.splitlines()[-1])
    assert (facts["id"], facts["code"]) == (name, int(name[3:5]))


SCRIPTS = [PROJECT / "run.sh", *sorted((PROJECT / "docker").glob("*.sh"))]


def failures_of_the_shell():
    """Yield (script, first word) of every call of `fail`."""
    for script in SCRIPTS:
        for line in script.read_text(encoding="utf-8").splitlines():
            if found := re.search(r"(?:^|[\s;])fail (\S+)", line.partition(" #")[0]):
                yield script.name, found[1]


def test_every_failure_of_the_shell_names_a_kind():
    given = list(failures_of_the_shell())
    assert len(given) > 40
    known = {kind.id for kind in kinds()}
    assert not [pair for pair in given if pair[1] not in known]
    own = {kind.id for kind in kinds() if "run.sh" in kind.modules}
    assert own <= {name for _, name in given}


@pytest.mark.parametrize("name", ["PE-0207", "PE-0800", "PE-1500"])
def test_the_shell_prints_the_id_and_ends_with_its_exit_code(name):
    source = f". docker/messages.sh; fail {name} what expected '' remedy"
    done = subprocess.run(
        ["bash", "-c", source], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    said = f"error: what\n  expected: expected\n  id: {name}\n  remedy: remedy\n"
    assert (done.stderr, done.returncode) == (said, int(name[3:5]))
