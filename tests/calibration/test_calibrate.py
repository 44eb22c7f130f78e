"""`calibrate`: the rule by hand, what is refused and why, and that nothing is overwritten."""

import json
import math
import shutil

import numpy as np
import pytest

from kit.artifacts import PROJECT
from kit.calibration.calibrate import (
    calibration_of,
    judge_pilots,
    pilot_manifest,
    require_nothing_overwritten,
    write_calibration,
)
from kit.calibration.pilots import pilot_claims, require_claimable
from kit.calibration.rule import factor, least_of_units, spread_of
from kit.cli.data import measured as measured_result
from kit.cli.entry import main
from kit.digests import sha256_value
from kit.errors import ManifestError, MissingStageError, VerificationError
from kit.experiment.calibrated import SCHEMA, require_calibrated, with_equivalence
from kit.experiment.claims import ClaimSection
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.metrics.rows import measure
from kit.result.run_file import SCHEMA as RUN_SCHEMA
from kit.result.stored import read_result
from kit.verdicts.claims_file import to_json
from kit.verification.recompute import rescore
from tests.toys.dataset import TOY
from tests.toys.results import PROTOCOL, toy_inputs, write_toy_results

PILOTS, REFERENCE = (31, 32, 33, 34, 35), (51, 52, 53)
FORGOTTEN = ("Ada Morrow", "Bel Quist", "Cai Ravel")
EFFICACY = {
    "target": "person", "part": "person", "column": "efficacy", "metric": "forget_rate/1",
    "unit": "record",
}  # fmt: skip
FORGETS = {"id": "C1", "text": "NPO forgets.", "kind": "bound", "system": "npo", "at_least": 0.6,
           "forgetting": True, **EFFICACY}  # fmt: skip
MANIFEST = """
extends = "experiment.toml"
name = "toy"
seeds = [1]

[calibration]
pilot_seeds = [31, 32, 33, 34, 35]
reference_seeds = [51, 52, 53]
file = "{file}"

[[claims]]
id = "C1"
text = "NPO forgets."
kind = "bound"
system = "npo"
at_least = 0.6
target = "person"
part = "person"
column = "efficacy"
metric = "forget_rate/1"
unit = "record"
forgetting = true
"""


# ---- the rule


def test_the_limit_is_a_quantile_of_students_t_times_the_spread_of_the_pilots():
    """Eight pilots, one claim: t(0.975, 7) = 2.3646; a reference of eight adds sqrt(9 / 8)."""
    assert factor(8, claims=1, reference_seeds=8) == pytest.approx(2.3646 * math.sqrt(9 / 8), 1e-4)
    values = [0.5, 0.7] * 4
    sd = 0.1 * math.sqrt(8 / 7)
    found = spread_of(values, records=60, claims=1, reference_seeds=8)
    assert (found.mean, found.sd) == (0.6, pytest.approx(sd, abs=1e-6))
    assert 2.3646 * math.sqrt(9 / 8) * sd == pytest.approx(0.268, abs=1e-3)
    assert found.equivalence == 0.3
    # chi-squared(0.05, 7) = 2.1673
    assert found.upper_sd == pytest.approx(sd * math.sqrt(7 / 2.1673), rel=0.01)


@pytest.mark.parametrize(("records", "equivalence"), [(60, 0.1), (10, 0.35), (8, 0.40)])
def test_equal_pilots_are_as_uncertain_as_half_an_answer_and_never_below_a_tenth(
    records, equivalence
):
    found = spread_of([1.0] * 8, records=records, claims=80, reference_seeds=8)
    assert found.sd == pytest.approx(0.5 / records, abs=1e-6)
    assert found.equivalence == equivalence


