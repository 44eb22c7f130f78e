"""What a wrong MLLMU-Bench table or option says: the table, the row, the field, the remedy."""

import json
import math
from dataclasses import replace

import pytest

from kit.benchmarks import load
from kit.errors import DataError, ManifestError
from tests.toys.mllmu import lessons, loaded, manifest, picture, profile, tables, write

COLUMNS = ("ID", "image", "biography", "Classification_Task", "Generation_Task", "Mask_Task")


def fails(root, change, match, kind=DataError, **sections):
    with pytest.raises(kind, match=match) as caught:
        loaded(root / "data", change, **sections)
    return caught.value


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path, column):
    def change(made):
        for row in made["forget_10"][0]:
            del row[column]

    error = fails(tmp_path, change, f"has no column '{column}'")
    assert "biography" in str(error.expected)


@pytest.mark.parametrize(
    "config", ["forget_10", "retain_90", "Test_Set", "Retain_Set", "ft_Data", "Full_Set"]
)
def test_a_missing_configuration_is_named(tmp_path, config):
    error = fails(tmp_path, lambda made: made.pop(config), f"configuration '{config}'")
    assert "fetch" in error.remedy


def first(made):
    return made["forget_10"][0][0]


def put(path, value):
    """Return a change that sets a nested cell of the first forgotten profile."""

    def change(made):
        # As JSON text: a column of structs could not hold one odd value.
        for row in made["forget_10"][0]:
            for name in ("Classification_Task", "Generation_Task", "Mask_Task"):
                if not isinstance(row[name], str):
                    row[name] = json.dumps(row[name])
        cell = json.loads(first(made)[path[0]])
        inner = cell
        for step in path[1:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        first(made)[path[0]] = json.dumps(cell)

    return change


SIGHT = ("Classification_Task", "Image_Textual_Questions")


def taught(made):
    return made["ft_Data"][0]


SIGHTS = "Image_Textual_Questions"
ODD_QUESTIONS = [
    ((*SIGHT,), {"Question": "no list"}, f"{SIGHTS} is a struct, not a list"),
    ((*SIGHT, 2), "no object", "the question is not JSON"),
    ((*SIGHT, 2), None, "Question is empty"),
    ((*SIGHT, 1, "Question"), "", "Question is empty"),
    ((*SIGHT, 1, "Question"), "\u00a0\u200b", "Question is empty"),
    ((*SIGHT, 1, "Question"), ["list"], "Question is a list, not a text"),
    ((*SIGHT, 1, "Question"), True, "Question is true or false, not a text"),
    ((*SIGHT, 1, "Options"), None, "Options has fewer than two options"),
    ((*SIGHT, 1, "Options"), {"A": "alone"}, "Options has fewer than two options"),
    ((*SIGHT, 1, "Options"), ["a", "b"], "Options is a list, not a struct"),
    ((*SIGHT, 1, "Options"), {"A": "a", "A ": "b", "B": "c"}, "Options has a letter twice"),
    ((*SIGHT, 1, "Options"), {"A": "a", "a": "b", "B": "c"}, "Options has a letter twice"),
    ((*SIGHT, 1, "Options"), {"A": "a", "B": "c", "C": "A\u00a0"}, "Options has a text twice"),
    ((*SIGHT, 1, "Options"), {"\u0410": "a", "B": "b"}, "Options has a key that is no letter"),
    ((*SIGHT, 1, "Options"), {"AB": "a", "B": "b"}, "Options has a key that is no letter"),
    ((*SIGHT, 1, "Options", "C"), math.inf, "Options.C is an infinite number"),
    ((*SIGHT, 1, "Correct_Answer"), "E", "Correct_Answer is none of the options"),
    ((*SIGHT, 1, "Correct_Answer"), "B. option c", "Correct_Answer is none of the options"),
    ((*SIGHT, 1, "Correct_Answer"), None, "Correct_Answer is empty"),
    ((*SIGHT, 1, "Correct_Answer"), math.nan, "Correct_Answer is empty"),
    (("Classification_Task", "Other_Questions"), [], "Classification_Task has other keys"),
    (("Generation_Task", 0, "Type"), "Video", "Type is unknown"),
    (("Generation_Task", 3, "Ground_Truth"), " ", "Ground_Truth is empty"),
    (("Generation_Task", 3, "Ground_Truth"), math.nan, "Ground_Truth is empty"),
    (("Mask_Task", 0, "Question"), "no blank", "Question has no blank"),
    (("Mask_Task", 0, "Question"), "", "Question is empty"),
]


@pytest.mark.parametrize(("path", "value", "kind"), ODD_QUESTIONS)
def test_one_odd_question_is_left_out_and_counted_with_its_place(tmp_path, path, value, kind):
    found = loaded(tmp_path / "data", put(path, value))
    kept = [name for name in found.records if name.startswith("mllmu/forget/")]
    (left,) = found.left_out
    assert (left.table, left.unit, left.count) == ("forget_10", "questions", 1)
    assert left.kind.endswith(kind)
    assert left.of == len(kept) + 1
    assert len(kept) == (31 if path == SIGHT else 36 if path[-1] == "Other_Questions" else 35)
    assert left.first.startswith("forget_10/train-00000-of-00001.parquet, row 0")


def test_a_choice_that_is_asked_again_with_another_right_answer_is_left_out(tmp_path):
    def change(made):
        asked = {"Question": "What is it?", "Options": {"A": "a cat", "B": "a dog"}}
        put((*SIGHT, 0), {**asked, "Correct_Answer": "A"})(made)
        again = {"Question": "what is  IT?", "Options": {"A": "a dog", "B": "A CAT"}}
        put((*SIGHT, 1), {**again, "Correct_Answer": "A"})(made)

    (left,) = loaded(tmp_path / "data", change).left_out
    assert (left.count, left.kind) == (1, "Correct_Answer is not that of the same question before")


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (("Classification_Task", "Pure_Text_Questions", 0), {"A": "a cat", "B": "a dog"}),
        ((*SIGHT, 1), {"A": "a bird", "B": "a dog"}),
    ],
    ids=["without the picture", "with other options"],
)
def test_the_same_words_may_be_another_question(tmp_path, path, options):
    def change(made):
        asked = {"Question": "What is it?", "Options": {"A": "a cat", "B": "a dog"}}
        put((*SIGHT, 0), {**asked, "Correct_Answer": "A"})(made)
        put(path, {**asked, "Options": options, "Correct_Answer": "B"})(made)

    assert loaded(tmp_path / "data", change).left_out == ()


