"""One decoder: what each form of a picture becomes, and what is refused by its name."""

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kit.artifacts import PROJECT
from kit.describe.contact_sheet import fit_image
from kit.errors import DataError
from kit.pictures.decoding import UnreadableError, decode, examine, format_of, open_image
from tests.toys.broken_pictures import (
    many_pixels,
    png_with_text_after_pixels,
    truncated_jpeg,
    zero_ended_jpeg,
)

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
# Two rows of three pixels: no turn and no mirror image of them is the same.
SIX = np.array([[RED, GREEN, BLUE], [WHITE, (9, 9, 9), (70, 80, 90)]], np.uint8)


def saved(image: Image.Image, kind: str = "png", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(decode(data).image)


# What the EXIF specification (tag 274) says of where the first row and column of the file lie.
UPRIGHT = {
    1: SIX,
    2: SIX[:, ::-1],
    3: SIX[::-1, ::-1],
    4: SIX[::-1],
    5: SIX.transpose(1, 0, 2),
    6: SIX.transpose(1, 0, 2)[:, ::-1],
    7: SIX.transpose(1, 0, 2)[::-1, ::-1],
    8: SIX.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_picture_is_turned_as_its_exif_says(orientation, kind):
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "webp" else {}
    data = saved(Image.fromarray(SIX), kind, exif=exif, **options)
    assert (pixels(data) == UPRIGHT[orientation]).all()
    assert ("upright" in decode(data).changes) == (orientation != 1)


def test_the_decoder_turns_and_flattens_as_the_loaders_of_transformers_and_vllm():
    from transformers.image_utils import load_image
    from vllm.multimodal.image import convert_image_mode, normalize_image

    exif = Image.Exif()
    exif[274] = 6
    turned = saved(Image.fromarray(SIX), "png", exif=exif)
    alpha = np.arange(0, 252, 42, dtype=np.uint8).reshape(2, 3, 1)
    clear = saved(Image.fromarray(np.concatenate([SIX, alpha], axis=2)))
    assert (pixels(turned) == np.asarray(load_image(Image.open(io.BytesIO(turned))))).all()
    for data in (turned, clear):
        theirs = convert_image_mode(normalize_image(Image.open(io.BytesIO(data))), "RGB")
        assert (pixels(data) == np.asarray(theirs)).all()


@pytest.mark.parametrize("value", [0, 9, 4096])
def test_an_orientation_that_exif_does_not_have_turns_nothing(value):
    exif = Image.Exif()
    exif[274] = value
    assert (pixels(saved(Image.fromarray(SIX), "png", exif=exif)) == SIX).all()


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        # half of 100 and half of 255, in 255ths: 100 x 128/255 + 255 x 127/255 = 177.2
        (Image.new("RGBA", (2, 2), (100, 0, 255, 128)), {}, (177, 127, 255)),
        (Image.new("LA", (2, 2), (100, 0)), {}, WHITE),
        (Image.new("RGB", (2, 2), (7, 8, 9)).quantize(2), {"transparency": 0}, WHITE),
        (Image.new("RGB", (2, 2), (7, 8, 9)).quantize(2), {"transparency": b"\0"}, WHITE),
        (Image.new("L", (2, 2), 7), {"transparency": 7}, WHITE),
        (Image.new("RGB", (2, 2), (7, 8, 9)), {"transparency": (7, 8, 9)}, WHITE),
        (Image.new("RGB", (2, 2), (7, 8, 9)), {"transparency": (7, 8, 8)}, (7, 8, 9)),
        (Image.new("RGBA", (2, 2), (7, 8, 9, 255)), {}, (7, 8, 9)),
        (Image.fromarray(np.full((2, 2), 514, np.uint16)), {"transparency": 514}, WHITE),
    ],
)
def test_transparency_is_put_on_white(image, options, expected):
    data = saved(image, "png", **options)
    assert decode(data).image.getpixel((0, 0)) == expected
    assert ("white" in decode(data).changes) == (255 in expected)


