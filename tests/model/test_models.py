"""The 4-bit base and its adapters, on a random LLaVA small enough to build for each session."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

from kit.errors import ModelError
from kit.experiment.manifest import ModelSection, SourceSection, TrainingSection
from kit.methods import Needs, Step
from kit.methods.registry import build
from kit.model.base import dequantized_state, export_base, load_base
from kit.model.batches import Batcher
from kit.model.combine import concatenate, merge
from kit.model.likelihood import answer_distribution, mean_kl
from kit.model.lora import adapter_state, add_adapter, load_adapter, save_adapter, without
from kit.training.loop import train

torch.set_num_threads(1)
LANGUAGE = r".*\.language_model\.layers\.\d+\..*_proj"

NOWHERE = SourceSection(name="base", folder="-", checksums="-")


@pytest.fixture(scope="module")
def section():
    return ModelSection(source=NOWHERE, compute_dtype="float32", lora_modules=LANGUAGE)


@pytest.fixture
def base(tiny_base, section):
    return load_base(tiny_base, section)


@pytest.fixture
def batch(processor, records):
    return Batcher(processor, torch.device("cpu"))(records)


def distribution(model, batch):
    with torch.no_grad():
        return answer_distribution(model, batch)


def adapter(model, name, rank=4, alpha=8.0, seed=0):
    """Add an adapter and give it weights that change answers: LoRA starts at zero."""
    torch.manual_seed(seed)
    model = add_adapter(model, name, modules=LANGUAGE, rank=rank, alpha=alpha)
    for place, parameter in model.named_parameters():
        if f".{name}." in place:
            parameter.data.normal_(std=0.1)
    return model


def apart(one, two):
    return (one.exp() - two.exp()).abs().max().item()


def bytes_of(model, but=""):
    """Copy every tensor of a model but those whose name contains `but`."""
    return {
        name: value.detach().clone()
        for name, value in model.state_dict().items()
        if isinstance(value, torch.Tensor) and not (but and but in name)
    }


def equal(one, two):
    return set(one) == set(two) and all(torch.equal(one[name], two[name]) for name in one)


def test_the_language_model_alone_is_quantised(base):
    places = [name for name, module in base.named_modules() if isinstance(module, Linear4bit)]
    assert len(places) == 2 * 7
    assert all(".language_model.layers." in place for place in places)
    kept = {"vision_tower", "multi_modal_projector", "lm_head"}
    full = [n for n, m in base.named_modules() if type(m) is torch.nn.Linear]
    assert {part for part in kept if any(part in name for name in full)} == kept


def test_no_layer_may_repack_its_weights_in_eval_mode(base):
    """bitsandbytes would do so at the first forward pass, in place and without a gradient."""
    layers = [module for module in base.modules() if isinstance(module, Linear4bit)]
    assert layers
    assert not any(layer.support_avx512bf16_for_cpu for layer in layers)


def test_the_base_is_frozen_and_computing_with_it_changes_nothing(base, batch):
    assert not any(parameter.requires_grad for parameter in base.parameters())
    before = bytes_of(base)
    first = distribution(base, batch)
    assert torch.equal(first, distribution(base, batch))
    assert equal(before, bytes_of(base))


def test_gradients_reach_the_adapter_after_the_base_was_used_in_eval_mode(base, batch):
    distribution(base.eval(), batch)
    model = adapter(base, "trained")
    answer_distribution(model, batch).sum().backward()
    trained = [p for n, p in model.named_parameters() if ".trained." in n]
    assert trained
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)


def test_the_dequantised_weights_compute_what_the_4_bit_base_computes(base, batch, tiny_base):
    plain = LlavaForConditionalGeneration.from_pretrained(tiny_base, attn_implementation="eager")
    original = distribution(plain.eval(), batch)
    _, unexpected = plain.load_state_dict(dequantized_state(base), strict=False)
    assert unexpected == []
    found = distribution(base, batch)
    assert torch.allclose(found, distribution(plain, batch), atol=1e-4)
    assert apart(found, original) > 1e-4, "quantising changed nothing: was it done?"


def test_the_exported_base_computes_what_the_4_bit_base_computes(
    base, batch, tiny_base, section, tmp_path
):
    export_base(tiny_base, section, tmp_path)
    served = LlavaForConditionalGeneration.from_pretrained(tmp_path, attn_implementation="eager")
    assert torch.allclose(distribution(base, batch), distribution(served.eval(), batch), atol=1e-4)


def test_no_adapter_sits_in_the_vision_tower_or_the_projector(base):
    model = adapter(base, "vanilla")
    places = [name for name, _ in model.named_parameters() if "lora_" in name]
    assert len(places) == 2 * 7 * 2
    assert all(".language_model.layers." in place for place in places)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert sorted(trained) == sorted(places)


@pytest.mark.parametrize(
    "modules", [r".*_proj", r".*\.q_proj", r".*linear_1", r".*\.vision_tower\..*fc1"]
)
def test_an_expression_that_reaches_beyond_the_language_model_is_refused(base, modules):
    with pytest.raises(ModelError, match="outside the language model"):
        add_adapter(base, "vanilla", modules=modules, rank=2, alpha=2)


@pytest.mark.parametrize("stacked", [False, True])
def test_an_expression_that_matches_nothing_is_refused(base, stacked):
    model = adapter(base, "vanilla") if stacked else base
    with pytest.raises(ModelError, match="matches no module"):
        add_adapter(model, "trained", modules=r".*\.decoder\..*", rank=2, alpha=2)


def test_a_new_adapter_changes_nothing_until_it_is_trained(base, batch):
    before = distribution(base, batch)
    model = add_adapter(base, "vanilla", modules=LANGUAGE, rank=4, alpha=4)
    assert torch.equal(before, distribution(model, batch))


def test_without_an_adapter_the_reference_is_exactly_what_it_was(base, batch):
    model = adapter(base, "vanilla")
    reference = distribution(model, batch)
    model = adapter(model, "trained", seed=1)
    whole = distribution(model, batch)
    assert apart(whole, reference) > 1e-3
    with without(model, "trained"):
        assert torch.equal(answer_distribution(model, batch), reference)
        assert not torch.is_grad_enabled()
    assert torch.equal(distribution(model, batch), whole)


def test_without_the_only_adapter_the_base_answers(base, batch):
    reference = distribution(base, batch)
    model = adapter(base, "trained")
    with without(model, "trained"):
        assert torch.equal(answer_distribution(model, batch), reference)
    assert apart(distribution(model, batch), reference) > 1e-3


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_gradients_are_as_before_after_the_reference_was_asked(base, batch, below, fails):
    model = adapter(adapter(base, "vanilla"), "trained") if below else adapter(base, "trained")
    before = {n: p.requires_grad for n, p in model.named_parameters()}
    try:
        with without(model, "trained"):
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert {n: p.requires_grad for n, p in model.named_parameters()} == before
    assert {n.split(".")[-2] for n, wanted in before.items() if wanted} == {"trained"}


def test_asking_the_reference_between_forward_and_backward_keeps_the_gradient(base, batch):
    """KL needs the reference after the forget term's graph is there."""
    model = adapter(adapter(base, "vanilla"), "trained", seed=1)
    trained = [p for p in model.parameters() if p.requires_grad]
    with without(model, "trained"):
        reference = answer_distribution(model, batch)

    def gradients(ask):
        model.zero_grad()
        policy = answer_distribution(model, batch)
        mean_kl(ask(), policy, batch.answer_mask).mean().backward()
        return [p.grad.clone() for p in trained]

    def asked():
        with without(model, "trained"):
            return answer_distribution(model, batch)

    expected, found = gradients(lambda: reference), gradients(asked)
    assert all(torch.equal(one, two) for one, two in zip(expected, found, strict=True))
    assert any(grad.abs().max() > 0 for grad in found)


