"""Claims in a manifest: what cannot be tested is refused before any work, and trains nothing."""

import copy
import tomllib

import pytest
from pydantic import ValidationError

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.claims import ClaimSection
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest, parse_manifest
from kit.metrics import DEFINITIONS
from kit.plan.jobs import make_plan
from kit.plan.names import require_names

SMOKE = PROJECT / "manifests" / "smoke.toml"
PEBENCH = PROJECT / "manifests" / "pebench.toml"
DOCUMENT = tomllib.loads(SMOKE.read_text(encoding="utf-8"))
PLACE = {
    "target": "person", "part": "person", "column": "efficacy", "metric": "forget_rate/1",
}  # fmt: skip
BOUND = {"id": "C1", "text": "t", "kind": "bound", "system": "npo", "at_least": 0.9, **PLACE}
DIFFERENCE = {
    "id": "C1", "text": "t", "kind": "difference", "system": "npo", "other": "vanilla",
    "direction": "higher", "margin": 0.1, **PLACE,
}  # fmt: skip
PUBLISHED = {
    "id": "C1", "text": "t", "kind": "published", "system": "ga", "other": "gd",
    "published": [3.89, 21.48], "location": "Table 1", **PLACE,
}  # fmt: skip

SAME = {
    "id": "C1", "text": "t", "kind": "same", "system": "npo", "other": "gd", "margin": 0.1, **PLACE,
}  # fmt: skip
GAP = {
    "id": "C1", "text": "t", "kind": "gap", "system": "gd-balanced", "other": "gd", **PLACE,
    "target": "both", "other_part": "event", "other_metric": "event_forget/1",
}  # fmt: skip
CHANGED = {
    "id": "C1", "text": "t", "kind": "changed", "system": "npo", "other": "vanilla",
    "target": "person", "part": "person", "column": "all", "metric": "answers_changed/1",
    "at_most": 0.1, "unit": "record",
}  # fmt: skip


def with_claims(*claims):
    manifest = parse_manifest({**copy.deepcopy(DOCUMENT), "claims": list(claims)}, "x.toml")
    require_names(manifest)
    return manifest


def refusal(*claims):
    with pytest.raises(ManifestError) as caught:
        with_claims(*claims)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    "claim", [BOUND, DIFFERENCE, SAME, GAP, CHANGED, PUBLISHED], ids=lambda claim: claim["kind"]
)
def test_each_kind_of_claim_is_accepted(claim):
    (read,) = with_claims(claim).claims
    assert read.model_dump(mode="json").items() >= {**claim}.items()


