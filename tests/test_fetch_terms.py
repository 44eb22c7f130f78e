"""Under which terms an experiment gets its data: licences, tokens, offline, without a lock."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kit import datasets
from kit.artifacts import exclusive
from kit.digests import read_checksums
from kit.entry import main
from kit.errors import DataError, LicenceError, ManifestError, ModelError
from kit.fetch.licences import accepted_path
from kit.fetch.settings import Settings
from kit.source_records import place, source_records
from tests.fetching import FILES, QUICK, commit_list, content, digests, source
from tests.hub_server import OTHER_REVISION, REVISION, Fault
from tests.toy_dataset import manifest

pytest_plugins = ["tests.hub_fixtures"]

REPOSITORY = Path(__file__).parents[1]
ACCEPTED = Settings(**{**vars(QUICK), "accept_licences": True})
UNLOCKED = Settings(**{**vars(ACCEPTED), "allow_unlocked": True})
OFFLINE = Settings(**{**vars(QUICK), "offline": True})
WEIGHTS = {"config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def experiment(tmp_path):
    """Return the smoke manifest whose data is the toy source."""

    def made(**changes):
        return manifest().model_copy(update={"sources": (source(tmp_path, **changes),)})

    return made


@pytest.fixture
def nobody(monkeypatch):
    """There is no terminal to ask on."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)


@pytest.fixture
def somebody(monkeypatch):
    """There is one; set what the person answers."""
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def answers(value):
        monkeypatch.setattr("click.confirm", lambda *a, **k: asked.append(a) or value)
        return asked

    return answers


@pytest.fixture
def no_socket(monkeypatch):
    """Whoever connects, to whatever, fails the test."""
    opened = []

    def refuse(self, address):
        opened.append(address)
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: refuse(None, a))
    return opened


def bring(experiment, settings, said=print):
    datasets.prepare(experiment, settings, said)
    return datasets.fetch(experiment, said, settings)


def test_a_licence_is_shown_and_nothing_is_brought_without_consent(
    hub, experiment, nobody, capsys, tmp_path
):
    commit_list(tmp_path)
    with pytest.raises(LicenceError, match="MIT") as caught:
        bring(experiment(), QUICK)
    assert caught.value.exit_code == 13
    assert "--accept-licences" in str(caught.value)
    assert "owner/toy" in capsys.readouterr().err
    assert hub.requests == []
    assert not accepted_path().exists()


def test_consent_is_recorded_and_nobody_is_asked_again(hub, experiment, somebody, capsys, tmp_path):
    commit_list(tmp_path)
    asked = somebody(True)
    bring(experiment(), QUICK)
    assert len(asked) == 1
    capsys.readouterr()
    bring(experiment(), QUICK)
    assert len(asked) == 1
    assert "licence" not in capsys.readouterr().err
    (entry,) = json.loads(accepted_path().read_text()).values()
    assert entry["licence"] == "MIT"
    assert entry["accepted"].endswith("+00:00")
    (record,) = [r for r in source_records(experiment()) if r["name"] == "toy"]
    assert record["licence_accepted"] == entry


def test_a_no_is_a_no(hub, experiment, somebody, tmp_path):
    commit_list(tmp_path)
    somebody(False)
    with pytest.raises(LicenceError):
        bring(experiment(), QUICK)
    assert hub.requests == []


@pytest.mark.parametrize("change", [{"licence": "CC BY 4.0"}, {"revision": "f" * 40}])
def test_other_terms_or_another_revision_are_asked_for_again(
    hub, experiment, nobody, tmp_path, change
):
    commit_list(tmp_path)
    bring(experiment(), ACCEPTED)
    with pytest.raises(LicenceError):
        bring(experiment(**change), QUICK)


def test_a_source_without_a_licence_says_so(hub, experiment, nobody, tmp_path):
    commit_list(tmp_path)
    with pytest.raises(LicenceError, match="none stated"):
        bring(experiment(licence=""), QUICK)


def test_what_the_kit_draws_or_the_user_has_needs_no_consent(hub, experiment, nobody, tmp_path):
    commit_list(tmp_path)
    for name, data in FILES.items():
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_bytes(data)
    own = experiment(repo=None, revision=None, folder=str(tmp_path / "own"))
    assert bring(own, QUICK) == 0
    assert hub.requests == []


