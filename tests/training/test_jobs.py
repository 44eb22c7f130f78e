"""One job: what a method's step holds, and that neither a kill nor another job changes its bits."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from kit.artifacts import Artifact
from kit.benchmarks.records import Benchmark, Concept, Record, Split, by_id
from kit.errors import EnvironmentFault, MethodError
from kit.experiment.manifest import TrainingSection
from kit.experiment.refusals import REFUSALS
from kit.experiment.systems import VANILLA
from kit.methods import Needs
from kit.methods import step as steps_module
from kit.methods.merger_file import merge_in
from kit.methods.registry import build
from kit.methods.smfa import SMFA
from kit.methods.task_vector import TaskVector
from kit.model.base import dequantized_state
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution, mean_nll
from kit.model.lora import adapter_state, add_adapter, load_adapter
from kit.plan.jobs import Job
from kit.streams import seed_of
from kit.training import steps as steps_of_jobs
from kit.training import worker as jobs
from kit.training.preparation import reference_scalars
from kit.training.preparation.retain import partner
from kit.training.steps import TRAINED, StepSource
from kit.training.worker import Worker
from tests.toys.dataset import manifest

torch.set_num_threads(1)
SIZE = 2
SETTINGS = TrainingSection(
    steps=4, batch_size=4, micro_batch_size=SIZE, learning_rate=0.02, warmup_steps=1, rank=4,
    alpha=4, gradient_clip=1.0, checkpoint_every=2,
)  # fmt: skip


def made(pictures):
    """Return records of two forgotten and two retained people at one event each."""
    records = []
    for number, name in enumerate(["Ada Sato", "Milo Berg", "Vera Zeman", "Ivan Kaya"]):
        shared = {"image": pictures[number % 3], "person": name, "event": f"event {number}"}
        description = "driving a scenic countryside road"
        records += [
            Record(f"{number}#person", Concept.PERSON, "Who is this person?", name, **shared),
            Record(f"{number}#event", Concept.EVENT, "Describe the scene in detail.", description,
                   keywords=("scenic", "road"), **shared),
        ]  # fmt: skip
    return records


@pytest.fixture
def worker(tiny_base, processor, pictures, monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    return new_worker(tiny_base, processor, pictures)


def new_worker(tiny_base, processor, pictures):
    base = {"name": "base", "folder": str(tiny_base), "checksums": "checksums/smoke-base.sha256"}
    fresh = Worker(manifest(model={"source": base, "compute_dtype": "float32"}))
    records = made(pictures)
    ids = [record.id for record in records]
    split = Split("both", tuple(ids[:4]), tuple(ids[4:]), {})
    fresh.benchmark = Benchmark("toy", by_id(records), tuple(ids), {"both": split})
    fresh.processor = processor
    fresh.batcher = Batcher(processor, torch.device("cpu"))
    return fresh


def job(method="npo", vanilla=None, name="both-toy-s1", **changed):
    settings = SETTINGS.model_copy(update=changed)
    target = "both" if vanilla else None
    artifact = Artifact("unlearn", name, "0" * 64)
    return Job("unlearn", name, target, 1, settings, artifact, build(method, {}), vanilla=vanilla)


@pytest.fixture
def vanilla(worker):
    made = job("retain_finetune", name="vanilla", checkpoint_every=0)
    worker.run(made)
    return made.artifact


def source_of(worker, given):
    torch.manual_seed(0)
    model = load_adapter(worker.base, VANILLA, given.vanilla.path)
    modules = worker.manifest.model.lora_modules
    model = add_adapter(model, TRAINED, modules=modules, rank=4, alpha=4)
    return worker.source(given, model)


def records_of(worker, ids):
    return [worker.benchmark.records[name] for name in ids]


def texts(batch, processor):
    rows = zip(batch.answer_ids, batch.answer_mask, strict=True)
    said = [processor.tokenizer.decode(ids[mask > 0]) for ids, mask in rows]
    return [text.removesuffix("</s>").strip() for text in said]


@pytest.mark.parametrize("method", ["po", "dpo", "siu"])
def test_the_refusal_batch_holds_a_refusal_and_never_the_answer(worker, vanilla, processor, method):
    source = source_of(worker, job(method, vanilla))
    answers = {record.answer for record in worker.benchmark.records.values()}
    seen = set()
    for number in range(6):
        for step in source.steps(number, SIZE):
            said = texts(step.refusal, processor)
            assert set(said) <= set(REFUSALS)
            assert step.refusal.record_ids == step.forget.record_ids
            assert set(texts(step.forget, processor)) <= answers
            seen |= set(said)
    assert len(seen) > 1, "refusals are drawn"


def test_forget_and_retain_batches_hold_their_own_set_and_partners_are_functions_of_names(
    worker, vanilla
):
    source = source_of(worker, job("grad_diff", vanilla))
    split = worker.benchmark.splits["both"]
    retain = records_of(worker, split.retain)
    for number in (0, 3):
        for step in source.steps(number, SIZE):
            assert set(step.forget.record_ids) <= set(split.forget)
            records = records_of(worker, step.forget.record_ids)
            epoch = number  # four forget records, four a step
            partners = tuple(partner(record, epoch, retain, 1).id for record in records)
            assert step.retain.record_ids == partners


def test_the_vanilla_model_is_trained_on_everything_and_the_retain_only_one_on_the_rest(worker):
    whole = worker.source(job("retain_finetune"), None)
    seen = {name for n in range(2) for s in whole.steps(n, SIZE) for name in s.retain.record_ids}
    assert seen == set(worker.benchmark.finetune)
    only = dataclasses.replace(job("retain_finetune"), target="both")
    rest = worker.source(only, None)
    seen = {name for n in range(4) for s in rest.steps(n, SIZE) for name in s.retain.record_ids}
    assert seen == set(worker.benchmark.splits["both"].retain)


@pytest.mark.parametrize("method", ["balanced_grad_diff", "balanced_kl_min"])
def test_every_micro_batch_of_a_balanced_method_has_both_concepts(worker, vanilla, method):
    """With one concept alone in it there is nothing to balance, and the weights are 1."""
    source = source_of(worker, job(method, vanilla))
    for number in range(3):
        for step in source.steps(number, SIZE):
            assert step.forget_is_person.sum() == len(step.forget.record_ids) / 2


def test_reference_scalars_are_those_of_the_vanilla_model_whatever_was_asked_before(
    worker, vanilla
):
    """A resumed run has asked for none yet: its numbers must be the same to the last bit."""
    source = source_of(worker, job("npo", vanilla))
    walked = [step for number in range(4) for step in source.steps(number, SIZE)]
    late = worker.source(job("npo", vanilla), source._model)
    resumed = list(late.steps(3, SIZE))
    for one, two in zip(walked[-len(resumed) :], resumed, strict=True):
        assert one.forget.record_ids == two.forget.record_ids
        assert torch.equal(one.forget_reference, two.forget_reference)


def test_scalars_that_are_computed_together_do_not_depend_on_who_asks_first(
    worker, vanilla, monkeypatch, tmp_path
):
    """As on a GPU, in batches of three of the four forget records."""
    model, found = source_of(worker, job("dpo", vanilla))._model, []
    groups = []

    def watched(model, batch):
        groups.append(batch.record_ids)
        return answer_distribution(model, batch)

    monkeypatch.setattr(reference_scalars, "answer_distribution", watched)
    for together, order in ((3, (0, 1, 2, 3)), (3, (3, 2, 1, 0)), (1, (0, 1, 2, 3))):
        monkeypatch.setattr(steps_of_jobs, "_together", lambda *_, n=together: n)
        copy = tmp_path / f"cache-{len(found)}"
        shutil.copytree(tmp_path / "cache", copy)
        monkeypatch.setenv("PEBENCH_CACHE", str(copy))
        source = worker.source(job("dpo", vanilla), model)
        given = {n: list(source.steps(n, SIZE)) for n in order}
        found.append([step for n in sorted(given) for step in given[n]])
        forget = worker.benchmark.splits["both"].forget
        fixed = {forget[start : start + together] for start in range(0, 4, together)}
        assert set(groups) == fixed
        groups.clear()
    for one, two, alone in zip(*found, strict=True):
        for name in ("forget_reference", "refusal_reference"):
            assert torch.equal(getattr(one, name), getattr(two, name))
            assert torch.allclose(getattr(one, name), getattr(alone, name), atol=1e-4)


def test_concept_tokens_are_those_of_forgotten_names_and_keywords(worker, vanilla, processor):
    step = next(source_of(worker, job("siu", vanilla)).steps(0, SIZE))
    ids = step.concept_tokens.nonzero().flatten().tolist()
    words = {processor.tokenizer.decode([token]).strip() for token in ids}
    assert {"Ada", "Sato", "Milo", "Berg", "scenic", "road"} <= words
    assert not {"Vera", "Zeman", "not", "know", "driving"} & words


def test_a_large_base_is_not_trained_on_a_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "base_folder", lambda _: tmp_path)
    (tmp_path / "model-00001.safetensors").write_bytes(b"0" * 1000)
    Worker(manifest())
    monkeypatch.setattr(jobs, "MAX_CPU_BASE_BYTES", 999)
    with pytest.raises(EnvironmentFault, match="not trained on a CPU") as caught:
        Worker(manifest())
    assert "--runner docker" in caught.value.remedy


@dataclasses.dataclass(frozen=True)
class Mine:
    """A method that uses more than it declares."""

    needs = Needs()

    def loss(self, step):
        return step.retain_nll().mean()


Mine.__module__ = "kit.methods.mine"


def test_a_fault_of_a_method_names_its_file_the_step_and_the_job(worker, vanilla):
    with pytest.raises(MethodError) as caught:
        worker.run(dataclasses.replace(job("npo", vanilla), method=Mine()))
    assert str(caught.value).splitlines() == [
        "method 'mine' (kit/methods/mine.py), step 1 of both-toy-s1: the loss uses `step.retain`, "
        "which its needs do not declare",
        "  expected: retain in `needs`",
        "  found: Needs()",
        "  remedy: needs = Needs(retain=True)",
    ]


def weights(artifact):
    return load_file(artifact.path / "adapter_model.safetensors")


def equal(one, two):
    return set(one) == set(two) and all(torch.equal(one[name], two[name]) for name in one)


def test_a_job_records_what_it_cost(worker, vanilla):
    record = worker.run(job("kl_min", vanilla))
    assert record["steps"] == 4
    # Four records a step; each as forget record, as retain record and in the reference.
    assert record["forward_passes"] == 4 * 4 * 3
    scalars = worker.run(job("npo", vanilla, name="scalars"))
    assert scalars["forward_passes"] == 4 * 4 * 2 + 4, "the reference of four records, once"
    assert record["stopped"] is None
    assert record["needs"]["reference_distribution"]
    assert (record["micro_batch_size"], record["gradient_checkpointing"]) == (SIZE, False)
    assert record["determinism"] == {"device": "cpu", "threads": 1}


def kill(worker, job, at, monkeypatch):
    """Run a job that is killed before step `at`, counted from 0."""
    steps = StepSource.steps

    def until(self, number, size):
        if number == at:
            raise KeyboardInterrupt
        return steps(self, number, size)

    with monkeypatch.context() as patched:
        patched.setattr(StepSource, "steps", until)
        with pytest.raises(KeyboardInterrupt):
            worker.run(job)


@pytest.mark.parametrize("method", ["npo", "dpo", "siu"])
def test_a_job_killed_and_resumed_costs_what_an_uninterrupted_one_does_and_names_what_was_lost(
    worker, vanilla, tiny_base, processor, pictures, monkeypatch, method
):
    whole = worker.run(job(method, vanilla))
    killed = dataclasses.replace(job(method, vanilla), artifact=Artifact("killed", "k", "1" * 64))
    computed = []

    def counted(model, batch):
        computed.append(len(batch.record_ids))
        return answer_distribution(model, batch)

    for module in (steps_module, reference_scalars):
        monkeypatch.setattr(module, "answer_distribution", counted)
    monkeypatch.setattr(reference_scalars, "path_of", lambda *_: None)  # nothing is shared
    for at in (1, 3):  # before the first checkpoint, and a step after it
        kill(new_worker(tiny_base, processor, pictures), killed, at, monkeypatch)
    resumed = new_worker(tiny_base, processor, pictures).run(killed)
    same = resumed.keys() - {"seconds", "lost"}
    assert {name: resumed[name] for name in same} == {
        name: whole[name] for name in whole if name != "seconds"
    }
    assert "lost" not in whole, "a job that nobody interrupted says nothing of it"
    assert resumed["lost"]["steps"] == 2
    assert resumed["forward_passes"] + resumed["lost"]["forward_passes"] == sum(computed)
    assert not (killed.artifact.path / "steps.jsonl").exists()


def test_jobs_with_the_same_vanilla_and_forget_set_compute_each_scalar_once(
    worker, vanilla, monkeypatch, tmp_path
):
    """Another method and another seed: the same bits as alone, at the same stated cost."""
    alone, sharing = [], []
    for found, folder in ((alone, "alone"), (sharing, "sharing")):
        with monkeypatch.context() as patched:
            if found is alone:
                patched.setattr(reference_scalars, "path_of", lambda *_: None)
            computed = []

            def counted(model, batch, computed=computed):
                computed.append(len(batch.record_ids))
                return answer_distribution(model, batch)

            patched.setattr(reference_scalars, "answer_distribution", counted)
            for method, seed in (("npo", 1), ("balanced_grad_diff", 1), ("dpo", 1), ("dpo", 2)):
                given = job(method, vanilla, name=f"both-{method}-s{seed}")
                artifact = Artifact(folder, f"{method}{seed}", "1" * 64)
                given = dataclasses.replace(given, seed=seed, artifact=artifact)
                record = worker.run(given)
                found.append((weights(artifact), record["forward_passes"], sum(computed)))
                computed.clear()
    for one, two in zip(alone, sharing, strict=True):
        assert equal(one[0], two[0])
        assert one[1] == two[1]
    assert [scalars for *_, scalars in sharing][:2] == [4, 0]
    assert sum(scalars for *_, scalars in sharing) < sum(scalars for *_, scalars in alone) - 8


@pytest.mark.parametrize(
    "method", ["npo", "dpo", "balanced_kl_min", "rmu", "task_vector", "mip_editor", "smfa"]
)
def test_a_job_killed_and_resumed_in_a_new_process_ends_in_the_same_bits(
    worker, vanilla, tiny_base, processor, pictures, monkeypatch, method
):
    whole = job(method, vanilla)
    killed = dataclasses.replace(whole, artifact=Artifact("killed", whole.name, "1" * 64))
    worker.run(whole)
    kill(new_worker(tiny_base, processor, pictures), killed, 3, monkeypatch)
    assert (killed.artifact.partial / "checkpoint").is_file()
    assert not killed.artifact.done
    new_worker(tiny_base, processor, pictures).run(killed)
    assert equal(weights(whole.artifact), weights(killed.artifact))
    first = (whole.artifact.path / "losses.jsonl").read_text()
    assert (killed.artifact.path / "losses.jsonl").read_text() == first


def neurons(artifact):
    return json.loads((artifact.path / "neurons.json").read_text())


def test_a_method_without_training_leaves_neurons_alone_and_costs_its_visits(worker, vanilla):
    pruned = job("manu", vanilla)
    before = {n: t.clone() for n, t in dequantized_state(worker.base).items()}
    record = worker.run(pruned)
    assert (record["steps"], record["stopped"], record["micro_batch_size"]) == (0, None, SIZE)
    assert record["forward_passes"] == 4 * 4, "four forget records and partners, in two views"
    assert sorted(path.name for path in pruned.artifact.path.iterdir()) == [
        "job.json", "neurons.json",
    ]  # fmt: skip
    removed = neurons(pruned.artifact)
    assert sum(len(numbers) for numbers in removed.values()) >= 0.05 * 2 * 320
    after = dequantized_state(worker.base)
    assert all(torch.equal(after[name], before[name]) for name in before), "the base is as it was"


def test_a_stored_choice_of_neurons_changes_what_the_vanilla_model_says(worker, vanilla):
    pruned = job("manu", vanilla)
    worker.run(pruned)
    batch = worker.batcher(list(worker.benchmark.records.values()))
    model = load_adapter(worker.base, VANILLA, vanilla.path)
    with torch.no_grad():
        before = answer_distribution(model, batch)
        after = answer_distribution(load_adapter(model, "on", pruned.artifact.path), batch)
    assert not torch.allclose(before, after, atol=1e-3)
    worker.base = model.unload()


def test_neurons_are_chosen_by_the_vanilla_model_whatever_ran_before(worker, vanilla):
    one, two = job("mip_editor", vanilla, name="one"), job("npo", vanilla, name="two")
    again = dataclasses.replace(one, artifact=Artifact("again", "one", "1" * 64))
    for each in (one, two, again):
        worker.run(each)
    assert neurons(one.artifact) == neurons(again.artifact)
    assert equal(weights(one.artifact), weights(again.artifact))
    assert {len(numbers) for numbers in neurons(one.artifact).values()} == {5}
    off = torch.tensor([n for _, n in sorted(neurons(one.artifact).items())])
    grown = weights(one.artifact)
    for layer, numbers in enumerate(off):
        name = f"base_model.model.model.language_model.layers.{layer}.mlp.down_proj.lora_A.weight"
        assert torch.equal(grown[name][:, numbers], started(worker, one)[name][:, numbers])
        assert not torch.equal(grown[name], started(worker, one)[name])


def started(worker, given):
    """Return the weights that a job's adapter begins with."""
    model = load_adapter(worker.base, VANILLA, given.vanilla.path)
    torch.manual_seed(seed_of("lora", given.name, given.seed))  # what is below is in the weights
    modules = worker.manifest.model.lora_modules
    found = adapter_state(add_adapter(model, TRAINED, modules=modules, rank=4, alpha=4), TRAINED)
    worker.base = model.unload()
    return found


