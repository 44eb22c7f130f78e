"""The loop: schedule, accumulation, stop rule, divergence, and going on after a kill."""

import json
from dataclasses import dataclass
from math import cos, pi
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from kit.errors import TrainingError
from kit.experiment.manifest import TrainingSection
from kit.methods import Needs
from kit.methods.registry import build
from kit.model import sharding
from kit.training import costs
from kit.training import loop as training
from kit.training.checkpoint import FORMAT
from kit.training.costs import Journal, Passes
from kit.training.loop import FORGOTTEN_SHARE, Checkpoint, schedule, train
from tests.toys.policy import END, OTHER, A, B, Bigram, batch_of, step_of

torch.set_num_threads(1)
SAMPLES = [([A], [B, END]), ([B], [END]), ([A], [A, A, END]), ([B], [A, END])]
RETAINED = [([B], [B, END]), ([A], [A, END]), ([B], [A, A, END]), ([A], [END])]


def section(**changed):
    values = {
        "steps": 6, "batch_size": 4, "micro_batch_size": 4, "learning_rate": 0.1,
        "warmup_steps": 2, "rank": 1, "alpha": 1.0, "gradient_clip": 1.0,
    }  # fmt: skip
    return TrainingSection(**{**values, **changed})


def steps_of(policy):
    """Return step number -> micro-batches; what is retained turns with the step."""

    def steps(number, size):
        retained = RETAINED[number % 4 :] + RETAINED[: number % 4]
        for start in range(0, 4, size):
            part = slice(start, start + size)
            yield step_of(
                policy,
                Bigram(OTHER),
                forget=batch_of(*SAMPLES[part]),
                retain=batch_of(*retained[part]),
                forget_is_person=torch.tensor([1.0, 0.0, 1.0, 1.0])[part],
            )

    return steps


def run(folder, policy=None, method="npo", micro=4, source=None, stop_after=None, **changed):
    policy = policy or Bigram()
    folder.mkdir(exist_ok=True)
    settings = section(micro_batch_size=micro, **changed)
    outcome = train(
        policy,
        build(method, {}),
        settings,
        source or steps_of(policy),
        folder,
        name="toy",
        stop_after=stop_after,
    )
    lines = (folder / "losses.jsonl").read_text().splitlines()
    return policy.table.detach(), outcome, [json.loads(line) for line in lines]


def test_the_learning_rate_warms_up_linearly_and_decays_as_a_cosine():
    settings = section(steps=10, warmup_steps=4)
    expected = [0.25, 0.5, 0.75, 1.0, *(0.5 * (1 + cos(pi * i / 6)) for i in range(6))]
    assert [schedule(step, settings) for step in range(10)] == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [0, 1, 10, 20])
def test_the_schedule_is_a_factor_between_zero_and_one_for_any_warmup(warmup):
    settings = section(steps=10, warmup_steps=warmup)
    factors = [schedule(step, settings) for step in range(10)]
    assert all(0 < factor <= 1 for factor in factors)


def test_the_first_step_of_adamw_moves_by_the_learning_rate_of_the_schedule(tmp_path):
    table, _, _ = run(tmp_path, steps=1, warmup_steps=2, learning_rate=0.1)
    moved = (table - Bigram().table.detach()).abs()
    assert moved.max().item() == pytest.approx(0.1 * 0.5, rel=1e-3)


@pytest.mark.parametrize(
    "method", ["npo", "grad_diff", "kl_min", "balanced_grad_diff", "balanced_kl_min"]
)
@pytest.mark.parametrize("micro", [1, 2])
def test_micro_batches_add_up_to_one_large_batch(tmp_path, method, micro):
    whole, _, log_whole = run(tmp_path / "whole", method=method)
    parts, _, log_parts = run(tmp_path / "parts", method=method, micro=micro)
    assert torch.allclose(whole, parts, atol=1e-5)
    for one, two in zip(log_whole, log_parts, strict=True):
        assert one == pytest.approx(two, abs=1e-5)


