"""Losses against values computed by hand, and the properties that other code bases get wrong."""

from dataclasses import fields
from math import exp, log

import pytest
import torch

from kit import methods
from kit.errors import ManifestError
from kit.methods.balanced_grad_diff import balanced_ascent
from kit.methods.siu import without_tokens
from kit.model.likelihood import mean_kl
from tests.toys.policy import END, OTHER, TABLE, A, B, Bigram, batch_of, logprobs, step_of

torch.set_num_threads(1)
FORGET = ([A], [B, END]), ([B], [END])  # log pi(y) = log(0.4 * 0.5) and log 0.5
RETAIN = (([A], [A, END]),)  # log(0.3 * 0.2)
REFUSAL = ([A], [END]), ([B], [A, END])  # log 0.2 and log(0.2 * 0.2)
S = [-log(0.4 * 0.5), -log(0.5)]
M = [S[0] / 2, S[1]]
RETAIN_M = -log(0.3 * 0.2) / 2
TRAINED = [name for name in methods.names() if methods.build(name, {}).needs.training]


def usual(policy=None, reference=None, **changed):
    policy, reference = policy or Bigram(), reference or Bigram(OTHER)
    given = {"forget": batch_of(*FORGET), "retain": batch_of(*RETAIN)}
    return step_of(policy, reference, **{**given, **changed})


def gradient(loss, policy):
    policy.zero_grad()
    loss.backward()
    return policy.table.grad.clone()


def kl(reference: list[float], policy: list[float]) -> float:
    return sum(q * log(q / p) for q, p in zip(reference, policy, strict=True))


def test_gradient_ascent_is_minus_the_mean_over_samples_of_the_mean_over_tokens():
    loss = methods.build("grad_ascent", {}).loss(usual())
    assert loss.item() == pytest.approx(-(M[0] + M[1]) / 2, abs=1e-6)


def test_gradient_difference_adds_the_weighted_retain_loss_in_the_same_step():
    method = methods.build("grad_diff", {"forget_weight": 2.0, "retain_weight": 3})
    step = usual()
    assert method.loss(step).item() == pytest.approx(-(M[0] + M[1]) + 3 * RETAIN_M, abs=1e-6)
    assert step.log["forget_nll"] == pytest.approx(sum(M) / 2, abs=1e-6)
    assert step.log["retain_nll"] == pytest.approx(RETAIN_M, abs=1e-6)


def test_retain_finetuning_sees_no_forget_batch():
    loss = methods.build("retain_finetune", {}).loss(usual(forget=None))
    assert loss.item() == pytest.approx(RETAIN_M, abs=1e-6)


def test_kl_min_averages_kl_from_reference_to_policy_over_answer_positions():
    expected = -sum(M) / 2 + kl(OTHER[A], TABLE[A])  # both answer tokens follow token A
    assert methods.build("kl_min", {}).loss(usual()).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["kl_min", "siu", "balanced_kl_min"])
def test_the_divergence_is_zero_at_the_reference(name):
    step = full_step(name, Bigram(), Bigram())
    methods.build(name, {}).loss(step)
    logged = [value for key, value in step.log.items() if "kl" in key]
    assert logged == [pytest.approx(0.0, abs=1e-6)]


def test_mean_kl_gives_zero_and_not_nan_for_a_sample_without_positions():
    distribution = torch.randn(2, 3, 4).log_softmax(-1)
    weight = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    found = mean_kl(distribution, torch.randn(2, 3, 4).log_softmax(-1), weight)
    assert found[0] == 0
    assert found[1] > 0


def test_npo_is_the_published_formula_on_sequence_sums():
    step, beta = usual(), 0.3
    reference = [log(0.2 * 0.4), log(0.4)]
    forget = [
        -2 / beta * log(1 / (1 + exp(beta * (-s - r)))) for s, r in zip(S, reference, strict=True)
    ]
    found = methods.build("npo", {"beta": beta, "retain_weight": 0.0}).loss(step)
    assert found.item() == pytest.approx(sum(forget) / 2, abs=1e-5)


