"""What editors save is read; what cannot be told is named, with a remedy that works."""

import codecs
import re
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.digests import read_checksums
from kit.errors import ChecksumError, KitError, ManifestError
from kit.experiment.manifest_file import load_manifest
from kit.signing.keys import public_line
from kit.signing.trust import read_public_key
from kit.sums import add_up
from kit.texts import NotText, decode_text
from tests.toys.dataset import TOY
from tests.toys.signed_result import KEY

TEXT = TOY.read_text(encoding="utf-8")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
ENCODINGS = {
    "UTF-8": lambda text: text.encode(),
    "Notepad's UTF-8": lambda text: codecs.BOM_UTF8 + text.encode(),
    "PowerShell's UTF-16": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "big-endian UTF-16": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
}
WINDOWS = {name: lambda text, save=save: save(text.replace("\n", "\r\n")) for name, save in
           ENCODINGS.items()}  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")))
def test_what_an_editor_saves_is_read(text):
    if not text.startswith("version https://git-lfs"):
        for save in ENCODINGS.values():
            assert decode_text(save(text)) == text


@pytest.mark.parametrize("save", [*ENCODINGS.values(), *WINDOWS.values()])
def test_a_manifest_means_the_same_in_every_encoding_and_with_the_line_ends_of_windows(
    tmp_path, save
):
    path = tmp_path / "mine.toml"
    path.write_bytes(save(TEXT))
    assert load_manifest(path).digest() == load_manifest(TOY).digest()


@pytest.mark.parametrize("save", [*ENCODINGS.values(), *WINDOWS.values()])
def test_a_checksum_list_and_a_key_too(tmp_path, save):
    listed, key = tmp_path / "list.sha256", tmp_path / "key.pub"
    listed.write_bytes(save("a" * 64 + "  Ünï/one.png\n" + "b" * 64 + "  two.png\n"))
    assert read_checksums(listed) == {"Ünï/one.png": "a" * 64, "two.png": "b" * 64}
    key.write_bytes(save(public_line(KEY.public_key()) + "\n"))
    assert read_public_key(key) == KEY.public_key()


def test_one_line_with_the_end_of_windows_is_no_list_of_windows(tmp_path):
    (tmp_path / "list").write_bytes(b"%s  a\r\n%s  b\n" % (b"a" * 64, b"b" * 64))
    with pytest.raises(ChecksumError, match=":1 is not a checksum line"):
        read_checksums(tmp_path / "list")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (POINTER.encode(), "a git-lfs pointer"),
        (TEXT.encode("utf-16-le"), "UTF-16 without a byte-order mark"),
        (TEXT.encode("utf-16-be"), "UTF-16 without a byte-order mark"),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), "UTF-32"),
        ("# Zoë\nname = 'ä'".encode("latin-1"), "byte 0xeb in line 1, which is not UTF-8"),
        (b"name = 'a\0b'", "byte 0x00 at offset 9, in no text"),
        (codecs.BOM_UTF16_LE + b"a", "byte 0x61 at offset 2, in no text"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, data, found):
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(ManifestError) as refused:
        load_manifest(path)
    assert found in str(refused.value.found)
    assert refused.value.remedy


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_remedy_for_another_encoding_works(tmp_path, encoding):
    path = tmp_path / "mine.toml"
    text = TEXT + "# Zoë\n"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(KitError) as refused:
        load_manifest(path)
    command = re.search(r"iconv -f \S+ -t UTF-8", str(refused.value))
    done = subprocess.run([*shlex.split(command[0]), str(path)], capture_output=True, check=True)
    path.write_bytes(done.stdout)
    assert path.read_text(encoding="utf-8").removeprefix("\ufeff") == text
    load_manifest(path)


def test_secret_bytes_are_not_quoted():
    with pytest.raises(NotText) as refused:
        decode_text(b"my password is \xe9\n")
    assert "password" not in str(refused.value)


def test_a_sum_is_rounded_after_each_number():
    # By hand: 0.1 + 0.1 + 0.1 is 0.30000000000000004. The exact sum, rounded once, is 0.3.
    assert add_up([0.1, 0.1, 0.1]) == 0.30000000000000004
    assert add_up([1e16, 1.0, -1e16]) == 0.0, "Python 3.12 says 1.0"
    assert add_up([2, 3]) == 5