def test_a_record_says_which_hosts_gave_the_files(hub, experiment, tmp_path):
    commit_list(tmp_path)
    mirrored = experiment(mirrors=(hub.mirror,))
    hub.spoil("README.md", Fault(status=404))
    bring(mirrored, ACCEPTED)
    (record,) = [r for r in source_records(mirrored) if r["name"] == "toy"]
    assert record["hosts"] == {hub.url: 2, hub.mirror: 1}
    assert record["locked"] is True
    assert record["revision"] == mirrored.sources[0].revision


def test_offline_uses_what_is_there_and_opens_no_socket(
    hub, experiment, tmp_path, monkeypatch, no_socket
):
    commit_list(tmp_path)
    where = place(experiment().sources[0]).path
    for name, data in FILES.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(data)
    assert bring(experiment(), OFFLINE) == 0
    assert no_socket == []


def test_offline_names_what_is_missing_and_the_way_to_bring_it(
    hub, experiment, tmp_path, no_socket
):
    commit_list(tmp_path)
    where = place(experiment().sources[0]).path
    where.mkdir(parents=True)
    (where / "README.md").write_bytes(b"damaged")
    with pytest.raises(DataError, match="data import") as caught:
        bring(experiment(), OFFLINE)
    for name in FILES:
        assert name in str(caught.value)
    assert (where / "README.md").read_bytes() == b"damaged", "no quarantine without a successor"
    assert no_socket == []


def test_offline_without_a_list_is_an_error_too(hub, experiment, no_socket):
    with pytest.raises(DataError, match="offline"):
        bring(experiment(), Settings(**{**vars(OFFLINE), "allow_unlocked": True}))
    assert no_socket == []


