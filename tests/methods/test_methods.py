"""Losses against values computed by hand, and the properties that other code bases get wrong."""

from dataclasses import dataclass, fields
from math import exp, log

import pytest
import torch

from kit.errors import ManifestError, MethodError, TrainingError
from kit.methods import Needs, loss, registry
from kit.methods.balanced_grad_diff import balanced_ascent
from kit.methods.loss import loss_of
from kit.methods.siu import without_tokens
from kit.model.likelihood import mean_kl
from kit.training.whole_batch import survey
from tests.toys.policy import END, OTHER, TABLE, A, B, Bigram, batch_of, logprobs, step_of

torch.set_num_threads(1)
FORGET = ([A], [B, END]), ([B], [END])  # log pi(y) = log(0.4 * 0.5) and log 0.5
RETAIN = (([A], [A, END]),)  # log(0.3 * 0.2)
REFUSAL = ([A], [END]), ([B], [A, END])  # log 0.2 and log(0.2 * 0.2)
OTHERS = ([A], [A, END]), ([B], [B, B, END])  # log(0.3 * 0.2) and log(0.2 * 0.2 * 0.5)
S = [-log(0.4 * 0.5), -log(0.5)]
M = [S[0] / 2, S[1]]
RETAIN_M = -log(0.3 * 0.2) / 2
NEEDS = {name: registry.build(name, {}).needs for name in registry.names()}
# Rules are in test_gradient_rules.py: their losses have several terms.
TRAINED = [
    name
    for name, needs in NEEDS.items()
    if needs.training and not needs.training_free and not needs.gradient_rule
]


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
    loss = registry.build("grad_ascent", {}).loss(usual())
    assert loss.item() == pytest.approx(-(M[0] + M[1]) / 2, abs=1e-6)


def test_gradient_difference_adds_the_weighted_retain_loss_in_the_same_step():
    method = registry.build("grad_diff", {"forget_weight": 2.0, "retain_weight": 3})
    step = usual()
    assert method.loss(step).item() == pytest.approx(-(M[0] + M[1]) + 3 * RETAIN_M, abs=1e-6)
    assert step.log["forget_nll"] == pytest.approx(sum(M) / 2, abs=1e-6)
    assert step.log["retain_nll"] == pytest.approx(RETAIN_M, abs=1e-6)


def test_retain_finetuning_sees_no_forget_batch():
    method = registry.build("retain_finetune", {})
    loss = method.loss(usual(needs=method.needs))
    assert loss.item() == pytest.approx(RETAIN_M, abs=1e-6)


def test_kl_min_averages_kl_from_reference_to_policy_over_answer_positions():
    expected = -sum(M) / 2 + kl(OTHER[A], TABLE[A])  # both answer tokens follow token A
    assert registry.build("kl_min", {}).loss(usual()).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["kl_min", "siu", "balanced_kl_min"])
def test_the_divergence_is_zero_at_the_reference(name):
    step = full_step(name, Bigram(), Bigram())
    registry.build(name, {}).loss(step)
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
    found = registry.build("npo", {"beta": beta, "retain_weight": 0.0}).loss(step)
    assert found.item() == pytest.approx(sum(forget) / 2, abs=1e-5)


