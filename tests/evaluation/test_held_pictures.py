"""An engine's pictures are those of the files, each decoded once."""

import pytest
from PIL import Image

from kit.errors import DataError
from kit.evaluation.engines import held_pictures
from kit.evaluation.engines.held_pictures import HeldPictures


@pytest.fixture
def decoded(monkeypatch):
    """Return the paths that were decoded, in their order."""
    paths = []

    def noted(path, opened=held_pictures.open_image):
        paths.append(path.name)
        return opened(path)

    monkeypatch.setattr(held_pictures, "open_image", noted)
    return paths


def draw(path, colour):
    Image.new("RGB", (4, 4), colour).save(path)
    return path


def test_a_picture_is_decoded_once_for_all_systems(tmp_path, decoded):
    red, blue = draw(tmp_path / "red.png", "red"), draw(tmp_path / "blue.png", "blue")
    pictures = HeldPictures()
    first = dict(pictures.hold([red, blue, red]))
    again = pictures.hold([blue, red])
    assert decoded == ["red.png", "blue.png"]
    assert again[red].image is first[red].image
    assert first[red].image.getpixel((0, 0)) == (255, 0, 0)
    assert first[red].name != first[blue].name


def test_a_file_with_other_bytes_is_another_picture(tmp_path, decoded):
    pictures = HeldPictures()
    path = draw(tmp_path / "a.png", "red")
    before = pictures.hold([path])[path]
    after = pictures.hold([draw(path, "blue")])[path]
    assert after.name != before.name
    assert after.image.getpixel((0, 0)) == (0, 0, 255)
    assert len(decoded) == 2


def test_pictures_that_the_next_portion_does_not_need_are_let_go(tmp_path, decoded):
    red, blue = draw(tmp_path / "red.png", "red"), draw(tmp_path / "blue.png", "blue")
    pictures = HeldPictures()
    for path in (red, blue, red):
        assert [*pictures.hold([path])] == [path]
    assert decoded == ["red.png", "blue.png", "red.png"]


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png cannot be read"):
        HeldPictures().hold([tmp_path / "gone.png"])
