"""The embedded OFFSIDE: equal bytes everywhere, the published fields, enough records."""

import json

import pytest

from kit.artifacts import PROJECT
from kit.benchmarks import load
from kit.benchmarks.offside.entries import FOLDER, QUESTIONS
from kit.benchmarks.parquet import Place
from kit.digests import read_checksums, verify_files
from kit.experiment.manifest_file import load_manifest
from kit.smoke.base import make_processor
from kit.smoke.offside import FACTS, write_offside
from tests.toys.mllmu import MANIFESTS

SMOKE = MANIFESTS / "offside-smoke.toml"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    made = tmp_path_factory.mktemp("offside")
    write_offside(made)
    return made


@pytest.fixture(scope="module")
def benchmark(root):
    return load(load_manifest(SMOKE), {"offside": Place(root, root)})


def entries(root, name):
    return json.loads((root / FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_the_files_are_those_in_the_checksum_list(root):
    listed = read_checksums(PROJECT / load_manifest(SMOKE).sources[0].checksums)
    there = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    assert there == set(listed)
    verify_files(root, listed, remedy="-")


def test_entries_have_the_fields_that_the_released_code_reads(root):
    """GA_forget.py, eval_generation.py and eval_classi.py of zh121800/OFFSIDE @ 91884c7."""
    for name in ("forget", "retain", "test"):
        for entry in entries(root, f"{name}_set"):
            asked, answered = entry["messages"]
            assert asked["content"] in QUESTIONS
            assert answered["content"]
            assert (root / entry["images"]).is_file()
        for entry in entries(root, f"classification_{name}_set"):
            assert set(entry) == {"Question", "Options", "Correct_Answer", "images"}
            assert list(entry["Options"]) == list("ABCD")
            assert entry["Correct_Answer"] in "ABCD"


def test_images_are_numbered_as_the_readme_says(root):
    for name, places in (("forget", {4}), ("retain", {1, 2, 3})):
        numbers = {int(e["images"][7:-4]) for e in entries(root, f"{name}_set")}
        assert {number % 5 for number in numbers} == places
        assert len(numbers) == 20 * len(places)


def test_shared_facts_are_those_of_the_player_and_private_ones_those_of_the_image(root):
    told = {}
    for entry in entries(root, "retain_set"):
        number, (asked, answered) = int(entry["images"][7:-4]), entry["messages"]
        fact, facts = QUESTIONS[asked["content"]]
        told.setdefault((facts, fact, number // 5), set()).add(answered["content"])
    assert {fact for _, fact, _ in told} == set(FACTS)
    assert all(len(answers) == 1 for (facts, *_), answers in told.items() if facts == "shared")
    several = [len(answers) > 1 for (facts, *_), answers in told.items() if facts == "private"]
    assert sum(several) > 0.9 * len(several)


def test_every_entry_is_used_and_one_record_weighs_less_than_two_points(benchmark):
    assert not benchmark.left_out
    sizes = {len(ids) for split in benchmark.splits.values() for ids in split.evaluation.values()}
    assert sizes == {60}
    assert len({record.group for record in benchmark.records.values()}) == 20


def test_every_answer_can_be_said_in_the_manifests_tokens(benchmark):
    tokenizer = make_processor().tokenizer
    for text in {record.answer for record in benchmark.records.values()}:
        ids = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert len(ids) < load_manifest(SMOKE).evaluation.max_new_tokens


def test_the_published_manifest_is_valid():
    described = load_manifest(MANIFESTS / "offside.toml")
    assert described.split.forget_percent == 25
    assert described.sources[0].repo == "zh1218001/OFFSIDE"
