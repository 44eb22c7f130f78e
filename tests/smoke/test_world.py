"""The embedded dataset: equal bytes everywhere, distinguishable people, enough records."""

import hashlib
import itertools
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from kit.artifacts import PROJECT
from kit.benchmarks import load
from kit.benchmarks.records import GROUPS
from kit.digests import read_checksums, verify_files
from kit.errors import ManifestError
from kit.experiment.manifest_file import load_manifest
from kit.smoke.base import make_processor
from kit.smoke.drawing import GLYPHS, SIZE, paint
from kit.smoke.events import FAMILIAR, FICTITIOUS
from kit.smoke.people import ATTRIBUTES, MIN_DISTANCE, REAL_COUNT, SEED, people
from kit.smoke.world import PROBES, write_world
from tests.toys.dataset import TOY, places


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    write_world(root)
    return root


@pytest.fixture(scope="module")
def benchmark(world):
    return load(load_manifest(TOY), places(world))


def tree(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_world_is_the_one_in_the_checksum_list(world):
    (source,) = load_manifest(TOY).sources
    listed = read_checksums(PROJECT / source.checksums)
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


@pytest.mark.parametrize("target", ["person", "event", "both"])
def test_one_record_is_less_than_three_points_of_every_column(benchmark, target):
    sizes = {key: len(ids) for key, ids in benchmark.splits[target].evaluation.items()}
    assert sizes
    assert {key: size for key, size in sizes.items() if size <= 33} == {}


def test_any_two_people_differ_in_enough_attributes():
    everybody = [person for group in people() for person in group]
    assert len(everybody) == 200
    for one, two in itertools.combinations(everybody, 2):
        differing = sum(one.face[key] != two.face[key] for key in ATTRIBUTES)
        assert differing >= MIN_DISTANCE, f"{one.name} looks like {two.name}"


def test_hidden_hair_does_not_distinguish_people():
    bald = [p for group in people() for p in group if p.face["style"] == "bald"]
    assert bald
    assert {person.face["hair"] for person in bald} == {"black"}


def test_no_two_fictitious_people_share_a_first_or_a_last_name():
    fictitious, _ = people()
    for part in (0, 1):
        names = [person.name.split()[part] for person in fictitious]
        assert len(set(names)) == len(names) == 20


def test_every_person_has_a_unique_name():
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
    assert not rehearsed & (pictures("real") | pictures("pope") | pictures("images"))
    people = {r.person for r in map(benchmark.records.get, benchmark.rehearsal) if r.person}
    assert not people & {benchmark.records[name].person for name in benchmark.finetune}


@pytest.mark.parametrize("kind", GROUPS)
def test_half_of_the_presence_questions_of_a_kind_are_answered_yes(benchmark, kind):
    asked = [r for r in benchmark.records.values() if r.group == kind]
    answers = [record.answer for record in asked]
    assert answers.count("yes") == answers.count("no") == len(answers) / 2 == 32
    assert len({record.image for record in asked}) == 64, "every image once"


def asked_objects(world, kind):
    """Return (object, label) of each question of a kind, in the order of the images."""
    text = (world / "pope" / f"coco_pope_{kind}.json").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["image"] for line in lines] == [f"{i:03d}.png" for i in range(64)]
    return [(line["text"].split()[3], line["label"]) for line in lines]


def scenes_of(world):
    """Return the objects of each of POPE's scenes, found by drawing all of them again."""
    stream, (_, familiar) = random.Random(f"{SEED}/world"), people()
    scenes = []
    for number in range(64):
        event, person = stream.choice(FAMILIAR), stream.choice(familiar)
        picture = paint(person, event, random.Random(f"{SEED}/world/{number:03d}.png"))
        with Image.open(world / "pope" / "val2014" / f"{number:03d}.png") as stored:
            assert stored.tobytes() == picture.tobytes()
        scenes.append(set(event.objects))
        stream.choice(event.objects if number % 2 == 0 else sorted(set(GLYPHS) - scenes[-1]))
    return scenes


def test_a_question_is_answered_yes_where_its_object_is_in_the_scene(world):
    scenes = scenes_of(world)
    for kind in GROUPS:
        for (thing, label), scene in zip(asked_objects(world, kind), scenes, strict=True):
            assert thing in GLYPHS
            assert (thing in scene) == (label == "yes")


def test_absent_objects_are_frequent_or_often_occur_with_the_shown_ones(world):
    scenes = scenes_of(world)
    shown = Counter(thing for scene in scenes for thing in scene)

    def beside(thing, scene):
        return sum(thing in other and there in other for other in scenes for there in scene)

    asked = {kind: asked_objects(world, kind) for kind in GROUPS}
    for i, scene in enumerate(scenes):
        if asked["popular"][i][1] == "no":
            absent = set(GLYPHS) - scene
            assert shown[asked["popular"][i][0]] == max(shown[thing] for thing in absent)
            best = max(beside(thing, scene) for thing in absent)
            assert beside(asked["adversarial"][i][0], scene) == best
    assert len({tuple(objects) for objects in asked.values()}) == 3, "the kinds differ"


def test_the_kinds_share_the_questions_that_are_answered_yes(world):
    present = [
        [thing for thing, label in asked_objects(world, kind) if label == "yes"] for kind in GROUPS
    ]
    assert present[0] == present[1] == present[2]


@pytest.mark.parametrize("form", ["mllmu", "clear", "umu", "offside"])
def test_every_other_form_is_drawn_by_its_own_module(form, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(f"kit.smoke.{form}.write_{form}", drawn.append)
    write_world(tmp_path, form)
    assert drawn == [tmp_path]
    assert not list(tmp_path.iterdir())


def test_an_unknown_form_names_the_valid_ones_and_the_nearest(tmp_path):
    with pytest.raises(ManifestError, match="did you mean 'pebench'") as caught:
        write_world(tmp_path, "pebnch")
    forms = ("pebench", "mllmu", "clear", "umu", "offside", *PROBES)
    assert caught.value.expected == f"one of {', '.join(forms)}"
    assert not list(tmp_path.iterdir())


def test_every_answer_can_be_said_without_unknown_tokens(benchmark):
    tokenizer = make_processor().tokenizer
    for text in {record.answer for record in benchmark.records.values()}:
        ids = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == f" {text}"
        assert len(ids) < 16, "the smoke manifest generates 16 tokens"


def test_the_world_lies_in_nothing_but_its_folder(world):
    assert {path.name for path in Path(world).iterdir()} == {
        "PEBench.csv", "images", "real.csv", "real", "pope", "general.csv", "general",
    }  # fmt: skip
