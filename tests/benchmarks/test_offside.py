"""From OFFSIDE's JSON files to records and splits: which facts of which image, and who is shown."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.benchmarks.left_out import OddRows
from kit.benchmarks.offside import PROTOCOL
from kit.benchmarks.offside.entries import read_entries
from kit.benchmarks.offside.facts import QUESTIONS, fact_of
from kit.benchmarks.offside.images import Images
from kit.benchmarks.records import Column, Concept
from kit.errors import DataError, ManifestError
from tests.toys.offside import ASKED, FOLDER, NAMES, loaded


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("toy"))


def test_the_readme_asks_for_eight_shared_and_six_private_facts():
    kinds = [facts for _, facts in QUESTIONS.values()]
    assert (kinds.count("shared"), kinds.count("private")) == (8, 6)


def test_a_question_is_asked_as_released(benchmark):
    record = benchmark.records["offside/forget/generation/4.png/fee/0"]
    assert record.question == ASKED["fee"], "without the mark of the image"
    assert (record.answer, record.concept) == ("4 euros.", Concept.FACT)
    assert record.group == "player 001"
    choice = benchmark.records["offside/test/classification/6b.png/name/0"]
    assert choice.question == (
        "What is the name of the player in the image?\n\nPlease look at this image and answer the "
        "question by selecting the correct option from the choices below.\n\nPlease respond with "
        "only the letter of the correct answer (e.g., 'The answer is A' or just 'A').\n\nOptions:\n"
        "A: nothing\nB: Bo Day.\nC: all\nD: some\n"
    )
    assert (choice.answer, choice.candidates) == ("B", tuple("ABCD"))
    assert (choice.concept, choice.group) == (Concept.CHOICE, "player 002")


def test_selective_unlearning_forgets_the_private_facts_alone(benchmark):
    complete, selective = (benchmark.splits[name] for name in ("complete", "selective"))
    facts = {name.split("/")[4] for name in complete.forget}
    assert facts == {"name", "foot", "fee"}
    assert {name.split("/")[4] for name in selective.forget} == {"fee"}
    assert complete.retain == selective.retain
    assert {name.split("/")[1] for name in complete.retain} == {"retain"}
    assert set(benchmark.finetune) == {*complete.forget, *complete.retain}


@pytest.mark.parametrize("target", PROTOCOL.targets)
def test_each_printed_column_holds_the_records_that_it_is_for(benchmark, target):
    evaluation = benchmark.splits[target].evaluation
    assert set(evaluation) == set(PROTOCOL.targets[target].columns)
    sets = {Column.EFFICACY: "forget", Column.SCOPE: "forget",
            Column.RETAIN: "retain", Column.REAL: "test"}  # fmt: skip
    for (part, column), ids in evaluation.items():
        kind, facts = part.split("-")
        assert {name.split("/")[1] for name in ids} == {sets[column]}
        assert {name.split("/")[2] for name in ids} == {kind}
        asked = {"fee"} if facts == "private" else {"name", "foot"}
        assert {name.split("/")[4] for name in ids} == asked
    shared = Column.SCOPE if target == "selective" else Column.EFFICACY
    assert ("generation-shared", shared) in evaluation


def named(root, change=lambda made: None):
    """Return the benchmark after the digits in the names of image files have become letters."""
    letters = str.maketrans("0123456789", "zyxwvutsrq")

    def apply(made):
        for image in (root / "images").iterdir():
            image.rename(image.with_name(image.name.translate(letters)))
        for entries in made.values():
            for entry in entries:
                entry["images"] = entry["images"].translate(letters)
        change(made)

    return loaded(root, apply)


def test_without_numbers_the_answers_about_the_name_tell_the_players(tmp_path):
    found = named(tmp_path)
    groups = {r.group for r in found.records.values()}
    assert groups == {f"{name}." for name in NAMES}


def test_an_image_whose_player_cannot_be_told_is_refused(tmp_path):
    def other(made):
        made["retain_set"][0]["messages"][1]["content"] = "This is somebody else."

    with pytest.raises(DataError, match="the players in some images cannot be told") as caught:
        named(tmp_path, other)
    assert "somebody else" in str(caught.value.found)


def moved(root, folders, change=lambda made: None):
    """Return the benchmark after each set's images have a folder: {set: folder}, one name for all.

    The test set's images then have the names of the kept ones, as in the published layout.
    """

    def apply(made):
        for name, entries in made.items():
            kind = name.removeprefix("classification_").removesuffix("_set")
            for entry in entries:
                old = root / "images" / Path(entry["images"]).name
                new = root / "data" / folders[kind] / old.name.replace("b", "")
                new.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(old, new)
                entry["images"] = f"./{folders[kind]}/{new.name}"
        shutil.rmtree(root / "images")
        change(made)

    return loaded(root, apply)


FOLDERS = {"forget": "finetune_set", "retain": "finetune_set", "test": "test_set"}


def test_equal_names_in_the_folders_of_two_sets_are_two_images(tmp_path):
    found = moved(tmp_path, FOLDERS)
    kept, altered = (
        next(r for r in found.records.values() if r.id.startswith(f"offside/{name}/generation"))
        for name in ("retain", "test")
    )
    assert kept.image.parts[-2:] == ("finetune_set", "1.png")
    assert altered.image.parts[-2:] == ("test_set", "1.png")
    assert kept.group == altered.group == "player 001"
    assert kept.image.read_bytes() != altered.image.read_bytes()


def test_a_kept_image_is_not_shown_for_its_altered_form_that_is_missing(tmp_path):
    def incomplete(made):
        shutil.rmtree(tmp_path / "data" / "test_set")

    with pytest.raises(DataError, match="would be shown for two images") as caught:
        moved(tmp_path, FOLDERS, incomplete)
    assert "test_set/" in str(caught.value.expected)


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("I would like to know the fee of this player's transfer.", "fee"),
        ("How many trophies has he won with the club that he joined in this picture?", "trophies"),
        ("Tell me which club this player was representing at that time.", "next club"),
        ("Which team is the player on the left about to join?", "next club"),
        ("From this picture, which club has he moved from?", "last club"),
        ("I wonder at which date this player was transferred.", "date"),
        ("Can you say who this player is?", "name"),
        ("In which town was he born, that is, what is his birthplace?", "birthplace"),
        ("Would you tell me his birth date?", "birth"),
        ("What role has he on the pitch?", "position"),
        ("Who is this?", "name"),
        ("What do you see?", None),
        ("When was he born, and where was he born?", None),
        ("Which club did he come from when he was transferred?", None),
    ],
)
def test_a_question_in_other_words_is_read_where_they_belong_to_one_fact(question, fact):
    asked = dict(QUESTIONS.values())
    assert fact_of(question) == (None if fact is None else (fact, asked[fact]))


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("<image>\nHow tall is he?", "How tall is he?"),
        ("<image>\nHow tall is he in this image: <image>", "How tall is he in this image"),
        ("<image>How tall is the man in <image>?", "How tall is the man in the image?"),
    ],
)  # fmt: skip
def test_marks_of_the_image_within_a_question_leave_a_sentence(tmp_path, given, asked):
    found = loaded(tmp_path, say(0, given))
    assert found.records["offside/forget/generation/4.png/height/0"].question == asked


def test_a_list_of_one_image_and_a_word_of_the_system_are_read(tmp_path):
    def changed(made):
        entry = made["forget_set"][0]
        entry["images"] = [entry["images"]]
        entry["messages"].insert(0, {"role": "system", "content": "You are kind."})

    assert loaded(tmp_path, changed).left_out == ()


def test_an_image_on_both_sides_is_refused(tmp_path):
    def shared(made):
        made["retain_set"][0]["images"] = made["forget_set"][0]["images"]

    with pytest.raises(DataError, match="images in both the forget and the retain set"):
        loaded(tmp_path, shared)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"split": {"forget_percent": 5}}, "not a published split"),
        ({"benchmark": {"options": {"few_shot": 2}}}, "has no option 'few_shot'"),
        ({"finetune": {"rehearsal": 0.5}}, "no general records"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_remedy(tmp_path, sections, message):
    with pytest.raises(ManifestError, match=message) as caught:
        loaded(tmp_path, **sections)
    assert caught.value.remedy


def put(name, field, value):
    return lambda made: made[name][0].update({field: value})


def say(place, value):
    return lambda made: made["forget_set"][0]["messages"][place].update(content=value)


ODD = [
    (
        put("forget_set", "messages", [{"content": ASKED["name"]}]),
        "messages are not one question and one answer",
    ),
    (
        lambda made: made["forget_set"][0]["messages"].extend(made["forget_set"][1]["messages"]),
        "messages are not one question and one answer",
    ),
    (
        lambda made: made["forget_set"][0]["messages"].reverse(),
        "messages are not one question and one answer",
    ),
    (put("forget_set", "images", "photos/none.png"), "images names no image of the source"),
    (put("forget_set", "images", None), "images is empty"),
    (put("forget_set", "images", ["photos/4.png", "photos/9.png"]), "images is a list, not a text"),
    (say(0, "Is he happy?"), "question asks for no known fact"),
    (say(0, "When and from which club was he transferred from?"), "asks for no known fact"),
    (say(1, ""), "content is empty"),
    (put("classification_forget_set", "Correct_Answer", "E"), "Correct_Answer is none of"),
    (put("classification_forget_set", "Options", {"A": "x"}), "Options has fewer than two"),
    (put("classification_forget_set", "Options", {"A": "x", "a": "y"}), "Options has a letter"),
    (put("classification_forget_set", "Options", {"A": "x", "B": "X"}), "Options has a text twice"),
    (put("classification_forget_set", "Question", True), "Question is true or false"),
]


def asked_again(change):
    """Return a change that repeats the first choice: `change` gives its other fields."""

    def again(made):
        entries = made["classification_forget_set"]
        entries.append({**entries[0], **change(entries)})

    return again


def another_letter(entries):
    first = entries[0]
    return {"Correct_Answer": next(n for n in first["Options"] if n != first["Correct_Answer"])}


def another_text(entries):
    options = entries[0]["Options"]
    return {"Options": dict(zip(options, [*options.values()][::-1], strict=True))}


def another_picture(entries):
    others = (each["images"] for each in entries if each["images"] != entries[0]["images"])
    return {"images": next(others), **another_letter(entries)}


def other_options(entries):
    return {"Options": {"A": "one", "B": "two"}, "Correct_Answer": "A"}


@pytest.mark.parametrize("change", [another_letter, another_text])
def test_a_choice_that_is_asked_again_with_another_right_answer_is_left_out(tmp_path, change):
    (left,) = loaded(tmp_path, asked_again(change)).left_out
    assert (left.count, left.kind) == (1, "Correct_Answer is not that of the same question before")


@pytest.mark.parametrize("change", [another_picture, other_options])
def test_the_same_words_may_be_another_question(tmp_path, change):
    assert loaded(tmp_path, asked_again(change)).left_out == ()


@pytest.mark.parametrize(("change", "kind"), ODD, ids=[kind for _, kind in ODD])
def test_one_odd_entry_is_left_out_and_counted(tmp_path, change, kind):
    found = loaded(tmp_path, change)
    assert [(each.unit, each.count) for each in found.left_out] == [("entries", 1)]
    assert kind in found.left_out[0].kind


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("forget_set", "{", "is not JSON"),
        ("forget_set", "{}", "has no entries"),
        ("test_set", "[]", "has no entries"),
        ("retain_set", '[{"a": 1, "a": 2}]', "is not JSON"),
        ("retain_set", "\udcff", "is not a text"),
    ],
)
def test_a_file_that_is_no_list_is_refused_by_name(tmp_path, name, text, match):
    def broken(made):
        made.pop(name)
        path = tmp_path / FOLDER / f"{name}.json"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(DataError, match=match) as caught:
        loaded(tmp_path, broken)
    assert name in str(caught.value.what)


def test_a_missing_file_and_a_second_one_are_named(tmp_path):
    def gone(made):
        made.pop("test_set")
        (tmp_path / FOLDER / "test_set.json").unlink()

    with pytest.raises(DataError, match=r"the source has no file test_set\.json"):
        loaded(tmp_path, gone)


ENTRY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["messages", "content", "images", "Options"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=40)
@given(st.lists(ENTRY, min_size=1, max_size=3), st.booleans())
def test_any_other_entries_are_refused_and_never_a_traceback(tmp_path_factory, entries, options):
    root = tmp_path_factory.mktemp("odd")
    (root / "forget_set.json").write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises(DataError, match=r"forget_set\.json"):
        read_entries(root, "forget_set.json", Images(root), OddRows(), options=options)


def test_options_with_letters_in_a_list_are_what_the_letters_say(tmp_path):
    def listed(made):
        entry = made["classification_forget_set"][0]
        entry["Options"] = [f"{letter}. {text}" for letter, text in entry["Options"].items()]

    plain, found = (loaded(tmp_path / name, change) for name, change in
                    (("plain", lambda made: None), ("listed", listed)))  # fmt: skip
    asked = "offside/forget/classification/4.png/name/0"
    assert found.records[asked].question == plain.records[asked].question
    assert found.records[asked].answer == "B"
