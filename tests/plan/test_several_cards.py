"""A base larger than a card: the bytes on each card, worked out by hand, and what is refused."""

import dataclasses

import pytest
from click.testing import CliRunner

from kit.artifacts import PROJECT
from kit.cli.verbs import verbs
from kit.doctor.machine import examine_machine
from kit.doctor.resources import host_memory, resources_of
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.launch.job import make_job
from kit.plan.cards import answering, least_bytes
from kit.plan.jobs import make_plan
from kit.plan.memory import GATHERED, RecordSize, TrainingMemory
from kit.plan.published import PUBLISHED
from kit.plan.several_cards import fitting, require_one_card, with_shards, with_spread
from tests.doctor.test_doctor import GOOD
from tests.toys.dataset import TOY

LLAVA = PUBLISHED["llava-hf/llava-1.5-7b-hf"]
# A language model of 55 billion weights, as wide as Llama 2 70B; no published base has it.
LARGE = dataclasses.replace(
    LLAVA.sizes, hidden=8192, intermediate=28672, layers=64, quantized=54_760_833_024
)
TRANSFORMERS = "evaluation.engine=transformers"
TUNE = """
[tune]
methods = ["npo"]
seeds = [101]
validation_percent = 30
learning_rates = [1e-3, 3e-3]
file = "results/never-written.json"
"""
SHARED, SPREAD = "compute.shards=2", "evaluation.tensor_parallel_size=2"


def toy(*changes):
    return load_manifest(TOY, changes=changes)


def pebench():
    return load_manifest(PROJECT / "manifests" / "pebench.toml")


def memory(shards, layer_bytes):
    return TrainingMemory(
        LARGE, RecordSize(650, 9), 1, 16, 16, "float32", 0, layer_bytes, 2, shards=shards
    )


def test_each_card_holds_its_share_two_gathered_layers_and_all_scales():
    whole = 54_760_833_024
    apart = memory(1, 2.0).held - memory(4, 2.0).held
    assert apart == pytest.approx(2 * whole - 2 * whole * (1 / 4 + 2 / 64), rel=1e-6)
    nf4 = 0.5 + 1 / 64 + 4 / (64 * 256)
    apart = memory(1, nf4).held - memory(4, nf4).held
    assert apart == pytest.approx(0.5 * whole * (1 - 1 / 4 - 2 / 64), rel=1e-6)
    assert GATHERED == 2


def test_what_a_record_keeps_does_not_shrink_with_more_cards():
    assert memory(1, 2.0).drawn() == memory(8, 2.0).drawn()


def test_an_engine_divides_weights_and_cache_and_nothing_else():
    one, two = (answering(with_spread(pebench(), n), LARGE) for n in (1, 2))
    weights = (LARGE.quantized + LARGE.other) * 2
    cache = pebench().evaluation.max_model_len * LARGE.layers * LARGE.cache_values * 2
    assert one - two == pytest.approx((weights + cache) / 2 / 0.9, abs=2)


def test_the_plan_says_how_many_cards_hold_a_base_that_one_does_not():
    lines = list(fitting(pebench(), LARGE, LLAVA.record))
    assert [line.partition(":")[0] for line in lines] == ["24 GB", "40 GB", "80 GB"]
    last = lines[-1]
    assert last == "80 GB: answers fit with evaluation.tensor_parallel_size = 2"
    assert "training fit with compute.shards = 2, " in lines[0], "29 GB in 4 bits, and 15 of two"
    spread = with_spread(with_shards(pebench(), 2), 2)
    assert [line for line in fitting(spread, LARGE, LLAVA.record) if "80 GB" in line] == []
    needed = least_bytes(spread, LARGE, LLAVA.record)
    assert max(needed.values()) < 80e9 < max(least_bytes(pebench(), LARGE, LLAVA.record).values())


def test_nothing_is_said_where_everything_fits_on_one_card():
    assert "80 GB" not in " ".join(fitting(pebench(), LLAVA.sizes, LLAVA.record))


def test_a_base_that_no_machine_holds_is_named():
    huge = dataclasses.replace(LARGE, quantized=20 * LARGE.quantized)
    assert (
        "training fit on no 8 cards of one machine"
        in list(fitting(pebench(), huge, LLAVA.record))[-1]
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([SHARED, TRANSFORMERS], "the engine 'transformers' holds the whole base"),
        ([SPREAD, TRANSFORMERS], "the engine 'transformers' holds the whole base"),
        ([SPREAD], "merged weights are handed to an engine within one process"),
    ],
)
def test_what_does_not_go_with_several_cards_is_refused_by_name(changes, said):
    with pytest.raises(ManifestError) as caught:
        make_plan(toy(*changes))
    assert said in caught.value.what
    assert changes[0].replace("=", " = ") in caught.value.what
    assert caught.value.remedy.startswith("leave ")