def test_a_stored_adapter_comes_back_bit_by_bit(base, batch, tiny_base, section, tmp_path):
    model = adapter(base, "trained")
    before, state = distribution(model, batch), adapter_state(model, "trained")
    save_adapter(model, "trained", tmp_path)
    again = load_adapter(load_base(tiny_base, section), "vanilla", tmp_path)
    assert equal(state, adapter_state(again, "vanilla"))
    assert torch.equal(before, distribution(again, batch))
    assert not any(p.requires_grad for p in again.parameters())


def test_a_stored_adapter_names_no_place_of_this_machine(base, tmp_path, tiny_base):
    save_adapter(adapter(base, "trained"), "trained", tmp_path)
    config = (tmp_path / "adapter_config.json").read_text()
    assert str(tiny_base) not in config
    assert str(Path.home()) not in config


def test_concatenated_adapters_answer_like_the_stacked_ones(
    base, batch, tiny_base, section, tmp_path
):
    model = adapter(adapter(base, "vanilla", rank=4, alpha=8), "trained", rank=3, alpha=3, seed=1)
    stacked = distribution(model, batch)
    save_adapter(model, "vanilla", tmp_path / "1")
    save_adapter(model, "trained", tmp_path / "2")
    assert concatenate([tmp_path / "1", tmp_path / "2"], tmp_path / "both") == 7
    path = tmp_path / "both" / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    # Engines need names without a path. PEFT would find them in the vision tower as well.
    path.write_text(json.dumps(config | {"target_modules": LANGUAGE}), encoding="utf-8")
    alone = load_adapter(load_base(tiny_base, section), "both", tmp_path / "both")
    assert torch.allclose(distribution(alone, batch), stacked, atol=1e-5)
    first = load_adapter(load_base(tiny_base, section), "one", tmp_path / "1")
    assert apart(distribution(first, batch), stacked) > 1e-3
    both = load_adapter(first, "two", tmp_path / "2")
    assert torch.equal(distribution(both, batch), stacked), "loaded one on the other, both answer"


def test_adapters_on_different_modules_are_not_concatenated(base, tmp_path):
    model = adapter(base, "vanilla")
    save_adapter(model, "vanilla", tmp_path / "1")
    fewer = LANGUAGE.replace("_proj", "q_proj")
    model = add_adapter(model, "trained", modules=fewer, rank=4, alpha=4)
    save_adapter(model, "trained", tmp_path / "2")
    with pytest.raises(ModelError, match="different modules"):
        concatenate([tmp_path / "1", tmp_path / "2"], tmp_path / "both")


