"""Gradient rules in the loop: what is kept, masked, measured and counted."""

import json
from dataclasses import dataclass, field

import pytest
import torch
from safetensors import safe_open

from kit.errors import MethodError, TrainingError
from kit.methods import Gradient, Needs, State, registry
from kit.training.costs import Journal, Passes
from kit.training.gradients import Gradients
from kit.training.loop import train
from kit.training.masters import MasterWeights
from kit.training.schedule import schedule
from tests.methods.test_gradient_rules import RULES
from tests.toys.policy import OTHER, Bigram, batch_of, step_of
from tests.training.test_masters import Watched
from tests.training.test_training import RETAINED, SAMPLES, Killed, section

torch.set_num_threads(1)
LAST = [*SAMPLES[2:], *SAMPLES[:2]]


def step(method, policy, rows, number=0):
    retained = RETAINED[number % 4 :] + RETAINED[: number % 4]
    given = {
        "forget": SAMPLES, "retain": retained, "text": LAST, "retain_text": LAST, "other": LAST,
    }  # fmt: skip
    batches = {name: batch_of(*samples[rows]) for name, samples in given.items()}
    found = step_of(policy, Bigram(OTHER), method.needs, **batches)
    found.number, found.origin = number, "the toy"
    return found


def run(folder, method, policy=None, micro=4, killed=(), passes=None, **changed):
    """Train a method on the bigram model; return table, record and lines of losses.jsonl."""
    policy = policy or Bigram()
    folder.mkdir(exist_ok=True)
    method = registry.build(method, {}) if isinstance(method, str) else method

    def steps(number, size):
        if number in killed:
            raise Killed
        for start in range(0, 4, size):
            yield step(method, policy, slice(start, start + size), number)

    outcome = train(
        policy, method, section(micro_batch_size=micro, **changed), steps, folder, name="toy",
        passes=passes,
        measured=lambda: (step(method, policy, slice(i, i + 1)) for i in range(4)),
    )  # fmt: skip
    lines = (folder / "losses.jsonl").read_text().splitlines()
    return policy.table.detach(), outcome, [json.loads(line) for line in lines]


def test_a_scalar_loss_gives_the_bits_of_a_loop_without_rules(tmp_path):
    """Against a loop of six lines: backward, clip, AdamW."""
    found, _, _ = run(tmp_path, "grad_diff", micro=2, weight_decay=0.1)
    policy, settings, method = Bigram(), section(), registry.build("grad_diff", {})
    optimizer = torch.optim.AdamW(policy.parameters(), lr=0.1, weight_decay=0.1)
    for number in range(6):
        optimizer.param_groups[0]["lr"] = 0.1 * schedule(number, settings)
        for start in (0, 2):
            (method.loss(step(method, policy, slice(start, start + 2), number)) / 2).backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    assert torch.equal(found, policy.table.detach())


@dataclass(frozen=True)
class Named:
    """Gradient difference by its two terms."""

    needs = Needs(retain=True, gradient_rule=True)

    def loss(self, step):
        return {"forget": -step.forget_nll().mean(), "retain": step.retain_nll().mean()}

    def combine(self, update):
        return update.gradients["forget"] + update.gradients["retain"]


@dataclass(frozen=True)
class Shared(Named):
    """The same from one pass, so that both terms share a graph."""

    def loss(self, step):
        nll = step.forget_nll()
        return {"forget": -nll.mean(), "retain": step.retain_nll().mean() + 0 * nll.mean()}


@pytest.mark.parametrize("method", [Named(), Shared()], ids=["apart", "shared"])
def test_terms_that_a_rule_adds_up_train_like_their_sum(tmp_path, method):
    one, _, whole = run(tmp_path / "one", "grad_diff", micro=2)
    two, _, terms = run(tmp_path / "two", method, micro=2)
    assert torch.allclose(one, two, atol=1e-6)
    for scalar, named in zip(whole, terms, strict=True):
        assert named["loss"] == pytest.approx(scalar["loss"], abs=1e-5)
        assert named["forget"] == pytest.approx(-scalar["forget_nll"], abs=1e-5)
        assert named["retain"] == pytest.approx(scalar["retain_nll"], abs=1e-5)


