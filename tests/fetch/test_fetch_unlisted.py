"""A source without a committed list: checked against the hub, pinned by the bytes that arrived."""

import re

import pytest

from kit.digests import read_checksums
from kit.errors import ChecksumError, DataError, ManifestError, TransferError
from kit.fetch.settings import Settings
from kit.fetch.sources import fetch_unlisted
from kit.sources import datasets
from kit.sources.places import place, source_records
from tests.hub.faults import LARGE, OTHER_REVISION, REVISION, Fault
from tests.hub.fetching import (
    ACCEPTED,
    FILES,
    LARGEST,
    QUICK,
    SMALL,
    bring,
    content,
    digests,
    quarantined,
    source,
)

pytest_plugins = ["tests.hub.fixtures"]

UNLOCKED = Settings(**{**vars(ACCEPTED), "allow_unlocked": True})


@pytest.mark.parametrize("name", [LARGEST, SMALL])
def test_without_a_list_bytes_are_checked_against_the_hubs_digests(hub, folder, tmp_path, name):
    assert (len(FILES[name]) >= LARGE) == (name == LARGEST), "one is large for the hub, one is not"
    hub.spoil(name, Fault(flip=True))
    with pytest.raises(ChecksumError, match=re.escape(name)):
        fetch_unlisted(source(tmp_path), folder, QUICK)
    assert name not in content(folder)
    assert len(quarantined(tmp_path)) == 1


@pytest.mark.parametrize(
    "told",
    [{"size": "many"}, {"size": -5}, {"size": None}, {"path": None}, {"lfs": "yes"}, {"lfs": {}}],
    ids=str,
)
def test_an_invalid_tree_is_an_error_of_the_hub(hub, folder, tmp_path, told):
    hub.repos["owner/toy"].told[SMALL] = told
    with pytest.raises(TransferError, match="about owner/toy"):
        fetch_unlisted(source(tmp_path), folder, QUICK)
    assert content(folder) == {}


@pytest.mark.parametrize("sha", ["main", "../../else", "A" * 40, ""])
def test_a_head_that_is_not_a_commit_is_an_error_of_the_hub(hub, folder, tmp_path, sha):
    hub.repos["owner/toy"].revision = sha
    with pytest.raises(TransferError, match="about owner/toy"):
        fetch_unlisted(source(tmp_path, revision=None), folder, QUICK)
    assert content(folder) == {}


def test_without_a_list_files_of_another_revision_are_not_used(hub, folder, tmp_path):
    """The repository's head moves; a small file of the same size has no digest in the tree."""
    fetch_unlisted(source(tmp_path, revision=None), folder, QUICK)
    hub.repos["owner/toy"].files[SMALL] = b"what this was\n"[: len(FILES[SMALL])]
    report = fetch_unlisted(source(tmp_path, revision=None), folder, QUICK)
    assert content(folder)[SMALL] == hub.repos["owner/toy"].files[SMALL]
    assert report.digests == digests(content(folder))


def test_files_are_asked_for_at_the_commit_and_never_at_a_branch(hub, folder, tmp_path):
    report = fetch_unlisted(source(tmp_path, revision=None), folder, QUICK)
    assert report.revision == REVISION
    asked = hub.gets("/resolve/")
    assert len(asked) == len(FILES) == len(hub.gets(f"/resolve/{REVISION}/"))


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
    datasets.verify_sources(experiment())
    (record,) = [r for r in source_records(experiment()) if r["name"] == "toy"]
    assert record["locked"] is False
    hub.heal()
    bring(experiment(), QUICK)
    assert hub.sent == 0, "later verbs find the list that was made"


def test_an_unpinned_source_says_which_revision_it_got(hub, experiment):
    said = []
    bring(experiment(revision=None), UNLOCKED, said.append)
    assert any(f"WITHOUT a lock, at revision {REVISION}" in line for line in said)


def test_a_kill_after_the_last_byte_does_not_lose_the_revision(hub, experiment, monkeypatch):
    """The kill may come before either of the two records; the next call writes both."""

    def killed(*args):
        raise KeyboardInterrupt

    moving = experiment(revision=None)
    for record in ("adopt_list", "record_origin"):
        with monkeypatch.context() as patch:
            patch.setattr(datasets, record, killed)
            with pytest.raises(KeyboardInterrupt):
                bring(moving, UNLOCKED)
    bring(moving, UNLOCKED)
    (found,) = [r for r in source_records(moving) if r["name"] == "toy"]
    assert found["revision"] == REVISION


def test_an_unpinned_source_stays_at_its_commit_when_it_is_repaired(hub, experiment):
    moving = experiment(revision=None)
    bring(moving, UNLOCKED)
    (place(moving.sources[0]).path / "README.md").write_bytes(b"damaged")
    hub.repos["owner/toy"].revision = OTHER_REVISION
    hub.repos["owner/toy"].files["README.md"] = b"of the new head"
    hub.heal()
    with pytest.raises(DataError, match=REVISION):  # the hub has only the head
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
    bring(experiment(), UNLOCKED)
    (place(experiment().sources[0]).path / "README.md").write_bytes(b"something else")
    with pytest.raises(ChecksumError, match=r"README\.md"):
        datasets.verify_sources(experiment())
    bring(experiment(), ACCEPTED)
    datasets.verify_sources(experiment())
