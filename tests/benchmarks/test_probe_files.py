"""The files of a probe as people have them: each object has one meaning, or is refused by name."""

import pytest

from kit.benchmarks import cells
from kit.benchmarks.probes.reading import json_rows
from kit.errors import DataError


def rows(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [row for _, row in json_rows(path, ["id", "answer"])]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", b'\xef\xbb\xbf[{"id": 1,\r\n "answer": "yes"}]\r\n'),
        ("a.jsonl", '{"id": 1, "answer": "yes"}\n\n'),
        ("a.json", '[{"id": 1, "answer": "yes"}]'.encode("utf-16")),
    ],
)
def test_marks_and_line_ends_of_all_systems_are_read(tmp_path, name, text):
    assert rows(tmp_path / name, text) == [{"id": 1, "answer": "yes"}]


def test_a_fraction_keeps_its_digits_and_nan_is_an_empty_cell(tmp_path):
    (first, second) = rows(tmp_path / "a.jsonl", '{"id": 1, "answer": 1.80}\n'
                                                 '{"id": 2, "answer": NaN}\n')  # fmt: skip
    assert cells.text(first["answer"], "row 0", "answer") == "1.80"
    assert cells.is_missing(second["answer"])


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_key_twice_in_one_object_is_refused(tmp_path, name):
    """Python's reader would take the last answer, and another reader the first."""
    item = '{"id": 1, "answer": "yes", "answer": "no"}'
    with pytest.raises(DataError, match="is not JSON") as caught:
        rows(tmp_path / name, item if name == "a.jsonl" else f"[{item}]")
    assert "'answer' twice in one object" in str(caught.value.found)


def test_objects_on_lines_are_told_how_to_name_their_file(tmp_path):
    lines = '{"id": 1, "answer": "yes"}\n{"id": 2, "answer": "no"}\n'
    with pytest.raises(DataError) as caught:
        rows(tmp_path / "a.json", lines)
    assert r"named *.jsonl" in str(caught.value.expected)
    assert len(rows(tmp_path / "a.jsonl", lines)) == 2, "the remedy works"