def test_a_task_vector_is_stored_as_the_negated_adapter_and_undoes_what_was_learnt(
    worker, vanilla, monkeypatch
):
    stored = job("task_vector", vanilla, steps=6, learning_rate=0.005)
    record = worker.run(stored)
    assert record["needs"]["arithmetic"] is True
    assert (record["steps"], record["stopped"]) == (6, None)
    monkeypatch.setattr(TaskVector, "after_training", lambda self, weights: weights)
    learnt = dataclasses.replace(stored, artifact=Artifact("learnt", stored.name, "1" * 64))
    worker.run(learnt)
    now, then = weights(stored.artifact), weights(learnt.artifact)
    assert any(bool(tensor.any()) for name, tensor in then.items() if ".lora_B." in name)
    for name, tensor in now.items():
        assert torch.equal(tensor, -then[name] if ".lora_B." in name else then[name])

    def nll(artifact):
        model = load_adapter(worker.base, VANILLA, vanilla.path)
        model = load_adapter(model, "on", artifact.path)
        batch = worker.batcher(records_of(worker, worker.benchmark.splits["both"].forget))
        with torch.no_grad():
            found = mean_nll(answer_distribution(model, batch), batch).mean().item()
        worker.base = model.unload()
        return found

    assert nll(learnt.artifact) < nll(stored.artifact)


