"""From UMU-Bench's tables to records and splits: what is asked, of whom, and who learns it."""

import ast
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.benchmarks.left_out import OddCell
from kit.benchmarks.records import Column, Concept
from kit.benchmarks.umu import PROTOCOL
from kit.benchmarks.umu.literals import literal
from kit.errors import DataError, ManifestError
from tests.toys.mllmu import FORGOTTEN, IDS, person
from tests.toys.umu import FACTS, PRESENT, REAL, loaded, pairs

FORGET = FORGOTTEN[10]
SENTENCE = "Answer the question based on your trained knowledge in one sentence"
BLANK = "Please **ONLY** provide the correct answer without any explanation"
SELECT = "Select answer in ['art', 'boats', 'cats', 'dogs']"


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("toy") / "data")


@pytest.mark.parametrize(
    ("label", "question", "answer", "concept"),
    [
        ("options-image", f"Job of this one?\n{SELECT}", "boats", Concept.OPTION),
        ("options-text", f"Job of Person3 Toy?\n{SELECT}", "boats", Concept.OPTION),
        ("cloze-image", f"Job of this one is [Blank].\n{BLANK}", "1.82 m", Concept.CLOZE),
        ("cloze-text", f"Job of Person3 Toy is [Blank].\n{BLANK}", "1.82 m", Concept.CLOZE),
        ("generation-image", f"Job of this one?\n{SENTENCE} accurately in ENGLISH.",
         "It is boats.", Concept.FACT),
        ("generation-text", f"Job of Person3 Toy?\n{SENTENCE} in ENGLISH.",
         "It is boats.", Concept.FACT),
    ],
)  # fmt: skip
def test_a_question_is_asked_in_the_published_words(benchmark, label, question, answer, concept):
    record = benchmark.records[f"umu/forget/3/{label}/Job"]
    assert (record.question, record.answer, record.concept) == (question, answer, concept)
    assert record.person == person("3")
    assert record.candidates == (PRESENT if concept is Concept.OPTION else ())
    assert (record.image is not None) == label.endswith("image")


@pytest.mark.parametrize("target", PROTOCOL.targets)
def test_each_printed_column_holds_the_records_that_it_is_for(benchmark, target):
    evaluation = benchmark.splits[target].evaluation
    assert set(evaluation) == set(PROTOCOL.targets[target].columns)
    people = {
        Column.EFFICACY: {person(key) for key in FORGET},
        Column.RETAIN: {person(key) for key in IDS if key not in FORGET},
        Column.REAL: {f"Famous{key} Toy" for key in REAL},
    }
    for (part, column), ids in evaluation.items():
        records = [benchmark.records[name] for name in ids]
        assert {record.person for record in records} == people[column]
        assert len(set(ids)) == len(people[column]) * len(FACTS)
        assert {r.image is not None for r in records} == {part.endswith("image")}


@pytest.mark.parametrize(
    ("target", "modalities"),
    [("both", {True, False}), ("multimodal", {True}), ("text", {False})],
)
def test_a_target_forgets_the_pairs_of_its_modality_and_keeps_those_of_both(
    benchmark, target, modalities
):
    split = benchmark.splits[target]
    forget, retain = ([benchmark.records[n] for n in ids] for ids in (split.forget, split.retain))
    assert {record.image is not None for record in forget} == modalities
    assert {record.person for record in forget} == {person(key) for key in FORGET}
    assert {record.image is not None for record in retain} == {True, False}
    assert not {r.person for r in retain} & {r.person for r in forget}
    assert {*split.forget, *split.retain} <= set(benchmark.finetune)
    assert len(benchmark.finetune) == len(IDS) * len(FACTS) * 2


def many(made):
    """Ask four times as many facts of everybody."""
    for files in made.values():
        for row in files[0]:
            for field in ("Classify", "Cloze", "Generation"):
                cell = ast.literal_eval(row[field])
                for asked in cell.values():
                    asked |= {f"{fact} {n}": asked[fact] for fact in FACTS for n in range(3)}
                row[field] = repr(cell)


