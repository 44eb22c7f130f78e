"""The verbs as users call them: from a lock to a machine without network, and every exit code."""

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

from kit.artifacts import exclusive
from kit.cli.entry import main
from kit.digests import read_checksums
from kit.fetch.settings import Settings
from tests.hub.faults import OTHER_REVISION, REVISION, Fault
from tests.hub.fetching import FILES, LARGEST, commit_list, content, digests, source
from tests.toys.dataset import own_text

pytest_plugins = ["tests.hub.fixtures"]

YES = "--accept-licences"


@pytest.fixture
def written(tmp_path):
    """Write the smoke manifest with the toy source as its data; return the file's name."""

    def write(revision: str | None = REVISION) -> str:
        toy = source(tmp_path)
        pin = f'revision = "{revision}"\n' if revision else ""
        text = own_text()
        for old, new in (
            ('embedded = "pebench"', f'repo = "{toy.repo}"\n{pin}licence = "MIT"'),
            ("checksums/smoke.sha256", toy.checksums),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        (tmp_path / "toy.toml").write_text(text, encoding="utf-8")
        return str(tmp_path / "toy.toml")

    return write


@pytest.fixture
def call(hub, tmp_path, monkeypatch, capsys):
    """Call a verb without a terminal; return its exit code and everything it printed."""
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    hasty = partial(Settings, attempts=2, pause=0.01, longest_pause=0.05, silence=0.5)
    monkeypatch.setattr("kit.fetch.settings.Settings", hasty)

    def run(*arguments: str) -> tuple[int, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def folder_of(cache: Path) -> Path:
    """Return the folder of the files' final names, not those of parts or unpacked images."""
    beside = {".parts", ".images"}
    there = [path for path in (cache / "data").glob("toy-*") if path.is_dir()]
    (folder,) = [path for path in there if path.suffix not in beside]
    return folder


def data_of(cache: Path) -> dict[str, bytes]:
    return content(folder_of(cache))


def test_from_a_lock_to_a_machine_without_network(call, written, hub, tmp_path, monkeypatch):
    unpinned = written(revision=None)
    assert call("lock", unpinned)[0] == 13, "no licence was accepted yet"
    code, said = call("lock", unpinned, YES)
    assert code == 0, said
    assert f'revision = "{REVISION}"' in said
    assert read_checksums(tmp_path / "toy.sha256") == digests(FILES)

    pinned = written()
    code, said = call("lock", pinned, "--check")
    assert (code, "3 files agree" in said) == (0, True), said
    hub.heal()
    assert call("fetch", pinned, YES)[0] == 0
    assert hub.sent == 0, "the lock has brought the files"
    code, said = call("data", "export", pinned, str(tmp_path / "toy.tar"))
    assert code == 0, said

    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "island"))
    hub.heal()
    assert call("fetch", pinned, "--offline")[0] == 13, "the terms bind whoever uses the data"
    code, said = call("fetch", pinned, "--offline", YES)
    assert (code, "data import" in said) == (5, True), said
    code, said = call("data", "import", pinned, str(tmp_path / "toy.tar"))
    assert code == 0, said
    assert call("fetch", pinned, "--offline")[0] == 0
    assert data_of(tmp_path / "island") == FILES
    assert hub.requests == []
    command = ["sha256sum", "-c", "--strict", "--quiet", str(tmp_path / "toy.sha256")]
    assert subprocess.run(command, cwd=folder_of(tmp_path / "island")).returncode == 0


def test_without_a_list_the_flag_decides(call, written, hub, tmp_path):
    code, said = call("fetch", written(), YES)
    assert (code, "--allow-unlocked" in said) == (2, True), said
    assert hub.requests == []
    code, said = call("fetch", written(), YES, "--allow-unlocked")
    assert (code, "WITHOUT a lock" in said) == (0, True), said
    assert data_of(tmp_path / "cache") == FILES
    assert call("fetch", written(), "--offline")[0] == 0


def test_a_list_that_differs_from_the_hub_fails_the_check(call, written, tmp_path):
    commit_list(tmp_path, {**FILES, LARGEST: b"other"})
    code, said = call("lock", written(), "--check")
    assert (code, LARGEST in said) == (4, True), said


@pytest.mark.parametrize(
    ("fault", "code", "part"),
    [
        (Fault(flip=True), 4, "quarantine"),
        (Fault(status=403), 14, "HF_TOKEN"),
        (Fault(status=404), 15, "mirrors"),
        (Fault(status=500), 15, "run the same command again"),
        (Fault(cut=0), 15, "run the same command again"),
    ],
    ids="corrupt forbidden missing failing cut".split(),
)
def test_a_file_that_cannot_be_downloaded_has_a_code_and_a_remedy(
    call, written, hub, tmp_path, fault, code, part
):
    commit_list(tmp_path)
    hub.spoil(LARGEST, fault)
    found, said = call("fetch", written(), YES)
    assert found == code, said
    for told in ("error: ", LARGEST, "remedy", part):
        assert told in said
    assert "Traceback" not in said
    assert LARGEST not in data_of(tmp_path / "cache")


def test_a_gated_repository_and_one_without_the_revision(call, written, hub, tmp_path):
    commit_list(tmp_path)
    code, said = call("fetch", written(OTHER_REVISION), YES)
    assert (code, OTHER_REVISION in said) == (5, True), said
    hub.repos["owner/toy"].token = "hf_secret"
    code, said = call("fetch", written(), YES)
    assert (code, f"{hub.url}/datasets/owner/toy" in said) == (14, True), said
    hub.repos["owner/toy"].token = ""
    code, said = call("lock", written(revision=None), YES)
    assert (code, f'revision = "{REVISION}"' in said) == (0, True), "a remedy, followed"


def test_a_damaged_archive_is_refused_and_the_data_stays(call, written, tmp_path):
    commit_list(tmp_path)
    assert call("fetch", written(), YES)[0] == 0
    assert call("data", "export", written(), str(tmp_path / "toy.tar"))[0] == 0
    whole = (tmp_path / "toy.tar").read_bytes()
    at = whole.index(FILES[LARGEST][:64])
    (tmp_path / "toy.tar").write_bytes(whole[:at] + b"\0" + whole[at + 1 :])
    code, said = call("data", "import", written(), str(tmp_path / "toy.tar"))
    assert (code, LARGEST in said) == (4, True), said
    assert data_of(tmp_path / "cache") == FILES


def test_the_command_line_asks_downloads_and_verifies(call, written, hub, tmp_path):
    commit_list(tmp_path)
    committed = written()
    assert call("fetch", committed)[0] == 13
    code, said = call("fetch", committed, "--accept-licences")
    assert (code, "pebench: 3 files verified" in said) == (0, True), said
    hub.heal()
    assert call("fetch", committed, "--offline")[0] == 0
    assert hub.requests == []


def test_two_processes_do_not_fetch_at_once(call, written, hub, tmp_path):
    commit_list(tmp_path)
    with exclusive("run"):
        code, said = call("fetch", written(), "--accept-licences")
    assert code == 8
    assert f"process {os.getpid()}" in said
    assert hub.sent == 0