@given(st.lists(st.integers(0, 65535), min_size=4, max_size=4))
def test_sixteen_bits_are_scaled_to_eight(values):
    grey = np.array(values, np.uint16).reshape(2, 2)
    for data in (saved(Image.fromarray(grey)), saved(Image.fromarray(grey.astype(">u2")), "tiff")):
        found = pixels(data)
        assert decode(data).changes == ("scaled",)
        assert found[..., 0].ravel().tolist() == [round(value / 257) for value in values]
        assert (found[..., :1] == found).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.25, 0.5, 1.0], [0, 64, 128, 255]),  # 63.75 and 127.5, the even neighbour
        ([0.0, 1.5, 128.0, 255.0], [0, 2, 128, 255]),
    ],
)
def test_floats_are_scaled_by_the_range_that_holds_them(values, expected):
    data = saved(Image.fromarray(np.array([values], np.float32)), "tiff")
    assert pixels(data)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 3, 255], [0, 3, 255]), ([0, 25700, 65535], [0, 100, 255])]
)
def test_whole_numbers_are_scaled_by_the_range_that_holds_them(values, expected):
    data = saved(Image.fromarray(np.array([values], np.int32)), "tiff")
    assert pixels(data)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        np.array([[-1.0, 0.5]], np.float32),
        np.array([[0.5, np.nan]], np.float32),
        np.array([[0.5, np.inf]], np.float32),
        np.array([[0.5, 256.0]], np.float32),
        np.array([[-1, 5]], np.int32),
        np.array([[0, 65536]], np.int32),
    ],
)
def test_values_of_no_known_range_are_refused(values):
    with pytest.raises(UnreadableError, match="values from") as caught:
        decode(saved(Image.fromarray(values), "tiff"))
    assert "values from 0 to" in str(caught.value.expected)


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.new("1", (8, 8), 1), "png", WHITE),
        (Image.new("L", (8, 8), 7), "png", (7, 7, 7)),
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "tiff", RED),
    ],
)
def test_other_modes_are_converted(image, kind, expected):
    assert decode(saved(image, kind)).image.getpixel((0, 0)) == expected
    assert decode(saved(image, kind)).changes == ("converted",)


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame_is_taken_and_that_is_said(kind):
    options = {"lossless": True} if kind == "webp" else {}
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode(data).image.getpixel((0, 0)) == RED
    assert "frame" in decode(data).changes


@given(st.binary(min_size=12, max_size=12))
def test_a_picture_in_rgb_stays_as_it_is(colours):
    image = Image.frombytes("RGB", (2, 2), colours)
    assert decode(saved(image)).image.tobytes() == colours
    assert decode(saved(image)).changes == ()


BROKEN = {
    "cut off": (truncated_jpeg(), "JPEG of .* truncated", "a whole picture"),
    "end never written": (zero_ended_jpeg(), "the last 4000 of them zero", "a whole picture"),
    "text behind the pixels": (png_with_text_after_pixels(), "too large", "a whole picture"),
    "a bomb": (many_pixels(20_000, 10_000), "200,000,000 pixels", "at most 178,956,970 pixels"),
    "half a header": (truncated_jpeg()[:20], "damaged or cut off", "a picture: "),
    "an error page": (b"\n<!DOCTYPE html><html>404", "an HTML page", "a picture: "),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer", "a picture"),
    "nothing": (b"", "an empty file", "a picture: "),
    "an iPhone's": (b"\0\0\0\x18ftypheic" + b"\0" * 40, "a HEIC picture", "a picture: "),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript document", "a picture: "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_named_by_what_it_is(name, tmp_path):
    data, found, expected = BROKEN[name]
    for read in (decode, examine):
        with pytest.raises(UnreadableError, match=found) as caught:
            read(data)
        assert str(caught.value.expected).startswith(expected)
    (tmp_path / "picture").write_bytes(data)
    with pytest.raises(DataError, match=found) as refused:
        open_image(tmp_path / "picture")
    assert str(tmp_path / "picture") in refused.value.what


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        open_image(tmp_path / "gone.png")


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "tiff", "bmp", "avif"])
def test_what_is_examined_is_what_is_decoded(kind):
    data = saved(Image.fromarray(np.zeros((64, 48, 3), np.uint8)), kind)
    assert examine(data) == decode(data).changes
    assert format_of(data) == kind.upper()


def test_zeros_behind_the_end_of_a_whole_picture_are_no_fault():
    assert examine(saved(Image.new("RGB", (8, 8)), "jpeg") + bytes(4096)) == ()


def test_no_warning_of_the_library_reaches_a_person(tmp_path):
    """Of a large picture, of EXIF that is cut off, and of a palette with transparency in bytes."""
    Image.new("P", (64, 64)).save(tmp_path / "0.png", transparency=bytes([9, 8]))
    Image.new("RGB", (8, 8)).save(
        tmp_path / "1.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\x00\x12\x01"
    )
    code = f"""
from PIL import Image
Image.MAX_IMAGE_PIXELS = 3000
from pathlib import Path
from kit.pictures.decoding import open_image, pixels_of
for name in ("0.png", "1.jpg"):
    open_image(Path({str(tmp_path)!r}) / name), pixels_of(Path({str(tmp_path)!r}) / name)
"""
    for flags in (["-W", "default"], ["-W", "error"]):
        done = subprocess.run(
            [sys.executable, *flags, "-c", code], cwd=PROJECT, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_contact_sheet_shows_what_models_see(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    clear = Image.new("RGBA", (128, 64), (100, 0, 255, 128))
    clear.paste((0, 200, 0, 255), (0, 0, 30, 30))
    clear.save(tmp_path / "turned.png", exif=exif)
    sheet = fit_image(tmp_path / "turned.png")
    assert sheet is not None
    assert sheet.size == (64, 128)
    assert sheet.tobytes() == open_image(tmp_path / "turned.png").tobytes()


def test_nothing_else_in_the_kit_opens_pictures():
    opens = [
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "kit").rglob("*.py")
        if "Image.open(" in path.read_text(encoding="utf-8")
    ]
    assert opens == ["kit/pictures/decoding.py"]