def test_systems_that_are_trained_once_get_what_equal_answers_leave_open():
    """39 equal answers leave 1 - 0.05 ** (1 / 39) = 0.074 of a range of 2 for a difference."""
    assert least_of_units(39, 2.0) == pytest.approx(2 * 0.0739 + 0.005, abs=1e-3)
    claims = [
        ClaimSection.model_validate({**FORGETS, "id": name, "system": "vanilla", "at_least": None,
                                     "forgetting": False, **more})
        for name, more in (
            ("C1", {"at_most": 0.6}),
            ("C2", {"kind": "difference", "other": "retain_only", "direction": "lower"}),
        )
    ]  # fmt: skip
    found = pilot_claims(claims, measured(), PILOTS, reference_seeds=3, seed=0)
    # 16 answers leave 0.171 of 1, and 0.341 of 2.
    assert [each.spread.equivalence for each in found] == [0.2, 0.35]


def test_a_fresh_seed_is_within_the_limits_of_eighty_claims_in_95_of_100_runs():
    """Normal seeds, eight pilots, eight of the reference: pilots, reference and fresh are drawn."""
    rng, claims, passed, runs = np.random.default_rng(1), 80, 0, 400
    for _ in range(runs):
        sd = rng.uniform(0.005, 0.05, claims)
        pilots, reference, fresh = (rng.normal(0.5, sd, (n, claims)) for n in (8, 8, 1))
        limits = [
            spread_of(column, records=60, claims=claims, reference_seeds=8).equivalence
            for column in pilots.T
        ]
        passed += bool((np.abs(fresh[0] - reference.mean(axis=0)) <= limits).all())
    assert passed / runs >= 0.95


# ---- claims on pilots


def measured(change=None):
    inputs = toy_inputs(seeds=PILOTS)
    if change:
        change(inputs["answers"])
    return measure(**inputs, protocol=PROTOCOL)


def piloted(change=None, **changes):
    claims = [ClaimSection.model_validate({**FORGETS, **changes})]
    return pilot_claims(claims, measured(change), PILOTS, reference_seeds=3, seed=0)


def refusal(found):
    with pytest.raises(ManifestError) as caught:
        require_claimable(found)
    return str(caught.value)


def test_a_claim_that_every_pilot_supports_gets_its_spread():
    (found,) = piloted()
    require_claimable([found])
    assert set(found.values) == set(PILOTS)
    assert found.spread.equivalence >= 0.1


def test_a_claim_that_fails_is_named_with_the_seed_and_the_value():
    said = refusal(piloted(at_least=0.99))
    assert "C1 fails on 5 of 5 pilots: seed 31 1.000 INCONCLUSIVE" in said


def test_a_pilot_that_collapses_is_named():
    def collapse(answers):
        answers.loc[answers["system"] == "person-npo-s33", "text"] = ""

    said = refusal(piloted(collapse))
    assert "C1 fails on 1 of 5 pilots: seed 33 1.000 NOT_REPRODUCED (its answers are broken" in said


def naming(records):
    """Let pilot n name the first n people (of three) in the records that match."""

    def vary(answers):
        for number, seed in enumerate(PILOTS):
            mine = answers["system"] == f"person-npo-s{seed}"
            for person, name in enumerate(FORGOTTEN[:number]):
                of = answers["record_id"].str.match(f"p0{person}-{records}-who")
                answers.loc[mine & of, "text"] = f"This is {name}."

    return vary


def test_a_claim_whose_seeds_differ_widely_is_too_noisy():
    said = refusal(piloted(naming(".*"), at_least=0.01, forgetting=False))
    assert "C1 is too noisy to be claimed" in said


def test_a_threshold_that_a_fresh_seed_may_miss_is_refused_with_one_that_would_do():
    """Of 16 answers, 16 to 13 forget: all pilots are above 0.45, the lowest by a hair."""
    close = {"at_least": 0.45, "forgetting": False}
    said = refusal(piloted(naming("market-a"), **close))
    assert "C1 holds on all pilots, but its threshold 0.45 is too close" in said
    enough = float(said.partition("for a fresh seed: ")[2].split()[0])
    require_claimable(piloted(naming("market-a"), **{**close, "at_least": enough}))


def test_a_stated_equivalence_excuses_noise_but_no_close_threshold_and_no_failure():
    stated = {"forgetting": False, "equivalence": 0.2}
    assert "too close" in refusal(piloted(naming(".*"), at_least=0.01, **stated))
    assert "too close" in refusal(piloted(naming("market-a"), at_least=0.45, **stated))
    assert "C1 fails on" in refusal(piloted(naming(".*"), at_least=0.9, **stated))


