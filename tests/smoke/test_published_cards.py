"""The twins have the columns and types that the cards of the published data sets state.

Nobody here has read a published table. What is held together here was read elsewhere:

CLEAR      README of therem/CLEAR on the hub, commits 2bf6316 and a7438d4 (real_faces has image,
           answer and options alone), 0b3faec and 698f674 (perturbed), a0eb756 (real_world)
MLLMU      README of MLLMMU/MLLMU-Bench, commits 5c58a05 (structs of Classification_Task), 023e696
           (Retain_Set), 6681284 (ft_Data), e91a01e (names and sizes of all files)
"""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kit.smoke.clear import write_clear
from kit.smoke.mllmu import write_mllmu

TEXT, TEXTS = pa.string(), pa.list_(pa.string())
IMAGE = pa.struct({"bytes": pa.binary(), "path": TEXT})
SEEN = {"image": IMAGE, "caption": TEXT, "name": TEXT}
TOFU = {"image": IMAGE, "caption": TEXT, "question": TEXT, "answer": TEXT}
PERTURBED = {
    **SEEN, "paraphrased_caption": TEXT, "perturbed_captions": TEXTS, "perturbed_names": TEXTS,
}  # fmt: skip
CLEAR = {
    **dict.fromkeys(["full", "retain90", "retain95", "retain99"], SEEN),
    **dict.fromkeys(["forget01", "forget05", "forget10"], SEEN),
    **{f"{name}+tofu": TOFU for name in ("full", "retain90", "retain95", "retain99")},
    **{f"{name}+tofu": TOFU for name in ("forget01", "forget05", "forget10")},
    **{f"{name}_perturbed": PERTURBED for name in ("forget01", "forget05", "forget10", "retain")},
    "real_faces": {"image": IMAGE, "answer": TEXT, "options": TEXTS},
    "real_world": {"image": IMAGE, "question": TEXT, "answer": TEXT, "options": TEXTS},
}
OPTIONS = pa.struct(dict.fromkeys("ABCD", TEXT))
CHOICES = pa.list_(pa.struct({"Correct_Answer": TEXT, "Options": OPTIONS, "Question": TEXT}))
FREE = pa.list_(pa.struct({"Ground_Truth": TEXT, "Question": TEXT, "Type": TEXT}))
TASKS = {
    "Classification_Task": pa.struct(
        {"Image_Textual_Questions": CHOICES, "Pure_Text_Questions": CHOICES}
    ),
    "Generation_Task": FREE,
    "Mask_Task": FREE,
}
BIOGRAPHY = {"biography": TEXT, "question": TEXT, "answer": TEXT}
PROFILE = {"image": IMAGE, "ID": TEXT, **BIOGRAPHY, **TASKS}
WHOLE = {"image": IMAGE, "ID": TEXT, "Directory": TEXT, **BIOGRAPHY, **TASKS}
MLLMU = {
    "Full_Set": WHOLE, "Retain_Set": WHOLE,
    **{f"forget_{share}": PROFILE for share in (5, 10, 15)},
    **{f"retain_{share}": PROFILE for share in (95, 90, 85)},
    "Test_Set": {"images": pa.list_(IMAGE), "ID": TEXT, **TASKS},
    "ft_Data": {"image": IMAGE, "ID": TEXT, "metadata": TEXT},
}  # fmt: skip
FILES = {"Test_Set": 2}  # all other configurations are one file


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    root = tmp_path_factory.mktemp("twins")
    write_clear(root / "clear")
    write_mllmu(root / "mllmu")
    return root


def tables(twins, name, config):
    return sorted((twins / name / config).iterdir())


@pytest.mark.parametrize("name", ["clear", "mllmu"])
def test_the_configurations_are_those_of_the_card(twins, name):
    card = {"clear": CLEAR, "mllmu": MLLMU}[name]
    assert {path.name for path in (twins / name).iterdir()} == {*card, "general"}


@pytest.mark.parametrize(
    ("name", "config", "columns"),
    [("clear", *item) for item in CLEAR.items()] + [("mllmu", *item) for item in MLLMU.items()],
)
def test_a_table_has_the_columns_and_types_of_its_card_and_the_published_name(
    twins, name, config, columns
):
    found = tables(twins, name, config)
    count = FILES.get(config, 1)
    assert [path.name for path in found] == [
        f"train-{number:05d}-of-{count:05d}.parquet" for number in range(count)
    ]
    for path in found:
        schema = pq.read_schema(path)
        read = {field.name: nullable(field.type) for field in schema}
        assert read == {column: nullable(kind) for column, kind in columns.items()}


def nullable(kind):
    """Return a type without what Parquet adds: the names of list items and what may be null."""
    if pa.types.is_list(kind):
        return ("list", nullable(kind.value_type))
    if pa.types.is_struct(kind):
        return {field.name: nullable(field.type) for field in kind}
    return kind


def column(twins, config, name):
    return [value for path in tables(twins, "mllmu", config)
            for value in pq.read_table(path, columns=[name])[name].to_pylist()]  # fmt: skip


def test_ids_are_numbers_with_zeros_in_front(twins):
    for config in MLLMU:
        assert all(len(key) == 3 and key.isdecimal() for key in column(twins, config, "ID"))


def test_a_test_row_has_three_images(twins):
    assert {len(images) for images in column(twins, "Test_Set", "images")} == {3}


def test_right_answers_and_entries_have_every_published_form(twins):
    tasks = column(twins, "Full_Set", "Classification_Task")
    asked = [one for task in tasks for one in task["Image_Textual_Questions"]]
    answers = [one["Correct_Answer"] for one in asked]
    assert "None of the above" in answers
    assert any(a[:3] == f"{a[0]}. " for a in answers if len(a) > 3), "a letter with its text"
    assert any(one["Correct_Answer"] in one["Options"].values() for one in asked), "a text alone"
    entries = [e for text in column(twins, "ft_Data", "metadata") for e in json.loads(text)]
    keys = {frozenset(entry) for entry in entries}
    assert keys == {
        frozenset({"ID", "Question", "Answer"}),
        frozenset({"Question", "Answer"}),
        frozenset({"ID", "Question"}),
        frozenset({"Additional_ID", "Additional_question", "Additional_answer"}),
    }
