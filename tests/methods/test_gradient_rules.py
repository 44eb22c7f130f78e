"""Gradient rules against their formulas in float64, by flat lists and walked answers."""

from math import log, sqrt

import pytest
import torch

from kit.errors import ManifestError
from kit.methods import Gradient, Measured, State, Update, registry
from kit.methods.l1 import norm_of_b
from kit.training.gradients import Gradients
from kit.training.masters import MasterWeights
from tests.toys.policy import END, OTHER, TABLE, A, B, Bigram, batch_of, logprobs, step_of

torch.set_num_threads(1)
FORGET = [([A], [B, END]), ([B], [END])]
RETAIN = [([B], [A, END]), ([A], [A, END])]
TEXT = [([B], [B, END]), ([A], [END])]
RETAIN_TEXT = [([B], [B]), ([A], [A, A, END])]
OTHERS = [([A], [A, END]), ([B], [B, END])]
RULES = ["mmunlearner", "salun", "gru", "npo_sam", "cmju", "pdu"]
NAMES = {"first": (2, 3), "second": (4,)}


def gradient_of(seed, scale=1.0):
    """Return a gradient of two tensors in float64."""
    generator = torch.Generator().manual_seed(seed)
    return Gradient(
        {n: scale * torch.randn(s, generator=generator, dtype=torch.float64)
         for n, s in NAMES.items()}
    )  # fmt: skip


def flat(gradient):
    return [float(x) for value in gradient.values() for x in value.flatten()]


def close(gradient, expected):
    return flat(gradient) == pytest.approx(list(expected), rel=1e-12, abs=1e-15)


def combined(method, state=None, perturbed=None, losses=None, **gradients):
    update = Update(gradients, losses or {}, state or State(), perturbed or {})
    return method.combine(update), update


def steps_of(name, policy, options=None, size=2, padding=0):
    """Return the micro-batches of a batch with everything that a rule reads."""
    method = registry.build(name, options or {})
    return method, [
        step_of(
            policy, Bigram(OTHER), method.needs,
            **{batch: batch_of(*samples[i : i + size], padding=padding) for batch, samples in {
                "forget": FORGET, "retain": RETAIN, "text": TEXT, "retain_text": RETAIN_TEXT,
                "other": OTHERS,
            }.items()},
        )
        for i in range(0, 2, size)
    ]  # fmt: skip


def run(name, size=2, options=None, padding=0):
    """Return the gradient that the first step of a method applies, its update and its weights."""
    policy = Bigram()
    method, parts = steps_of(name, policy, options, size, padding)
    weights = MasterWeights(policy)
    gradients = Gradients(method, weights)
    gradients.measure(lambda: steps_of(name, policy, options, 1, padding)[1])
    begun = gradients.state
    gradients.combine(gradients.compute(parts))
    return policy.table.grad.clone(), begun, gradients, policy


def own(term, at=None):
    """Return the gradient in float64 of a function of a table of log-probabilities."""
    policy = Bigram().double()
    if at is not None:
        policy.table.data = at.clone()
    term(policy).backward()
    return policy.table.grad


def mean_nll(samples):
    """Return E[M], by walking along the answers."""

    def of(policy):
        batch = batch_of(*samples)
        return (-logprobs(policy, batch) / batch.answer_mask.sum(dim=1)).mean()

    return of


def fisher(samples):
    return sum(own(mean_nll([sample])) ** 2 for sample in samples) / len(samples)