@pytest.mark.parametrize(
    ("claim", "sign", "threshold"),
    [
        ({**BOUND, "margin": 0.05}, 1, 0.85),
        ({**BOUND, "at_least": None, "at_most": 0.1, "margin": 0.05}, -1, 0.15),
        (DIFFERENCE, 1, 0.1),
        ({**DIFFERENCE, "direction": "lower"}, -1, -0.1),
        (PUBLISHED, -1, 0.0),
        ({**PUBLISHED, "published": [2, 1]}, 1, 0.0),
        (CHANGED, -1, 0.1),
        ({**CHANGED, "at_most": None, "at_least": 0.002}, 1, 0.002),
    ],
)
def test_the_threshold_is_what_the_words_say(claim, sign, threshold):
    read = ClaimSection.model_validate(claim)
    assert (read.sign, read.threshold) == (sign, pytest.approx(threshold))


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ({**BOUND, "system": "nop"}, "did you mean 'npo'?"),
        ({**DIFFERENCE, "other": "vanila"}, "did you mean 'vanilla'?"),
        ({**BOUND, "column": "eficacy"}, "did you mean 'efficacy'?"),
        ({**BOUND, "part": "persons"}, "did you mean 'person'?"),
        ({**BOUND, "target": "events"}, "did you mean 'event'?"),
        ({**BOUND, "metric": "forgetrate/1"}, "did you mean 'forget_rate/1'?"),
        ({**BOUND, "metric": "forget_rate/2"}, "expected: forget_rate/1"),
        ({**BOUND, "part": "event"}, "no part 'event'"),
        ({**BOUND, "target": "both", "column": "scope"}, "no column 'scope'"),
        ({**BOUND, "system": "gd-balanced"}, "no system 'gd-balanced'"),
        ({**DIFFERENCE, "other_target": "boht"}, "did you mean 'both'?"),
        ({**DIFFERENCE, "metric": "presence_f1/1"}, "no difference per record"),
        ({**BOUND, "at_most": 0.1}, "exactly one of 'at_least' and 'at_most'"),
        ({**BOUND, "at_least": None}, "exactly one of 'at_least' and 'at_most'"),
        ({**BOUND, "margin": 0.9}, "no bound for a value in [0, 1]"),
        ({**BOUND, "other": "ga"}, "a claim of kind 'bound' has no 'other'"),
        ({**DIFFERENCE, "direction": None}, "needs 'direction'"),
        ({**DIFFERENCE, "other": "npo"}, "compares a system with itself"),
        ({**DIFFERENCE, "at_least": 0.5}, "a claim of kind 'difference' has no 'at_least'"),
        ({**PUBLISHED, "location": ""}, "needs 'location'"),
        ({**PUBLISHED, "published": [1, 1]}, "a tie needs the 'margin'"),
        ({**PUBLISHED, "margin": 0.1, "share": 0.5}, "has a 'share' and a 'margin'"),
        ({**PUBLISHED, "direction": "lower"}, "has no 'direction'"),
        ({**SAME, "margin": 0.0}, "needs 'margin'"),
        ({**SAME, "direction": "lower"}, "a claim of kind 'same' has no 'direction'"),
        ({**BOUND, "share": 0.5}, "a claim of kind 'bound' has no 'share'"),
        ({**GAP, "other_part": None}, "needs 'other_part'"),
        ({**GAP, "other_part": "person"}, "a gap is between two parts, and both are 'person'"),
        ({**GAP, "other_part": "events"}, "did you mean 'event'?"),
        ({**GAP, "other_metric": "eventforget/1"}, "did you mean 'event_forget/1'?"),
        ({**GAP, "other_metric": "presence_f1/1"}, "no difference per record"),
        ({**CHANGED, "other": None}, "a claim of kind 'changed' needs 'other'"),
        ({**CHANGED, "other": "npo"}, "compares a system with itself"),
        ({**CHANGED, "other": "vanila"}, "did you mean 'vanilla'?"),
        ({**CHANGED, "at_least": 0.1}, "exactly one of 'at_least' and 'at_most'"),
        ({**CHANGED, "at_most": None}, "exactly one of 'at_least' and 'at_most'"),
        ({**CHANGED, "at_most": 1.0}, "no bound for a value in [0, 1]"),
        ({**CHANGED, "direction": "lower"}, "a claim of kind 'changed' has no 'direction'"),
        ({**CHANGED, "unit": "cluster"}, "needs the unit 'record'"),
        ({**CHANGED, "column": "efficacy"}, "belong to the kind 'changed'"),
        ({**CHANGED, "metric": "forget_rate/1"}, "belong to the kind 'changed'"),
        ({**CHANGED, "part": "persons"}, "did you mean 'person'?"),
        ({**BOUND, "column": "all"}, "no column 'all'"),
        ({**BOUND, "column": "all", "metric": "answers_changed/1"}, "belong to the kind 'changed'"),
        ({**BOUND, "metric": "answers_changed/1"}, "no metric 'answers_changed/1'"),
    ],
)
def test_a_claim_that_says_nothing_testable_is_named_with_the_remedy(claim, said):
    message = refusal(claim)
    assert message.startswith("manifest smoke: claim C1: ")
    assert said in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "1"), ("kind", "guess"), ("margin", -0.1), ("margin", float("nan")),
        ("at_least", 90), ("equivalence", 0.0), ("unit", "person"), ("metric", "forget_rate"),
    ],
)  # fmt: skip
def test_a_value_that_no_claim_can_have_is_named_with_its_place(key, value):
    assert f"'claims.0.{key}' is not valid" in refusal({**BOUND, key: value})


def test_a_misspelt_key_of_a_claim_names_the_nearest():
    assert "did you mean 'margin'?" in refusal({**BOUND, "margn": 0.1})


def test_an_id_is_given_once():
    assert "claims.id has C1 twice" in refusal(BOUND, DIFFERENCE)


