"""Image columns in every form that tables have: read where clear, refused by their real name."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kit.benchmarks.parquet import Place, read_rows
from kit.benchmarks.unpacking import unpack
from kit.errors import DataError

FEATURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    return Place(tmp_path / "data", tmp_path / "data.images")


def png(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(stream, "png")
    return stream.getvalue()


def write(place: Place, cells: pa.Array, column: str = "image", config: str = "full") -> Path:
    path = place.path / config / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: cells, "name": ["Ada"] * len(cells)}), path)
    return path


def images(place: Place, table: Path, column: str = "image", count: int = 1) -> list[bytes]:
    found = [place.image(table, column, row) for row in range(count)]
    return [path.read_bytes() for path in found if path is not None]


ONE = png(1)
BYTES = {
    "binary": pa.array([ONE], pa.binary()),
    "large_binary": pa.array([ONE], pa.large_binary()),
    "fixed_size_binary": pa.array([ONE], pa.binary(len(ONE))),
    "dictionary": pa.array([ONE], pa.binary()).dictionary_encode(),
    "struct": pa.array([{"bytes": ONE, "path": "elsewhere.png"}], FEATURE),
    "struct of bytes": pa.array([{"bytes": ONE}], pa.struct({"bytes": pa.large_binary()})),
    "struct with more": pa.array(
        [{"bytes": ONE, "path": None, "width": 4}],
        pa.struct({"bytes": pa.binary(), "path": pa.string(), "width": pa.int32()}),
    ),
    "list of binary": pa.array([[ONE]], pa.list_(pa.binary())),
    "large list": pa.array([[{"bytes": ONE, "path": None}]], pa.large_list(FEATURE)),
    "fixed list": pa.array([[ONE]], pa.list_(pa.binary(), 1)),
}


@pytest.mark.parametrize("form", BYTES)
def test_the_bytes_of_a_picture_are_read_in_every_form(place, form):
    table = write(place, BYTES[form])
    assert unpack(place) == 1
    assert images(place, table) == [ONE]
    assert read_rows(table, {"image": None, "name": None}) == [{"name": "Ada"}]


PATHS = {
    "text": pa.array(["pictures/0.png"]),
    "large text": pa.array(["pictures/0.png"], pa.large_string()),
    "dictionary": pa.array(["pictures/0.png"]).dictionary_encode(),
    "struct without bytes": pa.array([{"bytes": None, "path": "pictures/0.png"}], FEATURE),
    "struct of a path": pa.array([{"path": "pictures/0.png"}], pa.struct({"path": pa.string()})),
    "list": pa.array([["pictures/0.png"]]),
    "path of Windows": pa.array(["pictures\\0.png"]),
    "dot": pa.array(["./pictures/0.png"]),
}


@pytest.mark.parametrize("beside", ["", "full"])
@pytest.mark.parametrize("form", PATHS)
def test_a_path_of_a_listed_file_is_read_beside_the_table_and_from_the_top(place, form, beside):
    table = write(place, PATHS[form])
    (place.path / beside / "pictures").mkdir(parents=True)
    (place.path / beside / "pictures" / "0.png").write_bytes(ONE)
    assert unpack(place) == 1
    assert images(place, table) == [ONE]


def test_a_path_that_means_two_pictures_is_refused(place):
    write(place, PATHS["text"])
    for beside, shade in (("", 1), ("full", 2)):
        (place.path / beside / "pictures").mkdir(parents=True)
        (place.path / beside / "pictures" / "0.png").write_bytes(png(shade))
    with pytest.raises(DataError, match=r"column image, row 0 is not there") as caught:
        unpack(place)
    assert "two listed files: full/pictures/0.png and pictures/0.png" in caught.value.found


@pytest.mark.parametrize(
    "text",
    [
        "0.png", "/etc/hostname", "../secret.png", "full/../../secret.png", "a" * 5000, "a\0b",
        "https://example.org/0.png", "data:image/png;base64,iVBORw0KGgo=",
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_text_that_names_no_listed_file_is_said_as_it_is(place, tmp_path, text, wrapped):
    (tmp_path / "secret.png").write_bytes(ONE)
    cells = pa.array([{"bytes": None, "path": text}], FEATURE) if wrapped else pa.array([text])
    write(place, cells)
    with pytest.raises(DataError, match=r"full/train.*, column image, row 0 is not there") as error:
        unpack(place)
    assert repr(text[:20])[1:-1] in error.value.found
    assert "no file that the source's list names" in error.value.found


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([7]),
        pa.array([[1, 2, 3]], pa.list_(pa.uint8())),
        pa.array([np.zeros((2, 2)).tolist()]),
        pa.array([{"url": "x"}]),
        pa.array([{"bytes": [1, 2], "path": None}]),
        pa.array([True]),
    ],
)
def test_a_column_of_another_type_is_refused_by_its_type_and_is_not_called_empty(place, cells):
    table = write(place, cells)
    assert unpack(place) == 0
    with pytest.raises(DataError, match="column 'image' holds no pictures") as caught:
        place.image(table, "image", 0)
    stored = pq.read_schema(table).field("image").type  # parquet has its own names for items
    assert caught.value.found == f"cells of the type {stored}"


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([None], FEATURE),
        pa.array([{"bytes": None, "path": None}], FEATURE),
        pa.array([{"bytes": None, "path": ""}], FEATURE),
        pa.array([None], pa.binary()),
        pa.array([""]),
        pa.array([None]),
        pa.array([[]], pa.list_(FEATURE)),
    ],
)
def test_an_empty_cell_is_empty(place, cells):
    table = write(place, cells)
    assert unpack(place) == 0
    assert place.image(table, "image", 0) is None


def test_other_columns_are_no_pictures_whatever_their_type(place):
    table = write(place, pa.array([b"a sound"]), column="hash")
    write(place, pa.array(["a caption"]), column="caption", config="other")
    write(place, pa.array([{"bytes": b"a sound", "path": "a.wav"}], FEATURE), "audio", "third")
    assert unpack(place) == 0
    assert read_rows(table, {"hash": None})[0]["hash"] == b"a sound"


def test_an_index_of_another_list_or_another_version_is_made_again(place, monkeypatch):
    write(place, BYTES["struct"])
    unpack(place)
    first = (place.images / "index.parquet").stat().st_mtime_ns
    unpack(place)
    assert (place.images / "index.parquet").stat().st_mtime_ns == first
    unpack(Place(place.path, place.images, "another list"))
    second = (place.images / "index.parquet").stat().st_mtime_ns
    assert second != first
    monkeypatch.setattr("PIL.__version__", "1.0")
    unpack(Place(place.path, place.images, "another list"))
    assert (place.images / "index.parquet").stat().st_mtime_ns != second


SHARDS = {
    "a leftover of an earlier revision": ["train-00000-of-00001", "train-00001-of-00002"],
    "one that is missing": ["train-00000-of-00002"],
    "a copy with another count": ["train-00000-of-00001", "train-00000-of-00002"],
    "one that is missing, with fewer digits": ["train-0-of-2"],
    "two revisions with a digest behind": [
        "train-00000-of-00001-75b6649fb044d38b",
        "train-00000-of-00001-0123456789abcdef",
    ],
}


@pytest.mark.parametrize("case", SHARDS)
def test_shards_that_are_no_whole_set_are_refused(place, case):
    table = write(place, BYTES["struct"])
    data = table.read_bytes()
    table.unlink()
    for name in SHARDS[case]:
        (table.parent / f"{name}.parquet").write_bytes(data)
    with pytest.raises(DataError, match="are not one whole set") as caught:
        place.tables("full")
    assert all(name in caught.value.found for name in SHARDS[case])


@pytest.mark.parametrize("ending", ["", "-75b6649fb044d38b"])
def test_a_whole_set_of_shards_and_tables_of_other_names_are_read(place, ending):
    """Older uploads to the hub have a digest behind the number of a shard."""
    table = write(place, BYTES["struct"])
    data = table.read_bytes()
    table.unlink()
    for name in (f"test-00000-of-00002{ending}", f"test-00001-of-00002{ending}", "part"):
        (table.parent / f"{name}.parquet").write_bytes(data)
    assert len(place.tables("full")) == 3


def test_two_splits_of_a_configuration_are_not_read_as_one(place):
    table = write(place, BYTES["struct"])
    other = table.with_name("test-00000-of-00001.parquet")
    other.write_bytes(table.read_bytes())
    with pytest.raises(DataError, match="'full' has several splits") as caught:
        place.tables("full")
    assert caught.value.found == "test, train"
    other.unlink()
    assert place.tables("full") == [table], "the remedy works"


def test_an_ending_in_capitals_is_an_ending(place):
    table = write(place, BYTES["struct"])
    table.rename(table.with_suffix(".PARQUET"))
    assert len(place.tables("full")) == 1


def test_a_configuration_that_lies_in_two_folders_is_refused(place):
    table = write(place, BYTES["struct"])
    (place.path / "backup" / "full").mkdir(parents=True)
    (place.path / "backup" / "full" / table.name).write_bytes(table.read_bytes())
    with pytest.raises(DataError, match="'full' in several folders") as caught:
        place.tables("full")
    assert caught.value.found == "backup/full, full"