@pytest.mark.parametrize("name", RULES)
def test_the_gradient_of_a_rule_does_not_depend_on_padding(name):
    plain, padded = (run(name, padding=columns)[0] for columns in (0, 3))
    assert torch.allclose(plain, padded, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("name", RULES)
def test_the_gradient_of_a_rule_does_not_depend_on_the_micro_batch(name, size):
    whole, _, _, _ = run(name)
    parts, _, _, _ = run(name, size)
    assert torch.allclose(whole, parts, atol=1e-6)
    assert whole.abs().max() > 1e-3


def test_mmunlearner_masks_by_the_fisher_of_single_records():
    found, begun, _, _ = run("mmunlearner")
    mask = fisher(FORGET) >= (fisher(RETAIN) + fisher(TEXT)) / 2
    batchwise = (
        own(mean_nll(FORGET)) ** 2 >= (own(mean_nll(RETAIN)) ** 2 + own(mean_nll(TEXT)) ** 2) / 2
    )
    assert torch.equal(begun.weights["mask"]["table"], mask)
    assert not torch.equal(mask, batchwise), "squares of batch means would be another mask"
    expected = mask * (own(mean_nll(RETAIN)) - own(mean_nll(FORGET)))
    assert torch.allclose(found.double(), expected, atol=1e-6)


def test_mmunlearner_frees_the_retain_term_where_the_update_is_not_masked():
    options = {"mask_update": False, "forget_weight": 2.0}
    found, begun, _, _ = run("mmunlearner", options=options)
    mask = begun.weights["mask"]["table"]
    expected = own(mean_nll(RETAIN)) - 2 * mask * own(mean_nll(FORGET))
    assert torch.allclose(found.double(), expected, atol=1e-6)


def test_mmunlearner_without_the_text_view_preserves_the_retain_records_alone():
    _, begun, _, _ = run("mmunlearner", options={"preserve_text": False})
    assert torch.equal(begun.weights["mask"]["table"], fisher(FORGET) >= fisher(RETAIN))
    assert not registry.build("mmunlearner", {"preserve_text": False}).needs.text_view


@pytest.mark.parametrize("threshold", [0.25, 1.0, 4.0])
def test_mmunlearner_keeps_ratios_from_the_threshold_on_and_weights_without_saliency(threshold):
    forget, retain, text = (gradient_of(seed) for seed in (1, 2, 3))
    squares = {n: Measured(0.0, g, g * g) for n, g in
               {"forget": forget, "retain": retain, "text": text}.items()}  # fmt: skip
    for each in squares.values():
        each.square["second"].zero_()  # like A of LoRA, whose B is 0
    method = registry.build("mmunlearner", {"threshold": threshold})
    mask = method.begin(squares).weights["mask"]
    ratios = [
        f * f / ((r * r + t * t) / 2)
        for f, r, t in zip(flat(forget), flat(retain), flat(text), strict=True)
    ]
    assert flat(mask) == [float(r >= threshold) for r in ratios[:6]] + [1.0] * 4


def test_salun_learns_other_answers_on_the_most_salient_weights():
    found, begun, _, _ = run("salun", options={"share": 0.25})
    saliency = own(mean_nll(FORGET)).abs().flatten().tolist()
    kept = sorted(saliency, reverse=True)[:4]
    mask = torch.tensor([value >= min(kept) - 1e-9 for value in saliency]).reshape(4, 4)
    assert torch.equal(begun.weights["mask"]["table"], mask)
    expected = mask * (own(mean_nll(OTHERS)) + own(mean_nll(RETAIN)))
    assert torch.allclose(found.double(), expected, atol=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 1.0])
def test_weights_are_ranked_over_all_tensors_together(share):
    saliency = gradient_of(4).abs()
    saliency["second"] = saliency["second"] * 100  # within each tensor, other weights would win
    values = flat(saliency)
    ordered = sorted(range(10), key=lambda i: -values[i])[: max(1, round(10 * share))]
    assert flat(saliency.largest(share)) == [float(i in ordered) for i in range(10)]


def test_tensors_without_saliency_are_not_ranked_and_stay_free():
    saliency = gradient_of(5).abs()
    saliency["first"] = torch.zeros(2, 3)
    mask = saliency.largest(0.5)
    assert mask["first"].all()
    assert mask["second"].sum() == 2


def test_gru_takes_the_conflict_with_the_mean_retain_gradient_out():
    method = registry.build("gru", {"gamma": 0.7})
    state, mean, conflicts = State(), [0.0] * 10, 0
    for seed in range(6):
        forget, retain = gradient_of(10 + seed), gradient_of(20 + seed)
        found, update = combined(method, state, forget=forget, retain=retain)
        mean = [0.7 * new + 0.3 * old for new, old in zip(flat(retain), mean, strict=True)]
        product = sum(f * r for f, r in zip(flat(forget), mean, strict=True))
        factor = min(0.0, product) / sum(r * r for r in mean)
        expected = [f - factor * r for f, r in zip(flat(forget), mean, strict=True)]
        assert close(found, expected)
        assert close(update.state.weights["retain"], mean)
        assert update.log == {"conflict": float(product < 0)}
        left = sum(f * r for f, r in zip(flat(found), mean, strict=True))
        assert left == pytest.approx(max(0.0, product), abs=1e-12), "orthogonal, or as before"
        conflicts += product < 0
        state = update.state
    assert 0 < conflicts < 6


def npo(samples, reference, beta=0.1):
    def of(policy):
        batch = batch_of(*samples)
        start = logprobs(reference, batch).detach().double()
        ratio = logprobs(policy, batch) - start
        return 2 / beta * torch.log(1 + torch.exp(beta * ratio)).mean()

    return of


