"""The choice of tuning: the rule by hand, the file, and what manifest, report and verifier say."""

import html
import json
import re
import shutil

import pandas as pd
import pytest

from kit import __version__
from kit.artifacts import readable_json
from kit.cli.entry import main
from kit.digests import sha256_bytes, sha256_value
from kit.errors import ManifestError, VerificationError
from kit.experiment.choice import Tried, choose, mean_distance
from kit.experiment.grid import attempts_manifest
from kit.experiment.manifest_file import load_manifest
from kit.plan.jobs import make_plan
from kit.report import write_report
from kit.result.made_by import Kit
from kit.result.stored import read_result
from kit.tuning.tune import earlier_digest, judge_attempts, write_tuning
from kit.verdicts.claims_file import to_json
from kit.verification.recompute import rescore
from kit.verification.tuning import check_tuning, require_own_tuning
from kit.verification.verify import verify
from tests.toys import results as toy
from tests.toys.dataset import TOY
from tests.toys.signed_result import TRUSTED, rejects
from tests.verification.test_contradictions import edit_run, remake_and_sign

# What the answers of each attempt are made by: NPO's first is as Retain-only, its third is broken.
RULES = {"npo-1": "npo", "npo-2": "prompt_only", "npo-3": "ga", "npo-4": "po",
         "ga-1": "ga", "ga-2": "ga"}  # fmt: skip
MANIFEST = """
extends = "experiment.toml"
name = "toy"
seeds = [1]
claims = []

[[methods]]
name = "npo"
label = "NPO"
method = "npo"
targets = ["person", "event", "both"]
options = { retain_weight = 2.0 }

[[methods]]
name = "ga"
label = "GA"
method = "grad_ascent"
targets = ["person", "event", "both"]

[tune]
methods = ["npo", "ga"]
seeds = [31, 32]
validation_percent = 30
learning_rates = [1e-4, 2e-3]
parameters = { npo = { beta = [0.4, 0.1] } }
file = "tuned/toy.json"
"""


def tried(name, distance, rate=1e-3, fault="", value=None):
    return Tried(
        entry=name.rpartition("-")[0], name=name, learning_rate=rate, option="", value=value,
        distances={"person": distance}, distance=distance, fault=fault, steps=1, forward_passes=1,
    )  # fmt: skip


# ---- the rule


def test_the_closest_attempt_is_chosen_of_each_method_alone():
    attempts = [tried("a-1", 0.30), tried("a-2", 0.20), tried("b-1", 0.10), tried("b-2", 0.25)]
    assert choose(attempts) == {"a": "a-2", "b": "b-1"}


def test_broken_answers_are_never_chosen_however_close():
    attempts = [tried("a-1", 0.01, fault="broken"), tried("a-2", 0.9), tried("b-1", 0.0, fault="x")]
    assert choose(attempts) == {"a": "a-2", "b": None}


def test_of_equal_ones_the_smaller_learning_rate_wins_and_then_the_earlier_value():
    attempts = [tried("a-1", 0.2, 3e-3), tried("a-2", 0.2, 1e-3), tried("a-3", 0.2, 1e-3)]
    assert choose(attempts) == {"a": "a-2"}
    assert choose([tried("a-1", 0.2, 3e-3), tried("a-2", 0.2000004, 1e-3)]) == {"a": "a-2"}
    assert choose([tried("a-1", 0.2, 3e-3), tried("a-2", 0.200001, 1e-3)]) == {"a": "a-1"}


def test_targets_count_alike():
    assert mean_distance({"person": 0.1, "event": 0.3, "both": 0.2}) == 0.2


