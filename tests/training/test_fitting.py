"""Micro-batches that fit: memory decides how many records at once, never what is optimised."""

import pytest
import torch

from kit.errors import EnvironmentFault
from kit.experiment.manifest import ModelSection
from kit.methods.registry import build
from kit.model.base import load_base
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution
from kit.model.lora import add_adapter
from kit.model.memory import HalvingBatches, out_of_memory
from kit.training.fitting import USABLE_SHARE, MicroBatchSizer
from kit.training.loop import train
from tests.model.test_models import LANGUAGE, NOWHERE
from tests.toys.policy import Bigram, trained_on
from tests.training.test_training import Killed, run, section, steps_of

torch.set_num_threads(1)


class Roomy(Bigram):
    """A policy that runs out of memory beyond `room` records, unless activations are dropped."""

    def __init__(self, room, checkpointed_room=0):
        super().__init__()
        self.room, self.checkpointed_room, self.checkpointing = room, checkpointed_room, False
        self.passes = 0

    def forward(self, input_ids, **inputs):
        room = self.checkpointed_room if self.checkpointing else self.room
        self.passes += 1
        if len(input_ids) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().forward(input_ids, **inputs)

    def gradient_checkpointing_enable(self, options):
        assert options == {"use_reentrant": False}
        self.checkpointing = True

    def gradient_checkpointing_disable(self):
        self.checkpointing = False

    def get_base_model(self):
        return self

    def disable_input_require_grads(self):
        pass


@pytest.mark.parametrize(("room", "fits"), [(3, 2), (2, 2), (1, 1)])
def test_out_of_memory_halves_the_micro_batch_and_trains_on_the_same_batch(
    tmp_path, capsys, room, fits
):
    expected, _, lines = run(tmp_path / "expected", micro=fits)
    found, outcome, log = run(tmp_path / "found", Roomy(room), micro=4)
    assert torch.equal(found, expected)
    assert log == lines
    assert outcome.micro_batch_size == fits
    assert not outcome.gradient_checkpointing
    said = capsys.readouterr().err
    assert f"continuing with {fits}, the batch stays 4" in said
    assert "toy: out of memory with micro-batches of 4" in said


def test_what_a_failed_attempt_had_accumulated_is_dropped(tmp_path):
    """The second of two micro-batches fails: the first one's gradient must not count twice."""

    class Late(Roomy):
        def forward(self, input_ids, **inputs):
            self.room = 2 if self.passes < 1 else 1
            return super().forward(input_ids, **inputs)

    expected, _, _ = run(tmp_path / "expected", method="retain_finetune", micro=1)
    found, outcome, _ = run(tmp_path / "found", Late(2), method="retain_finetune", micro=2)
    assert outcome.micro_batch_size == 1
    assert torch.equal(found, expected)


def test_where_one_record_does_not_fit_activations_are_computed_again(tmp_path, capsys):
    policy = Roomy(0, checkpointed_room=4)
    expected, _, _ = run(tmp_path / "expected", micro=1)
    found, outcome, _ = run(tmp_path / "found", policy, micro=4)
    assert torch.equal(found, expected)
    assert (outcome.micro_batch_size, outcome.gradient_checkpointing) == (1, True)
    assert not policy.checkpointing, "the next job decides for itself"
    assert "continuing with gradient checkpointing" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["auto", "never"])
def test_where_nothing_fits_the_error_names_the_job_and_the_remedy(tmp_path, setting):
    with pytest.raises(EnvironmentFault, match="toy: memory does not suffice") as caught:
        run(tmp_path, Roomy(0), gradient_checkpointing=setting)
    assert "micro-batch of 1" in caught.value.what
    assert "2.00 GiB" in caught.value.found


def test_one_step_of_long_records_slows_no_other_step(capsys):
    """The third step alone does not fit; a second failure of a size would keep the smaller one."""
    fitting = MicroBatchSizer(Roomy(0), section(), "toy")
    steps = []

    def attempt(size):
        steps[-1].append(size)
        if size > room:
            raise torch.OutOfMemoryError
        return size

    for room in (4, 4, 2, 4, 2, 4):
        steps.append([])
        assert fitting.run(attempt) <= room
    assert steps == [[4], [4], [4, 2], [4], [4, 2], [2]]
    assert "this step continues with 2" in capsys.readouterr().err


def test_a_resumed_run_remembers_which_size_has_failed():
    """A run that was not interrupted keeps the smaller size after the next failure."""
    state = {"micro_batch_size": 4, "failed_sizes": [4], "gradient_checkpointing": False}
    fitting = MicroBatchSizer(Roomy(0), section(), "toy", resumed=state)
    assert fitting.state() == state

    def attempt(size):
        if size > 2:
            raise torch.OutOfMemoryError
        return size

    assert fitting.run(attempt) == 2
    assert fitting.size == 2


def test_another_error_is_not_taken_for_want_of_memory(tmp_path):
    fitting = MicroBatchSizer(Roomy(4), section(), "toy")

    def attempt(size):
        raise RuntimeError("expected scalar type Float but found Half")

    with pytest.raises(RuntimeError, match="scalar type"):
        fitting.run(attempt)
    assert fitting.size == 4


def test_a_killed_run_goes_on_with_the_micro_batch_that_fitted(tmp_path):
    expected, _, lines = run(tmp_path / "expected", Roomy(2), checkpoint_every=2)

    def killed(policy):
        def steps(number, size):
            if number == 3:
                raise Killed
            return steps_of(policy)(number, size)

        return steps

    policy = Roomy(2)
    with pytest.raises(Killed):
        run(tmp_path / "killed", policy, source=killed(policy), checkpoint_every=2)
    fresh, sizes = Roomy(4), []

    def watched(number, size):
        sizes.append(size)
        return steps_of(fresh)(number, size)

    found, outcome, again = run(tmp_path / "killed", fresh, source=watched, checkpoint_every=2)
    assert set(sizes) == {2}
    assert outcome.micro_batch_size == 2
    assert torch.equal(found, expected)
    assert again == lines