def test_npo_with_sam_takes_the_forget_gradient_at_the_worst_point_within_rho():
    rho, forget = 0.5, npo(FORGET, Bigram(OTHER))
    found, _, _, policy = run("npo_sam", options={"rho": rho})
    start = Bigram().table.detach().double()
    first = own(forget)
    worst = start + rho * first / sqrt(float((first**2).sum()))
    expected = own(forget, worst) + own(mean_nll(RETAIN))
    assert torch.allclose(found.double(), expected, atol=1e-5)
    assert not torch.allclose(own(forget, worst), first, atol=1e-2), "rho makes a difference"
    assert torch.equal(policy.table.detach(), Bigram().table.detach()), "back where it was"


@pytest.mark.parametrize("beta", [0.1, 2.0])
def test_the_forget_terms_of_npo_gru_and_npo_with_sam_are_one_number_to_the_last_bit(beta):
    terms = []
    for name, options in (
        ("npo", {"retain_weight": 0.0}), ("gru", {"forget": "npo"}), ("npo_sam", {}),
    ):  # fmt: skip
        method, (step,) = steps_of(name, Bigram(), {"beta": beta, **options})
        loss = method.loss(step)
        terms.append(loss["forget"] if isinstance(loss, dict) else loss)
    assert terms[0].item() == terms[1].item() == terms[2].item()
    expected = npo(FORGET, Bigram(OTHER), beta)(Bigram().double())
    assert terms[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_npo_with_sam_at_rho_zero_is_npo():
    found, _, _, _ = run("npo_sam", options={"rho": 0.0})
    policy = Bigram()
    method, parts = steps_of("npo", policy)
    method.loss(parts[0]).backward()
    assert torch.allclose(found, policy.table.grad, atol=1e-7)


def test_pdu_flattens_the_forget_answers():
    policy = Bigram()
    method, (step,) = steps_of("pdu", policy)
    spread = []
    for row in (TABLE[A], TABLE[B]):
        logits = [log(p) for p in row]
        spread.append((max(logits) - sum(logits) / 4) ** 2)
    # A, B, end: the first token follows A and the second follows B; the other answer follows B.
    expected = ((spread[0] + spread[1]) / 2 + spread[1]) / 2
    losses = method.loss(step)
    assert losses["forget"].item() == pytest.approx(expected, rel=1e-5)
    uniform = Bigram([[0.25] * 4] * 4)
    assert method.loss(steps_of("pdu", uniform)[1][0])["forget"].item() == pytest.approx(0.0)


def test_the_multiplier_of_pdu_moves_once_a_step_by_what_the_retain_loss_is_above_its_bound():
    method = registry.build("pdu", {"dual_step": 0.5, "tolerance": 1.5})
    state = method.begin({"retain": Measured(0.4, Gradient(), Gradient())})
    assert state.numbers == {"bound": pytest.approx(0.6), "lambda": 1.0}
    forget, retain, expected = gradient_of(1), gradient_of(2), 1.0
    for loss in (1.6, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 2.6):
        found, update = combined(method, state, losses={"retain": loss}, forget=forget,
                                 retain=retain)  # fmt: skip
        pairs = zip(flat(forget), flat(retain), strict=True)
        assert close(found, [f + expected * r for f, r in pairs])
        expected = max(0.0, expected + 0.5 * (loss - 0.6))
        state = update.state
        assert state.numbers["lambda"] == pytest.approx(expected, abs=1e-12)


def test_the_bound_of_pdu_is_measured_on_the_retain_records():
    _, begun, _, _ = run("pdu")
    expected = 1.05 * mean_nll(RETAIN)(Bigram().double()).item()
    assert begun.numbers["bound"] == pytest.approx(expected, rel=1e-6)


def test_cmju_gives_both_views_the_same_length_and_shared_tensors_more():
    method = registry.build("cmju", {"shared_weight": 3.0})
    image, text, retain = gradient_of(1, 7.0), gradient_of(2), gradient_of(3)
    active = Gradient({"first": torch.tensor(True), "second": torch.tensor(True)})
    shared = Gradient({"first": torch.tensor(True), "second": torch.tensor(False)})
    state = State(weights={"active": active, "shared": shared})
    found, _ = combined(method, state, image=image, text=text, retain=retain)
    ratio = sqrt(sum(x * x for x in flat(text)) / sum(x * x for x in flat(image)))
    factors = [3.0] * 6 + [1.0] * 4
    triples = zip(factors, flat(image), flat(text), flat(retain), strict=True)
    assert close(found, [c * (ratio * i + t) + r for c, i, t, r in triples])


def test_cmju_trains_no_other_tensors_than_the_active_ones():
    method = registry.build("cmju", {})
    active = Gradient({"first": torch.tensor(False), "second": torch.tensor(True)})
    state = State(weights={"active": active, "shared": active})
    found, update = combined(
        method, state, image=gradient_of(1), text=gradient_of(2), retain=gradient_of(3)
    )
    assert not found["first"].any()
    assert found["second"].all()
    assert update.mask is active


def test_cmju_chooses_tensors_by_both_views_and_shared_ones_by_their_ratio():
    def measured(means):
        square = Gradient({n: torch.tensor([0.5 * m, 1.5 * m]) for n, m in means.items()})
        return Measured(0.0, Gradient(), square)

    # Over the largest of each view: text 1, .5, .1, 0 and image .2, .5, 1, 0; A has none.
    text = measured({"b.1": 10.0, "b.2": 5.0, "b.3": 1.0, "b.4": 0.2, "a": 0.0})
    image = measured({"b.1": 0.4, "b.2": 1.0, "b.3": 2.0, "b.4": 0.05, "a": 0.0})
    state = registry.build("cmju", {"top": 0.75}).begin({"text": text, "image": image})
    active = {n for n, on in state.weights["active"].items() if on}
    shared = {n for n, on in state.weights["shared"].items() if on}
    assert active == {"b.1", "b.2", "b.3", "a"}
    assert shared == {"b.2", "b.4", "a"}  # text's part: .83, .5, .09, .44, none


class Adapted(torch.nn.Module):
    """Matrices with the names of LoRA's."""

    def __init__(self):
        super().__init__()
        self.lora_A = torch.nn.ModuleDict({"t": torch.nn.Linear(2, 2, bias=False)})
        self.lora_B = torch.nn.ModuleDict({"t": torch.nn.Linear(2, 2, bias=False)})
        with torch.no_grad():
            self.lora_B["t"].weight.copy_(torch.tensor([[1.0, -2.0], [0.0, 0.5]]))


def test_l1_is_the_norm_of_b_alone():
    adapted = torch.nn.ModuleDict({"layer": Adapted()})
    norm = norm_of_b(adapted)
    assert norm.item() == 3.5
    norm.backward()
    assert adapted["layer"].lora_B["t"].weight.grad.tolist() == [[1.0, -1.0], [0.0, 1.0]]
    assert adapted["layer"].lora_A["t"].weight.grad is None
    adapted["layer"].lora_B["t"].weight.requires_grad_(False)  # of a vanilla adapter below
    assert norm_of_b(adapted).item() == 0.0


def test_l1_adds_its_norm_to_gradient_difference():
    policy = Bigram()
    policy.layer = Adapted()
    method, (step,) = steps_of("l1", policy, {"l1_weight": 0.1, "forget_weight": 2.0})
    double = Bigram().double()
    expected = mean_nll(RETAIN)(double) - 2 * mean_nll(FORGET)(double) + 0.1 * 3.5
    assert method.loss(step).item() == pytest.approx(expected.item(), abs=1e-6)
    assert step.log["l1"] == 3.5


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mmunlearner", {"threshold": 0.0}), ("mmunlearner", {"forget_weight": -1.0}),
        ("mmunlearner", {"forget_weight": float("nan")}), ("salun", {"share": 0.0}),
        ("salun", {"share": 1.5}), ("gru", {"gamma": 0.0}), ("gru", {"gamma": 1.1}),
        ("gru", {"forget": "dpo"}), ("gru", {"beta": 0.0}), ("npo_sam", {"rho": -0.1}),
        ("npo_sam", {"beta": 0.0}), ("pdu", {"tolerance": 0.0}), ("pdu", {"dual_step": -1.0}),
        ("pdu", {"retain_weight": float("inf")}), ("l1", {"l1_weight": -0.1}),
        ("cmju", {"top": 0.0}), ("cmju", {"margin": 2.0}), ("cmju", {"shared_weight": -1.0}),
    ],
)  # fmt: skip
def test_a_parameter_out_of_its_range_is_refused(name, options):
    with pytest.raises(ManifestError, match=f"option '{next(iter(options))}'") as caught:
        registry.build(name, options)
    assert f"kit/methods/{name}.py" in caught.value.remedy or "did you mean" in caught.value.remedy


def test_gradients_are_added_and_multiplied_by_weight():
    one, two = gradient_of(1), gradient_of(2)
    pairs = list(zip(flat(one), flat(two), strict=True))
    assert close(one + two, [a + b for a, b in pairs])
    assert close(one - two, [a - b for a, b in pairs])
    assert close(one * 3.0, [3 * a for a, _ in pairs])
    assert close(one * two, [a * b for a, b in pairs])
    assert one.dot(two) == pytest.approx(sum(a * b for a, b in pairs), rel=1e-12)
    assert one.norm() == pytest.approx(sqrt(sum(a * a for a, _ in pairs)), rel=1e-12)
