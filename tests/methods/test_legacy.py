"""The option `legacy`: what released code computes, reimplemented on whole padded sequences.

The reimplementations see what the released code sees: logits [B, S, V] of padded inputs, and labels
that are -100 where nothing is trained. They use no code of the kit.
"""

import pytest
import torch
from torch.nn.functional import cross_entropy, logsigmoid, softmax

from kit.errors import ManifestError
from kit.methods import Needs, registry
from kit.plan.jobs import make_plan
from tests.methods.test_methods import FORGET, REFUSAL, gradient, usual
from tests.toys.dataset import manifest
from tests.toys.policy import END, OTHER, A, B, Bigram, batch_of

torch.set_num_threads(1)
RETAIN = ([A], [A, END]), ([B], [A, A, B, END])  # of unequal lengths, as the forget answers are


def sequences(batch):
    """Return input_ids [B, S] and labels [B, S], -100 on prompt and padding."""
    ids = batch.inputs["input_ids"]
    labels = torch.full_like(ids, -100)
    for row, mask in enumerate(batch.answer_mask):
        length = int(mask.sum())
        labels[row, -length:] = ids[row, -length:]
    return ids, labels


def model_loss(model, batch):
    """Return `outputs.loss` of a model of transformers."""
    ids, labels = sequences(batch)
    logits = model.table[ids]
    return cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)


def sums(model, batch):
    """Return the summed loss of each sequence, [B]."""
    ids, labels = sequences(batch)
    logits = model.table[ids][:, :-1].transpose(1, 2)
    return cross_entropy(logits, labels[:, 1:], ignore_index=-100, reduction="none").sum(dim=1)


def joined(one, two):
    """Return two batches as one, as TOFU concatenates inputs."""
    pairs = [([int(row[0])], row[1:].tolist()) for b in (one, two) for row in unpadded(b)]
    return batch_of(*pairs)


def unpadded(batch):
    for row, attention in zip(batch.inputs["input_ids"], batch.inputs["attention_mask"],
                              strict=True):  # fmt: skip
        yield row[-int(attention.sum()) :]


def ascent(model, reference, step):
    return -model_loss(model, step.forget)


def difference(model, reference, step):
    return -model_loss(model, step.forget) + model_loss(model, step.retain)


def idk_of_tofu(model, reference, step):
    return model_loss(model, joined(step.refusal, step.retain))


def idk_of_clear(model, reference, step):
    return model_loss(model, step.retain) + model_loss(model, step.forget)


def npo_of_open_unlearning(model, reference, step, beta=0.1):
    lose_log_ratio = -(sums(model, step.forget) - sums(reference, step.forget).detach())
    forget = -2 / beta * logsigmoid(beta * (0.0 - lose_log_ratio)).mean()
    return forget + model_loss(model, step.retain)


def npo_of_mllmu(model, reference, step, beta=0.4):
    ratio = model_loss(model, step.forget) - model_loss(reference, step.forget).detach()
    return -logsigmoid(beta * ratio).mean() * 2 / beta


def npo_of_clear(model, reference, step, beta=1.0):
    ids = step.forget.inputs["input_ids"]
    own, teacher = softmax(model.table[ids], -1), softmax(reference.table[ids], -1).detach()
    kept = step.forget.inputs["attention_mask"].bool()  # the kit leaves padding out
    values = torch.log(1 + torch.pow(own[kept] / (teacher[kept] + 1e-8), beta))
    return (2 / beta) * torch.mean(values)


def dpo_of_open_unlearning(model, reference, step, beta=0.1):
    win = -(sums(model, step.refusal) - sums(reference, step.refusal).detach())
    lose = -(sums(model, step.forget) - sums(reference, step.forget).detach())
    forget = -2 / beta * logsigmoid(beta * (win - lose)).mean()
    return forget + model_loss(model, step.retain)


def dpo_of_clear(model, reference, step):
    idk_inputs = step.forget  # the answers of D_f, by an error of its data set
    idk_loss_current = -1 * sums(model, idk_inputs)
    return -idk_loss_current.mean()


CASES = [
    ("grad_ascent", "open-unlearning", ascent, {}),
    ("grad_diff", "open-unlearning", difference, {}),
    ("npo", "open-unlearning", npo_of_open_unlearning, {}),
    ("npo", "mllmu", npo_of_mllmu, {"beta": 0.4}),
    ("npo", "clear", npo_of_clear, {"beta": 1.0}),
    ("dpo", "open-unlearning", dpo_of_open_unlearning, {}),
    ("dpo", "clear", dpo_of_clear, {}),
    ("po", "tofu", idk_of_tofu, {}),
    ("po", "clear", idk_of_clear, {}),
]


