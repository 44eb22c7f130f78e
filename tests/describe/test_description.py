"""What `data describe` prints: counts as by hand, samples that never change, lines that fit."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.describe.benchmark import describe, shorten
from kit.describe.text import WIDTH, render
from tests.toys import sets as toy_sets


@pytest.fixture
def described(tmp_path):
    made = toy_sets.benchmark(tmp_path)
    return describe(toy_sets.manifest(), toy_sets.places(tmp_path), made)


def counts(described, target):
    """Return (records, named, single, with image, printed) of the sets that have records."""
    return {
        each.label: (len(each.ids), each.named, each.single, each.with_image, each.printed)
        for each in described.sets
        if each.target == target and each.ids
    }


def test_sets_are_counted_as_by_hand(described):
    assert described.records == 10
    assert counts(described, "person") == {
        "P-Eff": (3, 2, 0, 3, True),
        "P-Ret": (1, 1, 0, 0, True),
        "P-World": (3, 1, 2, 2, True),
    }
    assert counts(described, "event") == {
        "E-Eff": (2, 1, 0, 2, True),  # one event, two people: intervals resample events
        "E-Ret": (2, 2, 0, 2, True),
        "P-World": (3, 1, 2, 2, False),
    }


def test_training_sets_are_counted_as_by_hand(described):
    found = {
        (each.name, each.target): (each.records, each.people, each.with_image)
        for each in described.training
    }
    assert found == {
        ("finetune", ""): (4, 2, 3),
        ("forget", "person"): (2, 1, 2),
        ("retain", "person"): (1, 1, 1),
        ("forget", "event"): (1, 1, 1),
        ("retain", "event"): (2, 2, 2),
        ("rehearsal", ""): (1, 1, 1),
    }


def lines_of(text, start):
    """Return the lines of the section that begins with the line `start`."""
    lines = text.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(start))
    return lines[begin : lines.index("", begin) if "" in lines[begin:] else None]


def test_a_printed_column_without_records_and_a_set_in_no_table_are_seen(described):
    table = "\n".join(lines_of(render(described), "Evaluated sets"))
    people, events = table.split("Forgetting events")
    empty = next(line for line in people.splitlines() if "P-Gen" in line)
    assert empty.split()[-3:] == ["0", "none", "0"]
    assert "no table" not in people
    unprinted = [line for line in events.splitlines() if "(in no table)" in line]
    assert [line.split()[0] for line in unprinted] == ["P-World"]
    assert "P-Eff" not in events, "the person half is no part of the event table"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("P-Eff", "2 people"),
        ("P-Ret", "1 person"),
        ("P-World", "1 person, 2 single"),
        ("E-Eff", "1 event"),
        ("E-Ret", "2 events"),
        ("E-Gen", "none"),
    ],
)
def test_clusters_are_named_for_what_they_are(described, label, said):
    line = next(line for line in render(described).splitlines() if line.startswith(f"  {label} "))
    assert f"  {said}  " in line


def test_samples_are_of_their_set_and_the_same_at_every_call(described, tmp_path):
    drawn = {}
    for each in described.samples:
        drawn.setdefault(each.label, []).append(each.id)
    sets = {each.label: each.ids for each in described.sets if each.ids}
    assert drawn.keys() == sets.keys()
    for label, ids in drawn.items():
        assert len(ids) == len(set(ids)) == min(2, len(sets[label]))
        assert set(ids) <= set(sets[label])
    # A draw that used Python's hash or the clock would differ from what another process drew.
    assert drawn["P-Eff"] == ["a2#p", "b1#p"]
    elsewhere = tmp_path / "elsewhere"
    made = toy_sets.benchmark(elsewhere)
    again = describe(toy_sets.manifest(), toy_sets.places(elsewhere), made)
    assert again == described


def test_images_have_the_names_that_a_result_gives_them(described):
    images = {each.id: each.image for each in described.samples}
    assert images["b1#p"] == "toy/b1.png"
    assert images["q"] == ""


def test_a_sample_is_shown_whole_or_shortened_and_no_line_is_too_long(described):
    text = render(described)
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    shown = "\n".join(lines_of(text, "P-Ret"))
    assert "Where was Ada born? Where was" in shown, "a question's line breaks are spaces"
    assert shown.count("Where was") < 20
    assert next(line for line in shown.splitlines() if line.endswith("...")).startswith("     ")
    assert "reference  Rome" in shown
    assert "or         In Rome" in shown
    assert "wrong a | wrong b | wrong c | wrong d and 2 more" in shown


def test_what_was_left_out_is_listed(described):
    assert lines_of(render(described), "Left out") == ["Left out", f"  {toy_sets.NOTE}"]


def test_broken_images_and_the_picture_are_named(described, tmp_path):
    text = render(described, sheet=tmp_path / "sheet.png", unreadable=["toy/a1.png"])
    assert lines_of(text, "Images that cannot be read")[1] == "  toy/a1.png"
    assert text.splitlines()[-1] == f"contact sheet: {tmp_path / 'sheet.png'}"
    assert "cannot be read" not in render(described)
    assert "no set has an image" in render(described)


def test_json_says_the_same(described, tmp_path):
    text = render(described, sheet=tmp_path / "s.png", unreadable=["toy/a1.png"], as_json=True)
    found = json.loads(text)
    assert found["contact_sheet"] == str(tmp_path / "s.png")
    assert found["unreadable_images"] == ["toy/a1.png"]
    assert found["left_out"] == [toy_sets.NOTE]
    first = found["sets"][0]
    assert (first["label"], first["records"], first["named"]) == ("P-Eff", 3, 2)
    assert "ids" not in first
    assert [each["id"] for each in found["samples"]] == [each.id for each in described.samples]
    assert found["training"][0]["records"] == 4


@given(st.text(), st.integers(4, 60))
def test_shortened_text_is_one_line_that_fits(text, limit):
    short = shorten(text, limit)
    assert len(short) <= limit
    assert len(short.splitlines()) <= 1
    assert short == " ".join(text.split()) or short.endswith("...")
