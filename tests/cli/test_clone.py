"""A clone is a clone: whatever git's settings are, and without git, the same bytes verify."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kit.artifacts import PROJECT


def git(*arguments: str, cwd: Path = PROJECT) -> bytes:
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict[str, bytes]:
    """{name: bytes} of what is committed; skips where there is no repository."""
    if not (PROJECT / ".git").exists():
        pytest.skip("this copy of the project is no git repository")
    packed = git("archive", "--format=tar", "HEAD")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = [member for member in archive if member.isfile()]
        return {file.name: archive.extractfile(file).read() for file in files}


def verified(folder: Path) -> str:
    """Verify the reference with the kit of a copy."""
    done = subprocess.run(
        [str(folder / "run.sh"), "verify", "manifests/reference/smoke", "--policy", "integrity"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PEBENCH_ENV": sys.prefix},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.autocrlf=input", "core.eol=crlf"])
def test_a_clone_has_the_committed_bytes_whatever_git_does_to_line_ends(plain, tmp_path, setting):
    folder = tmp_path / "clone"
    git("-c", setting, "clone", "--quiet", str(PROJECT), str(folder))
    assert git("-c", setting, "status", "--porcelain", cwd=folder) == b""
    assert {name: (folder / name).read_bytes() for name in plain} == plain
    if setting == "core.autocrlf=true":
        assert "signed" in verified(folder)


def test_a_text_that_is_committed_on_windows_has_the_line_ends_of_unix(plain, tmp_path):
    folder = tmp_path / "clone"
    git("clone", "--quiet", "--depth", "1", PROJECT.as_uri(), str(folder))
    (folder / "kit" / "new.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    git("add", "kit/new.py", cwd=folder)
    assert git("show", ":kit/new.py", cwd=folder) == b"a = 1\nb = 2\n"


def test_a_shallow_clone_with_changes_and_an_archive_without_git_verify(plain, tmp_path):
    shallow, archive = tmp_path / "shallow", tmp_path / "a rchive ü"
    git("clone", "--quiet", "--depth", "1", PROJECT.as_uri(), str(shallow))
    (shallow / "README.md").write_text("changed")
    for name, data in plain.items():
        (archive / name).parent.mkdir(parents=True, exist_ok=True)
        (archive / name).write_bytes(data)
    (archive / "run.sh").chmod(0o755)
    (archive / "manifests" / "reference" / "._smoke").write_bytes(b"\0\5\x16\7")  # of macOS
    for folder in (shallow, archive):
        assert "signed" in verified(folder)
