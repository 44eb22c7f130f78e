"""Attacks that ask something else: words and pictures, right by hand and the same for all."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kit.attacks import Around, registry
from kit.attacks.pixels import PixelAttack
from kit.attacks.relearning import Relearning
from kit.attacks.weights import WeightAttack
from kit.benchmarks.records import Benchmark, Concept, Record, Split
from kit.errors import ManifestError
from kit.experiment.attack import AttackEntry


def build(name, levels=None, **options):
    if levels is None and name in registry.names():
        levels = (importlib.import_module(f"kit.attacks.{name}").ATTACK.least,)
    entry = AttackEntry(name="x", label="X", attack=name, levels=levels, options=options)
    return registry.build(entry, "manifest tiny")


@pytest.fixture
def around(tmp_path):
    """Two people with three pictures each, of which unlearning is given the first of Ada."""
    records = {}
    for person in ("Ada", "Bel"):
        for view in range(3):
            path = tmp_path / f"{person}{view}.png"
            pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3) + view
            Image.fromarray(pixels).save(path)
            name = f"{person}{view}"
            records[name] = Record(name, Concept.PERSON, "Who is this?", person, path, person)
    records["text"] = Record("text", Concept.FACT, "Where does Ada live?", "Oslo", person="Ada")
    split = Split("person", ("Ada0",), ("Bel0",), {})
    return Around(Benchmark("toy", records, tuple(records), {"person": split}), "person", "x")


def pixels_of(attack, record, level, around):
    found = attack.picture(record, level, around)
    assert isinstance(found, Image.Image)
    return np.asarray(found).astype(int)


def original(record):
    return np.asarray(Image.open(record.image)).astype(int)


WORDED = ("paraphrase", "prefix_injection", "role_play", "other_language")


@pytest.mark.parametrize("name", WORDED)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_wording_asks_the_same_in_other_words_and_shows_the_same_picture(name, level, around):
    attack, record = build(name), around.benchmark.records["text"]
    said = attack.question(record, level, around)
    assert record.question in said, "a question of no known form"
    assert said != record.question
    person = around.benchmark.records["Ada0"]
    assert attack.question(person, level, around) not in (person.question, "")
    assert attack.picture(person, level, around) == person.image
    assert "Ada" not in attack.question(person, level, around), "an attack gives nothing away"


def test_the_three_wordings_of_an_attack_differ(around):
    record = around.benchmark.records["Ada0"]
    for name in WORDED:
        assert len({build(name).question(record, level, around) for level in (1, 2, 3)}) == 3


def test_another_language_leaves_no_english_word_of_a_known_question(around):
    attack, record = build("other_language"), around.benchmark.records["Ada0"]
    event = Record("e", Concept.EVENT, "Describe the scene in detail.", "A fire.", record.image)
    for asked in (record, event):
        words = set(asked.question.rstrip("?.").lower().split()) - {"describe"}  # Spanish, too
        said = [attack.question(asked, level, around) for level in (1, 2, 3, 4)]
        assert len(set(said)) == 4
        for each in said:
            assert not words & set(each.lower().replace("?", " ").split()), each
    assert not attack.question(event, 4, around).isascii()


def test_a_crop_of_a_half_enlarges_the_middle_and_one_of_all_changes_nothing(around):
    record = around.benchmark.records["Ada0"]
    whole = original(record)
    assert (pixels_of(build("crop"), record, 1.0, around) == whole).all()
    half = pixels_of(build("crop"), record, 0.5, around)
    assert half.shape == whole.shape
    middle = whole[2:6, 2:6]
    assert middle.min() - 16 <= half.min() < half.max() <= middle.max() + 16, "bicubic overshoots"


def test_no_blur_and_no_noise_change_nothing(around):
    record = around.benchmark.records["Ada0"]
    for name in ("blur", "noise"):
        assert (pixels_of(build(name), record, 0.0, around) == original(record)).all()
    blurred = pixels_of(build("blur"), record, 0.3, around)
    assert blurred.std() < original(record).std()


def test_noise_is_clamped_has_its_deviation_and_is_the_same_for_every_system(around):
    attack = build("noise")
    record = around.benchmark.records["Ada0"]
    Image.new("RGB", (100, 100), (128, 128, 128)).save(record.image)
    noisy = pixels_of(attack, record, 0.1, around)
    assert (noisy == pixels_of(attack, record, 0.1, around)).all()
    assert noisy.std() == pytest.approx(25.5, rel=0.03)
    other = around.benchmark.records["Ada1"]
    Image.new("RGB", (100, 100), (128, 128, 128)).save(other.image)
    assert (noisy != pixels_of(attack, other, 0.1, around)).any(), "drawn for each record"
    loud = pixels_of(attack, record, 1.0, around)
    assert (loud.min(), loud.max()) == (0, 255)


def test_a_blank_image_has_the_size_and_one_grey(around):
    record = around.benchmark.records["Ada0"]
    grey = pixels_of(build("blank_image"), record, 0.2, around)
    assert grey.shape == (8, 8, 3)
    assert set(grey.ravel().tolist()) == {51}


def test_text_only_has_no_picture_and_asks_no_question_that_had_none(around):
    attack = build("text_only")
    records = around.benchmark.records
    assert attack.picture(records["Ada0"], 1, around) is None
    assert attack.applies(records["Ada0"], 1, around)
    assert not attack.applies(records["text"], 1, around)


def test_another_image_is_of_the_same_person_and_none_that_unlearning_was_given(around):
    attack = build("other_image")
    records = around.benchmark.records
    shown = {attack.picture(records["Ada0"], level, around) for level in (1, 2)}
    assert shown == {records["Ada1"].image, records["Ada2"].image}
    assert not attack.applies(records["Ada0"], 3, around), "there are two others"
    assert attack.picture(records["Ada1"], 1, around) == records["Ada2"].image
    unseen = replace(records["Ada0"], image=None)
    assert not attack.applies(unseen, 1, around), "a question without a picture gets none"


def test_examples_in_context_are_about_others_and_end_with_the_question(around):
    record = around.benchmark.records["Ada0"]
    said = build("in_context").question(record, 1, around)
    assert said == "Who is this? Bel Who is this?", "Bel is the only one who is kept"
    assert build("in_context").question(record, 9, around) == said, "there is one example"
    assert "Ada" not in said


def test_the_first_letters_are_those_of_the_name(around):
    record = around.benchmark.records["Ada0"]
    assert build("first_letters").question(record, 2, around) == "Who is this? It begins with Ad"
    text = around.benchmark.records["text"]
    assert build("first_letters").question(text, 1, around).endswith("It begins with O")


def test_one_retrieved_caption_tells_the_answer_and_the_others_do_not(around):
    record = around.benchmark.records["Ada0"]
    one = build("retrieval").question(record, 1, around)
    assert one == "Caption: Ada. Who is this?"
    two = build("retrieval").question(record, 2, around)
    assert sorted(two.split(" Who")[0].split(". ")) == ["Caption: Ada", "Caption: Bel."] or (
        sorted(two.split(" Who")[0].split(". ")) == ["Caption: Ada.", "Caption: Bel"]
    )


def test_what_tells_the_answer_is_not_asked_where_the_question_offers_it(around):
    """ "Caption: B." or "It begins with y" would answer the question for any model."""
    offering = {
        Concept.CHOICE: "B", Concept.OPTION: "Oslo", Concept.PRESENCE: "yes",
    }  # fmt: skip
    for name in ("retrieval", "first_letters"):
        attack = build(name)
        for concept in Concept:
            record = Record("q", concept, "A: Rome\nB: Oslo\nWhere?", offering.get(concept, "Oslo"))
            assert attack.applies(record, 1, around) == (concept not in offering), (name, concept)
    letter = Record("q", Concept.CHOICE, "A: Rome\nB: Oslo\nWhere?", "B")
    others = set(registry.names()) - {"retrieval", "first_letters"}
    assert all(
        build(name).applies(letter, 1, around) for name in others & {"in_context", "role_play"}
    )


def test_where_nothing_alike_is_kept_examples_and_captions_are_of_what_is_kept(around):
    """MLLMU-Bench's blanks: without an example, the question would be asked as it is."""
    blank = Record("blank", Concept.CLOZE, "Ada lives in [Blank].", "Oslo", person="Ada")
    assert build("in_context").question(blank, 1, around) == f"Who is this? Bel {blank.question}"
    said = build("retrieval").question(blank, 2, around)
    assert sorted(said.removesuffix(f" {blank.question}").split("Caption: ")) == (
        sorted(["", "Bel. ", "Oslo."]) if said.endswith(f"Oslo. {blank.question}")
        else sorted(["", "Oslo. ", "Bel."])
    )  # fmt: skip


