"""SMFA against its formula, and the rules for methods that merge several adapters."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from kit.errors import ManifestError, MethodError
from kit.methods import Needs, registry
from kit.methods.merger_file import merge_in, save_merger
from kit.methods.merging import adapters_fault, merge_of, turns
from tests.methods.test_methods import REFUSAL, RETAIN, RETAIN_M
from tests.toys.double import differences, doubled, mean_nll_of
from tests.toys.policy import END, OTHER, TABLE, A, B, Bigram, batch_of, step_of

torch.set_num_threads(1)
LOGITS = [[math.log(p) for p in row] for row in TABLE]
REFUSAL_TEXT = ([B], [END]), ([A], [A, END])  # log 0.5 and log(0.3 * 0.2)
RETAIN_TEXT = (([B], [B, B, END]), ([B], [END]))  # log(0.2 * 0.2 * 0.5) and log 0.5
BATCHES = {"refusal": REFUSAL, "retain": RETAIN, "refusal_text": REFUSAL_TEXT,
           "retain_text": RETAIN_TEXT}  # fmt: skip
READ = {
    "image": ("refusal", "retain"),
    "text": ("refusal_text", "retain_text"),
    "retain": ("retain", "retain_text"),
}


def step(adapter, *, chosen=None, padding=0, policy=None, method=None):
    """Return the turn of one adapter on the bigram model."""
    method = method or registry.build("smfa", {})
    given = {
        name: batch_of(*(samples[i] for i in (chosen or range(len(samples)))), padding=padding)
        for name, samples in BATCHES.items()
    }
    made = step_of(policy or Bigram(), Bigram(OTHER), method.needs, **given)
    return dataclasses.replace(made, adapter=adapter)


def loss_by_hand(adapter, table):
    """Return the sum of the means of M over the batches that an adapter learns."""
    means = [[mean_nll_of(table, each) for each in BATCHES[name]] for name in READ[adapter]]
    return sum(sum(values) / len(values) for values in means)


def test_each_adapter_learns_refusals_in_its_view_and_the_anchor_what_is_kept():
    method = registry.build("smfa", {})
    refused = -math.log(0.2)  # M of both refusals
    assert method.loss(step("image")).item() == pytest.approx(refused + RETAIN_M, abs=1e-6)
    text = (-math.log(0.5) - math.log(0.06) / 2) / 2, (-math.log(0.02) / 3 - math.log(0.5)) / 2
    assert method.loss(step("text")).item() == pytest.approx(sum(text), abs=1e-6)
    assert method.loss(step("retain")).item() == pytest.approx(RETAIN_M + text[1], abs=1e-6)


@pytest.mark.parametrize("adapter", READ)
def test_a_gradient_is_that_of_finite_differences(adapter):
    policy = Bigram()
    turn = doubled(step(adapter, policy=policy))
    policy.table.data = torch.tensor(LOGITS, dtype=torch.float64)
    loss = registry.build("smfa", {}).loss(turn)
    loss.backward()
    assert loss.item() == pytest.approx(loss_by_hand(adapter, LOGITS), rel=1e-12)
    expected = differences(lambda table: loss_by_hand(adapter, table), LOGITS)
    assert torch.allclose(policy.table.grad, expected, atol=1e-8)


@pytest.mark.parametrize("adapter", READ)
def test_padding_changes_no_loss_and_a_batch_is_the_mean_of_its_records(adapter):
    method = registry.build("smfa", {})
    retain = {"retain": (*RETAIN, ([B], [END]))}
    given = {**BATCHES, **retain}
    losses = [
        method.loss(
            dataclasses.replace(
                step_of(
                    Bigram(), Bigram(OTHER), method.needs,
                    **{n: batch_of(*(s[i] for i in chosen), padding=padding)
                       for n, s in given.items()},
                ),
                adapter=adapter,
            )
        ).item()
        for chosen, padding in [((0, 1), 0), ((0, 1), 3), ((0,), 0), ((1,), 0)]
    ]  # fmt: skip
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)
    assert losses[0] == pytest.approx((losses[2] + losses[3]) / 2, abs=1e-6)


def sculpted(d, anchor, k):
    """Return the sculpted update, one element after the other, as the formula is written."""
    size, other = math.sqrt(float((d**2).sum())), math.sqrt(float((anchor**2).sum()))
    kept = np.array(d)
    for place in np.ndindex(*d.shape):
        against = d[place] * anchor[place] < 0
        if against and k * (size / other) * abs(anchor[place]) < abs(d[place]):
            kept[place] = 0.0
    return kept


def updates_of(seed):
    random = np.random.default_rng(seed)
    # Heavy tails: some changes are many times the anchor's.
    return {name: random.standard_cauchy((6, 5)) for name in ("image", "text", "retain")}


def merged(updates, **options):
    given = {name: torch.from_numpy(np.array(value)) for name, value in updates.items()}
    return registry.build("smfa", options).merge(given).numpy()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("image", "text"), [(5.0, 10.0), (0.5, 1.0), (0.0, 0.0)])
def test_the_merged_update_is_the_formula_s(seed, image, text):
    updates = updates_of(seed)
    own = [
        sculpted(updates[n], updates["retain"], k) for n, k in (("image", image), ("text", text))
    ]
    found = merged(updates, k_image=image, k_text=text)
    assert np.allclose(found, (own[0] + own[1]) / 2, rtol=1e-13, atol=0)
    assert any((each == 0).any() for each in own) or image == 5.0, "something is zeroed"
    alone = {name: updates[name] for name in ("image", "retain")}
    assert np.allclose(merged(alone, k_image=image, text_view=False), own[0], rtol=1e-13, atol=0)


def test_limits_of_the_factor_and_of_the_anchor():
    updates = updates_of(1)
    d, anchor = updates["image"], updates["retain"]

    def image(anchor, k):
        return merged({"image": d, "retain": anchor}, text_view=False, k_image=k)

    assert np.array_equal(image(anchor, 1e30), d), "a large factor zeroes nothing"
    assert np.array_equal(image(0 * anchor, 5.0), d), "a zero anchor objects to nothing"
    against = d * anchor < 0
    assert np.array_equal(image(anchor, 0.0), np.where(against, 0, d)), "every opposite sign"
    assert np.array_equal(image(7 * anchor, 2.0), image(anchor, 2.0)), "the anchor's size is free"
    assert not image(-d, 0.99).any(), "k is a ratio of shares: of the opposite anchor, each is 1"
    assert np.array_equal(image(-d, 1.01), d)
    assert np.array_equal(image(d, 0.0), d)
    assert not merged(dict.fromkeys(updates, 0 * d)).any()


@pytest.mark.parametrize("option", ["k_image", "k_text"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_factor_out_of_its_range_is_refused(option, value):
    with pytest.raises(ManifestError, match=f"option '{option}' of method 'smfa'"):
        registry.build("smfa", {option: value})


def test_without_a_text_view_there_is_no_text_adapter_and_none_of_its_batches():
    method = registry.build("smfa", {"text_view": False})
    assert method.adapters == ("image", "retain")
    assert not method.needs.text_view
    assert method.loss(step("retain", method=method)).item() == pytest.approx(RETAIN_M, abs=1e-6)


@dataclass(frozen=True)
class Mean:
    """A method of two adapters whose rule is given."""

    rule: object = None
    adapters = ("one", "two")
    needs = Needs(merging=True)

    def merge(self, updates):
        return self.rule(updates)

    def loss(self, step):
        step.log["seen"] = float(len(step.log))
        return step.forget_nll().mean()


def test_turns_note_what_they_saw_under_the_name_of_their_adapter():
    whole = step_of(Bigram(), Bigram(OTHER), Mean().needs, forget=batch_of(([A], [B, END])))
    for turn in turns(Mean(), whole):
        Mean().loss(turn)
    assert [key for key in whole.log if key.endswith("seen")] == ["one_seen", "two_seen"]
    assert whole.log["two_seen"] == 0, "each turn begins with an empty log"
    assert whole.passes == 2
    assert list(turns(registry.build("npo", {}), whole)) == [whole]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (lambda updates: None, "None"),
        (lambda updates: updates["one"][0], "shape [3]"),
        (lambda updates: updates["one"] / 0, "not finite"),
        (lambda updates: updates["three"], "KeyError"),
    ],
    ids=["nothing", "shape", "infinite", "failing"],
)
def test_a_rule_that_gives_no_update_names_what_is_wrong(rule, found):
    merge = merge_of(Mean(rule))
    with pytest.raises(MethodError) as caught:
        merge.update(torch.ones(4, 3), torch.ones(2, 4), 1.0)
    assert found in str(caught.value.found)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"adapters": ("one",)}, "at least two"),
        ({"adapters": ("one", "one")}, "at least two"),
        ({"adapters": ["one", "two"]}, "no tuple of names"),
        ({"merge": None}, "no `merge(self, updates)`"),
        ({"needs": Needs(merging=True, measure=True)}, "together with `measure`"),
        ({"needs": Needs(merging=True, concept_balance=True)}, "together with `concept_balance`"),
    ],
)  # fmt: skip
def test_a_method_that_cannot_be_trained_in_turns_is_told_why(changed, found):
    kind = type("Odd", (Mean,), changed)
    assert found in adapters_fault(kind())
    assert adapters_fault(Mean()) == ""


def test_a_stored_rule_is_rebuilt_with_all_of_its_options(tmp_path):
    method = registry.build("smfa", {"k_image": 0.25, "text_view": False})
    save_merger(method, tmp_path)
    found = merge_in(tmp_path)
    below, above = torch.randn(4, 3), torch.randn(5, 4)
    expected = {"image": 2 * above[:, :2] @ below[:2], "retain": 2 * above[:, 2:] @ below[2:]}
    assert found.adapters == ("image", "retain")
    assert torch.allclose(found.update(below, above, 2.0), method.merge(expected), atol=1e-6)
    assert merge_in(tmp_path / "elsewhere") is None
