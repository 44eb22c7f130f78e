"""A metric from one file outside of the kit: its rows, its digest, and what is refused."""

import json
import py_compile
import shutil
import tomllib

import pandas as pd
import pytest
from click.testing import CliRunner

from kit.benchmarks.records import Concept, Record
from kit.cli.verbs import verbs
from kit.digests import sha256_file
from kit.errors import DataError, ManifestError
from kit.experiment import own_code
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.metrics import StoredAnswer, outside
from kit.metrics.families import names_of_all
from kit.metrics.outside import FACTS, describe, load_metric, stored_metric
from kit.metrics.rows import Further, measure, read_inputs, rows_of
from kit.plan.names import require_names
from kit.signing.sign import sign
from kit.verification.verify import verify
from tests.readmes.pages import block
from tests.toys.dataset import TOY
from tests.toys.results import PROTOCOL
from tests.toys.signed_result import KEY, TRUSTED, edit_json, edit_table, remake, write_result

SOURCE = '''\
"""How many of the name's words does the answer hold?"""

from kit.benchmarks.records import Concept
from kit.metrics.definition import Definition


def words(answer, record):
    own = record.person.split()
    return sum(word in answer.text for word in own) / len(own) if own else None


METRIC = Definition(
    "name_words", 2, "Share of the words of the name in the answer.", words,
    frozenset({Concept.PERSON}), "the record names no person", better="higher", turns=True,
)
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder that counts as the project, with the metric's file in it."""
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "words.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(outside, "PROJECT", tmp_path)
    return tmp_path


@pytest.fixture
def result(project, tmp_path):
    folder = write_result(tmp_path / "result")
    path = project / "metrics" / "words.py"
    said = describe(load_metric(path, names_of_all()), "metrics/words.py", sha256_file(path))
    edit_json(folder / "run.json", **{FACTS: said})
    remake(folder)
    sign(folder, key=KEY)
    return folder


def test_its_rows_and_its_definition_are_in_the_result_and_are_recomputed(result):
    rows = pd.read_parquet(result / "rows.parquet")
    own = rows[rows["metric"].eq("name_words") & rows["system"].eq("vanilla")]
    assert own.set_index("column")["value"].to_dict() == {"efficacy": 0.5, "retain": 0.0}
    assert set(own["version"]) == {2}
    assert own.set_index("column")["better"].to_dict() == {"efficacy": "lower", "retain": "higher"}
    page = (result / "report" / "report.md").read_text(encoding="utf-8")
    assert "`name_words/2` | Share of the words of the name" in page
    found = verify(result, trusted=TRUSTED)
    assert not [each for each in found.findings if "NOT checked" in each.message]


def test_without_the_file_its_rows_are_said_to_be_unchecked_and_the_others_are_checked(
    result, project
):
    (project / "metrics" / "words.py").write_text(SOURCE + "# changed\n", encoding="utf-8")
    found = verify(result, trusted=TRUSTED)
    (line,) = [each.message for each in found.findings if "NOT checked" in each.message
               and "name_words" in each.message]  # fmt: skip
    assert "is not in this project" in line
    assert "metrics/words.py" in line
    rows = pd.read_parquet(result / "rows.parquet")
    checked = len(rows) - int(rows["metric"].eq("name_words").sum())
    assert any(f"{checked} rows recomputed" in each.message for each in found.findings)


@pytest.fixture
def brought(tmp_path, monkeypatch, result):
    """A result of another process: no manifest of this one has named its file, which is there."""
    monkeypatch.setattr(own_code, "_ADMITTED", set())
    marker = tmp_path / "ran"
    evil = f"open({str(marker)!r}, 'w').close()\n{SOURCE}"
    path = tmp_path / "metrics" / "words.py"
    path.write_text(evil, encoding="utf-8")
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    edit_json(result / "run.json", **{FACTS: run[FACTS] | {"sha256": sha256_file(path)}})
    return result, path, marker


def test_a_result_cannot_have_its_own_code_run(brought):
    """It may come with a file, into the project, and name it with the right digest."""
    folder, path, marker = brought
    for verb in (["verify", folder], ["rescore", folder], ["compare", folder, folder]):
        CliRunner().invoke(verbs, [*map(str, verb)])
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    found = stored_metric(run, names_of_all())
    assert "runs only if you name a manifest" in found.retired
    assert not marker.exists()
    own_code.admit(path)
    assert stored_metric(run, names_of_all()).retired == ""
    assert marker.exists()


def test_compiled_code_beside_the_file_is_not_run(tmp_path):
    """Its digest is that of the text, and Python would take the cached code for it."""
    path = tmp_path / "metric.py"
    path.write_text(SOURCE.replace("sum(", "999 * sum("), encoding="utf-8")
    py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    path.write_text(SOURCE, encoding="utf-8")
    person = Record("r", Concept.PERSON, "Who?", "Ada Sato", person="Ada Sato")
    metric = load_metric(path, names_of_all())
    assert metric.measure(StoredAnswer("Ada Sato", "eos"), person) == 1


def test_a_manifest_that_is_named_in_a_call_lets_its_file_run(tmp_path, monkeypatch):
    monkeypatch.setattr(own_code, "_ADMITTED", set())
    path = tmp_path / "words.py"
    path.write_text(SOURCE, encoding="utf-8")
    manifest = load_manifest(TOY)
    section = manifest.evaluation.model_copy(update={"metric_file": str(path)})
    own_code.admit_files_of(manifest)
    assert not own_code.is_admitted(sha256_file(path))
    own_code.admit_files_of(manifest.model_copy(update={"evaluation": section}))
    assert own_code.is_admitted(sha256_file(path))


def test_a_changed_row_is_noticed_where_the_file_is_there(result):
    from kit.errors import VerificationError
    from kit.result.stored import read_result
    from kit.verification.recompute import recompute

    rows = pd.read_parquet(result / "rows.parquet")
    place = int(rows.index[rows["metric"].eq("name_words")][0])
    edit_table(result / "rows.parquet", place, "value", 0.75)
    with pytest.raises(VerificationError, match="does not follow from the stored answers"):
        recompute(read_result(result))


def test_the_metric_of_the_readme_is_usable_and_its_manifest_key_is_valid(tmp_path):
    path = tmp_path / "name_words.py"
    path.write_text(block("kit/metrics/README.md", "python", "METRIC ="), encoding="utf-8")
    metric = load_metric(path, names_of_all())
    person = Record("r", Concept.PERSON, "Who?", "Ada Sato", person="Ada Sato")
    assert metric.measure(StoredAnswer("It is Ada.", "eos"), person) == 0.5
    for part in ("metric_file", 'metrics = ["likelihood"]'):
        said = tomllib.loads(block("kit/metrics/README.md", "toml", part))
        document = load_manifest(TOY).resolved()
        document["evaluation"] |= said["evaluation"]
        Manifest.model_validate(document)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "no METRIC"),
        ("METRIC = 7\n", "METRIC is int"),
        ("raise OSError('no')\n", "cannot be run"),
        (SOURCE.replace('"name_words"', '"name_hit"'), "the kit has a metric of the name name_hit"),
        (SOURCE.replace('"name_words"', '"privleak"'), "the kit has a metric of the name privleak"),
        (SOURCE.replace('"name_words"', '"Name Words"'), "name: String should match"),
        (SOURCE.replace("turns=True", "turns=True, retired='x'"), "for the kit's own metrics"),
    ],
)
def test_a_file_without_a_usable_metric_is_refused(tmp_path, source, message):
    path = tmp_path / "metric.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(ManifestError, match=message):
        load_metric(path, names_of_all())


def test_a_value_outside_of_zero_to_one_is_an_error_and_no_row(project, tmp_path):
    path = project / "metrics" / "words.py"
    path.write_text(SOURCE.replace("/ len(own) if", "+ 1 if"), encoding="utf-8")
    inputs = read_inputs(write_result(tmp_path / "plain"))
    inputs["further"] = Further(outside=load_metric(path, names_of_all()))
    with pytest.raises(DataError, match="name_words/2 gives 3 for record p0"):
        rows_of(measure(**inputs, protocol=PROTOCOL), draws=100, seed=1)


def test_only_a_file_of_the_project_that_is_not_its_own_code_is_run(result):
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    for name in (
        "/outside",
        "../words.py",
        "kit/__main__.py",
        "metrics/words.txt",
        "/words.py",
    ):
        run[FACTS]["file"] = name
        assert "is not in this project" in stored_metric(run, names_of_all()).retired


def test_the_manifest_names_the_file_and_its_bytes_decide_the_name_of_the_result(tmp_path):
    shutil.copy(TOY, tmp_path)
    path = tmp_path / "words.py"
    path.write_text(SOURCE, encoding="utf-8")
    own = tmp_path / "own.toml"
    own.write_text(
        f'extends = "{TOY.name}"\nname = "own"\nclaims = []\n'
        f'[evaluation]\nmetric_file = "{path}"\n', encoding="utf-8"
    )  # fmt: skip
    manifest = load_manifest(own)
    require_names(manifest)
    assert manifest.resolved()["evaluation"]["metric_file"] == "/outside", "no folder is published"
    before = manifest.run_name
    path.write_text(SOURCE + "# changed\n", encoding="utf-8")
    assert load_manifest(own).run_name != before
    path.unlink()
    with pytest.raises(ManifestError, match=r"words\.py does not exist"):
        require_names(manifest)
    elsewhere = replace_path(own, "/etc/words.py")
    with pytest.raises(ManifestError, match=r"`evaluation\.metric_file` is outside the project"):
        load_manifest(elsewhere)


def replace_path(manifest, name):
    text = manifest.read_text(encoding="utf-8")
    start = text.index("metric_file")
    manifest.write_text(text[:start] + f'metric_file = "{name}"\n', encoding="utf-8")
    return manifest