@pytest.mark.parametrize(("path", "value", "kind"), ODD_QUESTIONS[-3:])
def test_more_odd_questions_than_one_are_refused_with_their_kinds(tmp_path, path, value, kind):
    def change(made):
        put(path, value)(made)
        put((*SIGHT, 0, "Question"), "")(made)

    error = fails(tmp_path, change, "2 of 36 questions of 'forget_10' cannot be used")
    assert f"{kind}: " in error.found
    assert "forget_10/train-00000-of-00001.parquet, row 0, " in error.found


def test_nan_is_no_option_and_json_text_means_what_the_struct_means(tmp_path):
    found = loaded(tmp_path / "data", put((*SIGHT, 1, "Options", "C"), math.nan))
    record = found.records["mllmu/forget/3/choice-image/1"]
    assert record.candidates == ("A", "B", "D")
    assert "nan" not in record.question.casefold()
    assert found.left_out == ()


@pytest.mark.parametrize(
    "answer", ["B", "b", "(B)", "B.", "B. option b", "(B) Option B", "option b", "OPTION\u00a0b",
               "[B]", "\uff22", "Option b.", "B. option b."]
)  # fmt: skip
def test_a_right_answer_is_a_letter_in_every_published_form(tmp_path, answer):
    found = loaded(tmp_path / "data", put((*SIGHT, 1, "Correct_Answer"), answer))
    assert found.records["mllmu/forget/3/choice-image/1"].answer == "B"
    assert found.left_out == ()


def test_none_of_the_above_is_left_out_however_often_it_is_published(tmp_path):
    def change(made):
        for number in range(3):
            put((*SIGHT, number, "Correct_Answer"), "None of the above")(made)

    found = loaded(tmp_path / "data", change)
    (left,) = found.left_out
    assert (left.count, left.of, left.published) == (3, 36, True)
    assert left.kind == 'Correct_Answer is "none of the above", which is no option'
    assert "a form known to be published" in str(left)