@pytest.mark.parametrize("micro", [1, 2])
@pytest.mark.parametrize("name", RULES)
def test_micro_batches_of_a_rule_add_up_to_one_large_batch(tmp_path, name, micro):
    whole, _, log_whole = run(tmp_path / "whole", name)
    parts, _, log_parts = run(tmp_path / "parts", name, micro=micro)
    assert torch.allclose(whole, parts, atol=1e-4)
    for one, two in zip(log_whole, log_parts, strict=True):
        assert one == pytest.approx(two, abs=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("at", [1, 3, 5])
@pytest.mark.parametrize("name", RULES)
def test_a_killed_run_of_a_rule_ends_in_the_same_bits(tmp_path, name, at, dtype):
    changed = {"checkpoint_every": 3, "lora_dtype": dtype, "weight_decay": 0.1}
    counted, again = Passes(), Passes()
    expected, _, lines = run(tmp_path / "whole", name, Watched(), passes=counted, **changed)
    with pytest.raises(Killed):
        run(tmp_path / "killed", name, Watched(), killed=[at], **changed)
    fresh = Watched(OTHER) if at >= 3 else Watched()
    found, _, resumed = run(tmp_path / "killed", name, fresh, passes=again, **changed)
    assert torch.equal(found, expected)
    assert resumed == lines
    assert again.total == counted.total


@pytest.mark.parametrize(
    ("name", "passes", "measured"),
    [
        ("gru", 2, 0),
        ("npo_sam", 3, 0),  # forget twice, retain once
        ("mmunlearner", 2, 3),
        ("salun", 2, 1),
        ("pdu", 2, 1),
        ("cmju", 4, 2),
    ],
)
def test_passes_are_those_of_the_steps_and_of_the_records_measured_before(
    tmp_path, name, passes, measured
):
    counted = Passes()
    run(tmp_path, name, passes=counted, steps=3)
    assert counted.total == 3 * 4 * passes + 4 * measured
    assert sum(line[2] for line in Journal(tmp_path, counted)._lines()) == counted.total


@dataclass(frozen=True)
class Half:
    """Moves two rows of the table alone; AdamW's momentum comes from steps without a mask."""

    masked_from: int
    needs = Needs(gradient_rule=True)

    def loss(self, step):
        return -step.forget_nll().mean()

    def combine(self, update):
        done = update.state.numbers.get("done", 0.0)
        update.state.numbers["done"] = done + 1
        if done >= self.masked_from:
            rows = torch.arange(4).reshape(4, 1) >= 3
            update.mask = Gradient({"table": rows.expand(4, 4)})
        return update.gradients["loss"]


def test_masked_weights_do_not_move_by_momentum_or_weight_decay(tmp_path):
    free, _, _ = run(tmp_path / "free", Half(9), weight_decay=0.5)
    before, _, _ = run(tmp_path / "before", Half(9), weight_decay=0.5, steps=2, warmup_steps=2)
    held, _, _ = run(tmp_path / "held", Half(2), weight_decay=0.5)
    assert torch.equal(held[:3], before[:3])
    assert not torch.equal(free[:3], before[:3])
    assert torch.equal(held[3], free[3]), "the others move as without a mask"


def test_a_mask_that_leaves_nothing_to_train_is_told_at_the_first_step(tmp_path):
    """Where the forget records' Fisher is never the larger one, all weights are masked."""
    method = registry.build("mmunlearner", {"threshold": 1e9})
    with pytest.raises(TrainingError, match="the mask leaves nothing to train") as caught:
        run(tmp_path, method)
    assert "kit/methods/mmunlearner.py" in caught.value.remedy
    assert not (tmp_path / "losses.jsonl").exists()


def test_a_measured_statistic_is_of_single_records_in_float32(tmp_path):
    seen = {}

    @dataclass(frozen=True)
    class Seen(Named):
        needs = Needs(retain=True, gradient_rule=True, measure=True)

        def measure(self, step):
            assert len(step.forget.record_ids) == 1
            return {"small": step.forget_nll().mean() * 1e-9, "none": torch.tensor(2.0)}

        def begin(self, measured):
            seen.update(measured)
            return State()

    run(tmp_path, Seen(), Watched(), lora_dtype="bfloat16", steps=1)
    small, none = seen["small"], seen["none"]
    assert {small.mean["table"].dtype, small.square["table"].dtype} == {torch.float32}
    assert small.square["table"].max() > 0, "float16 would make it 0"
    gradients = []
    for index in range(4):
        policy = Bigram()
        (step(Seen(), policy, slice(index, index + 1)).forget_nll().mean() * 1e-9).backward()
        gradients.append(policy.table.grad)
    assert torch.allclose(small.mean["table"], sum(gradients) / 4, rtol=0.05, atol=1e-12)
    squares = sum(g**2 for g in gradients) / 4
    assert torch.allclose(small.square["table"], squares, rtol=0.1, atol=1e-22)
    assert none.loss == 2.0
    assert not none.square["table"].any()


@dataclass(frozen=True)
class Around:
    """Fails where the weights are moved, if it is told so."""

    fails: bool
    seen: list = field(default_factory=list)
    needs = Needs(gradient_rule=True, perturbation=True)

    def loss(self, step):
        self.seen.append((step.perturbed, step.model.table.detach().float().clone()))
        if step.perturbed and self.fails:
            raise torch.OutOfMemoryError
        return step.forget_nll().mean()

    def perturb(self, gradients):
        return Gradient({"table": torch.full((4, 4), 2.0)})

    def combine(self, update):
        return update.perturbed["loss"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("fails", [False, True])
def test_weights_are_moved_for_the_second_pass_alone(dtype, fails):
    policy, method = Watched(), Around(fails)
    weights = MasterWeights(policy, getattr(torch, dtype))
    start = policy.table.detach().clone()
    gradients = Gradients(method, weights)
    parts = [step(method, policy, slice(0, 4))]
    if fails:
        with pytest.raises(torch.OutOfMemoryError):
            gradients.compute(parts)
    else:
        gradients.combine(gradients.compute(parts))
    (first, at), (second, moved) = method.seen
    assert (first, second) == (False, True)
    assert torch.equal(at, start.float())
    assert torch.allclose(moved, at + 2, atol=0.02)
    assert torch.equal(policy.table.detach(), start)
    assert weights.named["table"].dtype == torch.float32


@dataclass(frozen=True)
class Counts(Named):
    """Counts its steps; one gives a gradient that is no number."""

    bad: int = 3

    def combine(self, update):
        done = update.state.numbers.get("done", 0.0)
        update.state.numbers["done"] = done + 1
        return super().combine(update) * (float("nan") if done == self.bad else 1.0)


def test_a_step_that_fails_leaves_what_is_kept_as_it_was(tmp_path):
    with pytest.raises(TrainingError, match="the gradient is not finite"):
        run(tmp_path, Counts())
    with safe_open(tmp_path / "checkpoint", "pt") as stream:
        metadata = stream.metadata()
    assert metadata["step"] == "3"
    assert json.loads(metadata["method"]) == {"done": 3.0}


@pytest.mark.parametrize(
    ("combine", "found"),
    [
        (lambda update: None, "NoneType"),
        (lambda update: update.gradients["forget"]["table"], "Tensor"),
        (lambda update: Gradient(), "tensors for 0 of 1 weights"),
        (lambda update: Gradient({"table": torch.zeros(2)}), "table of shape [2]"),
        (lambda update: setattr(update, "mask", Gradient()) or update.gradients["forget"],
         "tensors for 0 of 1 weights"),
    ],
)  # fmt: skip
def test_a_rule_that_gives_no_gradient_is_told(tmp_path, combine, found):
    @dataclass(frozen=True)
    class Faulty(Named):
        def combine(self, update):
            return combine(update)

    with pytest.raises(MethodError, match="gives no gradient of the trained weights") as caught:
        run(tmp_path, Faulty())
    assert caught.match("the toy: `combine`")
    assert found in caught.value.found
