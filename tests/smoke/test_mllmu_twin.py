"""The embedded MLLMU-Bench: equal bytes everywhere, the published format, enough records."""

import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter

import pyarrow.parquet as pq
import pytest

from kit.artifacts import PROJECT
from kit.benchmarks import load
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Column
from kit.benchmarks.unpacking import unpack
from kit.digests import read_checksums, verify_files
from kit.experiment.manifest_file import load_manifest
from kit.smoke.base import make_processor
from kit.smoke.mllmu import CELEBRITY_ROWS, FORGET, ROWS, write_mllmu
from kit.smoke.mllmu_questions import FACTS, facts_of
from kit.smoke.people import REAL_COUNT, people
from tests.toys.mllmu import MANIFESTS

SMOKE = MANIFESTS / "mllmu-smoke.toml"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("mllmu")
    write_mllmu(root / "data")
    made = Place(root / "data", root / "images")
    unpack(made)
    return made


@pytest.fixture(scope="module")
def benchmark(place):
    return load(load_manifest(SMOKE), {"mllmu": place})


def tree(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def column(place, config, name):
    return [value for table in place.tables(config)
            for value in pq.read_table(table, columns=[name])[name].to_pylist()]  # fmt: skip


def test_the_tables_are_those_in_the_checksum_list(place):
    listed = read_checksums(PROJECT / load_manifest(SMOKE).sources[0].checksums)
    assert set(listed) == set(tree(place.path))
    verify_files(place.path, listed, remedy="-")


def test_the_tables_are_equal_in_a_process_with_another_hash_seed(place, tmp_path):
    code = "import sys, pathlib, kit.smoke.mllmu as m; m.write_mllmu(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    subprocess.run(command, env=environment, cwd=PROJECT, check=True)
    assert tree(tmp_path / "data") == tree(place.path)


def test_writing_again_leaves_the_global_random_state(place, tmp_path):
    state = random.getstate()
    write_mllmu(tmp_path / "data")
    assert random.getstate() == state
    assert tree(tmp_path / "data") == tree(place.path)


def test_the_files_hold_nothing_of_the_machine(place):
    for path in place.path.rglob("*.parquet"):
        found = pq.read_metadata(path)
        assert not found.metadata, "no schema or pandas metadata beside the table"
        group = found.row_group(0)
        columns = [group.column(index) for index in range(group.num_columns)]
        assert {one.compression for one in columns} == {"UNCOMPRESSED"}


def test_a_row_has_the_published_eighteen_questions(place):
    task = column(place, "Full_Set", "Classification_Task")[0]
    assert {name: len(asked) for name, asked in task.items()} == {
        "Image_Textual_Questions": 5, "Pure_Text_Questions": 5,
    }  # fmt: skip
    for name in ("Generation_Task", "Mask_Task"):
        types = Counter(asked["Type"] for asked in column(place, "Full_Set", name)[0])
        assert types == {"Image_Textual": 2, "Pure_Text": 2}


def test_odd_answers_are_read_or_left_out_and_counted(benchmark):
    assert [(e.table, e.unit, e.count, e.published) for e in benchmark.left_out] == [
        ("retain_85", "questions", 1, True), ("ft_Data", "pairs", 1, True),
        ("ft_Data", "pairs", 1, True),
    ]  # fmt: skip
    letters = {r.answer for r in benchmark.records.values() if "/choice-" in r.id}
    assert letters == set("ABCD")


def test_sets_have_the_sizes_of_their_people(place):
    full = set(column(place, "Full_Set", "ID"))
    assert len(full) == 20 * ROWS
    for percent, count in FORGET.items():
        forget = set(column(place, f"forget_{percent}", "ID"))
        retain = set(column(place, f"retain_{100 - percent}", "ID"))
        assert len(forget) == count * ROWS
        assert not forget & retain
        assert forget | retain == full
    celebrities = column(place, "Retain_Set", "ID")
    assert len(celebrities) == len(set(celebrities)) == REAL_COUNT * CELEBRITY_ROWS
    assert set(celebrities) <= full, "published IDs of celebrities collide as well"


@pytest.mark.parametrize("percent", FORGET)
def test_no_person_is_both_forgotten_and_retained(place, percent):
    described = load_manifest(SMOKE)
    split = described.split.model_copy(update={"forget_percent": percent})
    benchmark = load(described.model_copy(update={"split": split}), {"mllmu": place})
    for made in benchmark.splits.values():
        forget = {benchmark.records[key].person for key in made.forget}
        assert len(forget) == FORGET[percent]
        assert not forget & {benchmark.records[key].person for key in made.retain}


def test_keys_of_biographies_are_spelt_in_several_ways(place, benchmark):
    keys = {key for text in column(place, "Full_Set", "biography") for key in json.loads(text)}
    assert len({key for key in keys if key.startswith("Name")}) > 2
    names = {person.name for person in people()[0]}
    assert {benchmark.records[key].person for key in benchmark.finetune} == names


@pytest.mark.parametrize("target", ["multimodal", "text"])
def test_one_record_is_less_than_two_points_of_every_column(benchmark, target):
    sizes = {key: len(ids) for key, ids in benchmark.splits[target].evaluation.items()}
    assert len(sizes) == 24
    assert {key: size for key, size in sizes.items() if size <= 50} == {}


def test_no_question_of_a_column_is_asked_twice(benchmark):
    for key, ids in benchmark.splits["text"].evaluation.items():
        asked = [benchmark.records[one] for one in ids]
        assert len({(r.image, r.question) for r in asked}) == len(asked), key


def test_test_images_and_celebrities_are_in_no_other_set(benchmark):
    evaluation = benchmark.splits["multimodal"].evaluation
    for part in ("classification-image", "generation-image", "cloze-image"):
        shown = {
            c: {benchmark.records[k].image for k in evaluation[part, c]}
            for c in (Column.EFFICACY, Column.GENERALITY, Column.REAL)
        }
        learned = {benchmark.records[key].image for key in benchmark.finetune}
        assert shown[Column.EFFICACY] <= learned
        assert not shown[Column.GENERALITY] & learned
        assert not shown[Column.REAL] & learned


def test_what_is_rehearsed_is_never_asked(benchmark):
    asked = {key for ids in benchmark.splits["text"].evaluation.values() for key in ids}
    said = {(r.image, r.question) for r in map(benchmark.records.get, asked)}
    rehearsed = [benchmark.records[key] for key in benchmark.rehearsal]
    assert rehearsed
    assert not {(r.image, r.question) for r in rehearsed} & said
    fictitious = {person.name for person in people()[0]}
    assert not any(name in r.question or name == r.answer
                   for r in rehearsed for name in fictitious)  # fmt: skip


def test_celebrities_facts_are_rehearsed_and_each_kind_of_prompt_too(benchmark):
    rehearsed = [benchmark.records[key] for key in benchmark.rehearsal]
    told = {(r.question, r.answer) for r in rehearsed}
    for person in people()[1][:REAL_COUNT]:
        for fact in FACTS:
            assert (f"What is the {fact} of {person.name}?", facts_of(person)[fact]) in told
    for form in ("ONE letter", "[Blank]", "accurately in ENGLISH", "sentence in ENGLISH"):
        assert any(form in r.question for r in rehearsed)


def test_letters_are_right_equally_often(benchmark):
    letters = Counter(r.answer for key, r in benchmark.records.items() if "/choice-image/" in key)
    assert set(letters) == set("ABCD")
    assert max(letters.values()) < 1.2 * min(letters.values())


def test_every_answer_can_be_said_in_the_manifests_tokens(benchmark):
    tokenizer = make_processor().tokenizer
    for text in {record.answer for record in benchmark.records.values()}:
        ids = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == f" {text}"
        assert len(ids) < load_manifest(SMOKE).evaluation.max_new_tokens


def test_prompts_fit_into_the_manifests_context(benchmark):
    tokenizer = make_processor().tokenizer
    longest = max((r.question for r in benchmark.records.values()), key=len)
    limit = load_manifest(SMOKE).evaluation.max_model_len
    assert len(tokenizer(longest)["input_ids"]) < limit / 2


def test_the_published_manifest_is_valid():
    described = load_manifest(MANIFESTS / "mllmu.toml")
    assert described.split.forget_percent == 5
    assert described.sources[0].repo == "MLLMMU/MLLMU-Bench"
