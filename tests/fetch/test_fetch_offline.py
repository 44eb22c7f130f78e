"""Offline: existing files are used, missing ones are named, and no connection is opened."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import DataError, LicenceError
from kit.fetch.licences import require_accepted
from kit.fetch.settings import Settings
from kit.sources.places import place
from tests.hub.fetching import ACCEPTED, FILES, OFFLINE, bring, commit_list, write

pytest_plugins = ["tests.hub.fixtures"]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def no_socket(monkeypatch):
    """Any connection fails the test."""
    opened = []

    def refuse(self, address):
        opened.append(address)
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: refuse(None, a))
    return opened


def test_offline_uses_existing_files_and_opens_no_socket(hub, experiment, tmp_path, no_socket):
    commit_list(tmp_path)
    write(place(experiment().sources[0]).path)
    assert bring(experiment(), OFFLINE) == 0
    assert no_socket == []


def test_offline_a_licence_is_asked_for_as_online(
    hub, experiment, no_terminal, tmp_path, no_socket
):
    commit_list(tmp_path)
    write(place(experiment().sources[0]).path)
    silent = Settings(**{**vars(OFFLINE), "accept_licences": False})
    with pytest.raises(LicenceError, match="MIT") as caught:
        bring(experiment(), silent)
    assert caught.value.exit_code == 13
    require_accepted(experiment().sources, ACCEPTED)
    assert bring(experiment(), silent) == 0, "what is recorded is not asked for again"
    assert no_socket == []


def test_offline_names_what_is_missing_and_how_to_get_it(hub, experiment, tmp_path, no_socket):
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
    """No patch in this process could see it, so the interpreter itself reports connections."""
    commit_list(tmp_path)
    code = (
        "import sys\n"
        "def watch(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): print('SOCKET', args)\n"
        "sys.addaudithook(watch)\n"
        "from pathlib import Path\n"
        "from kit.errors import DataError\n"
        "from kit.fetch.settings import Settings\n"
        "from kit.fetch.sources import fetch_listed\n"
        "from tests.hub.fetching import FILES, digests, source\n"
        "root = Path(sys.argv[1])\n"
        "for offline in (True, False):\n"
        "    try:\n"
        "        fetch_listed(source(root), root / 'toy', digests(FILES), "
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
