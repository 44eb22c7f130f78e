"""What a file of a base model really is: downloads often leave a pointer or a page in its place."""

from pathlib import Path

from kit.errors import ModelError

POINTER = b"version https://git-lfs.github.com/spec/v1"
HEAD_BYTES = 512
ARCHIVES = {
    b"PK\x03\x04": "a zip archive, such as PyTorch's own format (.bin, .pt)",
    b"\x80\x02": "a Python pickle, PyTorch's old format (.bin, .pt)",
    b"\x1f\x8b": "a gzip archive",
    b"GGUF": "weights for llama.cpp (GGUF)",
}
RESTORE = "download it again: remove the file and run `./run.sh fetch`"


def kind_of(begin: bytes) -> str | None:
    """Return what the first bytes of a file say that it is; None where they say nothing.

    Args:
        begin: up to `HEAD_BYTES`.
    """
    if begin.startswith(POINTER):
        return "a git-lfs pointer"
    for mark, kind in ARCHIVES.items():
        if begin.startswith(mark):
            return kind
    text = begin.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")):
        return "a web page, as hosts send it in place of a file"
    return None


def require_own_kind(path: Path) -> None:
    """Check that a file is not something else that was stored under its name.

    Raises:
        ModelError: it is a git-lfs pointer, a web page or an archive.
    """
    with path.open("rb") as stream:
        kind = kind_of(stream.read(HEAD_BYTES))
    if kind is None:
        return
    pointer = kind == "a git-lfs pointer"
    raise ModelError(
        f"{path} is {kind}",
        expected=f"the file {path.name} of the base model itself",
        found=f"{path.stat().st_size} bytes"
        + (" of text that name the real file" if pointer else ""),
        remedy="run `git lfs pull` where the base was cloned, or let `./run.sh fetch` download it "
        "from the hub"
        if pointer
        else RESTORE,
    )
