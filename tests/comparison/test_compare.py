"""Two results against each other: every depth, every difference once, and no pass by omission."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from kit.cli.claims_text import _short, comparison_text
from kit.cli.entry import main
from kit.comparison.compare import compare
from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.result.stored import read_result
from kit.verdicts.claims_file import to_json
from kit.verdicts.outcome import Outcome
from kit.verification.recompute import rescore
from tests.toys.results import write_toy_results

EFFICACY = {
    "target": "person", "part": "person", "column": "efficacy", "metric": "forget_rate/1",
    "unit": "record",
}  # fmt: skip
CLAIMS = [
    {"id": "C1", "text": "Vanilla knows them.", "kind": "bound", "system": "vanilla",
     "at_most": 0.5, "equivalence": 0.3, **EFFICACY},
    {"id": "C2", "text": "NPO forgets them.", "kind": "bound", "system": "npo", "at_least": 0.7,
     "equivalence": 0.3, **EFFICACY},
    {"id": "C3", "text": "NPO forgets more.", "kind": "difference", "system": "npo",
     "other": "vanilla", "direction": "higher", "margin": 0.3, "equivalence": 0.6, **EFFICACY},
]  # fmt: skip


def finish(folder: Path, change=lambda run: None) -> Path:
    """Give a result a fitting digest and write again all that follows from its answers."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    change(run)
    run["manifest_digest"] = sha256_value(run["manifest"])
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    found = rescore(read_result(folder))
    found.rows.to_parquet(folder / "rows.parquet", index=False)
    (folder / "claims.json").write_bytes(to_json(found.verdicts))
    return folder


def with_claims(run):
    run["manifest"]["claims"] = CLAIMS


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory):
    return finish(write_toy_results(tmp_path_factory.mktemp("one") / "toy"), with_claims)


@pytest.fixture(scope="module")
def five_seeds(tmp_path_factory):
    folder = write_toy_results(tmp_path_factory.mktemp("five") / "toy", seeds=(1, 2, 3, 4, 5))
    return finish(folder, with_claims)


@pytest.fixture
def other(one_seed, tmp_path):
    """A copy of the reference that a test may change."""
    return Path(shutil.copytree(one_seed, tmp_path / "other"))


def edit_answers(folder, system, ids, text):
    path = folder / "answers" / "answers.parquet"
    answers = pd.read_parquet(path)
    mine = (answers["system"] == system) & answers["record_id"].isin(ids)
    assert mine.sum() == len(ids)
    answers.loc[mine, "text"] = text
    answers.to_parquet(path, index=False)


def retrained(*names):
    def change(run):
        for job in run["jobs"]:
            if job["name"] in names:
                job["digest"] = "f" * 64

    return change


def held(ours, reference):
    return compare(read_result(ours), read_result(reference))


FORGET = [f"p00-{event}-a-who" for event in ("market", "harbour", "library", "orchard")]
NAMES = {n: f"This is {name}." for n, name in enumerate(("Ada Morrow", "Bel Quist"))}


def test_a_result_reproduces_itself_exactly_and_differs_in_nothing(one_seed):
    found = held(one_seed, one_seed)
    assert found.differences == []
    assert [(c.outcome, c.test, c.depth) for c in found.claims] == [
        ("REPRODUCED", "exact", "answers")
    ] * 3
    assert found.reproduced


def test_the_same_adapters_asked_again_are_held_against_each_other_record_by_record(
    one_seed, other
):
    edit_answers(other, "person-npo-s1", ["p01-market-a-who"], "Nobody at all.")
    found = held(finish(other), one_seed)
    npo = found.claims[1]
    assert (npo.test, npo.depth, npo.outcome) == ("paired", "evaluation", Outcome.REPRODUCED)
    assert (npo.agreement, npo.finding.difference) == (1.0, 0.0)
    assert npo.finding.high == pytest.approx(1 - 0.05 ** (1 / 16), abs=0.02)
    assert found.claims[0].test == "exact"
    assert found.reproduced


