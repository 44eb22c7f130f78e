"""Published tables: rows without their images, and images that lie where their content says."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kit.benchmarks import unpacking
from kit.benchmarks.parquet import INDEX, Place, read_rows
from kit.benchmarks.unpacking import INDEX_LIST, require_images, unpack
from kit.errors import ChecksumError, DataError

IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def png(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(stream, "png")
    return stream.getvalue()


def cell(data: bytes | None, path: str = "a.png") -> dict[str, Any]:
    return {"bytes": data, "path": path}


def write(path: Path, images: list[Any], names: list[str], kind: pa.DataType = IMAGE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"image": pa.array(images, kind), "name": names})
    pq.write_table(table, path, row_group_size=2)
    return path


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "data", tmp_path / "data.images")


def table_of(place: Place, config: str = "full") -> Path:
    return place.path / config / "train-00000-of-00001.parquet"


def test_rows_are_read_without_their_images(place):
    table = write(table_of(place), [cell(png(1)), None], ["Ada", "Bo"])
    assert read_rows(table, {"image": None, "name": None}) == [{"name": "Ada"}, {"name": "Bo"}]


def test_bytes_that_are_no_text_are_refused_with_their_table(place):
    table = write(table_of(place), [cell(png(1))], ["Ada"])
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())
    pq.write_table(pa.table({"name": broken}), table)
    with pytest.raises(DataError, match=r"full/train-00000-of-00001\.parquet has a cell") as error:
        read_rows(table, {"name": None})
    assert "utf-8" in str(error.value.found)


@pytest.mark.parametrize(
    "name",
    ["train-00000-of-00001 (1).parquet", "Copy of train-00000-of-00001.parquet.parquet",
     "TRAIN-00000-of-00001.parquet"],
)  # fmt: skip
def test_a_copy_beside_the_shards_is_not_read_as_more_rows(place, name):
    table = write(table_of(place), [cell(png(1))], ["Ada"])
    write(table.with_name(name), [cell(png(2))], ["Bo"])
    with pytest.raises(DataError, match="the configuration 'full'") as error:
        place.tables("full")
    assert name in str(error.value.found)


def test_a_folder_with_the_ending_of_a_table_is_no_table(place):
    table = write(table_of(place), [cell(png(1))], ["Ada"])
    write(table.parent / "x.parquet" / "y.parquet", [cell(png(2))], ["Bo"])
    assert place.tables("full") == [table]


def test_a_map_is_read_as_its_keys_and_values_unless_a_key_is_there_twice(place):
    table, kind = write(table_of(place), [cell(png(1))], ["Ada"]), pa.map_(pa.string(), pa.string())
    for pairs, refused in (([("A", "a cat"), ("B", "a dog")], False), ([("A", "1")] * 2, True)):
        pq.write_table(pa.table({"options": pa.array([pairs], kind)}), table)
        if refused:
            with pytest.raises(DataError, match=r"has a cell that is not of its column's type"):
                read_rows(table, {"options": None})
        else:
            assert read_rows(table, {"options": None}) == [{"options": dict(pairs)}]


def test_every_image_is_found_again_by_table_row_and_item(place):
    table = write(table_of(place), [cell(png(n)) for n in range(5)], list("abcde"))
    nulls = write(table_of(place, "null"), [{"bytes": None, "path": None}], ["x"])
    several = write(
        table_of(place, "test"), [[cell(png(7)), cell(png(8))], []], ["x", "y"], pa.list_(IMAGE)
    )
    assert unpack(place) == 7
    for row in range(5):
        found = place.image(table, "image", row)
        assert found is not None
        assert found.read_bytes() == png(row)
    second = place.image(several, "image", 0, 1)
    assert second is not None
    assert second.read_bytes() == png(8)
    assert place.image(several, "image", 1) is None
    assert place.image(nulls, "image", 0) is None


def test_an_image_that_two_configurations_repeat_is_kept_once(place):
    for config in ("full", "forget10"):
        write(table_of(place, config), [cell(png(1))], ["Ada"])
    assert unpack(place) == 1
    both = {place.image(table_of(place, config), "image", 0) for config in ("full", "forget10")}
    assert len(both) == 1


def test_a_name_in_a_table_cannot_lead_out_of_the_folder(place, tmp_path):
    table = write(table_of(place), [cell(png(1), "../../escaped.png")], ["Ada"])
    unpack(place)
    found = place.image(table, "image", 0)
    assert found is not None
    assert found.is_relative_to(place.images)
    assert not list(tmp_path.rglob("escaped*"))


def test_what_is_unpacked_is_not_unpacked_again(place):
    table = write(table_of(place), [cell(png(1))], ["Ada"])
    unpack(place)
    before = place.image(table, "image", 0).stat().st_mtime_ns
    assert unpack(place) == 1
    assert place.image(table, "image", 0).stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [b"", b"another picture"])
def test_an_unpacked_image_that_changed_is_found_and_made_again(place, damage):
    table = write(table_of(place), [cell(png(1)), cell(png(2))], ["Ada", "Bo"])
    unpack(place)
    require_images(place)
    image = place.image(table, "image", 1)
    image.write_bytes(damage)
    with pytest.raises(ChecksumError, match=image.name):
        require_images(place)
    assert unpack(place) == 2
    assert image.read_bytes() == png(2)
    require_images(place)


def other_index(place):
    """An index that is whole, and gives every row the image of another."""
    table = pq.read_table(place.images / INDEX)
    images = table["image"].to_pylist()[::-1]
    turned = table.set_column(table.column_names.index("image"), "image", pa.array(images))
    pq.write_table(turned, place.images / INDEX)


def cut_index(place):
    (place.images / INDEX).write_bytes((place.images / INDEX).read_bytes()[:50])


def index_without_a_digest(place):
    (place.images / INDEX_LIST).unlink()


def no_index(place):
    (place.images / INDEX).unlink()


def no_image(place):
    next(place.images.glob("??/*")).unlink()


@pytest.mark.parametrize(
    "damage", [other_index, cut_index, index_without_a_digest, no_index, no_image]
)
def test_an_index_that_changed_or_an_image_that_is_gone_is_found_and_made_again(place, damage):
    table = write(table_of(place), [cell(png(1)), cell(png(2))], ["Ada", "Bo"])
    unpack(place)
    damage(place)
    with pytest.raises(ChecksumError, match="checksum mismatch") as caught:
        require_images(place)
    assert "./run.sh fetch" in caught.value.remedy
    assert unpack(place) == 2
    require_images(place)
    again = Place(place.path, place.images)
    assert [again.image(table, "image", row).read_bytes() for row in (0, 1)] == [png(1), png(2)]


def test_unpacking_that_was_stopped_leaves_nothing_under_the_final_name(place, monkeypatch):
    write(table_of(place), [cell(png(n)) for n in range(3)], list("abc"))
    real, done = unpacking._write_image, []

    def dies(folder: Path, data: bytes, where: str) -> str:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(data)
        return real(folder, data, where)

    monkeypatch.setattr(unpacking, "_write_image", dies)
    with pytest.raises(KeyboardInterrupt):
        unpack(place)
    assert not place.images.exists()
    monkeypatch.setattr(unpacking, "_write_image", real)
    assert unpack(place) == 3


@pytest.mark.parametrize("data", [b"", b"not an image", png(1)[:20]])
def test_an_image_that_cannot_be_read_is_named_by_table_and_row(place, data):
    write(table_of(place), [cell(png(1)), cell(data)], ["Ada", "Bo"])
    with pytest.raises(DataError, match=r"full/train-.*, column image, row 1 cannot be read"):
        unpack(place)
    assert not (place.images / INDEX).exists()


def test_a_missing_column_is_named_with_those_that_are_there(place):
    table = write(table_of(place), [cell(png(1))], ["Ada"])
    with pytest.raises(DataError, match="no column 'caption'") as caught:
        read_rows(table, {"name": None, "caption": None})
    assert "image, name" in str(caught.value.found)


def test_a_column_of_another_type_is_refused(place):
    table = write(table_of(place), [cell(png(1))], ["Ada"])
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(table, {"name": pa.int64()})


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_damaged_table_is_a_data_error(place, keep):
    table = write(table_of(place), [cell(png(1))], ["Ada"])
    table.write_bytes(table.read_bytes()[:keep])
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(table, {"name": None})
    with pytest.raises(DataError, match="cannot be read"):
        unpack(place)


def test_a_table_without_rows_is_a_data_error(place):
    with pytest.raises(DataError, match="has no rows"):
        read_rows(write(table_of(place), [], []), {"name": None})


def test_a_missing_configuration_is_named_with_those_that_are_there(place):
    write(table_of(place), [cell(png(1))], ["Ada"])
    with pytest.raises(DataError, match="configuration 'forget10'") as caught:
        place.tables("forget10")
    assert caught.value.found == "full"


def test_images_are_asked_for_only_after_unpacking(place):
    table = write(table_of(place), [cell(png(1))], ["Ada"])
    with pytest.raises(DataError, match="not unpacked"):
        place.image(table, "image", 0)