@pytest.mark.parametrize("beta", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("name", ["npo", "dpo"])
def test_preference_losses_are_two_over_beta_log_two_at_the_reference(name, beta):
    step = usual(Bigram(), Bigram(), refusal=batch_of(*REFUSAL))
    loss = methods.build(name, {"beta": beta, "retain_weight": 0.0}).loss(step)
    assert loss.item() == pytest.approx(2 / beta * log(2), rel=1e-5)


def test_npo_with_vanishing_beta_has_the_gradient_of_ascent_on_sequence_sums():
    policy = Bigram()
    npo = methods.build("npo", {"beta": 1e-3, "retain_weight": 0.0}).loss(usual(policy))
    found = gradient(npo, policy)
    expected = gradient(logprobs(policy, batch_of(*FORGET)).mean(), policy)
    assert torch.allclose(found, expected, atol=1e-3)
    assert not torch.allclose(expected, torch.zeros_like(expected), atol=1e-2)


def test_npo_pushes_less_the_further_an_answer_is_below_the_reference():
    near, far = Bigram(), Bigram()
    with torch.no_grad():
        far.table[A, B] -= 4
    method = methods.build("npo", {"beta": 1.0, "retain_weight": 0.0})
    only = {"forget": batch_of(([A], [B]))}
    pushes = []
    for policy in (near, far):
        pushed = gradient(method.loss(usual(policy, Bigram(), **only)), policy)[A, B].item()
        pushes.append(pushed / (1 - policy.table[A].softmax(0)[B].item()))  # d log p / d logit
    assert 0 < pushes[1] < 0.2 * pushes[0]


def test_dpo_by_hand():
    step, beta = usual(refusal=batch_of(*REFUSAL)), 0.5
    refusal, refusal_0 = [log(0.2), log(0.2 * 0.2)], [log(0.3), log(0.4 * 0.3)]
    answer_0 = [log(0.2 * 0.4), log(0.4)]
    margins = [refusal[i] - refusal_0[i] + S[i] + answer_0[i] for i in range(2)]
    expected = sum(-2 / beta * log(1 / (1 + exp(-beta * margin))) for margin in margins) / 2
    found = methods.build("dpo", {"beta": beta}).loss(step)
    assert found.item() == pytest.approx(expected + RETAIN_M, abs=1e-5)


def test_po_descends_on_the_refusal_and_never_touches_the_answer():
    policy = Bigram()
    method = methods.build("po", {"retain_weight": 0.0})
    refusal = batch_of(([A], [END]))
    loss = method.loss(usual(policy, refusal=refusal))
    assert loss.item() == pytest.approx(-log(0.2), abs=1e-6)
    pushed = gradient(loss, policy)
    assert pushed[A, END] < 0
    assert (pushed[B] == 0).all(), "the forget answer alone contains what follows token B"


@pytest.mark.parametrize("name", TRAINED)
def test_a_loss_does_not_depend_on_padding(name):
    losses = [
        methods.build(name, {}).loss(full_step(name, padding=columns)).item() for columns in (0, 3)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_a_loss_is_the_mean_over_samples_whatever_they_are_batched_with(name):
    # Of the same concept each: a balanced loss weighs concepts against each other on purpose.
    method = methods.build(name, {})
    both = [method.loss(full_step(name, chosen=[i], person=[1.0])).item() for i in (0, 1)]
    together = method.loss(full_step(name, person=[1.0, 1.0])).item()
    assert together == pytest.approx(sum(both) / 2, abs=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_a_method_gets_by_on_what_it_declares_and_moves_the_policy(name):
    policy = Bigram()
    loss = methods.build(name, {}).loss(full_step(name, policy, declared=True))
    assert loss.shape == ()
    moved = gradient(loss, policy)
    assert torch.isfinite(moved).all()
    assert moved.abs().max() > 1e-3


def full_step(name, policy=None, reference=None, *, chosen=(0, 1), person=(1.0, 0.0), padding=0,
              declared=False):  # fmt: skip
    needs = methods.build(name, {}).needs
    retain = (*RETAIN, ([B], [END]))
    given = {
        "forget": batch_of(*(FORGET[i] for i in chosen), padding=padding),
        "retain": batch_of(*(retain[i] for i in chosen), padding=padding),
        "refusal": batch_of(*(REFUSAL[i] for i in chosen), padding=padding),
        "forget_is_person": torch.tensor(person),
        "concept_tokens": torch.tensor([False, False, False, True]),
    }
    step = step_of(policy or Bigram(), reference or Bigram(OTHER), **given)
    if declared:
        step.forget = step.forget if needs.forget else None
        step.retain = step.retain if needs.retain else None
        step.refusal = step.refusal if needs.refusals else None
        if not needs.reference_scalars:
            step.forget_reference = step.refusal_reference = None
        if not needs.reference_distribution:
            step.reference = None
        step.concept_tokens = step.concept_tokens if needs.single_image else None
    return step


def test_siu_vocabulary_mask_removes_the_names_and_renormalises():
    distribution = torch.tensor([[TABLE[A]]]).log()
    masked = without_tokens(distribution, torch.tensor([False, False, False, True])).exp()
    assert masked[0, 0].tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6, 0.0], abs=1e-6)


def masked_kl(step):
    methods.build("siu", {}).loss(step)
    return step.log["masked_kl"]


def test_siu_divergence_ignores_what_happens_to_the_names_alone():
    policy = Bigram()
    with torch.no_grad():
        policy.table[:, B] -= 3  # only the forgotten name becomes less likely
    step = full_step("siu", policy, Bigram())
    assert masked_kl(step) == pytest.approx(0, abs=1e-5)


def test_siu_token_mask_skips_the_first_token_of_the_refusal_only():
    # Policy and reference differ after token A only. In the refusal of the first sample, A END,
    # the first token follows A and the second follows A too; in B END A is never a condition.
    reference = [TABLE[0], TABLE[1], OTHER[A], TABLE[B]]
    unmasked = {
        "concept_tokens": torch.zeros(4, dtype=torch.bool),
        "retain": batch_of(([B], [END])),
    }
    first_only = usual(reference=Bigram(reference), refusal=batch_of(([A], [B, END])), **unmasked)
    second_too = usual(reference=Bigram(reference), refusal=batch_of(([A], [A, END])), **unmasked)
    found = [masked_kl(step) for step in (first_only, second_too)]
    assert found == pytest.approx([0.0, kl(OTHER[A], TABLE[A])], abs=1e-6)


def test_siu_has_no_nan_when_a_refusal_is_one_token_or_the_policy_is_certain():
    policy = Bigram()
    with torch.no_grad():
        policy.table[A] = torch.tensor([-200.0, 0.0, -200.0, 200.0])
    step = full_step("siu", policy)
    loss = methods.build("siu", {}).loss(step)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient(loss, policy)).all()


