"""The thumbnails of a signed result: what is refused, and what the page of answers shows."""

import base64
import io
import json
import re
import zlib

import pandas as pd
import pytest
from PIL import Image

from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.report.metadata import write_metadata
from kit.verification.verify import verify
from tests.toys.signed_result import TRUSTED, edit_table, forge, remake, write_result


def webp(shade: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(stream, "WEBP")
    return stream.getvalue()


IMAGES = ("tiny/images/Anouk Weber/00.png", "tiny/images/Anouk Weber/01.png")


def with_pictures(result, rows: dict[str, bytes | str] | None = None, **settings: object) -> None:
    """Give a result thumbnails, of all of its images by default, and sign it."""
    if rows is None:
        rows = {name: webp(n) for n, name in enumerate(IMAGES)}
    table = [
        (name, data if isinstance(data, str) else base64.b64encode(data).decode())
        for name, data in rows.items()
    ]
    frame = pd.DataFrame(table, columns=["image", "webp"])
    frame.to_parquet(result / "pictures.parquet", index=False)
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    run["manifest"]["report"] |= settings
    run["manifest_digest"] = sha256_value(run["manifest"])
    (result / "run.json").write_text(json.dumps(run), encoding="utf-8")
    forge(remake(result))


@pytest.fixture
def result(tmp_path):
    folder = write_result(tmp_path / "tiny")
    for row, image in enumerate(IMAGES):
        edit_table(folder / "records.parquet", row, "image", image)
    return folder


def test_a_result_with_thumbnails_verifies_and_its_page_shows_them(result):
    with_pictures(result)
    assert verify(result, trusted=TRUSTED)
    page = (result / "report" / "answers.html").read_text(encoding="utf-8")
    (block,) = re.findall(r'id="data">([^<]*)</script>', page)
    table = json.loads(zlib.decompress(base64.b64decode(block)))
    stored = pd.read_parquet(result / "pictures.parquet").set_index("image")["webp"]
    assert len(stored) == len(IMAGES)
    shown = {
        name: table["pictures"][place]
        for name, place in zip(table["records"]["image"], table["records"]["picture"], strict=True)
        if name
    }
    assert shown == stored.to_dict()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<svg onload=alert(1)>", "no WebP file"), (webp() + b"more", "no WebP file"),
        (webp()[:-2], "no WebP file"), ("not base64!", "no WebP file"), ("", "no WebP file"),
    ],
    ids=["another format", "bytes behind", "cut off", "no base64", "empty"],
)  # fmt: skip
def test_what_is_no_small_picture_is_refused(result, data, said):
    with_pictures(result, {IMAGES[0]: data})
    with pytest.raises(VerificationError, match=r"pictures\.parquet") as refused:
        verify(result, trusted=TRUSTED)
    assert said in str(refused.value)


def test_a_thumbnail_of_no_record_is_refused(result):
    with_pictures(result, {"elsewhere/a.png": webp()})
    with pytest.raises(VerificationError, match=r"pictures\.parquet") as refused:
        verify(result, trusted=TRUSTED)
    assert "elsewhere/a.png: of no record" in str(refused.value)


def test_thumbnails_that_the_manifest_does_not_want_are_refused(result):
    with_pictures(result, images=False)
    with pytest.raises(VerificationError, match=r"pictures\.parquet"):
        verify(result, trusted=TRUSTED)


def test_another_thumbnail_than_the_page_shows_is_refused(result):
    """The page follows from the signed thumbnails, as it does from the answers."""
    with_pictures(result)
    path = result / "pictures.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "webp"] = base64.b64encode(webp(200)).decode()
    table.to_parquet(path, index=False)
    write_metadata(result)
    forge(result)
    with pytest.raises(VerificationError, match="pages of the report do not follow"):
        verify(result, trusted=TRUSTED)
