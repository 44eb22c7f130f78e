"""UNDIAL, SimNPO, WGA, SatImp, CE-U and SCRUB against their formulas, written without tensors.

Each formula is walked along the answers with numbers alone. Weights and targets without gradient
are those of a second table, which finite differences do not move.
"""

from math import exp, inf, log

import pytest
import torch

from kit.errors import ManifestError
from kit.methods import registry
from tests.methods.test_methods import FORGET, RETAIN, gradient, usual
from tests.toys.double import differences, doubled, mean_nll_of, probabilities, walked
from tests.toys.policy import END, OTHER, A, B, Bigram, batch_of

torch.set_num_threads(1)
LOGITS, REFERENCE = Bigram().table.tolist(), Bigram(OTHER).table.tolist()  # as float32 has them


def average(values):
    values = list(values)
    return sum(values) / len(values)


def retained(table):
    return average(mean_nll_of(table, sample) for sample in RETAIN)


def kl(p, q):
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True))


def undial(table, frozen, beta=10.0, retain_weight=0.0):
    def token(last, answer, p):
        lower = [x - beta * (v == answer) for v, x in enumerate(REFERENCE[last])]
        return -sum(q * log(x) for q, x in zip(probabilities(lower), p, strict=True))

    forget = average(average(token(*each) for each in walked(table, one)) for one in FORGET)
    return forget + retain_weight * retained(table)


def simnpo(table, frozen, beta=4.5, delta=0.0, forget_weight=0.125, retain_weight=1.0):
    pushed = [2 / beta * log(1 + exp(-beta * (mean_nll_of(table, one) - delta))) for one in FORGET]
    return forget_weight * average(pushed) + retain_weight * retained(table)


def satimp(table, frozen, beta1=5.0, beta2=1.0, forget_weight=0.1, retain_weight=1.0):
    def token(last, answer, p):
        weight = probabilities(frozen[last])[answer]
        return weight**beta1 * (1 - weight) ** beta2 * log(p[answer])

    forget = average(average(token(*each) for each in walked(table, one)) for one in FORGET)
    return forget_weight * forget + retain_weight * retained(table)


def wga(table, frozen, beta=1.0, forget_weight=1.0, retain_weight=1.0):
    return satimp(table, frozen, beta, 0.0, forget_weight, retain_weight)


def ceu(table, frozen, skipped=1):
    def record(sample):
        terms = []
        for last, answer, p in list(walked(table, sample))[skipped:]:
            others = [x if v != answer else -inf for v, x in enumerate(frozen[last])]
            terms.append(-sum(q * log(x) for q, x in zip(probabilities(others), p, strict=True)))
        return average(terms) if terms else 0.0

    return average(map(record, FORGET))


def scrub(table, frozen, forget_weight=1.0, kl_weight=1.0, retain_weight=1.0,
          direction="teacher_student"):  # fmt: skip
    def record(sample):
        pairs = [(probabilities(REFERENCE[last]), p) for last, _, p in walked(table, sample)]
        return average(kl(t, s) if direction == "teacher_student" else kl(s, t) for t, s in pairs)

    left, followed = average(map(record, FORGET)), average(map(record, RETAIN))
    return kl_weight * followed - forget_weight * left + retain_weight * retained(table)


CASES = [
    (undial, {}),
    (undial, {"beta": 0.7, "retain_weight": 0.5}),
    (simnpo, {}),
    (simnpo, {"beta": 2.0, "delta": 0.5, "forget_weight": 1.0, "retain_weight": 0.3}),
    (wga, {}),
    (wga, {"beta": 2.5, "forget_weight": 0.4, "retain_weight": 2.0}),
    (satimp, {}),
    (satimp, {"beta1": 0.5, "beta2": 2.0, "forget_weight": 1.0, "retain_weight": 0.1}),
    (ceu, {}),
    (ceu, {"skipped": 0}),
    (scrub, {}),
    (scrub, {"direction": "student_teacher", "forget_weight": 0.3, "kl_weight": 2.0}),
]


@pytest.mark.parametrize(("formula", "options"), CASES, ids=lambda each: getattr(
    each, "__name__", "-".join(map(str, each)) if isinstance(each, dict) else each))  # fmt: skip