class Linear:
    """A meter of a device where a pass takes `fixed` bytes and `each` for every record."""

    def __init__(self, free, fixed, each):
        self._free, self.fixed, self.each = free, fixed, each

    def free(self):
        return self._free

    def taken(self, work):
        return self.fixed + self.each * work()


@pytest.mark.parametrize(
    ("free", "size"), [(10_000, 12), (1_250, 12), (1_240, 6), (500, 4), (310, 2), (300, 1), (1, 1)]
)
def test_free_memory_decides_how_many_records_are_computed_at_once(capsys, free, size):
    settings = section(batch_size=12, micro_batch_size=None)
    fitting = MicroBatchSizer(Roomy(12), settings, "toy")
    fitting.measure(Linear(free, fixed=100, each=80), lambda size: size)
    assert fitting.size == size
    fits = [n for n in (1, 2, 3, 4, 6, 12) if 100 + 80 * n <= USABLE_SHARE * free]
    assert size == max(fits, default=1), "the largest that fits and divides the batch"
    assert f"micro-batches of {size}" in capsys.readouterr().err


def test_a_record_that_does_not_fit_when_it_is_measured_turns_checkpointing_on():
    policy = Roomy(0, checkpointed_room=12)

    def once(size):
        policy(torch.zeros((size, 2), dtype=torch.long), attention_mask=None, logits_to_keep=1,
               use_cache=False)  # fmt: skip
        return size

    fitting = MicroBatchSizer(policy, section(batch_size=12, micro_batch_size=None), "toy")
    fitting.measure(Linear(10_000, 100, 80), once)
    assert (fitting.size, fitting.checkpointing) == (12, True)


@pytest.mark.parametrize("given", [{"micro_batch_size": 4}, {"resumed": True}])
def test_what_is_decided_already_is_not_measured(given):
    state = {"micro_batch_size": 3, "failed_sizes": [], "gradient_checkpointing": False}
    settings = section(batch_size=12, micro_batch_size=given.get("micro_batch_size"))
    resumed = state if "resumed" in given else None
    fitting = MicroBatchSizer(Roomy(12), settings, "toy", resumed=resumed)
    fitting.measure(Linear(1, 100, 80), pytest.fail)
    assert fitting.size == given.get("micro_batch_size", 3)


def hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


def test_recomputing_sends_no_gradient_through_the_frozen_vision_tower(tiny_base):
    section_ = ModelSection(source=NOWHERE, compute_dtype="float32", lora_modules=LANGUAGE)
    model = add_adapter(load_base(tiny_base, section_), "t", modules=LANGUAGE, rank=4, alpha=4)
    fitting = MicroBatchSizer(model, section(gradient_checkpointing="always"), "toy")
    assert fitting.checkpointing
    tower = model.get_base_model().model.vision_tower.train()
    assert not tower(torch.zeros(1, 3, 64, 64)).last_hidden_state.requires_grad


@pytest.mark.parametrize("always", [True, False])
def test_gradient_checkpointing_changes_no_bit_of_a_gradient(
    tiny_base, processor, records, tmp_path, always
):
    """On a LLaVA: LoRA under a frozen embedding, where the reentrant kind gives no gradient."""
    section_ = ModelSection(source=NOWHERE, compute_dtype="float32", lora_modules=LANGUAGE)
    batch = Batcher(processor, torch.device("cpu"))(records)
    states = []
    for setting in ("never", "always" if always else "never"):
        torch.manual_seed(0)
        model = add_adapter(
            load_base(tiny_base, section_), "trained", modules=LANGUAGE, rank=4, alpha=4
        )
        answer_distribution(model, batch)  # transformers adds hooks of its own in the first pass
        before = hooks(model)
        step = trained_on(model, batch)
        settings = section(steps=2, gradient_checkpointing=setting)
        outcome = train(
            model, build("retain_finetune", {}), settings, lambda n, size, step=step: iter([step]),
            tmp_path, name="t",
        )  # fmt: skip
        assert outcome.gradient_checkpointing == (setting == "always")
        assert not any(getattr(m, "gradient_checkpointing", False) for m in model.modules())
        assert hooks(model) == before, "they would stay for the next job"
        states.append({n: p.clone() for n, p in model.named_parameters() if p.requires_grad})
    one, two = states
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(name.endswith("lora_B.trained.weight") and one[name].any() for name in one)


def test_pieces_keep_the_order_and_get_smaller_where_memory_ends(capsys):
    seen = []

    def work(piece):
        seen.append(len(piece))
        if len(piece) > 3:
            raise torch.OutOfMemoryError
        return [item * 10 for item in piece]

    pieces = HalvingBatches(8, "questions")
    assert pieces.run(work, range(10)) == [item * 10 for item in range(10)]
    assert seen == [8, 4, 2, 2, 2, 2, 2]
    assert pieces.run(work, range(3)) == [0, 10, 20], "the smaller size is kept"
    assert seen[7:] == [2, 1]
    assert "out of memory with 8 questions at once: continuing with 4" in capsys.readouterr().err


def test_a_single_item_that_does_not_fit_is_an_error_with_a_remedy():
    def work(piece):
        raise MemoryError("no room")

    with pytest.raises(EnvironmentFault, match="does not suffice for a single one") as caught:
        HalvingBatches(4, "questions").run(work, range(4))
    assert caught.value.found == "no room"


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 7 bytes"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_want_of_memory_is_told_from_other_errors(error, is_memory):
    assert out_of_memory(error) is is_memory
