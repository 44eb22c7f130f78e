"""What bytes are that should have been a picture: an error page, a pointer, a video."""

STARTS = {
    b"version https://git-lfs.github.com/spec": "a git-lfs pointer, not the file it stands for",
    b"version https://hawser.github.com/spec": "a git-lfs pointer, not the file it stands for",
    b"/annex/objects/": "a git-annex pointer, not the file it stands for",
    b"\x00\x05\x16\x07": "a sidecar file of macOS (AppleDouble)",
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"PAR1": "a parquet table",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"OggS": "an Ogg sound or video",
    b"ID3": "an MP3 sound",
    b"\x1a\x45\xdf\xa3": "a Matroska or WebM video",
    b"8BPS": "a Photoshop document",
    b"\xff\x0a": "a JPEG XL picture, which the kit does not read",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL picture, which the kit does not read",
    b"From ": "a mail",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"II*\x00": "a TIFF picture",
    b"MM\x00*": "a TIFF picture",
}
# ISO base media: bytes 4 to 8 are `ftyp`, and the brand follows.
BRANDS = {
    "a HEIC picture, which the kit does not read": "heic heix heim heis hevc hevx mif1 msf1",
    "an AVIF picture": "avif avis",
    "a camera's raw picture, which the kit does not read": "crx ",
}
FORMS = {b"WEBP": "a WebP picture", b"WAVE": "a WAV sound", b"AVI ": "an AVI video"}
SHOWN_BYTES = 8
HEAD_BYTES = 1024


def describe_bytes(data: bytes) -> str:
    """Return what a file is by its first bytes, in a few words: "an HTML page", "an empty file"."""
    head = data[:HEAD_BYTES]
    if not data:
        return "an empty file"
    if not data.strip(b"\0"):
        return f"{len(data)} zero bytes"
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("latin-1")
        known = (kind for kind, brands in BRANDS.items() if brand in brands)
        return next(known, f"a video or another ISO media file ({brand.strip()!a})")
    if head[:4] == b"RIFF" and head[8:12] in FORMS:
        return FORMS[head[8:12]]
    for start, kind in STARTS.items():
        if head.startswith(start):
            return kind
    return _describe_text(head) or (
        f"{len(data)} bytes of no known format, which begin with {data[:SHOWN_BYTES].hex(' ')}"
    )


def _describe_text(head: bytes) -> str:
    """Return what a text is, or "" for bytes that are no text."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
    else:
        # The head may end inside of a character.
        text = head.decode("utf-8-sig", "ignore" if len(head) == HEAD_BYTES else "replace")
    start = text.lstrip().lower()
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "an HTML page"
    if "<svg" in start and start.startswith("<"):
        return "an SVG drawing, which the kit does not read"
    if start.startswith("<"):
        return "an HTML or XML page"
    if "\ufffd" in text or any(c < " " and c not in "\t\r\n\f" for c in text):
        return ""
    if start.startswith(("{", "[")):
        return "JSON text"
    if start.startswith("data:image"):
        return "a data address with the picture as base64 text"
    return "a text"