def test_loss_and_gradient_are_those_of_the_formula(formula, options):
    step = doubled(usual())
    loss = registry.build(formula.__name__, options).loss(step)
    assert loss.item() == pytest.approx(formula(LOGITS, LOGITS, **options), abs=1e-7)
    found = gradient(loss, step.model)
    expected = differences(lambda table: formula(table, LOGITS, **options), LOGITS)
    assert expected.abs().max() > 1e-2
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("formula", [undial, simnpo, wga, satimp, ceu, scrub])
def test_the_options_of_the_formulas_are_the_defaults_of_the_methods(formula):
    given = formula.__defaults__ or ()
    names = formula.__code__.co_varnames[2 : 2 + len(given)]
    method = registry.build(formula.__name__, {})
    assert {name: getattr(method, name) for name in names} == dict(zip(names, given, strict=True))


# UNDIAL


def pushed(name, policy=None, reference=None, **options):
    policy = policy or Bigram()
    return gradient(registry.build(name, options).loss(usual(policy, reference)), policy)


def test_undial_stays_at_the_reference_as_beta_vanishes():
    assert pushed("undial", Bigram(), Bigram(), beta=1e-6).abs().max() < 1e-6
    assert pushed("undial", Bigram(), Bigram()).abs().max() > 0.1


def test_undial_with_a_large_beta_starts_as_ceu_does():
    """At the reference, both learn the model's own distribution without the answer's token."""
    far = pushed("undial", Bigram(), Bigram(), beta=100.0)
    assert torch.allclose(far, pushed("ceu", skipped=0), atol=1e-6)


def test_undial_rests_where_the_policy_is_its_target():
    rows = [list(row) for row in REFERENCE]
    rows[A][B] -= 3.0  # both forget answers have one token after each token
    rows[B][END] -= 3.0
    target = Bigram([probabilities(row) for row in rows])
    only = {"forget": batch_of(([A], [B]), ([B], [END]))}
    loss = registry.build("undial", {"beta": 3.0}).loss(usual(target, Bigram(OTHER), **only))
    assert gradient(loss, target).abs().max() < 1e-6
    entropies = [-sum(p * log(p) for p in probabilities(rows[last])) for last in (A, B)]
    assert loss.item() == pytest.approx(average(entropies), abs=1e-6)


# SimNPO


def test_simnpo_with_vanishing_beta_has_the_gradient_of_ascent_on_token_means():
    found = pushed("simnpo", beta=1e-4, forget_weight=1.0, retain_weight=0.0)
    assert torch.allclose(found, pushed("grad_ascent"), atol=1e-4)
    assert found.abs().max() > 1e-2


def test_simnpo_has_half_of_its_force_where_the_loss_is_delta():
    policy = Bigram()
    only = {"forget": batch_of(([A], [B]))}
    options = {"beta": 3.0, "delta": -log(0.4), "forget_weight": 1.0, "retain_weight": 0.0}
    half = gradient(registry.build("simnpo", options).loss(usual(policy, **only)), policy)
    whole = gradient(registry.build("grad_ascent", {}).loss(usual(policy, **only)), policy)
    assert torch.allclose(half, whole, atol=1e-6), "2/beta times beta times sigma(0) is 1"


@pytest.mark.parametrize("logit", [-400.0, 400.0])
@pytest.mark.parametrize("name", ["simnpo", "wga", "satimp", "undial", "ceu", "scrub"])
def test_losses_stay_finite_where_a_token_is_lost_or_certain(name, logit):
    policy = Bigram()
    with torch.no_grad():
        policy.table[A, B] = logit
    loss = registry.build(name, {}).loss(usual(policy))
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient(loss, policy)).all()


# WGA and SatImp


def test_wga_without_weights_is_gradient_difference():
    assert torch.allclose(pushed("wga", beta=0.0), pushed("grad_diff"), atol=1e-7)


def test_satimp_without_importance_is_wga():
    common = {"forget_weight": 0.7, "retain_weight": 0.2}
    satimp = pushed("satimp", beta1=1.5, beta2=0.0, **common)
    assert torch.allclose(satimp, pushed("wga", beta=1.5, **common), atol=1e-7)


