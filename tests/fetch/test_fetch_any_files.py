"""Any files of a repository arrive unchanged, wherever the connection is cut."""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import DataError
from kit.fetch.names import require_safe
from kit.fetch.sources import fetch_listed, fetch_unlisted
from tests.hub.faults import LARGE, PIECE, Fault
from tests.hub.fetching import QUICK, content, digests, pattern, source
from tests.hub.server import Hub

BORDERS = [0, 1, LARGE - 1, LARGE, LARGE + 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]
letters = st.sampled_from("abAB09._-+ %#?&=~!@[]{}()'ü漢é:;,*\"<>|$^`")
part = st.text(letters, min_size=1, max_size=12)
name = st.lists(part, min_size=1, max_size=3).map("/".join)
size = st.sampled_from(BORDERS) | st.integers(0, 4 * PIECE)


def is_safe(files: dict[str, int]) -> bool:
    try:
        require_safe(files)
    except DataError:
        return False
    return True


repositories = st.dictionaries(name, size, min_size=1, max_size=6).filter(is_safe)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """One hub and one cache for all examples."""
    with Hub() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.url)
        patch.setenv("HF_TOKEN", "")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.setenv("PEBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield server


@given(repositories, st.integers(0, 2 * PIECE), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_files_arrive_byte_for_byte(hub, tmp_path_factory, sizes, cut, listed):
    root = tmp_path_factory.getbasetemp() / "any"
    shutil.rmtree(root, ignore_errors=True)
    files = {name: pattern(count, number) for number, (name, count) in enumerate(sizes.items())}
    hub.heal()
    hub.add("owner/toy", files)
    for name in files:
        hub.spoil(name, Fault(cut=cut, times=1))
    if listed:
        fetch_listed(source(root), root / "toy", digests(files), QUICK)
    else:
        report = fetch_unlisted(source(root), root / "toy", QUICK)
        assert report.digests == digests(files)
    assert content(root / "toy") == files