def test_pilots_that_agree_do_not_show_that_every_seed_will():
    """All pilots forget 16 of 16; half an answer, 1/32, is the least spread of a fresh seed."""
    said = refusal(piloted(lambda answers: None, at_least=0.82, forgetting=False))
    assert "C1 holds on all pilots, but its threshold 0.82 is too close" in said
    lower = 0.05 ** (1 / 16)  # of the interval of 16 answers that agree
    enough = float(said.partition("for a fresh seed: ")[2].split()[0])
    expected = lower - factor(5, claims=1, reference_seeds=5) / 32
    assert enough == pytest.approx(expected, abs=0.02)


def test_forgetting_is_not_claimed_where_the_answers_of_a_pilot_begin_to_break():
    def cut_off(answers):
        mine = answers["system"] == "person-npo-s33"
        few = answers[mine].index[: max(1, mine.sum() // 20)]
        answers.loc[few, "stop"] = "length"

    said = refusal(piloted(cut_off, at_least=0.3))
    assert "C1 is a claim of forgetting, but " in said
    assert "of the answers of a pilot are broken, more than 2.5 %" in said
    require_claimable(piloted(cut_off, at_least=0.3, forgetting=False))


# ---- the file and the manifest


def written(folder, file):
    """Write a manifest beside a copy of the small one that it extends."""
    shutil.copy(TOY, folder)
    (folder / "toy.toml").write_text(MANIFEST.format(file=file), encoding="utf-8")
    return folder / "toy.toml"


@pytest.fixture(scope="module")
def pilots(tmp_path_factory):
    """A finished result of the pilots, which no test changes."""
    folder = tmp_path_factory.mktemp("pilots")
    return finished(folder, pilot_manifest(load_manifest(written(folder, "none.json"))))


@pytest.fixture
def setting(tmp_path, pilots, monkeypatch):
    """A manifest whose calibration is written into a folder of the test, and the pilots' result."""
    for module in ("kit.experiment.calibrated", "kit.calibration.calibrate"):
        monkeypatch.setattr(f"{module}.project_path", lambda name: tmp_path / name)
    return written(tmp_path, "calibration/toy.json"), pilots


def finished(folder, manifest):
    """Return a toy result that says it was made from a manifest."""
    result = write_toy_results(folder / "result", seeds=tuple(manifest.seeds))
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    run["manifest"] = manifest.resolved() | {"report": {"bootstrap_draws": 200, "seed": 0}}
    run["manifest_digest"] = sha256_value(run["manifest"])
    (result / "run.json").write_text(json.dumps(run), encoding="utf-8")
    found = rescore(read_result(result))
    (result / "claims.json").write_bytes(to_json(found.verdicts))
    found.rows.to_parquet(result / "rows.parquet", index=False)
    return result


def test_the_pilots_are_the_same_experiment_on_the_same_vanilla_model(setting):
    manifest = load_manifest(setting[0], calibrated=False)
    pilots = pilot_manifest(manifest)
    assert (pilots.seeds, pilots.finetune.seed) == (PILOTS, 1)
    assert pilots.unlearn == manifest.unlearn
    assert pilots.run_name.startswith("toy-pilots-")


def test_the_file_gives_the_claims_their_equivalence_and_says_how_it_was_made(setting):
    path, result = setting
    manifest = load_manifest(path)
    assert "equivalence" not in manifest.claims[0].model_fields_set
    with pytest.raises(MissingStageError, match="are not calibrated"):
        require_calibrated(manifest)
    file = write_calibration(manifest, judge_pilots(manifest, result), result)
    content = json.loads(file.read_text(encoding="utf-8"))
    (entry,) = content["claims"]
    assert set(entry["values"]) == {str(seed) for seed in PILOTS}
    assert set(content["pilots"]) == {"answers", "environment", "kit", "rows"}
    again = load_manifest(path)
    assert again.claims[0].equivalence == entry["equivalence"]
    require_calibrated(again)


def test_nothing_is_overwritten_unless_asked(setting):
    path, result = setting
    manifest = load_manifest(path)
    require_nothing_overwritten(manifest, again=False)
    write_calibration(manifest, judge_pilots(manifest, result), result)
    with pytest.raises(ManifestError, match="exists already"):
        require_nothing_overwritten(manifest, again=False)
    require_nothing_overwritten(manifest, again=True)


def stated(manifest):
    """Return what a run.json says of a manifest, or of what is in its place."""
    resolved = manifest.resolved() if isinstance(manifest, Manifest) else manifest
    return {"schema": RUN_SCHEMA, "manifest": resolved, "manifest_digest": sha256_value(resolved)}


def reference(folder, monkeypatch, **run):
    """Write the run.json of a reference into an empty project and return its path."""
    monkeypatch.setattr("kit.calibration.calibrate.PROJECT", folder)
    path = folder / "manifests" / "reference" / "toy" / "run.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(run))
    return path


def test_a_reference_that_was_signed_with_the_file_protects_it(setting, tmp_path, monkeypatch):
    manifest = load_manifest(setting[0])
    reference(tmp_path, monkeypatch, **stated(manifest))
    with pytest.raises(ManifestError, match="manifests/reference/toy is signed already"):
        require_nothing_overwritten(manifest, again=False)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda run: {}, "its schema is None"),
        (lambda run: run | {"manifest_digest": "0" * 64}, "is not the digest of its manifest"),
        (lambda run: run | {"manifest": []}, "is not the digest of its manifest"),
        (lambda run: stated([]), "manifest is missing"),
        (lambda run: stated({"calibration": ["file"]}), None),
    ],
)  # fmt: skip
def test_the_reference_is_read_as_any_result_of_a_stranger(
    setting, tmp_path, monkeypatch, damage, found
):
    manifest = load_manifest(setting[0])
    path = reference(tmp_path, monkeypatch, **damage(stated(manifest)))
    if found is None:  # it names no file, so it rests on none
        require_nothing_overwritten(manifest, again=False)
        return
    with pytest.raises(VerificationError, match="cannot be used to recompute") as caught:
        require_nothing_overwritten(manifest, again=False)
    assert found in caught.value.found
    require_nothing_overwritten(manifest, again=True)
    path.write_text('{"schema": 1, "schema": 1}')
    with pytest.raises(VerificationError, match=f"{path} cannot be used") as caught:
        require_nothing_overwritten(manifest, again=False)
    assert "occurs twice" in caught.value.found
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.json")
    (tmp_path / "elsewhere.json").write_text("{}")
    with pytest.raises(VerificationError, match="cannot be read as a file"):
        require_nothing_overwritten(manifest, again=False)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("at_least = 0.6", "at_least = 0.5", "was made before a change of claim C1"),
        ('id = "C1"', 'id = "C2"', "has no claim C2"),
        ('name = "toy"', 'name = "toy"\nunlearn = { steps = 61 }', "made for another experiment"),
        ("[31, 32,", "[30, 32,", "made with other pilot seeds"),
    ],
)
def test_a_file_that_does_not_fit_any_more_is_refused_with_the_command(setting, old, new, said):
    path, result = setting
    manifest = load_manifest(path)
    write_calibration(manifest, judge_pilots(manifest, result), result)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    assert said in str(caught.value)
    assert f"./run.sh calibrate {path} --again" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"), [('unit = "record"', 'unit = "record"\nequivalence = 0.2'), ("[[claims]]", "")]
)
def test_a_file_does_not_concern_claims_that_state_their_own_or_that_are_not_made(
    setting, old, new
):
    """So an experiment that extends this one may write `claims = []` and change anything."""
    path, result = setting
    manifest = load_manifest(path)
    write_calibration(manifest, judge_pilots(manifest, result), result)
    text = path.read_text(encoding="utf-8").replace("seeds = [1]", "seeds = [2]")
    if not new:
        text = text.partition(old)[0].replace("seeds = [2]", "seeds = [2]\nclaims = []", 1)
    path.write_text(text.replace(old, new or old), encoding="utf-8")
    assert [claim.equivalence for claim in load_manifest(path).claims] == ([0.2] if new else [])


