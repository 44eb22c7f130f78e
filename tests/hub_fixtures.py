"""Fixtures of the tests of fetching: name this module in `pytest_plugins`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fetching import FILES
from tests.hub_server import Hub


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
        # The hub client's own pauses between attempts, which are seconds.
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files of the source go."""
    return tmp_path / "cache" / "data" / "toy"