@pytest.mark.parametrize("module", ["q_proj", "vision_tower", "lm_head"])
def test_weights_that_are_in_no_file_are_not_drawn_at_random(module, tiny_base, section, tmp_path):
    copy = shutil.copytree(tiny_base, tmp_path / "base")
    path = copy / "model.safetensors"
    weights = load_file(path)
    del weights[next(name for name in sorted(weights) if module in name)]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="do not hold all weights") as caught:
        load_base(copy, section)
    assert module in caught.value.found


def stored(folder, name="adapter_model.safetensors"):
    return folder / name


def of_another_rank(folder, other):
    shutil.copy(stored(other), folder)


def of_fewer_modules(folder, other):
    weights = load_file(stored(folder))
    save_file({key: weights[key] for key in sorted(weights) if "q_proj" in key}, stored(folder))


def of_a_wider_base(folder, other):
    weights = load_file(stored(folder))
    wider = {k: torch.cat([v, v], dim=1) if ".lora_A." in k else v for k, v in weights.items()}
    save_file(wider, stored(folder))


def cut_off(folder, other):
    stored(folder).write_bytes(stored(folder).read_bytes()[:-50])


def without_weights(folder, other):
    stored(folder).unlink()


def without_configuration(folder, other):
    stored(folder, "adapter_config.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [of_another_rank, of_fewer_modules, of_a_wider_base, cut_off, without_weights,
     without_configuration],
)  # fmt: skip
def test_an_adapter_that_is_damaged_or_of_another_base_is_refused_by_name(
    damage, base, tiny_base, section, tmp_path
):
    model = adapter(adapter(base, "vanilla", rank=4, alpha=8), "trained", rank=3, alpha=3, seed=1)
    for number, name in enumerate(("vanilla", "trained"), start=1):
        save_adapter(model, name, tmp_path / str(number))
    damage(tmp_path / "1", tmp_path / "2")
    weights = dequantized_state(load_base(tiny_base, section))
    uses = [lambda: load_adapter(load_base(tiny_base, section), "again", tmp_path / "1")]
    uses.append(lambda: concatenate([tmp_path / "2", tmp_path / "1"], tmp_path / "both"))
    if damage is not of_fewer_modules:  # merging knows of no others, but the second look loads it
        uses.append(lambda: merge([tmp_path / "1"], weights))
    for use in uses:
        with pytest.raises(ModelError) as caught:
            use()
        assert caught.value.remedy
        assert str(tmp_path) in str(caught.value)


def training(model, batch, folder, name="kl_min"):
    settings = TrainingSection(
        steps=2, batch_size=4, micro_batch_size=4, learning_rate=0.05, warmup_steps=0, rank=4,
        alpha=4, gradient_clip=1.0,
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    needs = Needs(retain=True, reference_distribution=True)
    reference = partial(without, model, "trained")
    step = Step(model, reference, needs, {"forget": batch, "retain": batch})
    train(model, build(name, {}), settings, lambda number, size: iter([step]), folder, name="t")


def test_training_changes_the_trained_adapter_and_not_a_bit_of_anything_else(base, batch, tmp_path):
    model = adapter(adapter(base, "vanilla"), "trained", seed=1)
    before, untouched = bytes_of(model), bytes_of(model, but=".trained.")
    training(model, batch, tmp_path)
    assert equal(untouched, bytes_of(model, but=".trained."))
    assert any(".vanilla." in name for name in untouched)
    after = bytes_of(model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert len(changed) == 2 * 7 * 2
    assert all(".trained." in name for name in changed)


def test_a_second_job_in_a_process_trains_as_if_it_were_the_first(
    base, batch, tiny_base, section, tmp_path
):
    def job(start, folder):
        model = load_adapter(start, "vanilla", tmp_path / "vanilla")
        model = adapter(model, "trained", seed=3)
        training(model, batch, folder)
        save_adapter(model, "trained", folder)
        return model.unload()

    model = adapter(base, "vanilla", seed=2)
    save_adapter(model, "vanilla", tmp_path / "vanilla")
    left = job(model.unload(), tmp_path / "first")
    distribution(left, batch)
    job(left, tmp_path / "second")
    job(load_base(tiny_base, section), tmp_path / "fresh")
    states = [
        load_file(tmp_path / name / "adapter_model.safetensors")
        for name in ("first", "second", "fresh")
    ]
    assert equal(states[0], states[1])
    assert equal(states[0], states[2])


def test_a_folder_without_a_model_is_named_with_the_remedy(tmp_path, section):
    with pytest.raises(ModelError, match="no base model in") as caught:
        load_base(tmp_path, section)
    assert "./run.sh fetch" in caught.value.remedy
    assert str(tmp_path) in caught.value.what


def test_a_model_that_is_nowhere_is_not_looked_for_on_the_network(tmp_path, section):
    with pytest.raises(ModelError, match="no base model in"):
        load_base(tmp_path / "nowhere", section)