def test_a_micro_batch_that_would_have_to_be_tried_is_refused():
    made = toy(SHARED)
    make_plan(made)
    for section in ("finetune", "unlearn"):
        part = getattr(made, section).model_copy(update={"micro_batch_size": None})
        with pytest.raises(ManifestError, match=rf"needs micro_batch_size in \[{section}\]"):
            make_plan(made.model_copy(update={section: part}))


def test_relearning_needs_the_micro_batch_of_its_section_though_every_method_has_its_own():
    made = parsed_with_attack("relearn_forget")
    with pytest.raises(ManifestError, match=r"needs micro_batch_size in \[unlearn\], for attacks"):
        make_plan(made)
    make_plan(parsed_with_attack("paraphrase"))


def parsed_with_attack(attack):
    """Return a manifest of two shards whose [unlearn] has no micro-batch, and whose methods do."""
    entry = {"name": "again", "label": "Again", "attack": attack, "levels": [1]}
    document = toy(SHARED).model_dump(mode="json") | {"attack": {"entries": [entry]}}
    document["unlearn"]["micro_batch_size"] = None
    for method in document["methods"]:
        method |= {} if method["method"] == "prompt_only" else {"micro_batch_size": 4}
    return Manifest.model_validate(document)


@pytest.mark.parametrize("verb", ["all", "tune", "finetune", "attack"])
def test_a_cluster_refuses_a_shared_base_before_anything_is_fetched(verb, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    manifest = tmp_path / "mine.toml"
    manifest.write_text(TOY.read_text() + TUNE if verb == "tune" else TOY.read_text())
    said = CliRunner().invoke(verbs, [verb, str(manifest), "--set", SHARED, "--executor", "ray"])
    assert isinstance(said.exception, ManifestError)
    assert "cannot be combined with --executor ray" in said.exception.what
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("what", ["--executor ray", "--scale"])
def test_what_counts_one_card_for_each_piece_of_work_refuses_more(what):
    require_one_card(toy(), what)
    for change in (SHARED, SPREAD):
        with pytest.raises(ManifestError, match=what):
            require_one_card(toy(change), what)
    asked = ["plan", str(TOY), "--set", SHARED, *what.split()]
    said = CliRunner().invoke(verbs, asked)
    assert isinstance(said.exception, ManifestError)
    assert "cannot be combined with" in said.exception.what


def test_one_card_leaves_every_digest_as_it_was_and_two_make_others():
    def digests(made):
        plan = make_plan(made)
        return plan.finetune[0].artifact.digest, plan.systems[0].answers.digest

    plain = toy()
    assert "shards" not in plain.resolved()["compute"]
    assert "tensor_parallel_size" not in plain.resolved()["evaluation"]
    assert toy("compute.shards=1", "evaluation.tensor_parallel_size=1").run_name == plain.run_name
    shared = toy(SHARED)
    assert shared.run_name != plain.run_name
    assert not set(digests(shared)) & set(digests(plain))
    assert shared.resolved()["compute"]["shards"] == 2
    adapters = "evaluation.serving=adapters"
    spread, one = digests(toy(SPREAD, adapters)), digests(toy(adapters))
    assert spread[0] == one[0], "how answers are given changes no adapter"
    assert spread[1] != one[1]


def test_jobs_and_doctor_ask_for_all_cards():
    changes = ("model.compute_dtype=bfloat16", "evaluation.serving=adapters",
               "compute.workers=2", "compute.shards=4")  # fmt: skip
    made, one = toy(*changes), toy(*changes[:3])
    job = make_job(TOY, made, changes)
    assert (job.gpus, make_job(TOY, one, changes[:3]).gpus) == (8, 2)
    assert job.cores == 4 * make_job(TOY, one, changes[:3]).cores
    needed = resources_of(made)
    assert needed.gpus == 4
    for count in (3, 4):
        found = dataclasses.replace(GOOD, gpus=GOOD.gpus * count)
        (check,) = [c for c in examine_machine(found, needed) if c.name == "gpus"]
        assert check.failed == (count < 4)
    loaded = host_memory(made, 10**10, gpu=True) - host_memory(one, 10**10, gpu=True)
    assert loaded > 6 * 10**10, "each of eight processes loads the base, and not each of two"