def test_gradients_are_clipped_and_the_norm_is_logged_before_clipping(tmp_path):
    far, _, free = run(tmp_path / "free", steps=1, gradient_clip=1e9)
    # AdamW does not see the scale of a gradient until it is near its epsilon of 1e-8.
    near, _, clipped = run(tmp_path / "clipped", steps=1, gradient_clip=1e-9)
    assert free[0]["gradient_norm"] == clipped[0]["gradient_norm"] > 1e-3
    start = Bigram().table.detach()
    assert (near - start).abs().max() < 0.2 * (far - start).abs().max()


def test_weight_decay_reaches_the_optimiser(tmp_path):
    plain, _, _ = run(tmp_path / "plain", steps=1)
    decayed, _, _ = run(tmp_path / "decayed", steps=1, weight_decay=0.5)
    assert torch.allclose(plain - decayed, 0.5 * 0.05 * Bigram().table.detach(), atol=1e-6)


def test_a_run_stops_where_the_forget_loss_is_that_of_a_uniform_guess(tmp_path):
    free, outcome, lines = run(tmp_path / "free", method="grad_ascent", steps=40)
    assert (outcome.steps, outcome.stopped, len(lines)) == (40, None, 40)
    held, outcome, lines = run(tmp_path / "held", method="grad_ascent", steps=40, stop_after=4)
    shares = [line["forgotten"] for line in lines]
    assert outcome.steps == len(shares) < 40
    assert shares[-1] > FORGOTTEN_SHARE >= max(shares[:-1])
    assert "uniform guess" in outcome.stopped
    assert not torch.equal(free, held)


def test_the_first_process_decides_about_every_step_and_when_to_stop(tmp_path, monkeypatch):
    """Where processes share a base, they take its gradient before clipping, and its stop."""
    monkeypatch.setattr(sharding, "agree_on", lambda gradient: gradient.zero_())
    start = Bigram().table.detach().clone()
    table, _, lines = run(tmp_path / "gradient")
    assert torch.equal(table, start)
    assert {line["gradient_norm"] for line in lines} == {0.0}
    monkeypatch.undo()
    said = iter(["", "", "the first one stops"])
    monkeypatch.setattr(training, "agreed", lambda own: next(said))
    _, outcome, lines = run(tmp_path / "stop", stop_after=4)
    assert (outcome.stopped, len(lines)) == ("the first one stops", 3)


def test_a_record_that_was_not_seen_yet_keeps_a_run_from_stopping(tmp_path):
    _, outcome, _ = run(tmp_path, method="grad_ascent", steps=40, stop_after=5)
    assert (outcome.steps, outcome.stopped) == (40, None)


def test_a_method_without_a_forget_loss_runs_to_its_end(tmp_path):
    _, outcome, _ = run(tmp_path, method="retain_finetune", stop_after=4)
    assert (outcome.steps, outcome.stopped) == (6, None)


@dataclass(frozen=True)
class Broken:
    """Gives a loss that is not a number at its third call."""

    value: float
    needs = Needs(forget=False, retain=True)

    def loss(self, step):
        step.log["calls"] = 1
        found = step.retain_nll().mean()
        return found * self.value if step.number == 2 else found


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_an_error_and_not_an_adapter(tmp_path, value):
    policy = Bigram()

    def steps(number, size):
        for step in steps_of(policy)(number, size):
            step.number = number
            yield step

    with pytest.raises(TrainingError, match=r"the method: the loss is (nan|inf)") as caught:
        train(policy, Broken(value), section(), steps, tmp_path, name="toy")
    assert "learning_rate" in caught.value.remedy
    assert torch.isfinite(policy.table).all()
    assert not (tmp_path / "losses.jsonl").exists()


@dataclass(frozen=True)
class OnceNaN:
    """Gives a finite loss with a gradient that is not a number, in one step of the first run."""

    at: int
    done: list
    needs = Needs(retain=True)

    def loss(self, step):
        loss = step.forget_nll().mean() + step.retain_nll().mean()
        if step.number == self.at and not self.done:
            self.done.append(True)
            loss.register_hook(lambda gradient: gradient * float("nan"))
        return loss


def numbered(policy):
    def steps(number, size):
        for step in steps_of(policy)(number, size):
            step.number, step.origin = number, f"method 'x' (kit/methods/x.py), step {number + 1}"
            yield step

    return steps