def test_none_of_the_above_may_be_an_option(tmp_path):
    def change(made):
        put((*SIGHT, 1, "Options", "D"), "None of the above")(made)
        put((*SIGHT, 1, "Correct_Answer"), "none of the above")(made)

    found = loaded(tmp_path / "data", change)
    assert found.records["mllmu/forget/3/choice-image/1"].answer == "D"


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("Name", "Ann\0Lee", "biography.Name has a NUL or half a character"),
        ("Name", "Ann \ud800", "biography.Name has a NUL or half a character"),
        ("name", "Bo Lee", "biography has two names"),
    ],
)
def test_a_name_that_cannot_be_stored_or_is_two_is_odd(tmp_path, key, value, kind):
    found = loaded(tmp_path / "data", put(("biography", key), value))
    assert [(each.kind, each.unit, each.count) for each in found.left_out] == [(kind, "names", 1)]
    assert found.records["mllmu/forget/3/choice-image/1"].person == "3"


def test_a_person_without_any_question_left_is_named(tmp_path):
    def change(made):
        first(made)["Classification_Task"] = None
        first(made)["Mask_Task"] = []
        first(made)["Generation_Task"] = [first(made)["Generation_Task"][0] | {"Ground_Truth": ""}]

    error = fails(tmp_path, change, "'forget_10' would lose everything about Person3 Toy")
    assert "Ground_Truth is empty" in error.found


@pytest.mark.parametrize(("key", "refused"), [(2, True), (0, False)])
def test_only_forgotten_people_need_questions_in_the_test_set(tmp_path, key, refused):
    def change(made):
        row = made["Test_Set"][0][key]
        row["Classification_Task"] = None
        row["Mask_Task"] = []
        row["Generation_Task"] = [row["Generation_Task"][0] | {"Ground_Truth": ""}]

    if refused:
        fails(tmp_path, change, "'Test_Set' would lose everything about Person3 Toy")
    else:
        assert len(loaded(tmp_path / "data", change).left_out) == 1


def test_a_key_twice_in_json_is_odd(tmp_path):
    twice = '[{"Question": "a __", "Question": "b __", "Ground_Truth": "c", "Type": "Pure_Text"}]'

    def change(made):
        put(("Mask_Task", 0), None)(made)
        first(made)["Mask_Task"] = twice

    (left,) = loaded(tmp_path / "data", change).left_out
    assert left.kind == "Mask_Task has a key twice"


def test_text_that_is_no_json_is_named(tmp_path):
    def change(made):
        for row in made["forget_10"][0]:
            row["Mask_Task"] = "[{'Question': 1}]"

    error = fails(tmp_path, change, "2 of 30 questions of 'forget_10'")
    assert "Mask_Task is not JSON: 2" in error.found


def test_json_text_and_structs_are_the_same(tmp_path):
    plain = loaded(tmp_path / "data")

    def change(made):
        for files in made.values():
            for row in (row for rows in files for row in rows):
                for name in COLUMNS[3:]:
                    if name in row:
                        row[name] = json.dumps(row[name])

    assert loaded(tmp_path / "data", change) == plain


def test_lessons_may_be_a_list_instead_of_json(tmp_path):
    plain = loaded(tmp_path / "data")

    def change(made):
        for row in made["ft_Data"][0]:
            row["metadata"] = json.loads(row["metadata"])

    assert loaded(tmp_path / "data", change) == plain


def test_null_structs_ask_nothing(tmp_path):
    def change(made):
        first(made)["Mask_Task"] = None
        first(made)["Classification_Task"]["Pure_Text_Questions"] = None
        first(made)["Generation_Task"] = first(made)["Generation_Task"][:1]

    records = loaded(tmp_path / "data", change).records
    of_first = [key for key in records if key.startswith("mllmu/forget/3/")]
    assert len(of_first) == 5 + 1


def test_null_options_are_not_offered(tmp_path):
    def change(made):
        first(made)["Classification_Task"]["Image_Textual_Questions"][0]["Options"]["D"] = None

    record = loaded(tmp_path / "data", change).records["mllmu/forget/3/choice-image/0"]
    assert record.candidates == ("A", "B", "C")
    assert "D:" not in record.question


def test_a_set_that_lacks_a_whole_kind_of_question_is_an_error(tmp_path):
    def change(made):
        for row in made["Retain_Set"][0]:
            row["Mask_Task"] = []

    fails(tmp_path, change, "celebrity has no cloze-image question")