def test_balanced_ascent_without_temperature_sums_the_means_of_the_concepts():
    forget = batch_of(FORGET[0], FORGET[1], ([A], [A, END]))
    step = usual(forget=forget, forget_is_person=torch.tensor([1.0, 0.0, 0.0]))
    expected = M[0] + (M[1] + RETAIN_M) / 2
    assert balanced_ascent(step, 0.0).item() == pytest.approx(expected, abs=1e-6)


def test_balanced_ascent_by_hand_and_the_concept_forgotten_less_weighs_more():
    step = usual(forget_is_person=torch.tensor([1.0, 0.0]))
    gained = [M[0] + log(0.2 * 0.4) / 2, M[1] + log(0.4)]  # person: > 0 less than event
    weights = torch.softmax(-2.0 * torch.tensor(gained), dim=0) * 2
    expected = weights[0] * M[0] + weights[1] * M[1]
    assert balanced_ascent(step, 2.0).item() == pytest.approx(expected.item(), abs=1e-5)

    policy = Bigram()
    with torch.no_grad():
        policy.table[B, END] -= 2  # the event has already been forgotten, the person has not
    only_person = batch_of(([A], [A]), ([B], [END]))
    step = usual(policy, Bigram(), forget=only_person, forget_is_person=torch.tensor([1.0, 0.0]))
    pushed = {t: gradient(balanced_ascent(step, t), policy) for t in (0.0, 1.0)}
    # d M / d logit of the answer is -(1 - p) times the weight.
    share = (pushed[1.0] / pushed[0.0])[[A, B], [A, END]]
    assert share[0] > 1 > share[1]
    assert share.sum().item() == pytest.approx(2.0, abs=1e-5)


