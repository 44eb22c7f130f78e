"""Fixtures for the tests of fetching; a test names this module in `pytest_plugins`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.experiment.manifest import Manifest
from kit.fetch.settings import Settings
from kit.fetch.sources import Report, fetch_listed
from tests.hub.fetching import FILES, PLAIN, QUICK, digests, source
from tests.hub.server import Hub
from tests.toys.dataset import manifest


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the toy repository and its mirror; the cache is a temporary folder."""
    with Hub() as server:
        server.add("owner/toy", FILES)
        server.plain.update(FILES)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
        # The hub client pauses for seconds between attempts.
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder for the files of the source."""
    return tmp_path / "cache" / "data" / "toy"


@pytest.fixture
def fetch(hub: Hub, folder: Path, tmp_path: Path) -> Callable[..., Report]:
    """Fetch a source of the hub, the toy by default, with the list of its right files."""

    def call(files: dict[str, bytes] = FILES, settings: Settings = QUICK, **changes: Any) -> Report:
        if files is not FILES:
            hub.add("owner/toy", files)
        return fetch_listed(source(tmp_path, **changes), folder, digests(files), settings)

    return call


@pytest.fixture
def alone(hub: Hub, tmp_path: Path) -> Callable[..., Any]:
    """Return a source of one file that is only on mirrors and in no list."""

    def made(*mirrors: str, files: tuple[str, ...] = (PLAIN,)) -> Any:
        return source(tmp_path, repo=None, revision=None, mirrors=mirrors, files=files)

    return made


@pytest.fixture
def experiment(tmp_path: Path) -> Callable[..., Manifest]:
    """Return the smoke manifest whose data is the toy source."""

    def made(**changes: Any) -> Manifest:
        return manifest().model_copy(update={"sources": (source(tmp_path, **changes),)})

    return made


@pytest.fixture
def said() -> list[str]:
    """The lines said so far; pass its `append` as `say`."""
    return []


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no terminal to ask on."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