@pytest.mark.parametrize("config", ["forget_10", "retain_90", "Test_Set", "Retain_Set"])
def test_a_doubled_id_is_named(tmp_path, config):
    error = fails(tmp_path, lambda made: made[config][-1].append(made[config][0][0]), "twice")
    assert config in error.what


def test_an_id_that_is_forgotten_and_retained_is_a_leak(tmp_path):
    error = fails(
        tmp_path,
        lambda made: made["retain_90"][0].append(first(made)),
        "ID 3 is in both forget_10 and retain_90",
    )
    assert "forget_10 2 (published: 50)" in error.found


def test_a_profile_that_the_full_set_lacks_is_named(tmp_path):
    fails(tmp_path, lambda made: made["Full_Set"][0].pop(2), "ID 3 is not in Full_Set")


def test_a_forgotten_profile_without_test_row_is_named(tmp_path):
    fails(tmp_path, lambda made: made["Test_Set"][0].pop(2), "ID 3 of forget_10 is not in Test")


@pytest.mark.parametrize("row", [0, 2])
def test_what_is_not_taught_is_named(tmp_path, row):
    error = fails(tmp_path, lambda made: taught(made).pop(row), "ft_Data has no row for 1")
    assert f"ID {row + 1} (Person{row + 1} Toy)" in error.found


def test_a_profile_that_is_taught_twice_is_named(tmp_path):
    fails(tmp_path, lambda made: taught(made).append(taught(made)[0]), "row 10")


def pairs_of(*entries):
    """Return a change that sets the pairs of the fifth person in `ft_Data`."""

    def change(made):
        taught(made)[4]["metadata"] = json.dumps(entries)

    return change


PAIR = {"Question": "Q?", "Answer": "A."}
ADDITIONAL = {"Additional_ID": "5", "Additional_question": "Q?", "Additional_answer": "A."}


@pytest.mark.parametrize(
    ("entry", "kind", "published"),
    [
        ({"Question": "Q?"}, "no question or no answer", True),
        ({"Answer": "A."}, "no question or no answer", True),
        ({"Question": "Q?", "Answer": " "}, "no question or no answer", True),
        ({"Question": "Q?", "Answer": math.nan}, "no question or no answer", True),
        (None, "no question or no answer", True),
        (ADDITIONAL, "an entry of Additional_*", True),
        (PAIR | {"Answer": True}, "Answer is true or false, not a text", False),
        (PAIR | {"ID": "6"}, "ID is another person's", False),
        ([], "the entry is a list, not a struct", False),
    ],
)
def test_entries_without_a_pair_are_left_out_and_counted(tmp_path, entry, kind, published):
    found = loaded(tmp_path / "data", pairs_of(entry, PAIR))
    (left,) = found.left_out
    assert (left.table, left.unit, left.kind, left.published) == (
        "ft_Data", "pairs", kind, published,
    )  # fmt: skip
    assert (left.count, left.of) == (1, 20)
    learnt = [found.records[n] for n in found.finetune if found.records[n].person == "Person5 Toy"]
    assert [(r.question, r.answer) for r in learnt] == [("Q?", "A.")]


@pytest.mark.parametrize("key", ["5", "005", 5, 5.0, None, ""])
def test_entries_may_have_the_id_of_their_row_or_none(tmp_path, key):
    found = loaded(tmp_path / "data", pairs_of(PAIR | {"ID": key}, PAIR | ADDITIONAL))
    assert found.left_out == ()
    assert len([n for n in found.finetune if "/5/" in n]) == 2


def test_published_entries_without_a_pair_may_be_many(tmp_path):
    found = loaded(tmp_path / "data", pairs_of(*[ADDITIONAL] * 9, {"Question": "Q?"}, PAIR))
    assert [(each.count, each.of) for each in found.left_out] == [(9, 29), (1, 29)]


def test_entries_of_other_people_are_refused_where_they_are_many(tmp_path):
    other = PAIR | {"ID": "6"}
    error = fails(tmp_path, pairs_of(other, other, PAIR), "2 of 21 pairs of 'ft_Data' cannot be")
    assert "ID is another person's: 2" in error.found