def test_half_of_the_answers_turned_round_is_not_reproduced(one_seed, other):
    named = [f"p0{p}-{e}-a-who" for p in (0, 1) for e in ("market", "harbour", "library")]
    for person in (0, 1):
        edit_answers(other, "person-npo-s1", named[3 * person : 3 * person + 3], NAMES[person])
    found = held(finish(other), one_seed)
    npo = found.claims[1]
    assert npo.outcome is not Outcome.REPRODUCED
    assert npo.agreement == pytest.approx(10 / 16)
    assert not found.reproduced


def test_a_value_in_the_margin_is_no_pass_where_the_claim_itself_does_not_hold(one_seed, other):
    def loose(run):
        run["manifest"]["claims"] = [{**CLAIMS[1], "equivalence": 0.9}]

    reference = finish(Path(shutil.copytree(one_seed, other.parent / "reference")), loose)
    edit_answers(other, "person-npo-s1", FORGET, NAMES[0])
    found = held(finish(other, loose), reference)
    (npo,) = found.claims
    assert (npo.here, npo.there) == (Outcome.INCONCLUSIVE, Outcome.REPRODUCED)
    assert npo.finding.outcome is Outcome.REPRODUCED
    assert npo.outcome is Outcome.INCONCLUSIVE
    assert "but the claim itself is INCONCLUSIVE" in npo.reason
    assert not found.reproduced


def test_another_training_is_held_against_the_seeds_of_the_reference(five_seeds, other):
    edit_answers(other, "person-npo-s1", ["p01-market-a-who"], "Nobody at all.")
    found = held(finish(other, retrained("person-npo-s1")), five_seeds)
    vanilla, npo, more = found.claims
    assert vanilla.test == "exact"
    assert [(c.test, c.depth, c.outcome) for c in (npo, more)] == [
        ("seeds", "training", Outcome.REPRODUCED)
    ] * 2
    # Five equal seeds: t(0.95, 4) x half of one in 16 answers x sqrt(1/5 + 1/1).
    assert npo.finding.detectable == pytest.approx(2.1318 * 0.5 / 16 * 1.2**0.5, abs=1e-3)


@pytest.mark.parametrize(("rule", "outcome"), [(1, "NOT_REPRODUCED"), (2, "REPRODUCED")])
def test_a_reference_is_compared_by_the_rule_that_it_was_made_with(
    five_seeds, other, tmp_path, rule, outcome
):
    """4 of 16 answers differ, 0.25; the limit is 0.3. Rule 1 adds what five seeds leave open."""
    reference = Path(shutil.copytree(five_seeds, tmp_path / "reference"))
    told = {"schema": "pebench-kit/claims/1", "rule": rule, "claims": []}
    (reference / "claims.json").write_text(json.dumps(told), encoding="utf-8")
    edit_answers(other, "person-npo-s1", FORGET, NAMES[0])
    npo = held(finish(other, retrained("person-npo-s1")), finish(reference)).claims[1]
    assert (npo.test, npo.finding.outcome) == ("seeds", outcome)
    assert npo.finding.difference == -0.25
    assert npo.outcome is not Outcome.REPRODUCED, "the claim itself does not hold any more"


def test_one_training_against_one_says_that_it_knows_nothing_of_seeds(one_seed, other):
    edit_answers(other, "person-npo-s1", ["p01-market-a-who"], "Nobody at all.")
    npo = held(finish(other, retrained("person-npo-s1")), one_seed).claims[1]
    assert (npo.test, npo.depth) == ("paired", "training")
    assert "test on seeds SKIPPED: the reference has" in npo.note


def test_a_system_that_only_the_reference_has_is_a_failure_and_not_a_way_out(one_seed, other):
    def without_npo(run):
        run["systems"] = [s for s in run["systems"] if s["method"] != "npo"]
        run["manifest"]["claims"] = CLAIMS[:1]

    path = other / "answers" / "answers.parquet"
    answers = pd.read_parquet(path)
    answers[~answers["system"].str.contains("npo")].to_parquet(path, index=False)
    smaller = finish(other, without_npo)
    found = held(smaller, one_seed)
    assert [c.outcome for c in found.claims] == ["REPRODUCED", "SKIPPED", "SKIPPED"]
    assert "this result: npo was not run for target person" in found.claims[1].reason
    assert not found.reproduced
    # The other way round the reference claims nothing about NPO, and all that it claims holds.
    assert held(one_seed, smaller).reproduced


