"""Every picture is decoded once, before anything is trained; a broken one is named with its row."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kit.benchmarks.unpacking import unpack
from kit.digests import format_checksums, sha256_file
from kit.errors import DataError
from kit.experiment.inputs import SourceSection
from kit.pictures import known
from kit.sources.arrival import bring
from kit.sources.pictures import check_pictures
from kit.sources.places import listed_place
from tests.toys.broken_pictures import png_with_text_after_pixels, truncated_jpeg


def png(shade: int, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (4, 4), shade).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Give a function that writes files, lists them and brings them as a source."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    folder, listed = tmp_path / "data", tmp_path / "data.sha256"

    def make(**files: bytes) -> SourceSection:
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        there = [path for path in folder.rglob("*") if path.is_file()]
        digests = {path.relative_to(folder).as_posix(): sha256_file(path) for path in there}
        listed.write_text(format_checksums(digests), encoding="utf-8")
        made = SourceSection(name="pebench", folder=str(folder), checksums=str(listed))
        bring(made, lambda line: None, None)
        return made

    return make


TABLE = b"file,name\nimages/Ada Sato/0.png,Ada Sato\nimages/Ada Sato/10.png,Ada Sato\n"


def test_what_is_done_to_pictures_is_counted(source):
    files = {"images/Ada Sato/0.png": png(1), "images/Ada Sato/10.png": png(0, "RGBA")}
    made = source(**{"PEBench.csv": TABLE}, **files)
    said = "2 pictures can be read; 1 transparency put on white"
    assert check_pictures(made) == said


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (truncated_jpeg(), "truncated"),
        (png_with_text_after_pixels(), "too large"),
        (b"", "an empty file"),
        (b"<html>not found</html>", "an HTML page"),
    ],
)
def test_a_broken_picture_is_refused_with_its_file_row_and_remedy(source, data, found):
    files = {"images/Ada Sato/0.png": data, "images/Ada Sato/10.png": png(1)}
    made = source(**{"PEBench.csv": TABLE}, **files)
    with pytest.raises(DataError, match=found) as caught:
        check_pictures(made)
    assert "images/Ada Sato/0.png (PEBench.csv, line 2) cannot be read" in caught.value.what
    assert caught.value.exit_code == 5
    assert "run `./run.sh fetch`" not in caught.value.remedy, "the bytes are the listed ones"
    assert "`./run.sh lock MANIFEST`" in caught.value.remedy


def test_several_broken_pictures_are_one_error(source):
    files = {"images/Ada Sato/0.png": b"", "images/Ada Sato/10.png": b"<html>"}
    made = source(**{"PEBench.csv": TABLE}, **files)
    with pytest.raises(DataError, match="and 1 others") as caught:
        check_pictures(made)
    assert "10.png (PEBench.csv, line 3)" in caught.value.found


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("slash", ["/", "\\"])
def test_the_row_is_found_in_tables_of_any_common_encoding(source, encoding, slash):
    table = f"file;name\nimages{slash}Zoë{slash}0.png;Zoë\n".encode(encoding)
    with pytest.raises(DataError, match=r"\(PEBench\.csv, line 2\)"):
        check_pictures(source(**{"PEBench.csv": table, "images/Zoë/0.png": b""}))


def test_a_bare_name_means_the_only_file_of_that_name(source):
    line = json.dumps({"question_id": 1, "image": "COCO_1.jpg", "text": "?", "label": "no"})
    files = {"coco_pope_random.json": line.encode(), "val2014/COCO_1.jpg": b""}
    with pytest.raises(DataError, match=r"\(coco_pope_random\.json, line 1\)"):
        check_pictures(source(**files))


def test_a_broken_picture_that_no_row_names_is_said_and_stops_nothing(source):
    files = {"images/Ada Sato/0.png": png(1), "images/Ada Sato/100.png": b""}
    said = check_pictures(source(**{"PEBench.csv": TABLE}, **files))
    assert said == (
        "1 pictures can be read; images/Ada Sato/100.png, which no row names, cannot be read"
    )


def test_a_broken_image_of_a_table_is_named_by_table_column_and_row(source, tmp_path):
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    cells = [{"bytes": png(1), "path": None}, {"bytes": truncated_jpeg(), "path": None}]
    stream = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), stream)
    made = source(**{"full/train-00000-of-00001.parquet": stream.getvalue()})
    with pytest.raises(DataError, match="column image, row 1 cannot be read"):
        check_pictures(made)
    assert unpack(listed_place(made)) == 2


def test_a_picture_is_decoded_once_and_a_new_one_alone_is_decoded_later(source, monkeypatch):
    decoded = []
    real = known.examine
    monkeypatch.setattr(known, "examine", lambda data: decoded.append(data) or real(data))
    first = {"images/Ada Sato/0.png": png(0, "L")}
    said = check_pictures(source(**{"PEBench.csv": TABLE}, **first))
    assert check_pictures(source()) == said == "1 pictures can be read; 1 converted to RGB"
    assert decoded == [png(0, "L")]
    assert check_pictures(source(**{"images/Ada Sato/10.png": png(3)})).startswith("2 pictures")
    assert decoded[1:] == [png(3)]
    known.known_path().write_text("{cut", encoding="utf-8")
    assert check_pictures(source()).startswith("2 pictures")


def test_what_was_found_before_a_broken_picture_is_kept(source, monkeypatch):
    files = {"images/Ada Sato/0.png": png(1), "images/Ada Sato/10.png": b""}
    with pytest.raises(DataError):
        check_pictures(source(**{"PEBench.csv": TABLE}, **files))
    decoded = []
    real = known.examine
    monkeypatch.setattr(known, "examine", lambda data: decoded.append(data) or real(data))
    assert check_pictures(source(**{"images/Ada Sato/10.png": png(2)})) == "2 pictures can be read"
    assert decoded == [png(2)]