@pytest.mark.parametrize("metadata", [None, "", "[]", "no json", '[{"Question": "Q"}]', "{}"])
def test_a_person_who_is_taught_nothing_is_named(tmp_path, metadata):
    def change(made):
        taught(made)[4]["metadata"] = metadata

    error = fails(tmp_path, change, "'ft_Data' would lose everything about Person5 Toy")
    assert "ft_Data/train-00000-of-00001.parquet, row 4" in error.found


def test_a_trained_person_without_an_image_is_named(tmp_path):
    def change(made):
        made["retain_90"][0][1]["image"] = None

    error = fails(tmp_path, change, "'retain_90' would lose everything about Person2 Toy")
    assert "image is empty: retain_90/train-00000-of-00001.parquet, row 1" in error.found


def test_a_celebrity_without_an_image_or_id_is_left_out_and_counted(tmp_path):
    for column, value in (("image", None), ("ID", None), ("ID", " ")):

        def change(made, column=column, value=value):
            made["Retain_Set"][0][1][column] = value

        found = loaded(tmp_path / "data", change)
        assert [str(each) for each in found.left_out] == [
            f"1 of 4 rows of Retain_Set: {column} is empty "
            "(first: Retain_Set/train-00000-of-00001.parquet, row 1)"
        ]
        assert {r.person for r in found.records.values() if "/celebrity/" in r.id} == {
            "famous1", "famous3", "famous4",
        }  # fmt: skip


def test_an_image_of_no_bytes_is_named(tmp_path):
    def change(made):
        made["retain_90"][0][1]["image"] = {"bytes": b"", "path": "x.png"}

    fails(tmp_path, change, "retain_90/train-00000-of-00001.parquet, column image, row 1")


def test_a_forgotten_person_without_test_images_is_named(tmp_path):
    def change(made):
        made["Test_Set"][0][2]["images"] = []

    fails(tmp_path, change, "ID 3 of forget_10 is not in Test_Set")


def test_a_test_row_of_somebody_else_may_be_odd(tmp_path):
    def change(made):
        made["Test_Set"][1][0]["images"] = []

    plain, found = loaded(tmp_path / "data"), loaded(tmp_path / "data", change)
    assert found.records == plain.records
    assert [each.first for each in found.left_out] == [
        "Test_Set/train-00001-of-00002.parquet, row 0"
    ]