@pytest.mark.parametrize("beta", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("name", ["npo", "dpo"])
def test_preference_losses_are_two_over_beta_log_two_at_the_reference(name, beta):
    step = usual(Bigram(), Bigram(), refusal=batch_of(*REFUSAL))
    loss = registry.build(name, {"beta": beta, "retain_weight": 0.0}).loss(step)
    assert loss.item() == pytest.approx(2 / beta * log(2), rel=1e-5)


def test_npo_with_vanishing_beta_has_the_gradient_of_ascent_on_sequence_sums():
    policy = Bigram()
    npo = registry.build("npo", {"beta": 1e-3, "retain_weight": 0.0}).loss(usual(policy))
    found = gradient(npo, policy)
    expected = gradient(logprobs(policy, batch_of(*FORGET)).mean(), policy)
    assert torch.allclose(found, expected, atol=1e-3)
    assert not torch.allclose(expected, torch.zeros_like(expected), atol=1e-2)


def test_npo_pushes_less_the_further_an_answer_is_below_the_reference():
    near, far = Bigram(), Bigram()
    with torch.no_grad():
        far.table[A, B] -= 4
    method = registry.build("npo", {"beta": 1.0, "retain_weight": 0.0})
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
    found = registry.build("dpo", {"beta": beta}).loss(step)
    assert found.item() == pytest.approx(expected + RETAIN_M, abs=1e-5)


def test_po_descends_on_the_refusal_and_never_touches_the_answer():
    policy = Bigram()
    method = registry.build("po", {"retain_weight": 0.0})
    refusal = batch_of(([A], [END]))
    loss = method.loss(usual(policy, refusal=refusal))
    assert loss.item() == pytest.approx(-log(0.2), abs=1e-6)
    pushed = gradient(loss, policy)
    assert pushed[A, END] < 0
    assert (pushed[B] == 0).all(), "the forget answer alone contains what follows token B"


CONCEPTS = [
    # records of a batch, and which of them ask for a person
    ([([A], [B, END]), ([B], [END]), ([A], [A, END]), ([B], [A, A, END])], [1.0, 0.0, 1.0, 0.0]),
    ([([A], [B, END]), ([B], [END]), ([A], [A, END]), ([B], [B, END])], [1.0, 1.0, 1.0, 0.0]),
    ([([A], [B, END]), ([B], [END]), ([A], [A, END]), ([B], [END])], [0.0, 0.0, 0.0, 0.0]),
]


@pytest.mark.parametrize(("records", "is_person"), CONCEPTS, ids=["equal", "unequal", "one alone"])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_balanced_losses_have_the_gradient_of_the_whole_batch_whatever_the_micro_batch(
    records, is_person, size
):
    """Against the formula of the whole batch, written with walked log-probabilities alone."""
    temperature, policy, reference = 3.0, Bigram(), Bigram(OTHER)
    batch = batch_of(*records)
    tokens = batch.answer_mask.sum(dim=1)
    nll, start = -logprobs(policy, batch) / tokens, -logprobs(reference, batch).detach() / tokens
    groups = [
        [i for i, person in enumerate(is_person) if person == wanted] for wanted in (1.0, 0.0)
    ]
    means = [sum(nll[i] for i in group) / len(group) for group in groups if group]
    gains = [
        sum((nll[i] - start[i]).item() for i in group) / len(group) for group in groups if group
    ]
    total = sum(exp(-temperature * gain) for gain in gains)
    weights = [len(gains) * exp(-temperature * gain) / total for gain in gains]
    retain = -logprobs(policy, batch).mul(1 / tokens).mean()
    loss = -0.5 * sum(w * mean for w, mean in zip(weights, means, strict=True)) + retain
    expected = gradient(loss, policy)

    parts = [
        step_of(
            policy, reference, forget=batch_of(*records[i : i + size]),
            retain=batch_of(*records[i : i + size]),
            forget_is_person=torch.tensor(is_person[i : i + size]),
        )
        for i in range(0, len(records), size)
    ]  # fmt: skip
    survey(parts)
    method = registry.build("balanced_grad_diff", {"temperature": temperature})
    losses = [loss_of(method, part) for part in parts]
    assert sum(map(float, losses)) / len(parts) == pytest.approx(loss.item(), abs=1e-6)
    found = gradient(sum(losses) / len(losses), policy)
    assert torch.allclose(found, expected, atol=1e-6)
    assert sum(part.passes for part in parts) == (3 if size < 4 else 2) * len(records)


@pytest.mark.parametrize("name", TRAINED)
def test_a_loss_does_not_depend_on_padding(name):
    losses = [
        registry.build(name, {}).loss(full_step(name, padding=columns)).item() for columns in (0, 3)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_a_loss_is_the_mean_over_samples_whatever_they_are_batched_with(name):
    # Of the same concept each: a balanced loss weighs concepts against each other on purpose.
    method = registry.build(name, {})
    both = [method.loss(full_step(name, chosen=[i], person=[1.0])).item() for i in (0, 1)]
    together = method.loss(full_step(name, person=[1.0, 1.0])).item()
    assert together == pytest.approx(sum(both) / 2, abs=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_a_method_gets_by_on_what_it_declares_and_moves_the_policy(name):
    policy = Bigram()
    loss = registry.build(name, {}).loss(full_step(name, policy, declared=True))
    assert loss.shape == ()
    moved = gradient(loss, policy)
    assert torch.isfinite(moved).all()
    assert moved.abs().max() > 1e-3


def full_step(name, policy=None, reference=None, *, chosen=(0, 1), person=(1.0, 0.0), padding=0,
              declared=False):  # fmt: skip
    needs = registry.build(name, {}).needs
    retain = (*RETAIN, ([B], [END]))
    given = {
        "forget": batch_of(*(FORGET[i] for i in chosen), padding=padding),
        "retain": batch_of(*(retain[i] for i in chosen), padding=padding),
        "refusal": batch_of(*(REFUSAL[i] for i in chosen), padding=padding),
        "other": batch_of(*(OTHERS[i] for i in chosen), padding=padding),
        "random_0": batch_of(*(OTHERS[i] for i in chosen), padding=padding),
        "alternate": batch_of(*(OTHERS[i] for i in chosen), padding=padding),
        "retain_text": batch_of(*(retain[i] for i in chosen), padding=padding),
        "subject_fact": batch_of(*(retain[i] for i in chosen), padding=padding),
        "has_subject_fact": torch.ones(len(chosen)),
        "forget_is_person": torch.tensor(person),
        "concept_tokens": torch.tensor([False, False, False, True]),
    }
    step = step_of(policy or Bigram(), reference or Bigram(OTHER), **given)
    if declared:
        step.needs = needs
    return step


def test_siu_vocabulary_mask_removes_the_names_and_renormalises():
    distribution = torch.tensor([[TABLE[A]]]).log()
    masked = without_tokens(distribution, torch.tensor([False, False, False, True])).exp()
    assert masked[0, 0].tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6, 0.0], abs=1e-6)


def masked_kl(step):
    registry.build("siu", {}).loss(step)
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
    loss = registry.build("siu", {}).loss(step)
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
    balanced = registry.build("balanced_kl_min", {"temperature": 5.0, "forget_weight": 1.0})
    plain = registry.build("kl_min", {})
    assert balanced.loss(step).item() == pytest.approx(plain.loss(step).item(), abs=1e-6)


@pytest.mark.parametrize("person", [0.0, 1.0])
def test_balanced_gradient_difference_of_one_concept_is_gradient_difference(person):
    step = usual(forget_is_person=torch.full((2,), person))
    balanced = registry.build("balanced_grad_diff", {"temperature": 5.0, "forget_weight": 1.0})
    plain = registry.build("grad_diff", {})
    assert balanced.loss(step).item() == pytest.approx(plain.loss(step).item(), abs=1e-6)


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(ManifestError, match="did you mean 'grad_diff'") as caught:
        registry.build("grad_dif", {}, "method 'gd'")
    assert caught.value.what.startswith("method 'gd': no method 'grad_dif'")


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ManifestError, match="did you mean 'beta'"):
        registry.build("npo", {"betta": 0.1})


