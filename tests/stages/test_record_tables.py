"""A result has a thumbnail of each image that it asks about, once, under the record's name."""

import base64
import io
from types import SimpleNamespace

import pytest
from PIL import Image

from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Concept, Record
from kit.stages.record_tables import pictures_frame, records_frame


def asking(images, **origin):
    """Return what of a manifest decides about thumbnails: one source, and report.images."""
    unsaid = {"embedded": None, "folder": None, "repo": None}
    source = SimpleNamespace(name="toy", **{**unsaid, **origin})
    return SimpleNamespace(sources=[source], report=SimpleNamespace(images=images))


def test_each_asked_image_has_one_thumbnail_under_the_name_that_records_use(tmp_path):
    images = {}
    for shade, name in enumerate(("shared", "other", "unasked")):
        images[name] = tmp_path / "data" / f"{name}.png"
        images[name].parent.mkdir(exist_ok=True)
        Image.new("RGB", (400, 200), (shade * 100, 0, 0)).save(images[name])
    records = {
        name: Record(name, Concept.PERSON, "Who?", "Ann", image)
        for name, image in (
            ("a", images["shared"]), ("b", images["shared"]), ("c", images["other"]),
            ("d", images["unasked"]), ("text", None),
        )
    }  # fmt: skip
    splits = {
        "person": SimpleNamespace(evaluation={("person", "efficacy"): ["a", "b", "text"]}),
        "event": SimpleNamespace(evaluation={("event", "retain"): ["c"]}),
    }
    benchmark = SimpleNamespace(records=records, splits=splits)
    places = {"toy": Place(tmp_path / "data", tmp_path / "unpacked")}
    table = pictures_frame(benchmark, places, asking(None, embedded="pebench"))
    assert table["image"].tolist() == ["toy/other.png", "toy/shared.png"]
    assert set(table["image"]) | {""} == set(records_frame(benchmark, places)["image"])
    opened = [Image.open(io.BytesIO(base64.b64decode(text))) for text in table["webp"]]
    assert [(each.format, each.size) for each in opened] == [("WEBP", (160, 80))] * 2
    reds = [each.convert("RGB").getpixel((5, 5))[0] for each in opened]
    assert abs(reds[0] - 100) < 6
    assert reds[1] < 6


@pytest.mark.parametrize(
    ("images", "origin", "held"),
    [
        (None, {"embedded": "pebench"}, True),
        (True, {"embedded": "pebench"}, True),
        (False, {"embedded": "pebench"}, False),
        (None, {"repo": "org/data"}, False),
        (None, {"folder": "data/mine"}, False),
        (True, {"repo": "org/data"}, True),
        (False, {"repo": "org/data"}, False),
    ],
)
def test_pictures_from_outside_are_passed_on_only_where_the_manifest_says_so(
    tmp_path, images, origin, held
):
    for folder in ("data", "unpacked"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / folder / "a.png")
    records = {
        folder: Record(folder, Concept.PERSON, "Who?", "Ann", tmp_path / folder / "a.png")
        for folder in ("data", "unpacked")
    }
    split = SimpleNamespace(evaluation={("person", "efficacy"): list(records)})
    benchmark = SimpleNamespace(records=records, splits={"person": split})
    places = {"toy": Place(tmp_path / "data", tmp_path / "unpacked")}
    table = pictures_frame(benchmark, places, asking(images, **origin))
    assert table["image"].tolist() == (["toy.images/a.png", "toy/a.png"] if held else [])
