"""Inspect: its own reader accepts an export, whose answers and numbers are those of the result."""

import json
import subprocess

import pytest

from kit.exchange.forms import write_form
from kit.exchange.inspect_log import inspect_logs
from kit.result.layout import ANSWERS
from tests.supply_chain.test_environments import python, refuse

PACKAGE = "inspect_ai==0.3.285"
# Prints what Inspect finds in a folder: of each log its status, samples, scores and first answer.
READER = """
import json, sys
from inspect_ai.log import list_eval_logs, read_eval_log
found = {}
for info in list_eval_logs(sys.argv[1]):
    log = read_eval_log(info)
    found[log.eval.model] = {
        "status": log.status, "version": log.version, "samples": len(log.samples),
        "scores": {s.name: s.metrics["value"].value for s in log.results.scores},
        "answers": {s.id: s.output.completion for s in log.samples},
        "stops": sorted({s.output.stop_reason for s in log.samples}),
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["plain", "hostile"])
def export(request):
    """The result, and its logs by the name of the system."""
    exported = request.getfixturevalue(request.param)
    found = [json.loads(data) for _, data in inspect_logs(exported)]
    return exported, {log["eval"]["model"].partition("_")[2]: log for log in found}


def test_each_answer_is_a_sample_letter_by_letter(export):
    exported, logs = export
    table = exported.stored.tables[ANSWERS]
    stored = {(row.system, row.record_id): row.text for row in table.itertuples()}
    found = {
        (name, sample["id"]): sample["output"]["choices"][0]["message"]["content"]
        for name, log in logs.items()
        for sample in log["samples"]
    }
    assert found == stored


def test_each_row_with_a_value_is_a_scorer_and_the_mean_of_its_samples(export):
    exported, logs = export
    rows = exported.stored.rows.to_pandas()
    compared = 0
    for row in rows[rows["value"].notna()].to_dict("records"):
        log = logs[row["system"]]
        name = f"{row['target']}/{row['part']}/{row['column']}/{row['metric']}/{row['version']}"
        score = next(each for each in log["results"]["scores"] if each["name"] == name)
        assert score["metrics"]["value"]["value"] == row["value"]
        if row["headline"]:
            values = [s["scores"][name]["value"] for s in log["samples"] if name in s["scores"]]
            assert len(values) == row["n"] == score["scored_samples"]
            assert sum(values) / len(values) == pytest.approx(row["value"], abs=1e-9)
            compared += 1
    assert compared >= 9


def test_the_same_result_gives_the_same_logs_and_another_result_other_names(plain, hostile):
    first = dict(inspect_logs(plain))
    assert dict(inspect_logs(plain)) == first
    assert not {name[-27:] for name in first} & {name[-27:] for name in dict(inspect_logs(hostile))}


@pytest.mark.network
@pytest.mark.extended
@pytest.mark.parametrize("which", ["plain", "hostile"])
def test_its_own_reader_finds_every_log_and_reads_the_same(which, request, tmp_path):
    """The package pins versions that the locks have not: its own environment."""
    exported = request.getfixturevalue(which)
    own = tmp_path / "env"
    subprocess.run([str(python("3.12")), "-m", "venv", str(own)], check=True)
    install = [str(own / "bin" / "pip"), "install", "--quiet", PACKAGE]
    refuse(subprocess.run(install, capture_output=True, text=True, check=False))
    write_form(exported, "inspect", tmp_path / "out")
    command = [str(own / "bin" / "python"), "-c", READER, str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(exported.stored.systems)
    for data in dict(inspect_logs(exported)).values():
        log = json.loads(data)
        read = found[log["eval"]["model"]]
        assert (read["status"], read["version"]) == ("success", 2)
        assert read["scores"] == {
            score["name"]: score["metrics"]["value"]["value"] for score in log["results"]["scores"]
        }
        assert read["answers"] == {
            s["id"]: s["output"]["choices"][0]["message"]["content"] for s in log["samples"]
        }
        assert set(read["stops"]) <= {"stop", "max_tokens"}
