"""One claim for several systems: what a file writes once, and what becomes of it."""

import copy
import tomllib

import pytest

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.manifest_file import parse_manifest
from kit.plan.names import require_names

DOCUMENT = tomllib.loads((PROJECT / "manifests" / "smoke.toml").read_text(encoding="utf-8"))
LISTED = {
    "id": "C4", "text": "{label} forgets the people.", "kind": "bound", "target": "person",
    "part": "person", "column": "efficacy", "metric": "forget_rate/1", "at_least": 0.9,
    "systems": ["po", "ga-ungoverned"],
}  # fmt: skip


def read(*claims):
    manifest = parse_manifest({**copy.deepcopy(DOCUMENT), "claims": list(claims)}, "x.toml")
    require_names(manifest)
    return manifest


def test_a_list_of_systems_is_one_claim_of_each_in_its_order():
    manifest = read(LISTED, {**LISTED, "id": "C5", "systems": ["npo"]})
    told = [(claim.id, claim.system, claim.text) for claim in manifest.claims]
    assert told == [
        ("C4.po", "po", "PO forgets the people."),
        ("C4.ga-ungoverned", "ga-ungoverned", "GA, no stop forgets the people."),
        ("C5.npo", "npo", "NPO forgets the people."),
    ]
    assert "systems" not in manifest.resolved()["claims"][0]


def test_what_a_run_stores_are_the_expanded_claims_and_it_reads_them_again():
    resolved = read(LISTED).resolved()
    again = parse_manifest({**resolved, "model": DOCUMENT["model"]}, "run.json")
    assert [claim.id for claim in again.claims] == ["C4.po", "C4.ga-ungoverned"]


def test_each_of_them_may_be_compared_with_one_other_system():
    listed = {key: value for key, value in LISTED.items() if key != "at_least"}
    changes = {"kind": "difference", "other": "retain_only", "direction": "lower"}
    assert [claim.other for claim in read(listed | changes).claims] == ["retain_only"] * 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"margn": 0.1}, "no key 'claims.1.margn'"),
        ({"margin": "some"}, "'claims.1.margin' is not valid"),
        ({"text": None}, "'claims.1.text' is not valid"),
    ],
)
def test_a_fault_is_named_with_the_place_of_the_claim_in_the_file(change, said):
    """The list before it is two claims, but one entry of the file."""
    with pytest.raises(ManifestError) as caught:
        read(LISTED, {**LISTED, "id": "C5", **change})
    assert said in str(caught.value)


def test_a_misspelt_list_of_systems_names_the_nearest_key():
    wrong = {key: value for key, value in LISTED.items() if key != "systems"}
    with pytest.raises(ManifestError, match="did you mean 'systems'"):
        read({**wrong, "sytems": ["po"]})


def test_a_method_with_a_faulty_key_is_named_before_the_claims_that_need_it():
    document = copy.deepcopy(DOCUMENT)
    document["methods"][0]["nam"] = document["methods"][0].pop("name")
    with pytest.raises(ManifestError, match=r"no key 'methods\.0\.nam'"):
        parse_manifest({**document, "claims": [LISTED]}, "x.toml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"system": "po"}, "claim C4 has both 'system' and 'systems'"),
        ({"text": "PO forgets."}, "does not name the system"),
        ({"systems": ["po", "dop"]}, "did you mean 'dpo'?"),
        ({"systems": []}, "'systems' is not valid"),
        ({"systems": "po"}, "'systems' is not valid"),
        ({"systems": ["po", "po"]}, "each once"),
        ({"systems": ["po", 3]}, "'systems' is not valid"),
        ({"systems": ["gd-balanced"]}, "no system 'gd-balanced'"),
        ({"id": "C4.x"}, "'claims.0.id' is not valid"),
    ],
)
def test_a_list_that_makes_no_claims_is_refused_with_a_remedy(change, said):
    with pytest.raises(ManifestError) as caught:
        read({**LISTED, **change})
    assert said in str(caught.value)
    assert caught.value.exit_code == 2