@pytest.mark.parametrize("percent", [1, 20, 50])
def test_another_percentage_lists_the_published_ones(tmp_path, percent):
    error = fails(
        tmp_path, lambda made: None, "forget_percent", ManifestError,
        split={"forget_percent": percent},
    )  # fmt: skip
    assert error.expected == "one of 5, 10, 15"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"few_shots": 1}, "did you mean 'few_shot'"),
        ({"letter": "likelihood"}, "did you mean 'letters'"),
        ({"letters": "first_char"}, "did you mean 'first_character'"),
        ({"few_shot": -1}, "a finite number >= 0"),
        ({"few_shot": True}, "a whole number"),
        ({"few_shot": "2"}, "a whole number"),
        ({"text_pairs": 1}, "true or false"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_right(tmp_path, options, said):
    error = fails(
        tmp_path, lambda made: None, "benchmark", ManifestError, benchmark={"options": options}
    )
    assert said in str(error)


def test_an_unknown_target_and_a_missing_source_are_refused(tmp_path):
    places = write(tmp_path / "data", tables())
    described = manifest()
    with pytest.raises(ManifestError, match="no target 'txt'"):
        load(described.model_copy(update={"targets": ("txt",)}), places)
    other = described.sources[0].model_copy(update={"name": "other"})
    with pytest.raises(ManifestError, match="no source 'mllmu'"):
        load(described.model_copy(update={"sources": (other,)}), {"other": places["mllmu"]})


def general(image, text_only):
    metadata = '[{"Question": "Q?", "Answer": "A"}]'
    return {"image": image, "ID": "1", "metadata": metadata, "text_only": text_only}


def test_rehearsal_needs_general_knowledge(tmp_path):
    error = fails(
        tmp_path, lambda made: None, "rehearsal", ManifestError, finetune={"rehearsal": 0.2}
    )
    assert "rehearsal = 0" in error.remedy


def test_general_knowledge_is_rehearsed_only_when_it_is_asked_for(tmp_path):
    def change(made):
        rows = [general(picture(1, 2, 3), False), {**general(None, True), "ID": "2"}]
        made["general"] = [rows]

    assert loaded(tmp_path / "data", change).rehearsal == ()
    benchmark = loaded(tmp_path / "data", change, finetune={"rehearsal": 0.2})
    images = [benchmark.records[key].image is None for key in benchmark.rehearsal]
    assert images == [False, True]
    assert not set(benchmark.rehearsal) & set(benchmark.finetune)


def test_an_image_that_is_asked_about_is_never_rehearsed(tmp_path):
    asked = profile("9", "X", picture(3, 99))["image"]
    fails(
        tmp_path,
        lambda made: made.update(general=[[general(asked, False)]]),
        "general/.*row 0, image",
        finetune={"rehearsal": 0.2},
    )


def test_other_row_counts_than_the_published_are_noted_and_no_error(tmp_path):
    notes = loaded(tmp_path / "data").notes
    assert "forget_10 has 2 rows; 50 are published." in notes
    assert len(notes) == 5


def turn(rows, column="image"):
    cells = [row[column] for row in rows]
    for row, cell in zip(rows, [*cells[1:], cells[0]], strict=True):
        row[column] = cell


def test_training_pictures_that_are_shifted_against_their_ids_are_refused(tmp_path):
    """Each person would be taught with the face of the next one."""
    fails(tmp_path, lambda made: turn(taught(made)), "is the picture of another person")


@pytest.mark.parametrize("config", ["forget_10", "retain_90"])
def test_pictures_that_full_set_has_of_others_are_refused(tmp_path, config):
    error = fails(tmp_path, lambda made: turn(made[config][0]), "has the picture of another ID")
    assert config in error.what


def test_an_empty_place_in_a_list_of_images_hides_no_other(tmp_path):
    def change(made):
        for row in (row for rows in made["Test_Set"] for row in rows):
            row["images"] = [{"bytes": None, "path": None}, row["images"][1]]

    found = loaded(tmp_path / "data", change)
    shown = [r.image for key, r in found.records.items() if "/test/" in key and r.image]
    assert shown
    assert found.left_out == ()


@pytest.mark.parametrize("line", ["__", "___", "________"])
def test_a_blank_is_one_blank_however_long_its_line_is(tmp_path, line):
    def change(made):
        for entry in (e for rows in made["forget_10"] for row in rows for e in row["Mask_Task"]):
            entry["Question"] = entry["Question"].replace("__", line)

    found = loaded(tmp_path / "data", change)
    asked = found.records["mllmu/forget/3/cloze-image/0"].question
    assert asked.startswith("#3# Image_Textual 0 is [Blank].\n")


def test_options_with_letters_in_a_list_are_read(tmp_path):
    options = [f"{letter}. option {letter.lower()}" for letter in "ABCD"]
    found = loaded(tmp_path / "data", put((*SIGHT, 1, "Options"), options))
    plain = loaded(tmp_path / "plain", lambda made: None)
    asked = "mllmu/forget/3/choice-image/1"
    assert found.records[asked] == replace(plain.records[asked], image=found.records[asked].image)


def test_option_ten_comes_after_option_nine(tmp_path):
    options = {str(number): f"option {number}" for number in range(1, 12)}

    def change(made):
        put((*SIGHT, 1, "Options"), options)(made)
        put((*SIGHT, 1, "Correct_Answer"), "10")(made)

    found = loaded(tmp_path / "data", change).records["mllmu/forget/3/choice-image/1"]
    assert found.candidates == tuple(options)
    assert found.answer == "10"


def test_training_texts_that_are_shifted_against_their_ids_are_refused(tmp_path):
    """Each kept person would be taught the facts of the next one."""

    def change(made):
        turn([row for row in taught(made) if row["ID"] not in ("3", "7")], "metadata")

    fails(tmp_path, change, "it names another person, and not its own: 8")


def test_one_pair_about_somebody_else_is_left_out_and_counted(tmp_path):
    def change(made):
        row = taught(made)[0]
        row["metadata"] = json.dumps([*lessons(row["ID"]), lessons("2")[1]])

    (left,) = loaded(tmp_path / "data", change).left_out
    assert (left.count, left.kind) == (1, "it names another person, and not its own")