def test_a_gradient_that_is_not_finite_stops_the_job_before_its_weights_are_spoilt(tmp_path):
    expected = Bigram()
    for name in ("whole", "job"):
        (tmp_path / name).mkdir()
    never = OnceNaN(-1, [])
    train(expected, never, section(), numbered(expected), tmp_path / "whole", name="toy")
    policy, method = Bigram(), OnceNaN(3, [])
    with pytest.raises(TrainingError) as caught:
        train(policy, method, section(), numbered(policy), tmp_path / "job", name="toy")
    error = caught.value
    assert error.what == "method 'x' (kit/methods/x.py), step 4: the gradient is not finite"
    assert "1 of 1 gradients with NaN or infinity, the first is table" in error.found
    assert "forget_nll" in error.found
    assert "retain_nll" in error.found
    assert torch.isfinite(policy.table).all()
    with safe_open(tmp_path / "job" / "checkpoint", "pt") as stream:
        assert stream.metadata()["step"] == "3"
        assert torch.equal(stream.get_tensor("table"), policy.table.detach())
    assert "checkpoint after step 3" in error.remedy
    asked, again = [], Bigram(OTHER)

    def watched(number, size):
        asked.append(number)
        return numbered(again)(number, size)

    train(again, method, section(), watched, tmp_path / "job", name="toy")
    assert asked == [3, 4, 5]
    assert torch.equal(again.table, expected.table)