# ---- from answers to the file


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    """A finished result of the attempts, which no test changes."""
    folder = tmp_path_factory.mktemp("attempts")
    manifest = attempts_manifest(load_manifest(written(folder)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toy, "LABELS", {entry.name: entry.label for entry in manifest.methods})
        patch.setattr(toy, "METHODS", RULES)
        result = toy.write_toy_results(folder / "result", seeds=(31, 32))
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    run["manifest"] = manifest.resolved() | {"report": {"bootstrap_draws": 200, "seed": 0}}
    run["manifest_digest"] = sha256_value(run["manifest"])
    (result / "run.json").write_text(json.dumps(run), encoding="utf-8")
    found = rescore(read_result(result))
    (result / "claims.json").write_bytes(to_json(found.verdicts))
    found.rows.to_parquet(result / "rows.parquet", index=False)
    return result


@pytest.fixture(scope="module")
def tuning(attempts, tmp_path_factory):
    return judge_attempts(load_manifest(written(tmp_path_factory.mktemp("toy"))), attempts)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A manifest whose choice is written into a folder of the test."""
    for module in ("kit.experiment.tuned", "kit.tuning.tune"):
        monkeypatch.setattr(f"{module}.project_path", lambda name: tmp_path / name)
    return written(tmp_path)


def written(folder):
    shutil.copy(TOY, folder)
    (folder / "toy.toml").write_text(MANIFEST, encoding="utf-8")
    return folder / "toy.toml"


def named(path, digest):
    """Let the manifest name a choice."""
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub("\ndigest = .*", "", text) + f'digest = "{digest}"\n', encoding="utf-8")


def test_the_distance_is_the_mean_difference_to_retain_only_over_all_columns(tuning, attempts):
    """Computed again from the printed rows; World is one set of questions in both parts."""
    rows = pd.read_parquet(attempts / "rows.parquet")
    rows = rows[rows["headline"] & ~((rows["target"] == "both") & (rows["part"] == "event")
                                     & (rows["column"] == "world"))]  # fmt: skip
    rows["entry"] = rows["system"].str.extract(r"(npo-\d|ga-\d|retain_only)")
    values = rows.groupby(["target", "part", "column", "entry"])["value"].mean().unstack()
    for each in tuning.attempts:
        apart = (values[each.name] - values["retain_only"]).abs()
        assert each.distances == pytest.approx(apart.groupby("target").mean().to_dict(), abs=2e-6)
        assert each.distance == pytest.approx(sum(each.distances.values()) / 3, abs=1e-6)


def test_the_attempt_that_is_as_retain_only_is_chosen_and_broken_ones_say_why(tuning):
    found = {each.name: each for each in tuning.attempts}
    assert found["npo-1"].distance == 0
    assert tuning.choices == {"npo": "npo-1", "ga": None}
    assert not found["npo-2"].fault
    assert "the answers of person-npo-3-s31 are broken: 100 % of them" in found["npo-3"].fault
    assert "both-ga-2-s32" in found["ga-2"].fault
    assert found["npo-1"].steps == 60 * 3 * 2, "three targets, two seeds"


def test_the_chosen_values_reach_the_jobs_and_the_others_stay(path, tuning):
    manifest = load_manifest(path)
    named(path, write_tuning(manifest, tuning))
    tuned = load_manifest(path)
    jobs = {job.name: job for job in make_plan(tuned).unlearn}
    npo, ga = jobs["event-npo-s1"], jobs["event-ga-s1"]
    assert (npo.settings.learning_rate, npo.method.beta, npo.method.retain_weight) == (1e-4, 0.4, 2)
    assert ga.settings.learning_rate == manifest.unlearn.learning_rate
    assert tuned.run_name != manifest.run_name
    assert attempts_manifest(tuned) == attempts_manifest(manifest), "the grid is what it was"
    named(path, "")
    assert load_manifest(path) == manifest, "and may be taken back, also of a manifest extended"


def test_the_same_answers_give_the_same_bytes(path, tuning, attempts):
    manifest = load_manifest(path)
    digests = [
        write_tuning(manifest, each) for each in (tuning, judge_attempts(manifest, attempts))
    ]
    assert digests[0] == digests[1] == earlier_digest(manifest)


def test_a_file_that_is_nested_too_deeply_to_be_read_is_not_replaced(path, tuning):
    manifest = load_manifest(path)
    write_tuning(manifest, tuning)
    (path.parent / manifest.tune.file).write_bytes(b"[" * 100_000)
    with pytest.raises(ManifestError, match=r"exists already(.*\n)+.*remedy: nothing was changed"):
        earlier_digest(manifest)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda said: said["choices"].update(npo="npo-2"), "choices do not follow"),
        (lambda said: said["attempts"][0].update(distance=0.5), "not the mean of its targets"),
        (lambda said: said["attempts"].pop(), "not those of the grid"),
        (lambda said: said.update(seeds=[33]), "its seeds are not tune.seeds"),
        (lambda said: said.update(rule=2), "of schema pebench-kit/tuning/1 and rule 2"),
        (lambda said: said.update(more=1), "more: Extra inputs"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_though_its_digest_is_named(
    path, tuning, edit, said
):
    content = tuning.as_json()
    edit(content)
    data = readable_json(content)
    (path.parent / "tuned").mkdir()
    (path.parent / "tuned/toy.json").write_bytes(data)
    named(path, sha256_bytes(data))
    with pytest.raises(ManifestError, match=said):
        load_manifest(path)


def test_another_file_a_missing_one_and_one_of_another_experiment_are_refused(path, tuning):
    digest = write_tuning(load_manifest(path), tuning)
    named(path, "0" * 64)
    with pytest.raises(ManifestError, match=f"its SHA-256 is {digest}"):
        load_manifest(path)
    named(path, digest)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("retain_weight = 2.0", "retain_weight = 3.0"), encoding="utf-8")
    with pytest.raises(ManifestError, match="was made for another experiment"):
        load_manifest(path)
    (path.parent / "tuned/toy.json").unlink()
    with pytest.raises(ManifestError, match="No such file"):
        load_manifest(path)
    assert load_manifest(path, tuned=False).tune.digest == digest, "so that tune can be run"


def test_answers_to_reported_records_choose_nothing(path, attempts, tmp_path):
    manifest = load_manifest(path)
    other = shutil.copytree(attempts, tmp_path / "other")
    run = json.loads((attempts / "run.json").read_text(encoding="utf-8"))
    for changes, said in (
        ({"tune": run["manifest"]["tune"] | {"asks": "reported"}}, "records that are reported"),
        ({"tune": None}, "records that are reported"),
        ({"seeds": [31, 33]}, "not of the attempts of manifest toy"),
    ):
        stated = run["manifest"] | changes
        changed = run | {"manifest": stated, "manifest_digest": sha256_value(stated)}
        (other / "run.json").write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(ManifestError, match=said):
            judge_attempts(manifest, other)


def test_the_verb_prints_all_attempts_and_the_line_for_the_manifest(path, attempts, capsys):
    main(["tune", str(path), "--from", str(attempts)])
    said = capsys.readouterr().out
    digest = sha256_bytes((path.parent / "tuned/toy.json").read_bytes())
    assert f'[tune]\n    digest = "{digest}"' in said
    assert re.search(r"npo-1 +learning rate 0.0001, beta 0.4 +0.000  chosen", said)
    assert "ga stays untuned: the answers of all its attempts are broken" in said
    main(["tune", str(path)])
    assert "tuned/toy.json holds the choice already" in capsys.readouterr().out
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[0.4, 0.1]", "[0.4, 0.2]"), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["tune", str(path)])
    assert ended.value.code == 2
    assert "Use --again to replace it" in capsys.readouterr().err


def test_a_manifest_without_the_section_is_not_tuned(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["tune", str(TOY)])
    assert ended.value.code == 2
    assert "has no section [tune]" in capsys.readouterr().err


# ---- the report and the verifier


@pytest.fixture
def run(path, tuning):
    """run.json of an experiment that is tuned, as far as tuning goes."""
    named(path, write_tuning(load_manifest(path), tuning))
    return {"manifest": load_manifest(path).resolved(), "tuning": tuning.as_json()}


RECORDS = pd.DataFrame({"id": ["reported-1", "reported-2"]})


def test_the_verifier_says_what_the_choice_rests_on(run):
    (said,) = check_tuning(run, RECORDS)
    assert said.startswith("the choice for 1 methods follows from 6 attempts; none of their ")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda run: run["tuning"]["choices"].update(npo="npo-4"), "choices do not follow"),
        (lambda run: run["tuning"]["attempts"][1].update(steps=1), "another digest than tune"),
        (lambda run: run["tuning"]["validation"].append("reported-2"), "reported-2 is a record of"),
        (lambda run: run["manifest"]["methods"][0].update(learning_rate=0.1), "another learning"),
        (lambda run: run["manifest"]["methods"][0]["options"].update(beta=9.0), "another beta"),
        (lambda run: run["manifest"].update(seeds=[31]), "the seed 31 is one of tuning"),
        (lambda run: run.pop("tuning"), "its tuning"),
        (lambda run: run["manifest"]["tune"].update(digest=""), "does not name"),
        (lambda run: run["manifest"].pop("tune"), "does not name"),
        (lambda run: run["manifest"]["tune"].update(seeds="x"), "manifest.tune.seeds"),
        (lambda run: run["tuning"].update(attempts=[3]), "its tuning: attempts.0"),
    ],
)
def test_a_tuning_that_does_not_fit_is_refused_whoever_signed_it(run, edit, said):
    edit(run)
    with pytest.raises(VerificationError) as caught:
        list(check_tuning(run, RECORDS))
    assert said in str(caught.value)


def test_attempts_of_one_method_are_measured_on_the_same_targets(run):
    """An attempt that leaves a target out could win by it."""
    first = run["tuning"]["attempts"][0]
    del first["distances"]["both"]
    first["distance"] = mean_distance(first["distances"])
    with pytest.raises(VerificationError, match="was measured on other targets than another"):
        list(check_tuning(run, RECORDS))


def test_an_attempt_takes_a_pass_for_each_step(run):
    run["tuning"]["attempts"][0].update(steps=5, forward_passes=4)
    with pytest.raises(VerificationError, match="has 4 forward passes in 5 steps"):
        list(check_tuning(run, RECORDS))


def test_the_tuning_of_another_experiment_is_refused(run):
    assert list(require_own_tuning(run, Kit(__version__))) == []
    run["manifest"]["unlearn"]["batch_size"] *= 2
    with pytest.raises(VerificationError, match="made for another experiment"):
        list(require_own_tuning(run, Kit(__version__)))
    (said,) = require_own_tuning(run, Kit("0.4.0"))
    assert "reads the manifest of kit 0.4.0 in another way" in said


def test_verify_asks_for_the_tuning_that_a_manifest_names(damaged, run):
    tune = run["manifest"]["tune"] | {"methods": ["npo"], "digest": ""}
    edit_run(damaged, lambda content: content["manifest"].update(tune=tune))
    remake_and_sign(damaged)
    assert "no method is tuned" in verify(damaged, trusted=TRUSTED).messages
    edit_run(damaged, lambda content: content["manifest"]["tune"].update(digest="0" * 64))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "its tuning")


def pages(folder, **changes):
    """Return the report of a toy result whose run.json says more."""
    result = toy.write_toy_results(folder)
    content = json.loads((result / "run.json").read_text(encoding="utf-8"))
    for key, value in changes.items():
        content[key] = content[key] | value if key == "manifest" else value
    (result / "run.json").write_text(json.dumps(content), encoding="utf-8")
    write_report(result)
    return [(result / "report" / f"report.{kind}").read_text("utf-8") for kind in ("md", "html")]


def test_tables_say_tuned_or_untuned_and_the_report_shows_every_attempt(run, tmp_path, tuning):
    prompt = {"name": "prompt", "label": "Prompt only"}
    told = {"tune": run["manifest"]["tune"], "methods": [*run["manifest"]["methods"], prompt]}
    said, page = pages(tmp_path / "r", manifest=told, tuning=run["tuning"])
    assert "| NPO (tuned) |" in said
    assert "| GA (untuned)" in said
    assert "| Prompt only (behavioural suppression) (untuned)" in said
    assert "(tuned)" not in next(line for line in said.splitlines() if "| Vanilla" in line)
    assert "| NPO | npo-1 | learning rate 0.0001, beta 0.4 | 0.000 | 360 | **chosen** |" in said
    assert all(f"| {each.name} |" in said for each in tuning.attempts)
    assert "GA: 2 attempts, of the learning rate alone: the grid has no option for it" in said
    assert "All had broken answers, so it stays untuned" in said
    assert page.count("<td>npo-") == 4
    assert run["tuning"]["words"] in html.unescape(page), "the rule is printed"


def test_a_report_without_tuning_says_so_in_one_sentence(tmp_path):
    said, page = pages(tmp_path / "r")
    for text in (said, page):
        assert text.count("Untuned: the manifest declares no tuning.") == 1
    assert "(untuned)" not in said


def test_the_report_of_attempts_warns_that_it_is_no_result(run, tmp_path):
    tune = run["manifest"]["tune"] | {"asks": "validation", "digest": ""}
    asks = {"tune": tune, "methods": [{"name": "npo", "label": "NPO"}]}
    said, page = pages(tmp_path / "r", manifest=asks)
    assert "| NPO (attempt)" in said
    warning = "VALIDATION PART: the systems were asked about images that serve tuning alone."
    assert page.index("What was found") < page.index(warning) < page.index("Table 1")
    assert said.index(warning) < said.index("## Table 1")
