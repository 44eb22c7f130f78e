"""What a wrong MLLMU-Bench table or option says: the table, the row, the field, the remedy."""

import json

import pytest

from kit.benchmarks import load
from kit.errors import DataError, ManifestError
from tests.toys.mllmu import loaded, manifest, picture, profile, tables, write

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


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ((*SIGHT,), {"Question": "no list"}, "Image_Textual_Questions"),
        ((*SIGHT, 2), "no object", r"Image_Textual_Questions\[2\]"),
        ((*SIGHT, 2), None, r"Image_Textual_Questions\[2\].Question"),
        ((*SIGHT, 1, "Question"), "", r"\[1\].Question"),
        ((*SIGHT, 1, "Question"), None, r"\[1\].Question"),
        ((*SIGHT, 1, "Question"), ["list"], r"\[1\].Question"),
        ((*SIGHT, 1, "Options"), None, r"\[1\].Options"),
        ((*SIGHT, 1, "Options"), {"A": "alone"}, r"\[1\].Options"),
        ((*SIGHT, 1, "Options", "C"), "", r"\[1\].Options.C"),
        ((*SIGHT, 1, "Correct_Answer"), "E", r"\[1\].Correct_Answer"),
        ((*SIGHT, 1, "Correct_Answer"), None, r"\[1\].Correct_Answer"),
        (("Classification_Task", "Other_Questions"), [], "Classification_Task"),
        (("Generation_Task", 0, "Type"), "Video", r"Generation_Task\[0\].Type"),
        (("Generation_Task", 3, "Ground_Truth"), " ", r"Generation_Task\[3\].Ground_Truth"),
        (("Mask_Task", 0, "Question"), "no blank", r"Mask_Task\[0\].Question"),
        (("Mask_Task", 0, "Question"), "", r"Mask_Task\[0\].Question"),
    ],
)
def test_an_odd_nested_field_is_named_with_table_and_row(tmp_path, path, value, field):
    error = fails(tmp_path, put(path, value), field)
    assert "forget_10/train-00000-of-00001.parquet, row 0, " in error.what
    assert None not in (error.expected, error.found, error.remedy)


def test_text_that_is_no_json_is_named(tmp_path):
    def change(made):
        for row in made["forget_10"][0]:
            row["Mask_Task"] = "[{'Question': 1}]"

    fails(tmp_path, change, "row 0, Mask_Task")


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
    error = fails(tmp_path, lambda made: made["ft_Data"][0].pop(row), "ft_Data has no row for 1")
    assert f"ID {row + 1}" in error.found


def test_a_profile_that_is_taught_twice_is_named(tmp_path):
    fails(tmp_path, lambda made: made["ft_Data"][0].append(made["ft_Data"][0][0]), "row 10")


@pytest.mark.parametrize("metadata", [None, "", "[]", "no json", '[{"Question": "Q"}]', "{}"])
def test_lessons_that_cannot_be_read_are_named(tmp_path, metadata):
    def change(made):
        made["ft_Data"][0][4]["metadata"] = metadata

    fails(tmp_path, change, "ft_Data/train-00000-of-00001.parquet, row 4, metadata")


def test_a_row_without_image_is_named(tmp_path):
    def change(made):
        made["retain_90"][0][1]["image"] = None

    fails(tmp_path, change, "retain_90/train-00000-of-00001.parquet, row 1, image")


def test_an_image_of_no_bytes_is_named(tmp_path):
    def change(made):
        made["retain_90"][0][1]["image"] = {"bytes": b"", "path": "x.png"}

    fails(tmp_path, change, "retain_90/train-00000-of-00001.parquet, column image, row 1")


def test_a_test_row_without_images_is_named(tmp_path):
    def change(made):
        made["Test_Set"][1][0]["images"] = []

    fails(tmp_path, change, "Test_Set/train-00001-of-00002.parquet, row 0, images")


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
        ({"few_shot": -1}, "0 or more"),
        ({"few_shot": True}, "0 or more"),
        ({"few_shot": "2"}, "0 or more"),
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
    with pytest.raises(ManifestError, match="no source 'mllmu'"):
        load(described, {"other": places["mllmu"]})


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
