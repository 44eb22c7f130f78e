"""A source in a folder of the user: links are followed, and a broken link is a missing file."""

import os
from pathlib import Path

import pytest

from kit.digests import read_checksums
from kit.errors import ChecksumError, DataError, ManifestError
from kit.sources.locking import lock
from tests.hub.fetching import FILES, QUICK, SMALL, bring, commit_list, digests, write

pytest_plugins = ["tests.hub.fixtures"]


@pytest.fixture
def own(experiment, tmp_path):
    """An experiment whose data is a folder."""
    commit_list(tmp_path)
    write(tmp_path / "own")
    return experiment(repo=None, revision=None, folder=str(tmp_path / "own"))


def test_links_are_followed_as_a_hub_cache_is_made_of_them(own, tmp_path):
    (tmp_path / "blob").write_bytes(FILES[SMALL])
    (tmp_path / "own" / SMALL).unlink()
    (tmp_path / "own" / SMALL).symlink_to(tmp_path / "blob")
    os.rename(tmp_path / "own" / "data", tmp_path / "elsewhere")
    (tmp_path / "own" / "data").symlink_to(tmp_path / "elsewhere")
    assert bring(own, QUICK) == 0
    (tmp_path / "blob").write_bytes(b"what that is\n")
    with pytest.raises(ChecksumError, match=SMALL):
        bring(own, QUICK)


def test_the_remedy_for_a_missing_list_writes_one(own, tmp_path):
    (tmp_path / "own" / SMALL).rename(tmp_path / "blob")
    (tmp_path / "own" / SMALL).symlink_to(tmp_path / "blob")
    # The base, too: no loader knows which of these files it reads.
    [source] = own.sources
    base = own.model.model_copy(update={"source": source})
    data = own.model.source.model_copy(update={"folder": "kit/smoke/base"})
    experiment = own.model_copy(update={"model": base, "sources": (data,)})
    os.remove(source.checksums)
    with pytest.raises(ManifestError, match="does not exist") as caught:
        bring(experiment, QUICK)
    assert "`./run.sh lock MANIFEST`" in caught.value.remedy
    lock(experiment, QUICK, print)
    assert read_checksums(Path(source.checksums)) == digests(FILES)


def to_nowhere(path):
    path.symlink_to("nowhere")


def to_itself(path):
    path.symlink_to(path.name)


def pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize("put", [to_nowhere, to_itself, pipe])
def test_a_link_that_leads_to_no_file_is_missing(own, tmp_path, put):
    (tmp_path / "own" / SMALL).unlink()
    put(tmp_path / "own" / SMALL)
    with pytest.raises(DataError, match="is missing"):
        bring(own, QUICK)
