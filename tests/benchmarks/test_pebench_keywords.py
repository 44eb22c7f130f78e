"""The keywords of PEBench's events: from the table, or those that the paper prints."""

import pytest

from kit.benchmarks.pebench.events import published, published_keywords
from tests.toys.dataset import EVENTS, HEADER, loaded, refused, replaced, rows

pytest_plugins = ["tests.toys.pebench_fixtures"]


def keywords_of(benchmark, event):
    own = [benchmark.records[name] for name in benchmark.finetune]
    return {r.keywords for r in own if r.event == event and r.keywords}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("a; b ;c", ("a", "b", "c")), ("a, b,c", ("a", "b", "c")), ("a, b; c", ("a, b", "c")),
     ("one", ("one",))],
)  # fmt: skip
def test_keywords_are_separated_by_semicolons_or_commas(root, cell, expected):
    table = [[*row[:4], cell] for row in rows()]
    assert keywords_of(loaded(replaced(root, table)), EVENTS[0]) == {expected}


def test_a_cell_of_separators_alone_has_no_keywords(root):
    table = [[*row[:4], ";; ;"] for row in rows()]
    assert "line 2: no keywords for the event" in refused(replaced(root, table)).what


def published_rows():
    names = ["Park-Jogging", "media_interview", "city walk", "snowshoeing"]
    return [[*row[:2], names[EVENTS.index(row[2])], row[3]] for row in rows()]


@pytest.mark.parametrize("columns", [{}, {"keywords": ""}])
def test_without_a_column_they_are_those_of_the_published_table(root, columns):
    replaced(root, published_rows(), HEADER[:4])
    found = loaded(root, benchmark={"columns": columns})
    assert keywords_of(found, "Park-Jogging") == {tuple(published()["keywords"]["park jogging"])}
    assert keywords_of(found, "media_interview") == {published_keywords("media interview")}


def test_an_event_that_the_published_table_has_not_names_the_nearest(root):
    table = published_rows()
    table[1] = [*table[1][:2], "park joging", "x"]
    error = refused(replaced(root, table, HEADER[:4]))
    assert "line 3: no keywords for the event 'park joging'" in error.what
    assert "if you meant the paper's event 'park jogging', correct the name" in error.remedy


def test_a_column_of_keywords_that_the_manifest_maps_has_to_be_there(root):
    replaced(root, published_rows(), HEADER[:4])
    error = refused(root, benchmark={"columns": {"keywords": "tags"}})
    assert "no column 'tags'" in error.what


def test_the_published_table_has_forty_events_with_keywords_and_says_where_it_is_from():
    keywords = published()["keywords"]
    assert len(keywords) == 40
    assert all(len(words) == 10 for words in keywords.values())
    assert {"CC BY 4.0", "2503.12545"} <= {
        word for word in ("CC BY 4.0", "2503.12545") if word in published()["about"]
    }
    assert set(published()) == {"about", "keywords", "near_duplicates"}, "no descriptions"
    assert len(published_keywords("grocery shopping")) == 9, "it prints 'shopping' twice"


def test_own_events_get_the_file_of_keywords_to_write_and_writing_it_leads_on(root):
    names = ["hiking on a trail", "kite, red", "night market", "snowshoeing"]
    table = [
        [*row[:2], names[EVENTS.index(row[2])], f"{row[1]} likes {names[EVENTS.index(row[2])]} now"]
        for row in rows()
    ]
    error = refused(replaced(root, table, HEADER[:4]))
    assert error.what == "PEBench.csv, line 2: no keywords for the event 'hiking on a trail'"
    assert "3 events" in error.found, "the paper has keywords for one of the four"
    assert "biking" not in error.remedy, "no event of other words is proposed"
    file = "\n".join(line.strip() for line in error.remedy.splitlines()[1:])
    (root / "keywords.csv").write_text(file + "\n", encoding="utf-8")
    found = loaded(root)
    assert keywords_of(found, "snowshoeing") == {published_keywords("snowshoeing")}
    assert "hiking" in next(iter(keywords_of(found, "hiking on a trail")))
    assert "kite" in next(iter(keywords_of(found, "kite, red")))


def test_a_row_of_the_file_of_keywords_wins_over_the_paper(root):
    replaced(root, published_rows(), HEADER[:4])
    (root / "keywords.csv").write_text('event;keywords\nCity-Walk;"one; two"\n', encoding="utf-8")
    found = loaded(root)
    assert keywords_of(found, "city walk") == {("one", "two")}


@pytest.mark.parametrize("cell", ["", ";"])
def test_an_event_without_keywords_in_the_file_names_its_line(root, cell):
    replaced(root, published_rows(), HEADER[:4])
    (root / "keywords.csv").write_text(f"event,keywords\ncity walk,{cell}\n", encoding="utf-8")
    assert "keywords.csv, line 2" in refused(root).what