@pytest.mark.parametrize(("name", "options", "left_alone"), [
    ("wga", {}, [0.001]),
    ("satimp", {"beta1": 1.0, "beta2": 1.0}, [0.001, 0.999]),
])  # fmt: skip
def test_weighted_ascent_leaves_tokens_alone_that_are_lost_or_certain(name, options, left_alone):
    def push(p):
        policy = Bigram([[0.25] * 4, [0.25] * 4, [(1 - p) / 3] * 3 + [p], [0.25] * 4])
        only = {"forget": batch_of(([A], [B]))}
        method = registry.build(name, {**options, "forget_weight": 1.0, "retain_weight": 0.0})
        found = gradient(method.loss(usual(policy, **only)), policy)[A, B].item()
        return found / (1 - p)  # the factor of d log p / d logit

    middle = push(0.5)
    assert middle == pytest.approx(0.5 if name == "wga" else 0.25, abs=1e-6)
    for p in left_alone:
        assert 0 < push(p) < 0.005


# CE-U


def test_ceu_skips_the_first_tokens_of_every_answer_whatever_its_length():
    one = registry.build("ceu", {"skipped": 1}).loss(usual()).item()
    # B END: only END after B counts; END: nothing is left, which counts as 0.
    rest = [0.1 / 0.5, 0.2 / 0.5, 0.2 / 0.5]
    expected = -sum(q * log(p) for q, p in zip(rest, [0.1, 0.2, 0.2], strict=True)) / 2
    assert one == pytest.approx(expected, abs=1e-6)


def test_the_force_of_ceu_fades_as_the_answer_is_forgotten():
    def push(p):
        policy = Bigram([[0.25] * 4, [0.25] * 4, [(1 - p) / 3] * 3 + [p], [0.25] * 4])
        loss = registry.build("ceu", {"skipped": 0})
        return gradient(loss.loss(usual(policy, forget=batch_of(([A], [B])))), policy)[A, B].item()

    assert push(0.5) == pytest.approx(0.5, abs=1e-6), "d/dz of CE is p - q, and q is 0"
    assert push(0.01) == pytest.approx(0.01, abs=1e-6)


# SCRUB


@pytest.mark.parametrize("direction", ["teacher_student", "student_teacher"])
def test_scrub_starts_by_retain_finetuning_alone(direction):
    """At the reference, both divergences are 0, and so are their gradients."""
    policy = Bigram()
    step = usual(policy, Bigram())
    loss = registry.build("scrub", {"direction": direction}).loss(step)
    assert step.log["forget_kl"] == pytest.approx(0, abs=1e-6)
    found = gradient(loss, policy)
    assert torch.allclose(found, pushed("retain_finetune"), atol=1e-6)


BEYOND = [
    ("undial", "beta", 0.0, "> 0"),
    ("undial", "retain_weight", -1.0, ">= 0"),
    ("simnpo", "beta", 0.0, "> 0"),
    ("simnpo", "delta", -0.1, ">= 0"),
    ("simnpo", "forget_weight", inf, "a finite number >= 0"),
    ("wga", "beta", -1.0, ">= 0"),
    ("wga", "retain_weight", float("nan"), "a finite number >= 0"),
    ("satimp", "beta1", -1.0, ">= 0"),
    ("satimp", "beta2", -1.0, ">= 0"),
    ("ceu", "skipped", -1, ">= 0"),
    ("scrub", "forget_weight", -1.0, ">= 0"),
    ("scrub", "direction", "both", "one of teacher_student, student_teacher"),
]


@pytest.mark.parametrize(("name", "option", "value", "allowed"), BEYOND)
def test_a_value_beyond_its_range_is_refused_and_the_range_is_named(name, option, value, allowed):
    with pytest.raises(ManifestError) as caught:
        registry.build(name, {option: value}, "method 'mine'")
    told = caught.value
    assert told.what == f"method 'mine': option '{option}' of method '{name}' is not valid"
    assert allowed in told.expected
    assert told.found == repr(value)
    assert f"kit/methods/{name}.py" in told.remedy


def test_a_switch_is_no_count():
    with pytest.raises(ManifestError, match="expected: a whole number"):
        registry.build("ceu", {"skipped": True})