def test_a_reference_that_claims_nothing_is_not_reproduced(other):
    def no_claims(run):
        run["manifest"]["claims"] = []

    finish(other, no_claims)
    assert not held(other, other).reproduced


def test_results_that_asked_other_records_are_not_compared(one_seed, other):
    sets = pd.read_parquet(other / "sets.parquet")
    sets[sets["record_id"] != FORGET[0]].to_parquet(other / "sets.parquet", index=False)
    found = held(finish(other), one_seed)
    assert {c.outcome for c in found.claims} == {Outcome.SKIPPED}
    assert "different records" in found.claims[0].reason
    assert not found.reproduced


def test_not_even_seeds_can_be_held_against_those_that_asked_other_records(five_seeds, other):
    sets = pd.read_parquet(other / "sets.parquet")
    sets[sets["record_id"] != FORGET[0]].to_parquet(other / "sets.parquet", index=False)
    found = held(finish(other, retrained("person-npo-s1")), five_seeds)
    assert {c.outcome for c in found.claims} == {Outcome.SKIPPED}
    assert not found.reproduced


def test_the_same_ids_with_other_questions_are_other_records(one_seed, other):
    records = pd.read_parquet(other / "records.parquet")
    records.loc[records["id"] == FORGET[0], "question"] = "Who is that?"
    records.to_parquet(other / "records.parquet", index=False)
    assert held(finish(other), one_seed).claims[0].outcome is Outcome.SKIPPED


def changes(run):
    run["manifest"]["claims"] = [{**CLAIMS[0], "margin": 0.1}, CLAIMS[2]]
    run["manifest"]["title"] = "Another title"
    run["manifest"]["unlearn"] = {"steps": 61}
    run["environment"]["packages"]["torch"] = "2.14.0"
    run["environment"]["cpu"] = "another"
    run["sources"][0]["list_digest"] = "00" * 32
    run["jobs"][0]["digest"] = "11" * 32


def test_every_difference_is_told_once_and_what_matters_first(one_seed, other):
    edit_answers(other, "person-npo-s1", FORGET[:1], NAMES[0])
    edit_answers(other, "person-ga-s1", [f"p0{n}-market-a-who" for n in range(5, 9)], "Nobody.")
    edit_answers(other, "person-ga-s1", FORGET[:1], NAMES[0])
    found = held(finish(other, changes), one_seed).differences
    told = [(d.kind, d.what) for d in found]
    assert len(told) == len(set(told))
    assert [(kind, what) for kind, what in told if kind != "training"] == [
        ("claims", "C1.margin"),
        ("claims", "C2"),
        ("numbers", "person-npo-s1/person/person/efficacy/forget_rate"),
        ("data", "toy.list_digest"),
        ("configuration", "unlearn.steps"),
        ("environment", "packages.torch"),
        ("numbers", "person-ga-s1/person/person/efficacy/forget_rate"),
        ("environment", "cpu"),
        ("presentation", "title"),
    ]
    assert [d.what for d in found if d.kind == "training"] == ["vanilla"]
    assert [d.matters for d in found] == sorted((d.matters for d in found), reverse=True)
    (margin,) = [d for d in found if d.what == "C1.margin"]
    assert (margin.ours, margin.reference) == (0.1, 0.0)


def test_a_key_of_a_later_version_matters_only_where_it_is_not_at_its_default(one_seed, other):
    def later(run):
        run["manifest"]["unlearn"] = {"lora_dtype": "float32", "vision_cache_bytes": 7}
        run["manifest"]["model"] = {"max_pixels": None}

    found = held(finish(other, later), one_seed).differences
    told = {d.what for d in found if d.kind == "configuration"}
    assert "unlearn.vision_cache_bytes" in told
    assert not told & {"unlearn.lora_dtype", "model.max_pixels"}