@pytest.mark.parametrize("value", ["0.1", True, None])
def test_an_option_of_the_wrong_type_is_refused(value):
    with pytest.raises(ManifestError, match="expected: a number"):
        registry.build("npo", {"beta": value})


@pytest.mark.parametrize("name", registry.names())
def test_every_method_is_frozen_documented_and_has_defaults(name):
    method = registry.build(name, {})
    assert type(method).__doc__
    with pytest.raises(AttributeError):
        method.needs = None
    assert all(hasattr(method, option.name) for option in fields(method))


def test_the_prompt_baseline_cannot_be_trained():
    with pytest.raises(TrainingError, match="nothing to train"):
        registry.build("prompt_only", {}).loss(usual())


USES = {
    "forget": {"forget": True},
    "retain": {"retain": True},
    "refusal": {"refusals": True},
    "forget_reference": {"reference_scalars": True},
    "refusal_reference": {"refusals": True, "reference_scalars": True},
    "forget_is_person": {"concept_balance": True},
    "concept_tokens": {"single_image": True},
    "other": {"other_answers": True},
    "random_answers": {"random_answers": True},
    "alternate": {"alternates": True},
    "alternate_reference": {"alternates": True, "reference_scalars": True},
    "subject_fact": {"subject_facts": True},
    "has_subject_fact": {"subject_facts": True},
    "text": {"text_view": True},
    "retain_text": {"retain": True, "text_view": True},
    "direction": {"hidden_states": True},
}


@pytest.mark.parametrize(("name", "wanted"), USES.items())
def test_a_loss_that_uses_what_its_method_does_not_declare_is_told_the_line_to_write(name, wanted):
    step = full_step("siu")
    step.needs = Needs(forget=False)
    step.origin = "method 'mine' (kit/methods/mine.py), step 1 of person-mine-s1"
    with pytest.raises(MethodError) as caught:
        getattr(step, name)
    told = caught.value
    assert told.what.startswith(f"{step.origin}: the loss uses `step.{name}`")
    declared = {} if "forget" in wanted else {"forget": False}
    assert eval(told.remedy.removeprefix("needs = ")) == Needs(**{**declared, **wanted})


def test_the_reference_model_is_computed_only_where_it_is_declared():
    step = full_step("siu")
    assert step.reference(step.retain).shape == step.policy(step.retain).shape
    step.needs = Needs(retain=True)
    with pytest.raises(MethodError, match=r"Needs\(retain=True, reference_distribution=True\)"):
        step.reference(step.retain)


def test_a_need_of_a_newcomer_is_read_by_its_name_and_told_apart_from_a_typo():
    step = full_step("siu")
    step.prepared["retain_too"] = step.retain
    assert step.batch("retain_too", "retain") is step.retain
    step.needs = Needs()
    with pytest.raises(MethodError, match=r"Needs\(retain=True\)"):
        step.batch("retain_too", "retain")