ENTRY = {"id": "C1", "claim": "ab", "equivalence": 0.1}
TWICE = {"schema": SCHEMA, "experiment": "cd", "pilot_seeds": [1], "claims": [ENTRY, ENTRY]}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": "pebench-kit/calibration/1"}', json.dumps(TWICE), "[" * 100_000],
)
def test_a_damaged_file_is_no_traceback(setting, text):
    path, _ = setting
    manifest = load_manifest(path)
    file = path.parent / manifest.calibration.file
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match="is not the file of a calibration"):
        with_equivalence(manifest, "x.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[51, 52, 53]", "[35, 52, 53]", "pilot_seeds and calibration.reference_seeds share"),
        ("seeds = [1]", "seeds = [31]", "calibration.pilot_seeds and seeds share the seed 31"),
        ("seeds = [1]", "seeds = [51]", "reference_seeds and seeds share the seed 51"),
        ("[31, 32, 33, 34, 35]", "[31, 32]", "'calibration.pilot_seeds' is not valid"),
        ("[31, 32, 33, 34, 35]", "[31, 31, 33, 34, 35]", "pilot_seeds has 31 twice"),
        ('file = "', 'file = "a/../../', "leaves the project"),
        ('file = "', 'file = "/', "'calibration.file' is not valid"),
    ],
)
def test_seeds_that_are_not_three_sets_are_refused(setting, old, new, said):
    path, _ = setting
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    assert said in str(caught.value)