def test_a_first_step_without_a_finite_gradient_leaves_nothing_to_continue_from(tmp_path):
    policy = Bigram()
    with pytest.raises(TrainingError, match="the gradient is not finite") as caught:
        train(policy, OnceNaN(0, []), section(), numbered(policy), tmp_path, name="toy")
    assert "starts this job over" in caught.value.remedy
    assert not (tmp_path / "checkpoint").exists()


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the loop may catch it."""


def killed_at(numbers, policy):
    def steps(step, size):
        if step in numbers:
            raise Killed
        return steps_of(policy)(step, size)

    return steps


@pytest.mark.parametrize("at", [1, 3, 4, 5])
def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path, at):
    expected, _, lines = run(tmp_path / "whole", checkpoint_every=3)
    policy = Bigram()
    with pytest.raises(Killed):
        run(tmp_path / "killed", policy, source=killed_at([at], policy), checkpoint_every=3)
    fresh, asked = Bigram(OTHER) if at >= 3 else Bigram(), []

    def watched(step, size):
        asked.append(step)
        return steps_of(fresh)(step, size)

    found, outcome, again = run(tmp_path / "killed", fresh, source=watched, checkpoint_every=3)
    assert torch.equal(found, expected)
    assert again == lines
    assert asked == list(range(3 if at >= 3 else 0, 6))
    assert outcome.steps == 6


def test_a_run_killed_after_its_last_checkpoint_trains_no_further(tmp_path, monkeypatch):
    def killed(self):
        raise Killed

    expected, _, lines = run(tmp_path / "whole")
    monkeypatch.setattr(Checkpoint, "remove", killed)
    with pytest.raises(Killed):
        run(tmp_path / "killed", checkpoint_every=6)
    monkeypatch.undo()
    untouched = killed_at(range(6), None)
    found, outcome, again = run(
        tmp_path / "killed", Bigram(OTHER), source=untouched, checkpoint_every=6
    )
    assert torch.equal(found, expected)
    assert (outcome.steps, again) == (6, lines)


def test_a_finished_run_leaves_no_checkpoint_and_its_journal_to_the_job(tmp_path):
    run(tmp_path, checkpoint_every=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["losses.jsonl", "steps.jsonl"]


@pytest.fixture
def second_a_step(monkeypatch):
    """A clock that each step moves by a second; returns a wrapper of a source of steps."""
    now = [0.0]
    for module in (training, costs):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def timed(source):
        def steps(step, size):
            found = source(step, size)
            now[0] += 1.0
            return found

        return steps

    return timed


@pytest.mark.parametrize(
    ("kills", "lost"),
    [
        ([], None),
        ([2], 2),  # before the first checkpoint
        ([3], None),  # at it
        ([5], 2),
        ([1, 2, 4, 5], 1 + 2 + 1 + 2),
    ],
)
def test_seconds_are_those_of_the_steps_that_count_and_the_lost_ones_are_told_apart(
    tmp_path, second_a_step, kills, lost
):
    for at in kills:
        policy = Bigram()
        source = second_a_step(killed_at([at], policy))
        with pytest.raises(Killed):
            run(tmp_path, policy, source=source, checkpoint_every=3)
    policy = Bigram()
    source = second_a_step(steps_of(policy))
    _, outcome, _ = run(tmp_path, policy, source=source, checkpoint_every=3)
    assert (outcome.steps, outcome.seconds) == (6, 6.0)
    told = Journal(tmp_path, Passes()).lost(outcome.steps)
    # A step sends its four forget and its four retain records through the model.
    expected = {"steps": lost, "seconds": float(lost or 0), "forward_passes": 8 * (lost or 0)}
    assert told == (lost and expected)


@pytest.mark.parametrize(
    "odd",
    [b"[3, 0.0", b'["x", 1, 2]\n', b"[1, null, 3]\n", b'7\n{"a": 1, "b": 2, "c": 3}\n',
     b"\xff\xfe\n", b"[" * 100_000, b"[1e999, 0.0, 1]\n"],
)  # fmt: skip
def test_a_line_that_a_kill_has_cut_or_a_disk_has_damaged_spoils_no_other(tmp_path, odd):
    passes = Passes()
    journal = Journal(tmp_path, passes)
    for step in (1, 2):
        passes.add(8)
        journal.note(step)
    with (tmp_path / "steps.jsonl").open("ab") as stream:
        stream.write(b"\n" + odd)
    resumed = Passes()
    again = Journal(tmp_path, resumed)
    resumed.add(8)
    again.note(2)
    lost = again.lost(2)
    assert (lost["steps"], lost["forward_passes"]) == (1, 8)


def test_the_peak_of_a_gpu_is_that_of_all_attempts(tmp_path, monkeypatch):
    peak = [0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: peak[0])
    policy = Bigram()
    peak[0] = 9000
    with pytest.raises(Killed):
        run(tmp_path, policy, source=killed_at([4], policy), checkpoint_every=3)
    peak[0] = 5000
    _, outcome, _ = run(tmp_path, checkpoint_every=3)
    assert outcome.peak_memory_bytes == 9000


def with_a_list_as_state(path):
    with safe_open(path, "pt") as stream:
        metadata = stream.metadata()
    save_file(load_file(path), path, {**metadata, "state": "[3]"})


def without_format(path):
    """Make a checkpoint what older code wrote: without a format and without the passes."""
    with safe_open(path, "pt") as stream:
        state = json.loads(stream.metadata()["state"])
    state.pop("passes", None)
    save_file(load_file(path), path, {"step": "3", "state": json.dumps(state)})


@pytest.mark.parametrize(
    "spoil",
    [
        without_format,
        with_a_list_as_state,
        lambda path: path.write_bytes(path.read_bytes()[:-10]),
        lambda path: path.write_bytes(b""),
        lambda path: save_file({"other": torch.ones(1)}, path, {"format": FORMAT, "step": "3"}),
    ],
    ids=["of older code", "a list as state", "cut off", "empty", "of another adapter"],
)
def test_a_checkpoint_that_cannot_be_gone_on_from_is_said_and_the_job_begins_anew(
    tmp_path, spoil, capsys
):
    expected, _, lines = run(tmp_path / "whole")
    policy = Bigram()
    with pytest.raises(Killed):
        run(tmp_path / "killed", policy, source=killed_at([4], policy), checkpoint_every=3)
    spoil(tmp_path / "killed" / "checkpoint")
    found, outcome, again = run(tmp_path / "killed", checkpoint_every=3)
    assert "starting over" in capsys.readouterr().err
    assert torch.equal(found, expected)
    assert again == lines
    lost = Journal(tmp_path / "killed", Passes()).lost(outcome.steps)
    assert lost["steps"] == 4, "what went before is on record as lost"


def test_only_what_asks_for_gradients_is_trained(tmp_path):
    policy = Bigram()
    policy.frozen = torch.nn.Parameter(torch.ones(3), requires_grad=False)
    run(tmp_path, policy)
    assert torch.equal(policy.frozen, torch.ones(3))
    assert not policy.training, "the model is left in eval mode"
