"""POPE's released files: three kinds of questions, and what a wrong file says."""

import json

import pytest

from kit.benchmarks.pope import load_pope
from kit.benchmarks.records import Concept
from kit.errors import DataError
from tests.toys.dataset import pope_lines, write_pope

FILE = "coco_pope_popular.json"


@pytest.fixture
def root(tmp_path):
    return write_pope(tmp_path / "pope")


def replaced(root, *lines):
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    (root / FILE).write_text(text, encoding="utf-8")
    return root


def refused(root):
    with pytest.raises(DataError) as caught:
        load_pope(root)
    error = caught.value
    assert error.expected, "says what was expected"
    assert error.found is not None, "says what was found"
    assert error.remedy, "says what to do"
    return error


def test_every_line_becomes_a_record_of_its_kind(root):
    records = load_pope(root)
    assert [record.id for record in records] == [
        f"pope/{kind}/{number}"
        for kind in ("random", "popular", "adversarial")
        for number in range(1, 5)
    ]
    second = records[5]
    assert (second.concept, second.group) == (Concept.PRESENCE, "popular")
    assert (second.question, second.answer) == ("Is there a sun in the image?", "no")
    assert second.image == root / "val2014" / "1.jpg"


def test_a_byte_order_mark_and_empty_lines_are_no_questions(root):
    expected = load_pope(root)
    text = (root / FILE).read_text(encoding="utf-8")
    (root / FILE).write_text("\ufeff" + text.replace("\n", "\r\n\r\n"), encoding="utf-8")
    assert load_pope(root) == expected


@pytest.mark.parametrize("kind", ["random", "popular", "adversarial"])
def test_a_missing_kind_is_named_with_what_is_there(root, kind):
    (root / f"coco_pope_{kind}.json").unlink()
    error = refused(root)
    assert f"coco_pope_{kind}.json" in error.what
    assert f"coco_pope_{kind}" not in error.found
    assert ".json" in error.found


def test_a_missing_folder_is_an_error_and_no_traceback(tmp_path):
    assert "missing" in refused(tmp_path / "nowhere").what


def test_a_file_without_questions_is_refused(root):
    replaced(root, "\n")
    assert "no questions" in refused(root).what


@pytest.mark.parametrize(
    "line",
    ['{"question_id": 1,\n', "[1, 2]\n", '"yes"\n', "null\n", "not json\n", "[" * 100_000 + "\n"],
)
def test_a_line_that_is_no_json_object_is_named(root, line):
    replaced(root, pope_lines()[0], line)
    error = refused(root)
    assert f"{FILE}, line 2" in error.what
    assert len(error.found) < 400


@pytest.mark.parametrize("field", ["question_id", "image", "text", "label"])
def test_a_line_that_lacks_a_field_is_named(root, field):
    line = pope_lines()[1]
    del line[field]
    replaced(root, pope_lines()[0], line)
    error = refused(root)
    assert "line 2 is not a question" in error.what
    assert field in error.expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("label", "maybe"), ("label", "Yes"), ("label", ""), ("label", True), ("label", None),
        ("label", ["yes"]), ("question_id", "1"), ("question_id", 1.0), ("question_id", True),
        ("text", " "), ("text", 3), ("image", ""), ("image", None),
    ],
)  # fmt: skip
def test_a_value_that_a_field_cannot_have_is_refused(root, field, value):
    replaced(root, {**pope_lines()[0], field: value})
    error = refused(root)
    assert field in error.what
    assert repr(value) in error.found


def test_a_key_twice_in_a_line_is_refused(root):
    line = json.dumps(pope_lines()[0])
    replaced(root, line[:-1] + ', "label": "no"}\n')
    error = refused(root)
    assert "line 1 has a key twice" in error.what
    assert "'label' twice" in error.found


def test_a_question_about_an_image_that_is_asked_again_is_refused(root):
    first, second = pope_lines()[:2]
    again = {**first, "question_id": 9, "text": first["text"].upper()}
    error = refused(replaced(root, first, second, again))
    assert "line 3: a question about an image occurs twice" in error.what
    assert "line 1" in error.found
    other = {"yes": "no", "no": "yes"}[first["label"]]
    error = refused(replaced(root, first, second, {**again, "label": other}))
    assert "label is not that of the same question before" in error.what


def test_a_doubled_id_names_both_lines(root):
    replaced(root, *pope_lines()[:2], pope_lines()[0])
    error = refused(root)
    assert "question_id 1 occurs twice" in error.what
    assert error.found == "lines 1 and 3"


def test_the_same_id_in_another_kind_is_another_question(root):
    assert len({record.id for record in load_pope(root)}) == 12


@pytest.mark.parametrize("image", ["9.jpg", "../val2014/0.jpg", "/etc/passwd", "a\0b"])
def test_an_image_that_is_not_in_the_folder_is_missing(root, image):
    replaced(root, {**pope_lines()[0], "image": image})
    error = refused(root)
    assert "is missing" in error.what
    assert error.found == "4 non-empty files in that folder"


def test_an_empty_image_is_missing(root):
    (root / "val2014" / "2.jpg").write_bytes(b"")
    assert "'2.jpg' is missing" in refused(root).what


def test_a_file_of_another_encoding_is_refused(root):
    (root / FILE).write_bytes('{"text": "ä"}'.encode("latin-1"))
    error = refused(root)
    assert "cannot be read" in error.what
    assert "not UTF-8" in str(error.found)
