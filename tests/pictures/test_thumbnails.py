"""Thumbnails: small, in proportion, equal twice, and together no larger than allowed."""

import io

import numpy as np
import pytest
from PIL import Image

from kit.errors import DataError
from kit.pictures.thumbnails import EDGES, MAX_BYTES, thumbnails


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=("WEBP",))


@pytest.fixture
def paths(tmp_path):
    """Noise, which compresses badly, of several shapes."""
    generator = np.random.default_rng(1)
    found = {}
    for number, (width, height) in enumerate([(640, 320), (100, 700), (90, 90), (640, 480)] * 3):
        path = tmp_path / f"{number:02}.png"
        pixels = generator.integers(0, 255, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        found[f"source/{number:02}.png"] = path
    return found


def test_a_thumbnail_is_small_in_proportion_and_never_larger_than_its_picture(paths):
    found = thumbnails(paths)
    assert list(found) == sorted(paths)
    assert [opened(data).size for data in list(found.values())[:4]] == [
        (160, 80), (23, 160), (90, 90), (160, 120),
    ]  # fmt: skip
    assert all(len(data) <= MAX_BYTES for data in found.values())
    assert found == thumbnails(paths)


def test_a_picture_of_one_colour_has_it(tmp_path):
    Image.new("RGB", (300, 200), (200, 30, 90)).save(tmp_path / "a.png")
    (data,) = thumbnails({"a": tmp_path / "a.png"}).values()
    middle = opened(data).convert("RGB").getpixel((80, 53))
    assert np.abs(np.array(middle) - (200, 30, 90)).max() <= 4


@pytest.mark.parametrize("share", [2, 4])
def test_many_are_made_smaller_until_they_fit(paths, share):
    whole = sum(map(len, thumbnails(paths).values()))
    found = thumbnails(paths, whole // share)
    assert found.keys() == paths.keys()
    assert sum(map(len, found.values())) <= whole // share
    assert max(opened(data).size[0] for data in found.values()) in EDGES[1:]


def test_what_does_not_fit_at_the_smallest_size_is_left_out_the_last_first(paths):
    found = thumbnails(paths, 1000)
    assert max(opened(data).size[0] for data in found.values()) <= EDGES[-1]
    assert sum(map(len, found.values())) <= 1000
    assert 0 < len(found) < len(paths)
    assert list(found) == sorted(paths)[: len(found)]
    assert thumbnails({}) == {}


def test_a_broken_picture_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"none")
    with pytest.raises(DataError, match=r"a\.png cannot be read"):
        thumbnails({"a": tmp_path / "a.png"})