def test_a_bounded_column_asks_the_same_facts_in_both_modalities(tmp_path):
    """Of nine kept people with eight facts, 51 facts are drawn."""
    found = loaded(tmp_path / "data", many, split={"max_per_column": 51})
    for kind in ("classification", "cloze", "generation"):
        image, text = (
            {found.records[name].group for name in ids}
            for view in ("image", "text")
            for ids in [found.splits["both"].evaluation[f"{kind}-{view}", Column.RETAIN]]
        )
        assert image == text
        assert len(image) == 51


def test_a_biography_without_a_name_leaves_the_id_and_a_note(tmp_path):
    def nameless(made):
        for files in made.values():
            for row in files[0]:
                row["Biography"] = "Someone who was born in Toy Town."

    found = loaded(tmp_path / "data", nameless)
    assert found.records["umu/forget/3/cloze-text/Job"].person == "ID 3"
    assert found.records["umu/real/3/cloze-text/Job"].person == "real person 3"
    assert any(note.startswith("14 rows have no name in their biography") for note in found.notes)


def test_the_released_evaluations_name_of_the_real_people_is_read_as_well(tmp_path):
    def other(made):
        made["real_person"] = made.pop("Real_Person_Set")

    assert "umu/real/1/cloze-text/Job" in loaded(tmp_path / "data", other).records


