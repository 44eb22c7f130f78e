"""SHA-256 of bytes, files and values, and the `<digest>  <path>` lists of `sha256sum -c`."""

import ast
import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit.artifacts import restored
from kit.errors import ChecksumError, DataError
from kit.texts import EXPECTED, NotText, decode_text

CHUNK = 1 << 20
MAX_LIST_BYTES = 256 << 20  # a list of a million files has some 120 MB
WORKERS = min(8, os.cpu_count() or 1)


def sha256_bytes(data: bytes) -> str:
    """Return the hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in chunks of 1 MiB."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def git_blob(path: Path) -> str:
    """Return git's name of a file's bytes, which a hub tells of files that are not in LFS."""
    hasher = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def hash_files(root: Path, names: Iterable[str], *, workers: int = WORKERS) -> dict[str, str]:
    """Return {name: SHA-256} of files under `root`, in the order of `names`.

    Several at a time: the hash function lets other threads run while it works.
    """
    ordered = list(names)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        found = pool.map(lambda name: sha256_file(root / name), ordered)
        return dict(zip(ordered, found, strict=True))


def canonical_json(value: object) -> bytes:
    """Serialise with sorted keys and no spaces; NaN and infinity are refused (ValueError)."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def sha256_value(value: object) -> str:
    """Return the digest of a JSON value, independent of key order."""
    return sha256_bytes(canonical_json(value))


def read_checksums(path: Path) -> dict[str, str]:
    """Read a `sha256sum` list as {relative path: digest}.

    Raises:
        ChecksumError: the list is missing, malformed, or names a path twice or outside its root.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_LIST_BYTES:
            raise ChecksumError(
                f"{path} is no checksum list",
                expected=f"a regular file of at most {MAX_LIST_BYTES} bytes",
                found=f"{state.st_size} bytes" if path.is_file() else "no file",
                remedy=_again(path),
            )
        text = decode_text(path.read_bytes())
    except FileNotFoundError:
        raise ChecksumError(
            f"checksum list {path} does not exist",
            expected=EXPECTED,
            found="no such file",
            remedy=_again(path),
        ) from None
    except NotText as error:
        raise ChecksumError(
            f"checksum list {path} cannot be read",
            expected=EXPECTED,
            found=error.found,
            remedy=error.remedy,
        ) from None
    if "\r\n" in text and text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")  # the line ends of Windows, in all lines
    listed: dict[str, str] = {}
    # Not splitlines(): it also splits at characters that a file name may contain.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        digest, _, name = line.partition("  ")
        if fault := _line_fault(digest, name, listed):
            raise ChecksumError(
                f"{path}:{number} is not a checksum line",
                expected="64 hex digits, two spaces, a relative path that occurs once, no white "
                "space around it",
                # The line is not shown: a manifest may name a secret file.
                found=fault,
                remedy=_again(path),
            )
        listed[name] = digest
    return listed


def _again(path: Path) -> str:
    return f"{restored(path)}; the list of your own folder: `./run.sh lock MANIFEST` writes it"


def _line_fault(digest: str, name: str, listed: Collection[str]) -> str:
    """Return what is wrong with a line of a checksum list, without quoting it, or ""."""
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        return "it does not begin with 64 hex digits and two spaces"
    if not name:
        return "it names no path"
    # White space at an end is an editor's, or a line end of Windows, and would be a name's.
    if name != name.strip():
        return "white space around the path"
    if name.startswith("/") or ".." in name.split("/"):
        return "a path that is absolute or climbs with `..`"
    return "the path of an earlier line" if name in listed else ""


def format_checksums(digests: Mapping[str, str]) -> str:
    """Return the list in path order, one file a line, usable with `sha256sum -c`.

    Raises:
        DataError: a path has a line break, which a list cannot hold.
    """
    if broken := [name for name in digests if "\n" in name]:
        raise DataError(
            "a file name has a line break",
            expected="names in one line: a checksum list has one line a file",
            found=repr(broken[0]),
            remedy="rename the file",
        )
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))


def verify_files(root: Path, listed: Mapping[str, str], *, remedy: str) -> None:
    """Check that every listed file under `root` exists and has its digest.

    Raises:
        DataError: a listed file is missing.
        ChecksumError: a file's bytes differ.
    """
    for name, digest in listed.items():
        if not (root / name).is_file():
            raise DataError(
                f"{root / name} is missing",
                expected=f"sha256 {digest}",
                found="a folder" if (root / name).is_dir() else "no such file",
                remedy=remedy,
            )
    for name, found in hash_files(root, listed).items():
        if found != listed[name]:
            raise ChecksumError(
                f"checksum mismatch: {root / name}",
                expected=listed[name],
                found=found,
                remedy=remedy,
            )


def read_code(text: str) -> tuple[str, list[ast.Import | ast.ImportFrom]]:
    """Return the digest of what a module does, and its import statements.

    Comments, docstrings and layout do not count, nor does the version of Python.

    Raises:
        SyntaxError: the text is not valid Python.
    """
    parts: list[str] = []
    imports: list[ast.Import | ast.ImportFrom] = []
    _write(ast.parse(text), parts, imports)
    return sha256_bytes("".join(parts).encode()), imports


def _write(node: object, parts: list[str], imports: list[ast.Import | ast.ImportFrom]) -> None:
    """Add a syntax tree to `parts`, one piece of text at a time, and its imports to `imports`.

    What is empty is left out, so that a field of a later Python changes nothing. `ctx` follows from
    where a name stands.
    """
    if isinstance(node, ast.AST):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        parts.append(f"{node.__class__.__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and name != "ctx" and not (value.__class__ is list and not value):
                parts.append(f"{name}=")
                _write(value, parts, imports)
        parts.append(")")
    elif isinstance(node, list):
        parts.append("[")
        for item in node:
            if not _is_text(item):
                _write(item, parts, imports)
        parts.append("]")
    else:
        parts.append(f"{node!r},")


def _is_text(node: object) -> bool:
    """Return whether a node is a statement that is only a text: a docstring, also of a field."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)
