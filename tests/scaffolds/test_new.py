"""What `./run.sh new` writes passes the tests as it is, and nothing that exists is overwritten."""

import errno
import os
import re
import shutil
import subprocess
import sys

import pytest

from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.errors import DataError, ManifestError, StorageError
from kit.scaffolds import files
from kit.scaffolds.names import LONGEST, require_name
from kit.scaffolds.pages import Row, with_row
from kit.supply_chain import slim

LONG = "a" + "-bc" * 7 + "-d"  # as long as a name may be
CALLS = {
    "method": ["method", "my-method"],
    "a long name": ["method", LONG],
    "benchmark": ["benchmark", "my_benchmark"],
    "manifest": ["manifest", "mine"],
    "manifest for a GPU": ["manifest", "a-first-one", "--extends", "pebench"],
}
MANIFESTS = ["my-method", LONG, "my-benchmark", "mine", "a-first-one"]
OWN_TESTS = ["tests/methods/test_my_method.py", "tests/benchmarks/test_my_benchmark.py"]


class Copy:
    """A copy of the project in which the verb may write."""

    def __init__(self, root):
        self.root = root
        ignored = shutil.ignore_patterns("__pycache__", "0.*")
        for name in ("kit", "manifests", "checksums", "docker", "tests"):
            shutil.copytree(PROJECT / name, root / name, ignore=ignored)
        for name in ("README.md", "CITATION.cff", "LICENSE", "pyproject.toml", "run.sh"):
            shutil.copy(PROJECT / name, root)

    def state(self):
        """Return {path: digest} of every file."""
        paths = (path for path in self.root.rglob("*") if path.is_file())
        return {
            path.relative_to(self.root).as_posix(): sha256_file(path)
            for path in paths
            if not {"__pycache__", ".cache"} & set(path.parts)
        }

    def run(self, *command, code=0):
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        done = subprocess.run(
            [sys.executable, "-P", *command], cwd=self.root, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def new(self, *words, code=0):
        return self.run("-m", "kit", "new", *words, code=code)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("project") / "copy")


@pytest.fixture(scope="module")
def before(copy):
    return copy.state()


@pytest.fixture(scope="module")
def made(copy, before):
    """What each call printed, in the copy, which now has all that they wrote."""
    return {kind: copy.new(*words) for kind, words in CALLS.items()}


def test_files_are_added_and_of_the_others_only_tables_change(copy, before, made):
    after = copy.state()
    assert set(before) <= set(after)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {
        "kit/methods/README.md", "kit/benchmarks/README.md", "manifests/README.md",
        "checksums/README.md",
    }  # fmt: skip
    for page in changed:
        old = (PROJECT / page).read_text(encoding="utf-8").splitlines()
        new = (copy.root / page).read_text(encoding="utf-8").splitlines()
        assert all(line.startswith("| `") for line in set(new) - set(old)), page
    told = "\n".join(made.values())
    for name in set(after) - set(before):
        assert name in told or f"files in {os.path.dirname(name)}" in told, name


def test_every_command_that_is_printed_exists(copy, made):
    lines = [line.strip() for text in made.values() for line in text.splitlines()]
    commands = [line.split() for line in lines if line.startswith("./run.sh")]
    assert len(commands) > 10
    for _, verb, *words in commands:
        assert slim.help_text([verb, "--help"]).startswith("Usage:"), verb
        for word in words:
            if word.startswith(("manifests/", "tests/")):
                assert (copy.root / word).is_file(), word


@pytest.mark.parametrize("kind", CALLS)
def test_a_second_call_is_refused_and_changes_nothing(copy, made, kind):
    state = copy.state()
    told = copy.new(*CALLS[kind], code=2)
    assert "remedy: choose another name" in told
    assert "nothing was written" in told
    assert copy.state() == state


def test_what_is_written_is_formatted(copy, made):
    copy.run("-m", "ruff", "check", "--no-cache", ".")
    copy.run("-m", "ruff", "format", "--check", "--no-cache", ".")


