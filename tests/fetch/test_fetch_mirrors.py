"""Where files come from: the hub, then the mirrors in order; and who gets the token."""

import re

import pytest

from kit.errors import AccessError, DataError, TransferError
from tests.hub.faults import Fault
from tests.hub.fetching import FILES, LARGEST, SMALL, content
from tests.hub.server import Hub

pytest_plugins = ["tests.hub.fixtures"]


@pytest.fixture
def mirrored(hub):
    """The fields of a source with a hub and a mirror."""
    return {"mirrors": (hub.mirror,)}


@pytest.mark.parametrize(
    "fault", [Fault(status=404), Fault(status=500), Fault(status=403), Fault(flip=True)]
)
def test_a_mirror_takes_over(fetch, hub, folder, mirrored, fault):
    hub.spoil(LARGEST, fault)
    report = fetch(**mirrored)
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.url: 2, hub.mirror: 1}


def test_mirrors_are_tried_in_their_order(fetch, hub, folder):
    hub.spoil(LARGEST, Fault(status=404))
    report = fetch(mirrors=(f"{hub.url}/gone", hub.mirror + "/"))
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.url: 2, hub.mirror: 1}


def test_mirrors_alone_are_enough(fetch, hub, folder):
    report = fetch(repo=None, revision=None, mirrors=(hub.mirror,))
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.mirror: 3}
    assert not [path for _, path, _ in hub.requests if path.startswith("/api")]


def test_mirrors_serve_while_the_hub_is_down(fetch, hub, folder, mirrored):
    hub.repos["owner/toy"].status = 500
    report = fetch(**mirrored)
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.mirror: 3}


def test_a_hub_that_does_not_answer_is_a_transfer_error(fetch, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port
    with pytest.raises(TransferError, match="owner/toy") as caught:
        fetch()
    assert "remedy" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "page"), [("dataset", "/datasets/owner/toy"), ("model", "/owner/toy")]
)
def test_a_gated_repository_names_its_page_and_the_token(fetch, hub, folder, kind, page):
    hub.repos["owner/toy"].token = "hf_secret"
    with pytest.raises(AccessError) as caught:
        fetch(repo_type=kind)
    assert f"{hub.url}{page}" in str(caught.value)
    assert "HF_TOKEN" in str(caught.value)
    assert content(folder) == {}


def test_a_file_that_is_forbidden_names_the_page_too(fetch, hub):
    hub.spoil(LARGEST, Fault(status=403))
    with pytest.raises(AccessError, match=re.escape(LARGEST)) as caught:
        fetch()
    assert f"{hub.url}/datasets/owner/toy" in str(caught.value)


def test_the_token_goes_only_to_the_hub(fetch, hub, folder, mirrored, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.repos["owner/toy"].token = "hf_secret"
    hub.spoil(SMALL, Fault(status=404))
    fetch(**mirrored)
    assert content(folder) == FILES
    assert hub.gets("/resolve/")
    assert all(h["authorization"] == "Bearer hf_secret" for h in hub.gets("/resolve/"))
    for elsewhere in ("/cdn/", "/mirror/"):
        assert hub.gets(elsewhere)
        assert not [h for h in hub.gets(elsewhere) if "authorization" in h]


def test_the_token_does_not_follow_a_redirect_to_another_port(fetch, hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with Hub() as other:
        other.plain[SMALL] = FILES[SMALL]
        hub.spoil(SMALL, Fault(status=302, headers={"Location": f"{other.mirror}/{SMALL}"}))
        fetch()
        assert content(folder) == FILES
        (asked,) = other.gets(SMALL)
        assert "authorization" not in asked
        assert "hf_secret" not in str(other.requests)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, "RevisionNotFound", DataError),
        (404, "RepoNotFound", AccessError),
        (403, "", AccessError),
        (500, "", TransferError),
        (429, "", TransferError),
    ],
)
def test_what_the_hub_says_of_a_repository_is_explained(fetch, hub, folder, status, error, kind):
    hub.repos["owner/toy"].status, hub.repos["owner/toy"].error = status, error
    with pytest.raises(kind, match="owner/toy") as caught:
        fetch()
    assert None not in (caught.value.expected, caught.value.found, caught.value.remedy)
    assert content(folder) == {}