def test_the_claims_are_those_of_the_reference_whatever_the_result_claims(one_seed, other):
    def softer(run):
        run["manifest"]["claims"] = [{**CLAIMS[1], "at_least": 0.01}]

    edit_answers(other, "person-npo-s1", FORGET, NAMES[0])
    found = held(finish(other, softer), one_seed)
    assert [c.claim.id for c in found.claims] == ["C1", "C2", "C3"]
    assert found.claims[1].claim.at_least == 0.7
    assert found.claims[1].here is not Outcome.REPRODUCED


@pytest.mark.parametrize("which", [0, 1])
def test_a_stored_number_that_does_not_follow_stops_the_comparison(one_seed, other, which):
    rows = pd.read_parquet(other / "rows.parquet")
    rows.loc[0, "n"] = 400
    rows.to_parquet(other / "rows.parquet", index=False)
    pair = (other, one_seed) if which == 0 else (one_seed, other)
    with pytest.raises(VerificationError, match=("A, this", "B, the ref")[which]):
        held(*pair)


def test_the_text_says_differences_tests_and_the_end(one_seed, five_seeds):
    said = "\n".join(comparison_text(held(one_seed, five_seeds)))
    assert "  systems: both-ga-s2: A -, B ga, target both, seed 2" in said
    assert "  systems: and 43 more; --json lists all" in said
    assert "the claim itself: REPRODUCED in A, REPRODUCED in B" in said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "none"),
        ("balanced_grad_diff, target both, seed 201", "balanced_grad_diff, target both, seed 201"),
        ("word " * 20, f"{'word ' * 11}word…"),
        ("ab" * 32, "abababababab…"),
    ],
)
def test_a_value_of_a_difference_is_told_in_few_characters(value, said):
    assert _short(value) == said


def test_the_signatures_are_said_to_be_unchecked(one_seed, five_seeds):
    said = "\n".join(comparison_text(held(one_seed, five_seeds)))
    assert "Signatures were not checked" in said


@pytest.fixture
def call(capsys):
    def run(*arguments):
        try:
            main(["compare", *(str(argument) for argument in arguments)])
        except SystemExit as ended:
            return int(ended.code or 0), capsys.readouterr().out
        return 0, capsys.readouterr().out

    return run


def test_the_exit_code_is_zero_only_if_every_claim_is_reproduced(call, one_seed, other):
    code, said = call(one_seed, one_seed)
    assert said.startswith(f"A, the result: {one_seed}; B, the reference: {one_seed}\n")
    assert (code, said.splitlines()[-3]) == (0, "A reproduces B")
    assert said.splitlines()[-2].startswith("No work was repeated")
    edit_answers(other, "person-npo-s1", FORGET, NAMES[0])
    code, said = call(finish(other), one_seed)
    assert (code, said.splitlines()[-2]) == (1, "A does not reproduce B")


def test_a_reference_that_answers_no_claim_cannot_be_reproduced_and_it_is_said_so(one_seed):
    """With no claims at all, and with one that the reference itself skips."""
    found = held(one_seed, one_seed)
    skipped = replace(found.claims[0], outcome=Outcome.SKIPPED, fatal=False)
    for claims in ([], [skipped]):
        nothing = replace(found, claims=claims)
        assert not nothing.reproduced
        assert "there is nothing that A could reproduce" in "\n".join(comparison_text(nothing))
    fatal = replace(found, claims=[replace(skipped, fatal=True)])
    assert fatal.headline == "A does not reproduce B"


def test_json_says_the_same(call, one_seed, other):
    edit_answers(other, "person-npo-s1", FORGET, NAMES[0])
    code, said = call(finish(other), one_seed, "--json")
    found = json.loads(said)
    assert (code, found["reproduced"]) == (1, False)
    assert found["claims"][0]["outcome"] == "REPRODUCED"
    assert {"kind", "what", "ours", "reference", "matters", "size"} <= set(found["differences"][0])


def test_a_folder_that_is_no_result_is_named(call, one_seed, tmp_path):
    assert call(one_seed, tmp_path)[0] == 12
    assert call(one_seed, tmp_path / "nothing")[0] == 5
