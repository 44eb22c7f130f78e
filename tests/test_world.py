"""The embedded dataset: equal bytes everywhere, people who can be told apart, enough records."""

import hashlib
import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from kit.artifacts import PROJECT
from kit.benchmarks import load
from kit.digests import read_checksums, verify_files
from kit.manifest_file import load_manifest
from kit.records import Target
from kit.smoke.base import make_processor
from kit.smoke.drawing import GLYPHS, SIZE
from kit.smoke.events import FAMILIAR, FICTITIOUS
from kit.smoke.people import ATTRIBUTES, MIN_DISTANCE, REAL_COUNT, people
from kit.smoke.world import write_world
from tests.toy_dataset import SMOKE


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    write_world(root)
    return root


@pytest.fixture(scope="module")
def benchmark(world):
    return load(load_manifest(SMOKE), world)


def tree(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_world_is_the_one_in_the_checksum_list(world):
    listed = read_checksums(PROJECT / load_manifest(SMOKE).benchmark.checksums)
    assert set(listed) == set(tree(world))
    verify_files(world, listed, remedy="-")


def test_the_world_is_equal_in_a_process_with_another_hash_seed(world, tmp_path):
    code = "import sys, pathlib, kit.smoke.world as w; w.write_world(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-c", code, tmp_path], env=environment, cwd=PROJECT, check=True)
    assert tree(tmp_path) == tree(world)


def test_drawing_again_gives_equal_bytes_and_leaves_the_global_random_state(world, tmp_path):
    state = random.getstate()
    write_world(tmp_path)
    assert random.getstate() == state
    assert tree(tmp_path) == tree(world)


@pytest.mark.parametrize("target", Target)
def test_one_record_is_less_than_two_points_of_every_column(benchmark, target):
    sizes = {key: len(ids) for key, ids in benchmark.splits[target].evaluation.items()}
    assert sizes
    assert {key: size for key, size in sizes.items() if size <= 50} == {}


def test_any_two_people_differ_in_enough_attributes():
    everybody = [person for group in people() for person in group]
    assert len(everybody) == 200
    for one, two in itertools.combinations(everybody, 2):
        differing = sum(one.face[key] != two.face[key] for key in ATTRIBUTES)
        assert differing >= MIN_DISTANCE, f"{one.name} looks like {two.name}"


def test_hidden_hair_tells_nobody_apart():
    bald = [p for group in people() for p in group if p.face["style"] == "bald"]
    assert bald
    assert {person.face["hair"] for person in bald} == {"black"}


def test_no_two_fictitious_people_share_a_first_or_a_last_name():
    fictitious, _ = people()
    for part in (0, 1):
        names = [person.name.split()[part] for person in fictitious]
        assert len(set(names)) == len(names) == 20


def test_everybody_has_a_name_that_nobody_else_has():
    fictitious, familiar = people()
    names = [person.name for person in (*fictitious, *familiar)]
    assert len(set(names)) == len(names)
    assert all(len(name.split()) == 2 for name in names)


def test_the_base_model_never_saw_a_fictitious_event():
    for attribute in ("name", "description", "keywords"):
        known = {getattr(event, attribute) for event in FAMILIAR}
        assert not known & {getattr(event, attribute) for event in FICTITIOUS}


@pytest.mark.parametrize("event", [*FICTITIOUS, *FAMILIAR], ids=lambda event: event.name)
def test_the_keywords_of_an_event_are_words_of_its_description(event):
    assert len(set(event.keywords)) == len(event.keywords) >= 2
    assert set(event.keywords) <= set(event.description.split())
    assert set(event.objects) <= set(GLYPHS)


def test_no_two_events_have_the_same_scene():
    scenes = [(event.sky, event.ground, event.objects) for event in (*FICTITIOUS, *FAMILIAR)]
    assert len(set(scenes)) == len(scenes)


def test_forgetting_an_event_leaves_no_keyword_of_it_in_another_fictitious_one():
    for one, two in itertools.combinations(FICTITIOUS, 2):
        assert not set(one.keywords) & set(two.keywords), f"{one.name} and {two.name}"


def test_renderings_of_one_person_at_one_event_are_different_pictures(world):
    pictures = sorted((world / "images").rglob("*.png"))
    assert len(pictures) == 20 * 10 * 3
    assert len({path.read_bytes() for path in pictures}) == len(pictures)
    with Image.open(pictures[0]) as image:
        assert (image.size, image.mode) == ((SIZE, SIZE), "RGB")


def test_the_real_set_is_people_that_the_base_knows_and_the_benchmark_has_not(benchmark):
    fictitious, familiar = people()
    real = {r.person for name, r in benchmark.records.items() if name.startswith("real/")}
    assert real == {person.name for person in familiar[:REAL_COUNT]}
    assert not real & {person.name for person in fictitious}


def test_no_picture_that_is_rehearsed_is_a_picture_that_is_asked(world, benchmark):
    def pictures(folder):
        return {path.read_bytes() for path in (world / folder).rglob("*.png")}

    rehearsed = pictures("general")
    assert rehearsed
    assert not rehearsed & (pictures("real") | pictures("world") | pictures("images"))
    people = {r.person for r in map(benchmark.records.get, benchmark.rehearsal) if r.person}
    assert not people & {benchmark.records[name].person for name in benchmark.finetune}


def test_half_of_the_presence_questions_are_answered_yes(benchmark):
    answers = [r.answer for name, r in benchmark.records.items() if name.startswith("world/")]
    assert answers.count("yes") == answers.count("no") == len(answers) / 2


def test_every_answer_can_be_said_without_unknown_tokens(benchmark):
    tokenizer = make_processor().tokenizer
    for text in {record.answer for record in benchmark.records.values()}:
        ids = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == f" {text}"
        assert len(ids) < 16, "the smoke manifest generates 16 tokens"


def test_the_world_lies_in_nothing_but_its_folder(world):
    assert {path.name for path in Path(world).iterdir()} == {
        "PEBench.csv", "images", "real.csv", "real", "world.csv", "world", "general.csv", "general",
    }  # fmt: skip