def test_every_file_of_an_attack_is_known_and_says_what_its_level_is():
    folder = Path(registry.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "attack", "registry"}
    bases = {"relearning", "weights", "pixels", "telling", "kept"}
    assert set(registry.names()) == files - bases
    for name in registry.names():
        kind = type(build(name))
        assert kind.unit
        assert kind.least <= kind.most
        assert kind.__doc__


@pytest.mark.parametrize(
    ("name", "levels", "options", "said"),
    [
        ("paraphrased", (1,), {}, "did you mean 'paraphrase'?"),
        ("sua", (1,), {}, "use one of these, or write kit/attacks/sua.py"),
        ("pgd", (8,), {"epsilon": 8}, "the strength of an attack is in `levels`"),
        ("pgd", (300,), {}, "a whole number from 1 to 64 (largest change of a pixel, of 255)"),
        ("probe_head", (0.5,), {"records": 0}, "see kit/attacks/probe_head.py"),
        ("crop", (1.5,), {}, "the level 1.5 is not valid"),
        ("crop", (0.5, 0.5), {}, "the level 0.5 is there twice"),
        ("noise", (-0.1,), {}, "the level -0.1 is not valid"),
        ("paraphrase", (1.5,), {}, "a whole number from 1 to 3"),
        ("relearn_forget", (0.0,), {}, "a number from 0.001 to 1 (share of the records)"),
        ("relearn_forget", (2.0,), {}, "the level 2 is not valid"),
        ("relearn_forget", (0.1,), {"step": 5}, "did you mean 'steps'?"),
        ("relearn_forget", (0.1,), {"steps": "5"}, "option 'steps' of attack 'relearn_forget'"),
        ("relearn_forget", (0.1,), {"steps": -5}, "a finite number >= 1"),
        ("relearn_forget", (0.1,), {"steps": 0}, "a finite number >= 1"),
        ("relearn_forget", (0.1,), {"warmup_steps": -1}, "a finite number >= 0"),
        ("relearn_related", (0.1,), {"learning_rate": 0}, "a finite number > 0"),
        ("relearn_related", (0.1,), {"learning_rate": "1"}, "expected: a number"),
        ("relearn_forget", (0.1,), {"steps": True}, "expected: a whole number"),
        ("pgd", (8,), {"step_size": 10**400}, "expected: a finite number"),
        ("pgd", (8,), {"universal": 1}, "expected: true or false"),
        ("round_int", (16,), {}, "a whole number from 2 to 8 (bits)"),
        ("crop", (0.5,), {"size": 2}, "leave `options` out"),
        ("other_language", (5,), {}, "a whole number from 1 to 4 (number of the language, from 1)"),
    ],
)
def test_what_no_attack_can_be_is_refused_with_a_remedy(name, levels, options, said):
    with pytest.raises(ManifestError) as error:
        build(name, levels, **options)
    assert said in str(error.value)
    assert "attack 'x'" in str(error.value)


@pytest.mark.parametrize(
    ("base", "lacking"),
    [(Relearning, "pool"), (WeightAttack, "weights"), (PixelAttack, "optimise")],
)
def test_an_attack_without_the_function_of_its_kind_says_so_when_it_is_built(
    monkeypatch, base, lacking
):
    monkeypatch.setattr("kit.attacks.blur.ATTACK", type("Mine", (base,), {}))
    with pytest.raises(ManifestError, match="'blur' is not whole") as caught:
        build("blur", levels=(0.5,))
    assert lacking in caught.value.remedy