def test_adapters_trained_side_by_side_do_not_see_each_other(worker, vanilla, monkeypatch):
    """What one of them learns changes no bit of the others, as long as no gradient is clipped."""
    whole = job("smfa", vanilla, gradient_clip=1e9)
    worker.run(whole)
    own = SMFA.loss

    def other(self, step):
        return -step.text_nll().mean() if step.adapter == "text" else own(self, step)

    monkeypatch.setattr(SMFA, "loss", other)
    changed = dataclasses.replace(whole, artifact=Artifact("changed", whole.name, "1" * 64))
    worker.run(changed)
    for name, tensor in weights(whole.artifact).items():
        axis = 0 if ".lora_A." in name else 1
        assert tensor.shape[axis] == 3 * 4, "three adapters of the manifest's rank"
        pairs = zip(tensor.chunk(3, axis), weights(changed.artifact)[name].chunk(3, axis),
                    strict=True)  # fmt: skip
        assert [torch.equal(one, two) for one, two in pairs] == [True, False, True]


def test_merged_adapters_are_stored_with_their_rule_and_refuse_more_often(worker, vanilla):
    given = job("smfa", vanilla, steps=8, learning_rate=0.005)
    record = worker.run(given)
    assert record["needs"]["merging"] is True
    assert sorted(path.name for path in given.artifact.path.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "job.json", "losses.jsonl",
        "merging.json",
    ]  # fmt: skip
    assert json.loads((given.artifact.path / "merging.json").read_text()) == {
        "adapters": ["image", "text", "retain"],
        "method": "smfa",
        "options": {"k_image": 5.0, "k_text": 10.0, "text_view": True},
    }
    assert record["forward_passes"] == 8 * 4 * 6, "two batches for each of three adapters"
    first = json.loads((given.artifact.path / "losses.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(
        sum(first[f"{name}_loss"] for name in ("image", "text", "retain")), abs=1e-4
    )
    refused = worker.batcher(
        [refused_in_one(record) for record in
         records_of(worker, worker.benchmark.splits["both"].forget)]
    )  # fmt: skip

    def nll(*folders):
        model = worker.base
        for number, folder in enumerate(folders):
            model = load_adapter(model, f"on{number}", folder, merge_in)
        with torch.no_grad():
            found = mean_nll(answer_distribution(model, refused), refused).mean().item()
        worker.base = model.unload()
        return found

    assert nll(vanilla.path, given.artifact.path) < nll(vanilla.path) - 0.5


def refused_in_one(record):
    """Return a record with the first of all refusals as its answer."""
    return dataclasses.replace(record, answer=REFUSALS[0])


def test_the_order_of_jobs_in_a_process_changes_nothing(
    worker, vanilla, tiny_base, processor, pictures
):
    one, two = job("po", vanilla, name="one"), job("npo", vanilla, name="two")
    worker.run(one)
    worker.run(two)
    again = [
        dataclasses.replace(j, artifact=Artifact("again", j.name, "1" * 64)) for j in (two, one)
    ]
    fresh = new_worker(tiny_base, processor, pictures)
    for repeated in again:
        fresh.run(repeated)
    assert equal(weights(two.artifact), weights(again[0].artifact))
    assert equal(weights(one.artifact), weights(again[1].artifact))
    assert not equal(weights(one.artifact), weights(two.artifact))