def test_a_stage_of_another_process_opens_no_socket_either(hub, experiment, tmp_path):
    """What no patch in this process could see: the interpreter itself reports connections."""
    commit_list(tmp_path)
    code = (
        "import sys\n"
        "def watch(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): print('SOCKET', args)\n"
        "sys.addaudithook(watch)\n"
        "from pathlib import Path\n"
        "from kit.errors import DataError\n"
        "from kit.fetch.settings import Settings\n"
        "from kit.fetch.sources import bring_listed\n"
        "from tests.fetching import FILES, digests, source\n"
        "root = Path(sys.argv[1])\n"
        "for offline in (True, False):\n"
        "    try:\n"
        "        bring_listed(source(root), root / 'toy', digests(FILES), "
        "Settings(offline=offline))\n"
        "    except DataError as error: print('refused')\n"
        "    else: print('brought')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0] == "refused", done.stderr
    assert lines[-1] == "brought", done.stderr
    assert any(line.startswith("SOCKET") for line in lines[1:]), "the watch sees nothing"


def test_without_a_list_nothing_runs_unless_it_is_allowed(hub, experiment):
    with pytest.raises(ManifestError, match="allow-unlocked"):
        datasets.require_lists(experiment(), ACCEPTED)
    datasets.require_lists(experiment(), UNLOCKED)


def test_an_unlocked_source_gets_its_list_from_what_arrived(hub, experiment, tmp_path):
    bring(experiment(), UNLOCKED)
    (made,) = (tmp_path / "cache" / "data").glob("toy-unlocked-*.sha256")
    assert read_checksums(made) == digests(FILES)
    assert content(place(experiment().sources[0]).path) == FILES
    assert not (tmp_path / "toy.sha256").exists(), "the project's lists are for `lock` to write"
    datasets.require(experiment())
    (record,) = [r for r in source_records(experiment()) if r["name"] == "toy"]
    assert record["locked"] is False
    hub.heal()
    bring(experiment(), QUICK)
    assert hub.sent == 0, "later verbs find the list that was made"


def test_an_unpinned_source_says_which_revision_it_got(hub, experiment):
    said = []
    bring(experiment(revision=None), UNLOCKED, said.append)
    assert any(f"WITHOUT a lock, at revision {REVISION}" in line for line in said)


def test_an_unpinned_source_stays_at_its_commit_when_it_is_repaired(hub, experiment):
    moving = experiment(revision=None)
    bring(moving, UNLOCKED)
    (place(moving.sources[0]).path / "README.md").write_bytes(b"damaged")
    hub.repos["owner/toy"].revision = OTHER_REVISION
    hub.repos["owner/toy"].files["README.md"] = b"of the new head"
    hub.heal()
    with pytest.raises(DataError, match=REVISION):  # this hub has no past; it is asked for it
        bring(moving, ACCEPTED)
    assert not [path for _, path, _ in hub.requests if "/main" in path]
    hub.add("owner/toy", FILES)
    bring(moving, ACCEPTED)
    assert content(place(moving.sources[0]).path) == FILES
    (record,) = [r for r in source_records(moving) if r["name"] == "toy"]
    assert record["revision"] == REVISION


def test_another_request_has_another_unlocked_list(hub, experiment):
    bring(experiment(), UNLOCKED)
    with pytest.raises(ManifestError):
        datasets.require_lists(experiment(files=("data/*",)), ACCEPTED)


def test_a_stage_never_works_on_other_bytes_of_an_unlocked_source(hub, experiment):
    from kit.errors import ChecksumError

    bring(experiment(), UNLOCKED)
    (place(experiment().sources[0]).path / "README.md").write_bytes(b"something else")
    with pytest.raises(ChecksumError, match=r"README\.md"):
        datasets.require(experiment())
    bring(experiment(), ACCEPTED)
    datasets.require(experiment())


@pytest.fixture
def with_base(experiment, hub, tmp_path):
    """An experiment whose base model is a repository of the hub."""
    hub.add("owner/base", WEIGHTS)
    (tmp_path / "base").mkdir()
    commit_list(tmp_path / "base", WEIGHTS)
    commit_list(tmp_path)
    base = source(tmp_path / "base", name="base", repo="owner/base", repo_type="model")
    made = experiment()
    return made.model_copy(update={"model": made.model.model_copy(update={"source": base})})


def test_the_base_model_is_a_source_like_the_others(hub, with_base):
    assert bring(with_base, ACCEPTED) == 2
    assert content(datasets.base_folder(with_base)) == WEIGHTS
    datasets.require(with_base)
    (record,) = [r for r in source_records(with_base) if r["name"] == "base"]
    assert record["hosts"] == {hub.url: 2}


def test_a_base_model_that_is_missing_is_an_error_of_the_model(hub, with_base):
    with pytest.raises(ModelError, match=r"data import"):
        bring(with_base, OFFLINE)
    with pytest.raises(ModelError, match=r"is missing") as caught:
        datasets.verify_base(with_base)
    assert "./run.sh fetch" in str(caught.value)


@pytest.fixture
def committed(hub, experiment, tmp_path):
    """The path of a manifest file with the toy source, for the command line."""
    commit_list(tmp_path)
    text = (REPOSITORY / "manifests" / "smoke.toml").read_text(encoding="utf-8")
    old = 'embedded = "pebench"'
    assert text.count(old) == 1
    toy = experiment().sources[0]
    new = f'repo = "{toy.repo}"\nrevision = "{toy.revision}"\nlicence = "MIT"'
    text = text.replace(old, new).replace("checksums/smoke.sha256", toy.checksums)
    path = tmp_path / "toy.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys, nobody):
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))

    def run(*arguments):
        try:
            main(list(arguments))
        except SystemExit as ended:
            return int(ended.code or 0), capsys.readouterr().err
        return 0, capsys.readouterr().err

    return run


def test_the_command_line_asks_brings_and_verifies(committed, call, hub):
    assert call("fetch", committed)[0] == 13
    code, said = call("fetch", committed, "--accept-licences")
    assert (code, "pebench: 3 files verified" in said) == (0, True), said
    hub.heal()
    assert call("fetch", committed, "--offline")[0] == 0
    assert hub.requests == []


def test_two_processes_do_not_fetch_at_once(committed, call, hub):
    with exclusive("run"):
        code, said = call("fetch", committed, "--accept-licences")
    assert code == 8
    assert f"process {os.getpid()}" in said
    assert hub.sent == 0
