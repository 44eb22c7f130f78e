"""A file that is no parquet table is named before anything is read from it."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kit.benchmarks.parquet import Place
from kit.errors import DataError
from kit.sources.table_form import require_tables


@pytest.fixture
def place(tmp_path):
    (tmp_path / "data" / "full").mkdir(parents=True)
    return Place(tmp_path / "data", tmp_path / "data.images")


def table(*names: str) -> pa.Table:
    return pa.Table.from_arrays([pa.array([name]) for name in names], names=list(names))


def test_tables_with_each_column_once_are_fine(place):
    pq.write_table(table("question", "answer"), place.path / "full" / "a.parquet")
    require_tables(place)


def test_a_column_that_is_there_twice_is_refused(place):
    """A reader takes the last one, and the right answers of a benchmark are then others."""
    path = place.path / "full" / "a.parquet"
    pq.write_table(table("question", "answer", "answer"), path)
    assert pq.ParquetFile(path).read().to_pylist() == [{"question": "question", "answer": "answer"}]
    with pytest.raises(DataError, match=r"full/a\.parquet has the column 'answer' 2 times"):
        require_tables(place)


@pytest.mark.parametrize(
    ("data", "found", "remedy"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git-lfs", "git lfs pull"),
        (b'# xet version 0\nfilesize = 5\nhash = "ab"\n', "a xet pointer", "git xet checkout"),
        (b"/annex/objects/SHA256E-s1--ab.parquet\n", "a git-annex pointer", "git annex get"),
        (gzip.compress(b"PAR1", mtime=0), "gzip", "get the table again"),
        (b"<!doctype html><html>", "page", "get the table again"),
        (b"", "an empty file", "get the table again"),
    ],
)
def test_what_is_no_table_is_named_with_what_helps(place, data, found, remedy):
    (place.path / "full" / "a.parquet").write_bytes(data)
    with pytest.raises(DataError, match=r"full/a\.parquet is no parquet table") as caught:
        require_tables(place)
    assert found in str(caught.value.found)
    assert remedy in str(caught.value.remedy)
