"""A file that a user adds is named with its line where it fails; it never ends a verb unseen."""

import pytest
from click.testing import CliRunner

from kit.benchmarks.records import Concept
from kit.cli import entry
from kit.cli.verbs import verbs
from kit.errors import KitError, ManifestError, UnforeseenError
from kit.experiment.manifest_file import load_manifest
from kit.metrics.families import names_of_all
from kit.metrics.outside import load_metric
from kit.plan.added_files import importing, require_concepts
from kit.plan.names import require_names
from tests.readmes.pages import block
from tests.toys.dataset import TOY

METRIC = block("kit/metrics/README.md", "python", "METRIC =")


@pytest.fixture
def planned(tmp_path):
    """Return a function that plans the toy experiment with a metric's file of this content."""
    base = TOY.read_text(encoding="utf-8")
    manifest = tmp_path / "own.toml"

    def plan(source: str) -> None:
        (tmp_path / "metric.py").write_text(source, encoding="utf-8")
        named = f'[evaluation]\nmetric_file = "{tmp_path}/metric.py"'
        manifest.write_text(base.replace("[evaluation]", named, 1), encoding="utf-8")
        require_names(load_manifest(manifest))

    return plan


def test_the_metric_of_the_readme_passes(planned):
    planned(METRIC)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("raise SystemExit(0)", r"metric\.py:1: SystemExit: 0"),
        ("import sys\nsys.exit()", r"metric\.py:2: SystemExit"),
        (
            "import argparse\nargparse.ArgumentParser().parse_args(['x'])",
            r"metric\.py:2: SystemExit",
        ),
        ("\n1 / 0", r"metric\.py:2: ZeroDivisionError"),
        ("x = (", r"metric\.py:1: SyntaxError"),
        ("import json\n\njson.loads('x')", r"metric\.py:3: JSONDecodeError"),
    ],
)
def test_the_line_that_fails_is_named_and_nothing_ends_the_process(planned, source, found, capsys):
    with pytest.raises(ManifestError, match=f"own(.*\n)+.*{found}"):
        planned(source)


def test_a_kind_of_question_that_does_not_exist_is_refused_before_a_run_without_rows(planned):
    with pytest.raises(ManifestError, match=r"unknown kind(.*\n)+.*found: 'persn'"):
        planned(METRIC.replace("Concept.PERSON", "'persn'"))


def test_every_kind_that_exists_is_one(tmp_path):
    path = tmp_path / "metric.py"
    path.write_text(METRIC.replace("{Concept.PERSON}", "set(Concept)"), encoding="utf-8")
    metric = load_metric(path, names_of_all())
    assert metric.concepts == set(Concept)
    require_concepts(metric)


def test_an_error_of_the_kit_without_a_cause_is_passed_on():
    with pytest.raises(KitError, match=r"^no attack$"), importing("attack"):
        raise KitError("no attack")


def test_a_file_that_ends_the_process_later_does_not_end_a_verb_with_success(monkeypatch, capsys):
    """A metric computes after hours, and `sys.exit()` in it would look like a finished report."""

    def ends(*_, **__):
        exec(compile("import sys\nsys.exit(0)", "/somewhere/metric.py", "exec"))

    monkeypatch.setattr("kit.experiment.manifest_file.load_manifest", ends)
    with pytest.raises(SystemExit) as ended:
        entry.main(["plan"])
    assert ended.value.code == UnforeseenError.exit_code
    assert "a file has ended the whole process" in (said := capsys.readouterr().err)
    assert "metric.py:2" in said


@pytest.mark.parametrize("words", [["--help"], ["plan", "--help"]])
def test_help_still_ends_with_success(words):
    assert CliRunner().invoke(verbs, words).exit_code == 0


def test_an_exit_of_a_verb_keeps_its_code(monkeypatch):
    monkeypatch.setattr("kit.doctor.examine", lambda *_, **__: [])
    monkeypatch.setattr("kit.doctor.render", lambda *_, **__: "")
    monkeypatch.setattr("kit.doctor.exit_code", lambda _: 3)
    with pytest.raises(SystemExit) as ended:
        entry.main(["doctor"])
    assert ended.value.code == 3