def given(padding=0):
    policy, reference = Bigram(), Bigram(OTHER)
    step = usual(
        policy,
        reference,
        forget=batch_of(*FORGET, padding=padding),
        retain=batch_of(*RETAIN, padding=padding),
        refusal=batch_of(*REFUSAL, padding=padding),
    )
    step.prepared["retain_only_reference"] = -sums(reference, step.forget).detach()
    step.needs = Needs(retain=True, refusals=True, reference_scalars=True,
                       reference_distribution=True, retain_only_scalars=True)  # fmt: skip
    return policy, reference, step


@pytest.mark.parametrize(("name", "legacy", "released", "options"), CASES)
@pytest.mark.parametrize("padding", [0, 3])
def test_legacy_gives_loss_and_gradient_of_the_released_code(name, legacy, released, options,
                                                             padding):  # fmt: skip
    policy, reference, step = given(padding)
    method = registry.build(name, {"legacy": legacy, **options})
    loss = method.loss(step)
    expected = released(policy, reference, step)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    assert torch.allclose(gradient(loss, policy), gradient(expected, policy), atol=1e-6)


@pytest.mark.parametrize(("name", "legacy", "released", "options"), CASES)
def test_the_released_code_differs_from_the_formula(name, legacy, released, options):
    policy, reference, step = given()
    plain = registry.build(name, {"legacy": "none", **options}).loss(step).item()
    assert abs(released(policy, reference, step).item() - plain) > 1e-2


@pytest.mark.parametrize(("name", "legacy"), [case[:2] for case in CASES])
def test_a_legacy_loss_gets_by_on_what_it_declares(name, legacy):
    _, _, step = given()
    step.needs = registry.build(name, {"legacy": legacy}).needs
    assert torch.isfinite(registry.build(name, {"legacy": legacy}).loss(step))
    alone = name == "dpo" and legacy == "clear"  # a mean over records needs no whole batch
    assert step.needs.whole_batch is not alone


@pytest.mark.parametrize(("name", "legacy"), [("dpo", "clear"), ("po", "clear")])
def test_clears_refusals_make_what_is_to_be_forgotten_more_likely(name, legacy):
    policy, _, step = given()
    loss = registry.build(name, {"legacy": legacy}).loss(step)
    assert gradient(loss, policy)[A, B] < 0, "descent raises the logit of the answer's token"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("grad_ascent", "none, open-unlearning"),
        ("grad_diff", "none, open-unlearning"),
        ("npo", "none, open-unlearning, mllmu, clear"),
        ("dpo", "none, open-unlearning, clear"),
        ("po", "none, tofu, clear"),
    ],
)
def test_an_unknown_word_is_refused_with_the_allowed_ones(name, allowed):
    with pytest.raises(ManifestError) as caught:
        registry.build(name, {"legacy": "paper"}, "method 'mine'")
    assert caught.value.expected == f"one of {allowed}"
    assert caught.value.what == f"method 'mine': option 'legacy' of method '{name}' is not valid"


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("npo", "beta", 0.0),
        ("npo", "retain_weight", -1.0),
        ("dpo", "beta", -0.1),
        ("po", "retain_weight", -1.0),
        ("grad_diff", "forget_weight", float("nan")),
        ("kl_min", "retain_weight", float("inf")),
        ("siu", "kl_weight", -1.0),
        ("balanced_grad_diff", "temperature", -1.0),
        ("balanced_kl_min", "forget_weight", -1.0),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_earlier_methods_too(name, option, value):
    with pytest.raises(ManifestError, match="a finite number >"):
        registry.build(name, {option: value})


def test_a_job_with_the_retain_only_reference_follows_the_adapter_of_its_target():
    entry = manifest().methods[0].model_copy(
        update={"name": "m", "label": "M", "method": "npo", "options": {"legacy": "mllmu"},
                "targets": manifest().targets}
    )  # fmt: skip
    plan = make_plan(manifest().model_copy(update={"methods": (entry,), "claims": ()}))
    kept = {job.target: job.artifact for job in plan.finetune if job.target}
    assert {job.target: job.oracle for job in plan.unlearn} == kept
    assert all(job.settings.micro_batch_size == job.settings.batch_size for job in plan.unlearn)
    plain = make_plan(manifest())
    assert {job.oracle for job in plain.unlearn} == {None}
