"""GPU memory by arithmetic, against counts of autograd and against numbers worked out by hand."""

import re

import pytest

from kit.artifacts import PROJECT
from kit.cli.plan_text import render
from kit.errors import ModelError
from kit.experiment.manifest_file import load_manifest
from kit.plan.cards import answering, card_rows, describe, grouped, kinds, least_bytes, on_card
from kit.plan.memory import SAVED, RecordSize, TrainingMemory, cache_bytes
from kit.plan.preview import preview
from kit.plan.published import PUBLISHED
from kit.preflight.structure import read_structure
from tests.bench.activations import per_token_and_layer
from tests.bench.random_models import OTHER_SIZES, other_size, real_size
from tests.toys.dataset import TOY

LLAVA, QWEN = PUBLISHED["llava-hf/llava-1.5-7b-hf"], PUBLISHED["Qwen/Qwen2.5-VL-7B-Instruct"]
GPU_MANIFESTS = sorted(
    path.name
    for path in (PROJECT / "manifests").glob("*.toml")
    if load_manifest(path, calibrated=False).model.compute_dtype == "bfloat16"
)


def pebench(**changes):
    made = load_manifest(PROJECT / "manifests" / "pebench.toml")
    return made.model_copy(
        update={
            "finetune": made.finetune.model_copy(update=changes),
            "unlearn": made.unlearn.model_copy(update=changes),
        }
    )


def test_the_published_sizes_are_those_of_the_published_configurations(tmp_path):
    section = load_manifest(TOY).model
    made = {published: real_size(published.sizes.family) for published in (LLAVA, QWEN)}
    made |= {PUBLISHED[repo]: other_size(repo) for repo in OTHER_SIZES}
    assert set(made) == set(PUBLISHED.values())
    for number, (published, config) in enumerate(made.items()):
        folder = tmp_path / str(number)
        config.save_pretrained(folder)
        assert read_structure(folder, section).sizes == published.sizes


@pytest.mark.parametrize("dtype", sorted(SAVED))
def test_what_a_backward_pass_keeps_is_what_autograd_saves(dtype):
    """Norms and the inner LoRA products are left out of the formula: less than five percent."""
    hidden, intermediate = SAVED[dtype]
    counted = per_token_and_layer(256, 512, dtype)
    assert 256 * hidden + 512 * intermediate == pytest.approx(counted, rel=0.05)


def test_bytes_worked_out_by_hand():
    memory = TrainingMemory(LLAVA.sizes, RecordSize(650, 9), 2, 16, 16, "float32")
    pair = 2 * (650 * 32 * (40 * 4096 + 10 * 11008) + 10 * 32064 * 14)
    assert memory.drawn() == pair == pytest.approx(11.4e9, rel=0.01)
    base = 6_476_005_376 * 0.515869140625 + 587_421_696 * 2
    assert base == pytest.approx(4.5e9, rel=0.01)
    assert memory.held == pytest.approx(base + 2_498_560 * 16 * (16 + 4) + 1.5e9)
    assert cache_bytes(LLAVA.sizes) == 524_288
    assert cache_bytes(QWEN.sizes) == 57_344


def how(manifest, published, gigabytes):
    every = kinds(manifest, published.sizes, published.record)
    return {kind.name: kind.fit(gigabytes * 10**9).how for kind in every}


@pytest.mark.parametrize(
    ("gigabytes", "single", "pair", "three"),
    [(24, "2", "1", "1, recomputed"), (40, "4", "2", "1"), (80, "8", "4", "2")],
)
def test_a_pair_of_records_takes_twice_the_memory_and_dpo_three_times(
    gigabytes, single, pair, three
):
    found = how(pebench(), LLAVA, gigabytes)
    assert (found["fine-tuning"], found["ga"]) == (single, single)
    assert {found[name] for name in ("gd", "kl", "npo", "po", "siu", "gd-balanced")} == {pair}
    assert found["dpo"] == three


def test_pairs_of_large_pictures_are_recomputed_on_a_small_card_and_need_it_less_in_bfloat16():
    small = how(pebench(), QWEN, 24)
    assert (small["ga"], small["gd"]) == ("1", "1, recomputed")
    halved = how(pebench(lora_dtype="bfloat16"), QWEN, 40)
    assert (how(pebench(), QWEN, 40)["dpo"], halved["dpo"]) == ("1, recomputed", "1")
    assert "not with lora_dtype = 'bfloat16': dpo" in on_card(
        pebench(), QWEN.sizes, QWEN.record, 40 * 10**9
    )
    (starred,) = [n for n in describe(pebench(), QWEN.sizes, QWEN.record) if "dpo" in n]
    assert re.match(r"1, recomputed +1, recomputed\* +1 ", starred)