@pytest.mark.parametrize("person", [0.0, 1.0])
def test_balanced_kl_of_one_concept_is_kl_min(person):
    step = usual(forget_is_person=torch.full((2,), person))
    balanced = methods.build("balanced_kl_min", {"temperature": 5.0, "forget_weight": 1.0})
    plain = methods.build("kl_min", {})
    assert balanced.loss(step).item() == pytest.approx(plain.loss(step).item(), abs=1e-6)


@pytest.mark.parametrize("person", [0.0, 1.0])
def test_balanced_gradient_difference_of_one_concept_is_gradient_difference(person):
    step = usual(forget_is_person=torch.full((2,), person))
    balanced = methods.build("balanced_grad_diff", {"temperature": 5.0, "forget_weight": 1.0})
    plain = methods.build("grad_diff", {})
    assert balanced.loss(step).item() == pytest.approx(plain.loss(step).item(), abs=1e-6)


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(ManifestError, match="did you mean 'grad_diff'") as caught:
        methods.build("grad_dif", {}, "method 'gd'")
    assert caught.value.what.startswith("method 'gd': no method 'grad_dif'")


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ManifestError, match="did you mean 'beta'"):
        methods.build("npo", {"betta": 0.1})


@pytest.mark.parametrize("value", ["0.1", True, None])
def test_an_option_of_the_wrong_type_is_refused(value):
    with pytest.raises(ManifestError, match="expected: float"):
        methods.build("npo", {"beta": value})


@pytest.mark.parametrize("name", methods.names())
def test_every_method_is_frozen_documented_and_has_defaults(name):
    method = methods.build(name, {})
    assert type(method).__doc__
    with pytest.raises(AttributeError):
        method.needs = None
    assert all(hasattr(method, option.name) for option in fields(method))


def test_the_prompt_baseline_cannot_be_trained():
    with pytest.raises(ValueError, match="nothing to train"):
        methods.build("prompt_only", {}).loss(usual())


def test_a_method_that_uses_what_it_did_not_declare_is_told():
    with pytest.raises(ValueError, match="does not declare"):
        methods.build("grad_diff", {}).loss(usual(retain=None))


@pytest.mark.parametrize("logit", [-400.0, 400.0])
def test_npo_stays_finite_far_from_the_reference(logit):
    policy = Bigram()
    with torch.no_grad():
        policy.table[A, B] = logit
    loss = methods.build("npo", {"beta": 1.0}).loss(usual(policy))
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient(loss, policy)).all()


def test_a_record_counts_at_most_as_a_uniform_guess_in_what_is_forgotten():
    step = usual(uniform=min(M))
    step.forget_nll()
    assert step.log["forgotten"] == pytest.approx(1.0)
    step = usual(uniform=2 * max(M))
    step.forget_nll()
    assert step.log["forgotten"] == pytest.approx(sum(M) / 2 / (2 * max(M)), abs=1e-6)
