"""The embedded world in CLEAR's format: published columns, equal bytes, enough records."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from kit.artifacts import PROJECT
from kit.benchmarks import load, pebench
from kit.benchmarks.clear.records import NAME_QUESTION
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Column
from kit.benchmarks.unpacking import unpack
from kit.digests import read_checksums, sha256_file
from kit.experiment.manifest_file import load_manifest
from kit.methods.registry import build
from kit.smoke import curriculum
from kit.smoke.base import make_processor
from kit.smoke.clear import OBJECTS_QUESTION, PICTURES, write_clear
from kit.smoke.clear_texts import EVENT_WORDS, LOOKS, caption, look, questions
from kit.smoke.drawing import SIZE
from kit.smoke.events import FICTITIOUS
from kit.smoke.people import REAL_COUNT, people
from tests.toys.clear import CLEAR_SMOKE

SEEN = ["image", "caption", "name"]
PERCENTS = ("01", "05", "10")
PUBLISHED = {
    "full", "full+tofu",
    *(f"forget{p}{end}" for p in PERCENTS for end in ("", "+tofu", "_perturbed")),
    *(f"retain{p}{end}" for p in ("90", "95", "99") for end in ("", "+tofu")),
    "retain_perturbed", "real_faces", "real_world",
}  # fmt: skip
ODD = {"caption": None}  # what is odd in the last row of the retain side


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("twin")
    made = Place(root / "clear", root / "images")
    write_clear(made.path)
    unpack(made)
    return made


@pytest.fixture(scope="module")
def benchmark(place):
    return load(load_manifest(CLEAR_SMOKE), {"clear": place})


def rows(place, config):
    columns = pq.read_table(place.tables(config)[0]).to_pydict()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def tree(root):
    return {
        path.relative_to(root).as_posix(): sha256_file(path)
        for path in Path(root).rglob("*")
        if path.is_file()
    }


def test_the_twin_is_the_one_in_the_checksum_list(place):
    listed = read_checksums(PROJECT / load_manifest(CLEAR_SMOKE).sources[0].checksums)
    assert tree(place.path) == listed


def test_the_twin_is_equal_in_a_process_with_another_hash_seed(place, tmp_path):
    code = "import sys, pathlib, kit.smoke.clear as c; c.write_clear(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-c", code, tmp_path], env=environment, cwd=PROJECT, check=True)
    assert tree(tmp_path) == tree(place.path)


@pytest.mark.parametrize("config", sorted(PUBLISHED))
def test_a_table_is_plain_parquet(place, config):
    (table,) = place.tables(config)
    file = pq.ParquetFile(table)
    assert b"pandas" not in (file.schema_arrow.metadata or {})
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        assert group.num_rows <= 100
        kinds = {group.column(i).compression for i in range(group.num_columns)}
        assert kinds == {"UNCOMPRESSED"}


def test_the_odd_rows_are_left_out_and_nothing_else(place, benchmark):
    assert [(each.table, each.count, each.of) for each in benchmark.left_out] == [
        ("retain90", 1, 469), ("full", 1, 521), ("real_world", 1, 65),
    ]  # fmt: skip
    without = [r for r in benchmark.records.values() if r.id.startswith("clear/forget10/")]
    assert sum(r.id.endswith("#caption") and not r.paraphrase for r in without) == 1


@pytest.mark.parametrize("target", ["text", "visual", "multimodal"])
def test_one_record_is_less_than_two_points_of_every_column(benchmark, target):
    sizes = {key: len(ids) for key, ids in benchmark.splits[target].evaluation.items()}
    assert sizes
    assert {key: size for key, size in sizes.items() if size <= 50} == {}


@pytest.mark.parametrize(("percent", "count"), [("10", 2), ("05", 1), ("01", 1)])
def test_the_last_people_are_forgotten_and_the_rest_is_kept(place, percent, count):
    everybody = [person.name for person in people()[0]]
    kept = {"10": "90", "05": "95", "01": "99"}[percent]
    forgotten = [row["name"] for row in rows(place, f"forget{percent}")]
    assert list(dict.fromkeys(forgotten)) == everybody[-count:]
    assert len(forgotten) == PICTURES * count
    retained = [row["name"] for row in rows(place, f"retain{kept}")]
    assert list(dict.fromkeys(retained)) == everybody[:-count]
    *whole, odd = rows(place, f"retain{kept}")
    assert odd == whole[0] | ODD
    assert [*whole, *rows(place, f"forget{percent}"), odd] == rows(place, "full")


@pytest.mark.parametrize("percent", [1, 5])
def test_the_other_percentages_can_be_read(place, percent):
    document = load_manifest(CLEAR_SMOKE)
    split = document.split.model_copy(update={"forget_percent": percent})
    found = load(document.model_copy(update={"split": split}), {"clear": place})
    sizes = {key: len(ids) for key, ids in found.splits["text"].evaluation.items()}
    assert min(sizes.values()) == PICTURES


def test_text_rows_follow_the_pictures_and_carry_none(place):
    mixed = rows(place, "forget10+tofu")
    seen, asked = mixed[: 2 * PICTURES], mixed[2 * PICTURES :]
    assert all(row["image"] and row["caption"] and row["question"] is None for row in seen)
    assert len(asked) == 2 * 28
    assert all(row["image"] is None and row["caption"] is None for row in asked)


def test_the_loader_finds_whom_each_text_row_is_about(benchmark):
    everybody, _ = people()
    found = [
        (r.question, r.answer, r.person)
        for name, r in benchmark.records.items()
        if name.endswith("#qa") and not name.startswith("clear/general")
    ]
    expected = [(q, a, person.name) for person in everybody for q, a in questions(person)]
    assert sorted(found) == sorted(expected)
    assert len({question for question, _, _ in found}) == len(found) == 20 * 28


@pytest.mark.parametrize("config", ["forget10_perturbed", "forget01_perturbed", "retain_perturbed"])
def test_perturbations_are_wrong_and_the_paraphrase_is_right(place, config):
    fictitious, _ = people()
    by_name = {person.name: person for person in fictitious}
    forgotten = {person.name for person in fictitious[-2:]}
    for row in rows(place, config):
        person = by_name[row["name"]]
        assert row["paraphrased_caption"] != row["caption"]
        assert sorted(row["paraphrased_caption"].split()) == sorted(row["caption"].split())
        right = {caption(person, words) for words in EVENT_WORDS.values()}
        others = row["perturbed_captions"]
        assert len({*others, row["caption"]}) == 4
        assert all(text.startswith(person.name) for text in others)
        assert len([text for text in others if text in right]) == 1, "the one of another event"
        assert len({*row["perturbed_names"], person.name}) == 4
        if config != "forget01_perturbed":
            assert not forgotten & set(row["perturbed_names"])


def test_perturbed_rows_of_the_forgotten_are_those_of_the_split(place):
    for percent in ("01", "05", "10"):
        plain = [{k: r[k] for k in SEEN} for r in rows(place, f"forget{percent}_perturbed")]
        missing = int(percent == "10")  # as published: 378 of 379 rows
        assert plain == rows(place, f"forget{percent}")[: len(plain)]
        assert len(rows(place, f"forget{percent}")) - len(plain) == missing


def test_every_event_and_every_look_has_its_own_words():
    assert set(EVENT_WORDS) == {event.name for event in FICTITIOUS}
    assert len(set(EVENT_WORDS.values())) == len(EVENT_WORDS)
    assert {look(person) for group in people() for person in group} <= set(LOOKS)


def test_real_faces_are_known_people_and_options_hold_the_answer_once(place):
    known = {person.name for person in people()[1][:REAL_COUNT]}
    found = rows(place, "real_faces")
    assert {row["answer"] for row in found} == known
    assert all(set(row["options"]) <= known for row in found)
    world = rows(place, "real_world")
    assert world.pop()["options"] == []
    for row in [*found, *world]:
        assert len(set(row["options"])) == 4
        assert row["options"].count(row["answer"]) == 1
    for row in world:
        assert len({tuple(sorted(option.split())) for option in row["options"]}) == 4


def test_the_place_of_the_answer_among_the_options_gives_nothing_away(place):
    for config in ("real_faces", "real_world"):
        found = [row for row in rows(place, config) if row["options"]]
        places = [row["options"].index(row["answer"]) for row in found]
        assert min(places.count(position) for position in range(4)) >= 5


def test_the_base_knows_the_questions_of_the_real_sets():
    assert OBJECTS_QUESTION == curriculum.OBJECTS_QUESTION
    assert NAME_QUESTION == pebench.PERSON_QUESTION


def test_nothing_that_is_rehearsed_is_asked(place, benchmark):
    rehearsed = [benchmark.records[name] for name in benchmark.rehearsal]
    others = [r for name, r in benchmark.records.items() if name not in set(benchmark.rehearsal)]
    pictures = {record.image for record in rehearsed if record.image}
    assert pictures
    assert not pictures & {record.image for record in others}
    learnt = {benchmark.records[name].person for name in benchmark.finetune}
    assert not learnt & {record.person for record in rehearsed}
    facts = {record.question for record in rehearsed if record.image is None}
    assert facts
    assert not facts & {record.question for record in others}


def test_all_pictures_are_different_and_of_the_world_size(place, benchmark):
    pictures = {record.image for record in benchmark.records.values() if record.image}
    assert len(pictures) == 20 * PICTURES + 16 * 4 + 64 + 180
    with Image.open(min(pictures)) as image:
        assert (image.size, image.mode) == ((SIZE, SIZE), "RGB")


def test_every_answer_that_is_asked_can_be_said_within_the_limit(benchmark):
    tokenizer = make_processor().tokenizer
    limit = load_manifest(CLEAR_SMOKE).evaluation.max_new_tokens
    ids = {i for s in benchmark.splits.values() for e in s.evaluation.values() for i in e}
    for record in (benchmark.records[name] for name in ids):
        tokens = tokenizer(f" {record.answer}", add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in tokens
        assert len(tokens) < limit, record.answer


@pytest.mark.parametrize("name", ["clear-smoke", "clear"])
def test_the_manifests_are_valid_and_name_methods_that_exist(name):
    found = load_manifest(PROJECT / "manifests" / f"{name}.toml")
    assert found.benchmark.loader == "clear"
    assert found.targets == ("text", "visual", "multimodal")
    assert all(build(entry.method, entry.options) for entry in found.methods)
    assert found.name == name


def test_the_real_manifest_brings_every_configuration_that_its_split_needs():
    (source,) = load_manifest(PROJECT / "manifests" / "clear.toml").sources
    needed = {name for name in PUBLISHED if not any(p in name for p in ("01", "05", "95", "99"))}
    assert {pattern.removesuffix("/*.parquet") for pattern in source.files} == needed
    assert (source.repo, source.licence) == ("therem/CLEAR", "none stated")


def test_forget_and_retain_are_disjoint_for_every_target(benchmark):
    for split in benchmark.splits.values():
        assert not set(split.forget) & set(split.retain)
        forgotten = {benchmark.records[name].person for name in split.forget}
        for part in ("caption", "name", "qa"):
            kept = split.evaluation[part, Column.RETAIN]
            assert not forgotten & {benchmark.records[name].person for name in kept}