def test_what_is_written_passes_its_own_tests(copy, made):
    told = copy.run("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *OWN_TESTS)
    assert " passed" in told
    assert "skipped" not in told


BROKEN = {
    "tests/methods/test_my_method.py": (
        "kit/methods/my_method.py", "- self.forget_weight", "+ self.forget_weight"
    ),
    "tests/benchmarks/test_my_benchmark.py": (
        "kit/benchmarks/my_benchmark.py", "in gone))", "not in gone))",
    ),
}  # fmt: skip


@pytest.mark.slow
def test_its_tests_notice_another_loss_and_another_split(copy, made):
    whole = {}
    for file, old, new in BROKEN.values():
        path = copy.root / file
        whole[path] = path.read_text(encoding="utf-8")
        assert whole[path].count(old) == 1
        path.write_text(whole[path].replace(old, new), encoding="utf-8")
    try:
        told = copy.run("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *BROKEN, code=1)
        assert all(f"FAILED {test}::" in told for test in BROKEN), told
    finally:
        for path, text in whole.items():
            path.write_text(text, encoding="utf-8")


# Of tests with parameters, those about what is written; every test without parameters.
ABOUT_IT = "not [ or bc-bc or bc_bc or my_method or my-method or my_benchmark or my-benchmark"


@pytest.mark.slow
def test_with_what_is_written_the_tests_of_the_ground_the_pages_and_the_registries_pass(copy, made):
    tests = [
        "tests/ground/test_imports.py", "tests/readmes/test_complete.py",
        "tests/readmes/test_generated.py", "tests/readmes/test_links.py",
        "tests/methods/test_methods.py", "tests/methods/test_passes.py",
        "tests/preflight/test_methods.py", "tests/plan/test_plan.py", "tests/plan/test_split.py",
        "tests/experiment/test_manifest.py", "tests/metrics/test_metrics.py",
    ]  # fmt: skip
    chosen = ["-k", ABOUT_IT, "-p", "no:cacheprovider", "-x"]
    told = copy.run("-m", "pytest", "-q", "-n", "0", *chosen, *tests)
    assert int(re.search(r"(\d+) passed", told)[1]) > 80, told


@pytest.mark.slow
def test_the_types_of_the_kit_and_of_what_is_written_are_right(copy, made):
    """Mypy reads torch, pandas and others first, so it runs once, here."""
    copy.run("-m", "mypy", "--no-incremental")


PLANS = """
import sys
from kit.cli.entry import main
for number, path in enumerate(sys.argv[1:]):
    print("\\f" * bool(number), end="")
    main(["plan", "--jobs", path])
"""


@pytest.mark.slow
def test_each_new_manifest_is_planned_and_the_new_method_is_one_more_row(copy, made):
    names = [*MANIFESTS, "smoke"]
    told = copy.run("-c", PLANS, *(f"manifests/{name}.toml" for name in names))
    plans = dict(zip(names, told.split("\f"), strict=True))
    assert "unlearn person-my-method-s1" in " ".join(plans["my-method"].split())
    jobs = [set(job_names(plans[name])) for name in ("smoke", "my-method")]
    assert jobs[0] < jobs[1], "the jobs of the small experiment are those of smoke.toml"
    told = copy.run("-m", "kit", "try-method", "my_method")
    assert "the loss is" in told


def job_names(text):
    rows = (line.split() for line in text.splitlines())
    return [tuple(row[1:3]) for row in rows if len(row) > 2 and row[1] in ("finetune", "unlearn")]


LOAD = """
import sys
from pathlib import Path
from kit.errors import ManifestError
from kit.experiment.manifest_file import load_manifest
from kit.scaffolds.manifests import FOLDER, manifest_scaffold
for path in sorted(FOLDER.glob("*.toml")):
    try:
        scaffold = manifest_scaffold("another", path.name)
    except ManifestError as error:
        print(path.name, "refused:", error.remedy)
        continue
    ((name, data),) = scaffold.files.items()
    Path(name).write_bytes(data)
    made, base = load_manifest(Path(name)), load_manifest(path)
    assert made.name == "another" and made.methods == base.methods and not made.claims
    text = Path(name).read_text().replace("# seeds", "seeds").replace("# [", "[")
    for key in ("name", "learning_rate", "label", "method =", "targets", "options"):
        text = text.replace(f"# {key}", key)
    more = Path(name).with_name("more.toml")
    more.write_text(text)
    made = load_manifest(more)
    assert [entry.name for entry in made.methods][-1] == "npo-strict"
    assert made.seeds == (1, 2, 3)
    print(path.name, "extended")
    more.unlink()
    Path(name).unlink()
"""


def test_every_manifest_can_be_extended_or_is_refused_with_the_one_to_extend(copy, made):
    lines = copy.run("-c", LOAD).splitlines()
    extended = {line.split()[0] for line in lines if line.endswith("extended")}
    assert {"smoke.toml", "pebench.toml", "mllmu-smoke.toml"} <= extended
    assert "smoke-full.toml refused: ./run.sh new manifest another --extends smoke.toml" in lines
    assert len(lines) == len(list((PROJECT / "manifests").glob("*.toml"))) + len(MANIFESTS)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("My Method", "./run.sh new method my-method"),
        ("../evil", "./run.sh new method evil"),
        ("9lives", "./run.sh new method lives"),
        ("", "./run.sh new method my-method"),
        ("-", "./run.sh new method my-method"),
        ("a--b", "./run.sh new method a-b"),
        ("über", "./run.sh new method ber"),
        ("x" * (LONGEST + 1), f"./run.sh new method {'x' * LONGEST}"),
        ("class", "./run.sh new method my-class"),
        ("match", "./run.sh new method my-match"),
        ("vanilla", "./run.sh new method my-vanilla"),
        ("retain_only", "./run.sh new method my-retain-only"),
        ("tensor", "./run.sh new method my-tensor"),
        ("con", "./run.sh new method my-con"),
        ("lpt1", "./run.sh new method my-lpt1"),
    ],
)
def test_what_is_no_name_or_reserved_is_refused_and_the_remedy_is_a_name(given, remedy):
    with pytest.raises(ManifestError) as caught:
        require_name("method", given)
    assert caught.value.remedy == remedy
    assert require_name("method", remedy.split()[-1])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("method", "npo"),  # a method
        ("method", "gd"),  # a row of the small experiment
        ("method", "registry"),  # another file of the room
        ("method", "passes"),  # a file of tests
        ("benchmark", "records"),  # a module of the room
        ("benchmark", "probes"),  # a folder of the room
        ("benchmark", "smoke"),  # a manifest
        ("manifest", "smoke"),
    ],
)
def test_the_name_of_something_that_exists_is_refused(copy, before, kind, name):
    assert "nothing was written" in copy.new(kind, name, code=2)