def test_the_same_system_may_be_held_against_itself_with_another_target():
    (claim,) = with_claims({**DIFFERENCE, "other": "npo", "other_target": "both"}).claims
    assert claim.other_target == "both"


def digests(document):
    plan = make_plan(Manifest.model_validate(document))
    jobs = {job.name: job.artifact.digest for job in plan.jobs()}
    return jobs | {f"answers of {s.name}": s.answers.digest for s in plan.systems}


def test_a_changed_margin_renames_the_result_and_trains_and_asks_nothing_again():
    before = {**DOCUMENT, "claims": [BOUND]}
    after = {**DOCUMENT, "claims": [{**BOUND, "margin": 0.2}]}
    assert digests(before) == digests(after)
    one, two = (Manifest.model_validate(document) for document in (before, after))
    assert one.run_name != two.run_name
    assert one.digest() != Manifest.model_validate({**DOCUMENT, "claims": []}).digest()


def test_a_claim_cannot_be_changed_after_it_was_read():
    with pytest.raises(ValidationError, match="frozen"):
        with_claims(BOUND).claims[0].margin = 0.5


@pytest.mark.parametrize("path", [SMOKE, PEBENCH], ids=["smoke", "pebench"])
def test_the_claims_of_the_repository_are_numbered_and_about_what_is_printed(path):
    claims = load_manifest(path).claims
    numbers = list(dict.fromkeys(claim.id.partition(".")[0] for claim in claims))
    given_up = {"C15"} if path == SMOKE else set()  # a number is never used again
    expected = [f"C{n}" for n in range(1, len(numbers) + len(given_up) + 1)]
    assert numbers == [name for name in expected if name not in given_up]
    assert all(claim.id.partition(".")[2] in ("", claim.system) for claim in claims)
    assert len(claims) > 10
    measured = {claim.metric for claim in claims if claim.kind != "changed"}
    assert measured <= {definition.id for definition in DEFINITIONS.values()}


def test_against_published_numbers_only_directions_are_claimed():
    claims = load_manifest(PEBENCH).claims
    assert {claim.kind for claim in claims} == {"published"}
    for claim in claims:
        first, second = claim.published
        assert claim.location.startswith("PEBench v1, Table")
        numbers = [float(word) for word in claim.location.replace(",", "").split()
                   if word.replace(".", "").isdigit() and "." in word]  # fmt: skip
        assert numbers == [first, second], claim.id
        assert claim.sign == (1 if first > second else -1)


def test_inherited_claims_say_whose_they_are_and_the_remedy_leads_on(tmp_path):
    (tmp_path / "smoke.toml").write_bytes(SMOKE.read_bytes())
    mine = tmp_path / "mine.toml"
    methods = '[[methods]]\nname = "mine"\nlabel = "Mine"\nmethod = "npo"\ntargets = ["person"]\n'
    top = 'extends = "smoke.toml"\nname = "mine"\ntargets = ["person"]\n'
    mine.write_text(top + methods, encoding="utf-8")
    for calibrated in (True, False):
        with pytest.raises(ManifestError, match=r"are inherited from smoke\.toml") as caught:
            make_plan(load_manifest(mine, calibrated=calibrated))
    line = caught.value.remedy.split("`")[1]
    assert line == "claims = []"
    mine.write_text(f"{top}{line}\n{methods}", encoding="utf-8")
    systems = {system.name for system in make_plan(load_manifest(mine)).systems}
    assert systems == {"vanilla", "retain_only-person", "person-mine-s1"}


def test_claims_of_ones_own_are_said_to_be_nobody_elses(tmp_path):
    (tmp_path / "smoke.toml").write_bytes(SMOKE.read_bytes())
    mine = tmp_path / "mine.toml"
    claim = "\n".join(f"{key} = {value!r}" for key, value in {**BOUND, "system": "nobody"}.items())
    mine.write_text(f'extends = "smoke.toml"\nname = "mine"\n[[claims]]\n{claim}\n', "utf-8")
    with pytest.raises(ManifestError, match="no system 'nobody'") as caught:
        require_names(load_manifest(mine, calibrated=False))
    assert "inherited" not in str(caught.value)