def test_a_micro_batch_of_the_manifest_and_its_ban_on_recomputing_are_kept():
    assert how(pebench(micro_batch_size=2), LLAVA, 80)["ga"] == "2"
    never = pebench(gradient_checkpointing="never")
    assert how(never, LLAVA, 24)["dpo"] == "does not fit"
    assert how(pebench(gradient_checkpointing="always"), LLAVA, 80)["ga"] == "1, recomputed"
    largest = {}
    for made in (never, pebench()):
        ((name, least),) = [
            pair for pair in least_bytes(made, LLAVA.sizes, LLAVA.record).items()
            if pair[0] != "answering"
        ]  # fmt: skip
        largest[made.unlearn.gradient_checkpointing] = least
        every = kinds(made, LLAVA.sizes, LLAVA.record)
        assert least == max(kind.least for kind in every), name
    assert largest["never"] > 24e9 > largest["auto"]


def test_answering_needs_more_with_more_adapters_and_a_longer_context():
    made = pebench()
    longer = made.model_copy(
        update={"evaluation": made.evaluation.model_copy(update={"max_model_len": 4096})}
    )
    assert answering(longer, LLAVA.sizes) - answering(made, LLAVA.sizes) == pytest.approx(
        2048 * 524_288 / 0.9, rel=1e-6
    )
    merged = made.model_copy(
        update={"evaluation": made.evaluation.model_copy(update={"serving": "merged"})}
    )
    assert answering(merged, LLAVA.sizes) < answering(made, LLAVA.sizes)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if "-" in n else ()) for n in GPU_MANIFESTS],
)
def test_every_manifest_for_a_gpu_plans_before_anything_is_fetched(name, monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    plan, missing = preview(load_manifest(PROJECT / "manifests" / name))
    text = render(plan, missing)
    assert "before the first run: `./run.sh lock` must write" in text
    assert not re.search(r"^done", text, re.MULTILINE)
    assert re.search(r"^  24 GB +40 GB +80 GB +records at the same time$", text, re.MULTILINE)


def test_a_base_that_nobody_knows_has_no_estimate(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    made = pebench()
    source = made.model.source.model_copy(update={"repo": "someone/other"})
    other = made.model_copy(update={"model": made.model.model_copy(update={"source": source})})
    assert "memory: no estimate before the base is fetched" in render(*preview(other))


def test_the_preview_of_a_fetched_experiment_is_its_plan(monkeypatch, tmp_path):
    from kit.plan.jobs import make_plan

    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    plan, missing = preview(load_manifest(TOY))
    assert missing == []
    assert plan == make_plan(load_manifest(TOY))
    assert "memory on one GPU" not in render(plan)


def test_kinds_are_grouped_with_the_roomiest_first():
    fits = [kind.fit(24 * 10**9) for kind in kinds(pebench(), LLAVA.sizes, LLAVA.record)]
    assert [size for size, _ in grouped(fits)] == ["2", "1", "1, recomputed"]


def test_a_batch_that_is_never_cut_needs_memory_for_all_of_its_records():
    """MLLMU-Bench's NPO takes one mean over its batch of 4; no card of 24 GB holds 4 passes."""
    made = load_manifest(PROJECT / "manifests" / "mllmu.toml")
    (npo,) = [entry for entry in made.methods if entry.name == "npo"]
    whole = npo.model_copy(update={"name": "whole", "options": {"legacy": "mllmu", "beta": 0.4}})
    made = made.model_copy(update={"methods": (npo, whole)})
    assert [how(made, LLAVA, size)["whole"] for size in (24, 40, 80)] == ["4, recomputed", "4", "4"]
    assert how(made, LLAVA, 7)["whole"] == "does not fit"
    (kind,) = [k for k in kinds(made, LLAVA.sizes, LLAVA.record) if k.name == "whole"]
    assert kind.least - kind.memory.held == 4 * kind.memory.drawn(recomputed=True)


def test_every_kind_of_job_is_in_one_row_of_the_cards():
    rows = list(card_rows(pebench(), LLAVA.sizes, LLAVA.record))
    every = [kind.name for kind in kinds(pebench(), LLAVA.sizes, LLAVA.record)]
    assert sorted(name for _, names in rows for name in names) == sorted([*every, "answers"])
    for cells, names in rows[:-1]:
        for name in names:
            assert [cell.rstrip("*") for cell in cells] == [
                how(pebench(), LLAVA, size)[name] for size in (24, 40, 80)
            ]


def test_a_plan_refuses_a_family_that_the_base_s_config_names(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    made = load_manifest(TOY)
    (tmp_path / "config.json").write_text('{"model_type": "mllama"}', encoding="utf-8")
    source = made.model.source.model_copy(update={"folder": str(tmp_path)})
    other = made.model_copy(update={"model": made.model.model_copy(update={"source": source})})
    with pytest.raises(ModelError, match="family mllama"):
        preview(other)