def test_a_manifest_that_does_not_exist_cannot_be_extended(copy, before):
    told = copy.new("manifest", "another-one", "--extends", "smok", code=2)
    assert "did you mean 'smoke.toml'?" in told


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PROJECT", tmp_path)
    monkeypatch.setattr(files, "project_path", lambda name: tmp_path / name)
    (tmp_path / "page.md").write_text("| a | b |\n|---|---|\n")

    def write(path, data):
        if path.name == "page.md":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        path.write_bytes(data)

    monkeypatch.setattr(files, "write_bytes", write)
    scaffold = files.Scaffold({"one.txt": b"1"}, (Row("page.md", "| a |", "| 1 | 2 |"),), ())
    with pytest.raises(StorageError, match="the disk is full"):
        list(files.write(scaffold))
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


def test_a_page_without_its_table_is_named_before_anything_is_written():
    with pytest.raises(DataError, match=r"README\.md has no table that begins with '\| a \|'"):
        with_row("no table\n", Row("README.md", "| a |", "| 1 | 2 |"))


def test_a_row_is_put_in_order_or_at_the_end():
    page = "x\n\n| n | w |\n|---|---|\n| `b` | 1 |\n| `npo` | 2 |\n| `npo_sam` | 3 |\n\nmore\n"
    ordered = with_row(page, Row("p", "| n |", "| `npo_a` | 4 |", ordered=True)).splitlines()
    assert ordered[5:8] == ["| `npo` | 2 |", "| `npo_a` | 4 |", "| `npo_sam` | 3 |"]
    last = with_row(page, Row("p", "| n |", "| `a` | 4 |")).splitlines()
    assert last[7:] == ["| `a` | 4 |", "", "more"]


def test_the_verb_needs_the_slim_environment_alone():
    assert slim.lock_for(["new", "method", "mine"]) == slim.PLAN
    assert slim.lock_for(["new", "benchmark", "mine"]) == slim.DRAW, "it draws pictures"
    for words in CALLS.values():
        assert slim.help_text(["new", words[0], "--help"]).startswith("Usage: ./run.sh new")
