"""Nothing is forgotten that was not known, and nothing that a model knows which never saw it."""

from types import SimpleNamespace

import numpy as np
import pytest

from kit.benchmarks.records import Column
from kit.metrics import eligibility
from kit.metrics.eligibility import assess_eligibility, eligible, kept_share
from kit.metrics.rows import measure
from tests.toys.results import PROTOCOL, toy_inputs


def measured(**answers):
    """Return the toy's answers with those of whole systems about people replaced.

    `answers` maps "vanilla" and "retain_only" to a text, or to how many of the 16 questions about
    the people to be forgotten are answered right.
    """
    inputs = toy_inputs()
    table = inputs["answers"]
    for method, given in answers.items():
        name = {"retain_only": "retain_only-person"}.get(method, method)
        mine = (table["system"] == name) & table["record_id"].str.endswith("-who")
        if isinstance(given, str):
            table.loc[mine, "text"] = given
        else:
            right = inputs["records"].set_index("id")["answer"]
            sets = inputs["sets"]
            asked = sets[(sets["column"] == Column.EFFICACY) & (sets["target"] == "person")]
            known = sorted(asked["record_id"])[:given]
            truth = table.loc[mine, "record_id"].map(right)
            table.loc[mine, "text"] = truth.where(table["record_id"].isin(known), "Nobody.")
    return measure(**inputs, protocol=PROTOCOL)


def test_what_vanilla_knows_and_retain_only_does_not_can_be_forgotten():
    found = assess_eligibility(measured(), "person", "person")
    assert (found.vanilla, found.retain_only, found.reason) == (0.875, 0.0, "")
    assert 0.1 < found.low < 0.875 < found.high <= 1
    assert eligible(measured(), "event", "event") is None


def test_what_vanilla_does_not_know_cannot_be_forgotten():
    reason = eligible(measured(vanilla="I do not know."), "person", "person")
    assert reason == "Vanilla does not know it clearly better than Retain-only (0.0 % and 0.0 %)"


def test_what_retain_only_knows_cannot_be_forgotten():
    reason = eligible(measured(vanilla=16, retain_only=16), "person", "person")
    assert reason == "Retain-only, which never saw it, knows it too (100.0 %; Vanilla 100.0 %)"


@pytest.mark.parametrize(
    ("vanilla", "retain_only", "passes"),
    [(16, 7, True), (16, 8, False), (16, 12, False), (6, 0, False), (7, 0, False), (8, 0, True)],
)
def test_the_whole_interval_counts_and_half_of_what_vanilla_knows(vanilla, retain_only, passes):
    found = measured(vanilla=vanilla, retain_only=retain_only)
    assert (eligible(found, "person", "person") is None) == passes


def test_what_was_not_asked_or_has_no_model_to_compare_with_is_said():
    assert "no question asks" in eligible(measured(), "person", "event")
    inputs = toy_inputs()
    alone = [s for s in inputs["systems"] if s["method"] != "retain_only"]
    inputs["systems"] = alone
    inputs["answers"] = inputs["answers"][
        inputs["answers"]["system"].isin([s["name"] for s in alone])
    ]
    found = measure(**inputs, protocol=PROTOCOL)
    assert eligible(found, "person", "person") == "there is no Retain-only model to compare with"
    nameless = toy_inputs()
    gone = nameless["records"]["id"].isin(
        nameless["sets"].loc[nameless["sets"]["column"] == Column.EFFICACY, "record_id"]
    )
    nameless["records"] = nameless["records"].assign(
        person=nameless["records"]["person"].where(~gone, "")
    )
    reason = eligible(measure(**nameless, protocol=PROTOCOL), "person", "person")
    assert reason == "what is to be forgotten was not measured: the record names no person"


def test_a_guess_is_no_knowledge():
    assert kept_share(0.5, 0.9, "presence_accuracy") == 0.0
    assert kept_share(0.4, 0.55, "choice_accuracy") == 0.5
    assert kept_share(0.3, 0.2, "choice_accuracy") is None
    assert kept_share(0.3, 0.6, "name_hit") == 0.5


def test_of_several_models_of_a_kind_the_mean_is_what_is_known():
    """One of two Retain-only models guesses the first record: it is half known."""
    values = {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 0.0])}
    systems = [{"name": name, "target": target} for name, target in (("a", "person"), ("b", None))]
    other = {"name": "c", "target": "event"}  # of another target: not counted
    place = SimpleNamespace(target="person", headline="m", ids=("p0", "p1"))
    scores = SimpleNamespace(
        of=lambda name, metric, ids: values[name],
        definitions={"m": SimpleNamespace(knowledge=lambda found: found)},
    )
    known = eligibility._known([*systems, other], place, SimpleNamespace(scores=scores))
    assert known.tolist() == [0.5, 0.0]