def test_the_reference_has_its_own_seeds_and_is_not_calibrated(setting):
    path, _ = setting
    text = path.read_text(encoding="utf-8").replace("seeds = [1]", "seeds = [51, 52, 53]")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match="is the reference's own"):
        calibration_of(load_manifest(path))


def test_a_result_of_another_experiment_or_other_seeds_is_refused(setting, tmp_path):
    path, _ = setting
    manifest = load_manifest(path)
    (tmp_path / "other").mkdir()
    other = manifest.model_copy(update={"seeds": (1, 2)})
    with pytest.raises(ManifestError, match="lacks the seeds"):
        judge_pilots(manifest, finished(tmp_path / "other", other))
    longer = manifest.unlearn.model_copy(update={"steps": 61})
    changed = manifest.model_copy(update={"unlearn": longer})
    (tmp_path / "longer").mkdir()
    with pytest.raises(ManifestError, match="of another experiment"):
        judge_pilots(manifest, finished(tmp_path / "longer", pilot_manifest(changed)))


def test_the_verb_writes_the_file_and_prints_a_table(setting, capsys):
    path, result = setting
    main(["calibrate", str(path), "--from", str(result)])
    said = capsys.readouterr().out
    assert "C1 " in said
    assert "commit it before the reference is trained" in said
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", str(path), "--from", str(result)])
    assert ended.value.code == 2
    assert "Use --again to replace it" in capsys.readouterr().err


@pytest.mark.parametrize("attacked", [True, False])
def test_the_pilots_are_attacked_where_the_manifest_has_attacks(attacked, tmp_path, monkeypatch):
    """A claim of kind `returns` is judged on the pilots as any other."""
    text = (PROJECT / "manifests" / "smoke.toml").read_text(encoding="utf-8")
    if not attacked:
        text = text[: text.index("# What comes back when a tenth")]
        text = text[: text.index("[attack]")] + text[text.index("[report]") :]
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    done: list[str] = []
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    for name in ("fetch", "finetune", "unlearn", "evaluate"):
        monkeypatch.setattr(f"kit.stages.run.{name}", lambda *_, name=name: done.append(name))
    monkeypatch.setattr("kit.stages.attack.attack", lambda *_: done.append("attack"))
    monkeypatch.setattr("kit.sources.datasets.prepare", lambda *_: None)
    monkeypatch.setattr("kit.stages.collect.collect", lambda plan: (tmp_path, True))
    pilots = pilot_manifest(load_manifest(path, calibrated=False))
    measured_result(pilots, "calibrate", {})
    assert done == ["fetch", "finetune", "unlearn", "evaluate", *["attack"] * attacked]
