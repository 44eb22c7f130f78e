"""Every Eval Ever: its schemas and its own validator accept an export, whose numbers are ours."""

import json
import re
import subprocess
from pathlib import Path
from uuid import UUID

import jsonschema
import pytest

from kit.exchange.every_eval_ever import _folder_name, every_eval_ever
from kit.exchange.facts import engine_of
from kit.exchange.forms import write_form
from kit.result.layout import ANSWERS
from tests.supply_chain.test_environments import python, refuse

SCHEMAS = Path(__file__).parent / "every_eval_ever"  # of the package, version 0.3.0, MIT
PACKAGE = "every_eval_ever==0.3.0"


def validator(name: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads((SCHEMAS / name).read_text(encoding="utf-8")))


AGGREGATE, INSTANCE = validator("eval.schema.json"), validator("instance_level_eval.schema.json")


@pytest.fixture(scope="module", params=["plain", "hostile"])
def export(request):
    """The result, and {path: content} of its export."""
    exported = request.getfixturevalue(request.param)
    return exported, dict(every_eval_ever(exported))


def aggregates(files):
    return {name: json.loads(data) for name, data in files.items() if name.endswith(".json")}


def lines(files, path):
    return [json.loads(line) for line in files[path].decode("ascii").splitlines()]


def test_the_schemas_of_the_form_accept_every_file_and_line(export):
    _, files = export
    found = aggregates(files)
    assert len(found) == 3, "one for each system"
    for content in found.values():
        AGGREGATE.validate(content)
        for line in lines(files, content["detailed_evaluation_results"]["file_path"]):
            INSTANCE.validate(line)


def test_the_schemas_would_refuse_another_form(plain):
    content = next(iter(aggregates(dict(every_eval_ever(plain))).values()))
    assert AGGREGATE.is_valid(content)
    assert not AGGREGATE.is_valid(content | {"extra": 1})
    del content["model_info"]["additional_details"]["deployment_type"]
    assert not AGGREGATE.is_valid(content)


def test_its_numbers_are_those_of_the_report(plain):
    found = {
        c["model_info"]["additional_details"]["entry"]: {
            each["evaluation_result_id"]: each for each in c["evaluation_results"]
        }
        for c in aggregates(dict(every_eval_ever(plain))).values()
    }
    report = json.loads((plain.folder / "report" / "report.json").read_text(encoding="utf-8"))
    compared = 0
    for line in report["tables"]["table1"]:
        for cell in line["cells"].values():
            if cell["value"] is None:
                continue
            place = "/".join([cell["target"], cell["part"], cell["column"], cell["metric"]])
            details = found[line["entry"]][place]["score_details"]
            interval = details["uncertainty"].get("confidence_interval", {})
            assert details["score"] == cell["value"]
            assert (interval.get("lower"), interval.get("upper")) == (cell["low"], cell["high"])
            assert details["uncertainty"]["num_samples"] == cell["n"]
            compared += 1
    assert compared == 9


def test_the_mean_of_the_lines_is_the_aggregate(export):
    _, files = export
    for content in aggregates(files).values():
        scores = {e["evaluation_result_id"]: e for e in content["evaluation_results"]}
        said = lines(files, content["detailed_evaluation_results"]["file_path"])
        for name in {line["evaluation_result_id"] for line in said}:
            own = [line["evaluation"] for line in said if line["evaluation_result_id"] == name]
            score = scores[name]["score_details"]["score"]
            assert sum(each["score"] for each in own) / len(own) == pytest.approx(score, abs=1e-9)
            best = 0.0 if scores[name]["metric_config"]["lower_is_better"] else 1.0
            assert all(each["is_correct"] == (each["score"] == best) for each in own)


def test_engine_base_and_adapter_are_those_of_the_run(plain):
    changed = {**plain.run, "engine": {"engine": "vllm", "version": "0.32.0"}}
    assert engine_of(changed) == ("vllm", "0.32.0")
    assert engine_of({"manifest": {}}) == ("unknown", "unknown")
    found = aggregates(dict(every_eval_ever(plain))).values()
    models = {c["model_info"]["additional_details"]["system"]: c["model_info"] for c in found}
    details = models["person-npo-s1"]["additional_details"]
    jobs = {job["name"]: job["digest"] for job in plain.run["jobs"]}
    assert details["adapter_digest"] == jobs["person-npo-s1"]
    assert (details["base_model"], details["base_model_revision"]) == ("org/base", "c0" * 20)
    assert (details["method"], details["forgets"], details["seed"]) == ("npo", "person", "1")


def test_answers_arrive_letter_by_letter_and_lines_are_ascii(export):
    exported, files = export
    table = exported.stored.tables[ANSWERS]
    stored = {(row.system, row.record_id): row.text for row in table.itertuples()}
    for content in aggregates(files).values():
        system = content["model_info"]["additional_details"]["system"]
        for line in lines(files, content["detailed_evaluation_results"]["file_path"]):
            assert line["output"]["raw"] == [stored[system, line["sample_id"]]]


def test_the_same_result_gives_the_same_bytes_and_another_result_other_names(plain, hostile):
    first = dict(every_eval_ever(plain))
    assert dict(every_eval_ever(plain)) == first
    names = {Path(name).stem.removesuffix("_samples") for name in first}
    assert {UUID(name).version for name in names} == {4}
    assert not names & {Path(name).stem for name in dict(every_eval_ever(hostile))}


@pytest.mark.parametrize(
    "name", ["..", "../../etc/passwd", ".", "a/b", "CON.x", "x" * 500, "é\u202e"]
)
def test_no_name_of_a_stranger_leaves_the_folder(name):
    made = _folder_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_%-]{1,120}", made)
    assert made != _folder_name(name + "x"), "two names stay two"


@pytest.mark.network
@pytest.mark.extended
def test_its_own_validator_accepts_it(tmp_path, hostile):
    """The package needs Python 3.12 and versions that the locks have not: its own environment."""
    own = tmp_path / "env"
    subprocess.run([str(python("3.12")), "-m", "venv", str(own)], check=True)
    install = [str(own / "bin" / "pip"), "install", "--quiet", PACKAGE]
    refuse(subprocess.run(install, capture_output=True, text=True, check=False))
    write_form(hostile, "every-eval-ever", tmp_path / "out")
    files = sorted(
        str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.json*")
    )
    command = [str(own / "bin" / "every_eval_ever"), "validate", *files]
    done = subprocess.run(
        command, cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed, 0 warning-only, 0 failed" in done.stdout