def test_a_step_counts_the_records_that_went_through_the_model():
    step = full_step("kl_min")
    registry.build("kl_min", {}).loss(step)
    assert step.passes == 3 * 2, "forget, retain, and retain in the reference"


@dataclass(frozen=True)
class Faulty:
    """A method whose loss is made of the forget losses by a function."""

    change: object
    needs = Needs()

    def loss(self, step):
        return self.change(step.forget_nll())


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        (lambda nll: nll, "the loss is not a scalar", ".mean()"),
        (lambda nll: nll.mean().item(), "the loss is not a scalar", ".mean()"),
        (lambda nll: None, "the loss is not a scalar", ".mean()"),
        (lambda nll: nll.mean().detach(), "the loss has no gradient", ".detach()"),
        (lambda nll: nll.mean() * float("nan"), "the loss is nan", "learning_rate"),
    ],
)
def test_what_is_no_loss_is_told_with_its_place_and_the_remedy(change, what, remedy):
    step = usual()
    nan = what == "the loss is nan"
    with pytest.raises(TrainingError if nan else MethodError) as caught:
        loss_of(Faulty(change), step)
    assert caught.value.what == f"{step.origin}: {what}"
    assert remedy in caught.value.remedy
    if nan:
        assert f"forget_nll {sum(M) / 2:.4g}" in caught.value.found, (
            "the terms, to see which of them it is"
        )


@pytest.fixture
def file_of_a_method(tmp_path, monkeypatch):
    """Return a function that writes a method's file where methods are looked for."""
    from kit import methods

    for module in (registry, loss):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    return lambda name, text: (tmp_path / f"{name}.py").write_text(text)


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("class Mine: pass\n", "has no METHOD", "add it to the end"),
        ("class Mine: pass\n\nMETHOD = = Mine\n", "is not valid Python", "correct"),
    ],
)
def test_a_file_that_is_no_method_is_told_and_not_listed(file_of_a_method, text, what, remedy):
    file_of_a_method("toy_mine", text)
    with pytest.raises(MethodError) as caught:
        registry.build("toy_mine", {}, "method 'a'")
    assert caught.value.what == f"method 'a': method 'toy_mine' (kit/methods/toy_mine.py) {what}"
    assert remedy in caught.value.remedy


CALLS = """from dataclasses import dataclass
from typing import ClassVar

from kit.methods import Needs


@dataclass(frozen=True)
class Mine:
    needs: ClassVar[Needs] = Needs(retain=True)

    def loss(self, step):
        return {}


METHOD = Mine
"""


@pytest.mark.parametrize(
    ("name", "call", "told"),
    [
        ("toy_typo", "step.forget_nnl().mean()", "AttributeError: 'Step' object has no attribute"),
        (
            "toy_shape",
            "(step.forget_nll() + step.retain_nll()[:0]).mean()",
            "RuntimeError: The size",
        ),
        ("toy_name", "alpha * step.forget_nll().mean()", "NameError: name 'alpha'"),
    ],
)
def test_a_fault_of_a_method_is_told_with_its_line(file_of_a_method, name, call, told):
    file_of_a_method(name, CALLS.format(call))
    step = usual()
    with pytest.raises(MethodError) as caught:
        loss_of(registry.build(name, {}), step)
    assert caught.value.what.startswith(f"{step.origin}: {told}")
    assert caught.value.found == f"kit/methods/{name}.py:12: return {call}"


def test_memory_that_ends_in_a_method_is_left_to_the_training_loop():
    def full(nll):
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        loss_of(Faulty(full), usual())


def test_modules_beside_the_methods_are_no_methods():
    assert not {"needs", "step", "loss", "registry"} & set(registry.names())


def test_a_method_without_options_says_so():
    with pytest.raises(ManifestError, match="expected: no option"):
        registry.build("retain_finetune", {"beta": 0.1})


@pytest.mark.parametrize("logit", [-400.0, 400.0])
def test_npo_stays_finite_far_from_the_reference(logit):
    policy = Bigram()
    with torch.no_grad():
        policy.table[A, B] = logit
    loss = registry.build("npo", {"beta": 1.0}).loss(usual(policy))
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient(loss, policy)).all()


def test_a_record_counts_at_most_as_a_uniform_guess_in_what_is_forgotten():
    step = usual()
    step.forget_nll()
    assert step.log["forgotten"] == pytest.approx(sum(M) / 2 / log(4), abs=1e-6)
    policy = Bigram()
    with torch.no_grad():
        policy.table[B, END] = -20  # far beyond a uniform guess, so it counts as one
    step = usual(policy)
    step.forget_nll()
    assert list(step.forgotten.values())[1] == 1