def test_pairs_of_kept_people_that_mention_a_forgotten_one_are_left_out(tmp_path):
    def gossip(made):
        row = made["retain_90"][0][0]
        row["UM_QA"] = pairs(f"the friend of {person('3')}")

    with pytest.raises(DataError, match="mentions a forgotten person"):
        loaded(tmp_path / "data", gossip)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"split": {"forget_percent": 20}}, "not a published split"),
        ({"benchmark": {"options": {"few_shot": 2}}}, "has no option 'few_shot'"),
        ({"finetune": {"rehearsal": 0.5}}, "no general records"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_remedy(tmp_path, sections, message):
    with pytest.raises(ManifestError, match=message) as caught:
        loaded(tmp_path / "data", **sections)
    assert caught.value.remedy or caught.value.expected


def test_a_person_on_both_sides_is_refused(tmp_path):
    def twice(made):
        made["retain_90"][0][0]["Biography"] = repr({"Name": "person3-toy"})

    with pytest.raises(DataError, match="people in both forget_10 and retain_90"):
        loaded(tmp_path / "data", twice)


@pytest.mark.parametrize(
    ("config", "match"),
    [("forget_10", "Full_Set is in neither"), ("retain_90", "Full_Set is in neither")],
)
def test_a_row_that_no_side_has_is_refused(tmp_path, config, match):
    def shorter(made):
        made[config][0].pop()

    with pytest.raises(DataError, match=match):
        loaded(tmp_path / "data", shorter)


def changed(field, change):
    """Return a change of one nested cell of the first forgotten person."""

    def apply(made):
        row = made["forget_10"][0][0]
        cell = ast.literal_eval(row[field])
        row[field] = repr(change(cell) or cell)

    return apply


def put(field, modality, key, value):
    return changed(field, lambda cell: cell[modality]["Job"].update({key: value}))


ODD = [
    (put("Classify", "unimodal", "answer", "E"), "answer is none of the options"),
    (put("Classify", "muitimodal", "answer", "C"), "answer is another letter than in text alone"),
    (put("Classify", "muitimodal", "options", {"A": "x"}), "options has fewer than two"),
    (
        put("Classify", "muitimodal", "options", {"A": "x", "(a)": "y"}),
        "options has a letter twice",
    ),
    (put("Classify", "muitimodal", "options", {"A": "x", "B": "X "}), "options has a text twice"),
    (put("Cloze", "unimodal", "answer", ""), "answer is empty"),
    (put("Generation", "muitimodal", "question", None), "question is empty"),
    (put("Generation", "unimodal", "question", True), "question is true or false, not a text"),
    (changed("Cloze", lambda cell: {**cell, "unimodal": {3: {}}}), "has a key that is no text"),
]


@pytest.mark.parametrize(
    "other",
    [{"answer": "A"}, {"options": dict(zip("ABCD", PRESENT[::-1], strict=True)), "answer": "B"}],
    ids=["another letter", "the letter of another text"],
)
def test_a_choice_that_is_asked_again_with_another_right_answer_is_left_out(tmp_path, other):
    def again(cell):
        first = cell["unimodal"]["Job"]
        cell["unimodal"]["Job again"] = {**first, **other}

    (left,) = loaded(tmp_path / "data", changed("Classify", again)).left_out
    assert (left.count, left.kind) == (1, "answer is not that of the same question before")


@pytest.mark.parametrize(
    ("modality", "options"),
    [("muitimodal", PRESENT), ("unimodal", (*PRESENT[:3], "eels"))],
    ids=["with the picture", "with other options"],
)
def test_the_same_words_may_be_another_question(tmp_path, modality, options):
    def again(cell):
        other = {"options": dict(zip("ABCD", options, strict=True)), "answer": "A"}
        cell[modality]["Job again"] = {**cell["unimodal"]["Job"], **other}

    assert loaded(tmp_path / "data", changed("Classify", again)).left_out == ()


@pytest.mark.parametrize(("change", "kind"), ODD, ids=[kind for _, kind in ODD])
def test_one_odd_question_is_left_out_and_counted(tmp_path, change, kind):
    found = loaded(tmp_path / "data", change)
    assert [(e.table, e.unit, e.count) for e in found.left_out] == [("forget_10", "questions", 1)]
    assert kind in found.left_out[0].kind


def test_a_cell_that_is_no_literal_loses_its_questions(tmp_path):
    def broken(made):
        made["forget_10"][0][0]["Cloze"] = "{'unimodal': "

    with pytest.raises(DataError, match="Cloze is no Python literal"):
        loaded(tmp_path / "data", broken)


def test_an_image_question_without_an_answer_has_that_of_the_text_question(tmp_path):
    found = loaded(tmp_path / "data", put("Classify", "muitimodal", "answer", None))
    assert found.records["umu/forget/3/options-image/Job"].answer == "boats"
    assert not found.left_out


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), VALUES))
def test_what_python_writes_is_read_back(value):
    assert literal(repr(value), "here", "Cell") == value
    assert literal(value, "here", "Cell") == value


@given(st.text())
def test_any_other_text_is_an_odd_cell_and_never_a_traceback(text):
    with suppress(OddCell):
        assert isinstance(literal(text, "here", "Cell"), dict)


@pytest.mark.parametrize("text", ["{'a': 1, 'a': 2}", "[" * 300, "{1: 2}", "{'a': print()}"])
def test_what_two_readers_could_read_differently_or_run_is_refused(text):
    with pytest.raises(OddCell):
        literal(text, "here", "Cell")


def test_pictures_that_full_set_has_of_others_are_refused(tmp_path):
    def change(made):
        first, second, *_ = made["retain_90"][0]
        first["image"], second["image"] = second["image"], first["image"]

    with pytest.raises(DataError, match="of retain_90 has the picture of another ID"):
        loaded(tmp_path / "data", change)


def test_pairs_that_are_shifted_against_their_people_are_refused(tmp_path):
    def change(made):
        rows = made["retain_90"][0]
        cells = [row["UM_QA"] for row in rows]
        for row, cell in zip(rows, [*cells[1:], cells[0]], strict=True):
            row["UM_QA"] = cell

    with pytest.raises(DataError, match="pairs of 'retain_90' cannot be used") as caught:
        loaded(tmp_path / "data", change)
    assert "it names another person, and not its own" in str(caught.value.found)
