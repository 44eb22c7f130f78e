"""Digests and checksum lists: round trips, malformed lines, and what a mismatch says."""

import hashlib
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.digests import (
    canonical_json,
    format_checksums,
    hash_files,
    read_checksums,
    sha256_bytes,
    sha256_file,
    sha256_value,
    verify_files,
)
from kit.errors import ChecksumError, DataError

HEX = "0123456789abcdef"
digests = st.text(HEX, min_size=64, max_size=64)
parts = st.text(st.characters(exclude_categories=["C"], exclude_characters="/"), min_size=1)
paths = (
    st.lists(parts.filter(lambda part: part != ".."), min_size=1, max_size=3)
    .map("/".join)
    .filter(lambda path: path == path.strip())
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
GOOD = "a" * 64


@given(st.dictionaries(paths, digests))
@settings(deadline=None)
def test_a_checksum_list_comes_back_as_it_was(tmp_path_factory, listed):
    path = tmp_path_factory.getbasetemp() / "list.sha256"
    path.write_text(format_checksums(listed), encoding="utf-8")
    assert read_checksums(path) == listed


def test_a_name_with_a_line_break_is_refused_when_the_list_is_made():
    with pytest.raises(DataError, match="line break"):
        format_checksums({"a\nb": GOOD})


@pytest.mark.parametrize("name", ["a\u2028b.png", "a\x85b.png", "a\x0cb.png"])
def test_a_name_with_an_exotic_line_separator_is_one_line(tmp_path, name):
    (tmp_path / "list").write_text(format_checksums({name: GOOD}), encoding="utf-8")
    assert read_checksums(tmp_path / "list") == {name: GOOD}


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no coreutils")
def test_sha256sum_accepts_the_list(tmp_path):
    for name in ("b.txt", "a folder/ä.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    listed = {name: sha256_file(tmp_path / name) for name in ("b.txt", "a folder/ä.txt")}
    (tmp_path / "SHA256SUMS").write_text(format_checksums(listed), encoding="utf-8")
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0


def test_a_list_is_in_path_order():
    listed = {"b": GOOD, "a/z": GOOD, "a.b": GOOD}
    assert [line.split()[1] for line in format_checksums(listed).splitlines()] == sorted(listed)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("deadbeef  file", id="short digest"),
        pytest.param(f"{'A' * 64}  file", id="capital digits"),
        pytest.param(f"{'g' * 64}  file", id="no hexadecimal digit"),
        pytest.param(f"{GOOD} file", id="one space"),
        pytest.param(f"{GOOD} *file", id="binary marker"),
        pytest.param(f"{GOOD}  ", id="no path"),
        pytest.param(f"{GOOD}  /etc/passwd", id="absolute path"),
        pytest.param(f"{GOOD}  a/../../b", id="path that leaves"),
        pytest.param(f"{GOOD}  first", id="doubled path"),
        pytest.param("", id="empty line"),
        pytest.param(f"{GOOD}  file ", id="a space at the end"),
        pytest.param(f"{GOOD}  file\t", id="a tab at the end"),
        pytest.param(f"{GOOD}  file\r", id="a line end of Windows"),
        pytest.param(f"{GOOD}   file", id="three spaces"),
        pytest.param("<html>", id="web page"),
    ],
)
def test_a_malformed_line_is_refused_with_its_number(tmp_path, line):
    path = tmp_path / "list"
    path.write_text(f"{GOOD}  first\n{line}\n{GOOD}  last\n")
    with pytest.raises(ChecksumError, match=r"list:2 is not a checksum line") as caught:
        read_checksums(path)
    assert caught.value.exit_code == 4
    assert caught.value.found, "says what is wrong with the line"
    assert len(line) < 5 or line not in str(caught.value), "a list may be a file that is secret"


def test_a_list_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ChecksumError, match="does not exist"):
        read_checksums(tmp_path / "list")
    (tmp_path / "list").write_bytes(b"\xe9")
    with pytest.raises(ChecksumError, match="list"):
        read_checksums(tmp_path / "list")


def test_a_file_whose_bytes_differ_is_named_with_both_digests(tmp_path):
    (tmp_path / "good").write_bytes(b"1")
    (tmp_path / "bad").write_bytes(b"2")
    expected = sha256_bytes(b"1")
    verify_files(tmp_path, {"good": expected}, remedy="-")
    with pytest.raises(ChecksumError) as caught:
        verify_files(tmp_path, {"good": expected, "bad": expected}, remedy="fetch again")
    assert str(tmp_path / "bad") in caught.value.what
    assert (caught.value.expected, caught.value.found) == (expected, sha256_bytes(b"2"))
    assert caught.value.remedy == "fetch again"


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_is_not_there_is_a_data_error(tmp_path, kind):
    if kind == "folder":
        (tmp_path / "gone").mkdir()
    with pytest.raises(DataError, match="gone is missing") as caught:
        verify_files(tmp_path, {"gone": GOOD}, remedy="fetch again")
    assert GOOD in caught.value.expected


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_the_digest_of_a_file_is_that_of_its_bytes_at_every_chunk_border(tmp_path, size):
    data = bytes(size)
    (tmp_path / "file").write_bytes(data)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(data).hexdigest()


@given(
    st.dictionaries(st.text("aZ ü#'", min_size=1, max_size=9), st.binary(max_size=99), max_size=9),
    st.integers(1, 4),
)
@settings(deadline=None)
def test_many_files_have_the_digests_of_each_in_the_order_that_was_asked_for(
    tmp_path_factory, files, workers
):
    root = tmp_path_factory.getbasetemp() / "many"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, data in files.items():
        (root / name).write_bytes(data)
    found = hash_files(root, iter(files), workers=workers)
    assert list(found.items()) == [(name, sha256_file(root / name)) for name in files]


def test_the_order_of_many_files_does_not_depend_on_which_is_done_first(tmp_path):
    names = ["large", *(f"small {number}" for number in range(6))]
    for name in names:
        (tmp_path / name).write_bytes(bytes(5_000_000 if name == "large" else 1))
    assert list(hash_files(tmp_path, names, workers=4)) == names
    assert list(hash_files(tmp_path, reversed(names), workers=4)) == names[::-1]


def test_one_file_of_many_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "there").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match="gone"):
        hash_files(tmp_path, ["there", "gone"])


@given(st.dictionaries(st.text(), values))
@settings(deadline=None)
def test_the_digest_of_a_value_does_not_depend_on_key_order(value):
    turned = dict(reversed(value.items()))
    assert sha256_value(value) == sha256_value(turned)


@given(values, values)
@settings(deadline=None)
def test_equal_digests_mean_equal_bytes(one, two):
    assert (sha256_value(one) == sha256_value(two)) == (canonical_json(one) == canonical_json(two))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_what_json_has_no_number_for_has_no_digest(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        sha256_value(value)
