"""What the environment says of the network is checked before it makes every request fail oddly."""

import huggingface_hub
import pytest

from kit.errors import AccessError, EnvironmentFault, TransferError
from kit.fetch.surroundings import endpoint, reason
from tests.hub.faults import Fault
from tests.hub.fetching import FILES, SMALL, content

pytest_plugins = ["tests.hub.fixtures"]
PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def fresh_session():
    """The hub's client keeps the proxy of its first use."""
    huggingface_hub.close_session()
    yield
    huggingface_hub.close_session()


@pytest.mark.parametrize("given", ["hf-mirror.example", '"{}"', "ftp://x", "https://"])
def test_an_endpoint_that_is_no_address_is_named(fetch, hub, monkeypatch, given):
    monkeypatch.setenv("HF_ENDPOINT", given.format(hub.url))
    with pytest.raises(EnvironmentFault, match="HF_ENDPOINT is no address"):
        fetch()
    monkeypatch.setenv("HF_ENDPOINT", f"  {hub.url}/ ")
    fetch()  # as the remedy says


def test_a_password_in_an_endpoint_is_not_printed(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "hub//me:secret@host")
    with pytest.raises(EnvironmentFault) as caught:
        endpoint()
    assert "secret" not in str(caught.value)
    assert "secret" not in reason(ValueError("no //me:secret@host"))


@pytest.mark.parametrize("token", ["\u201chf_x\u201d", "hf_é", "hf x"])
def test_a_token_that_is_none_is_said_and_not_printed(fetch, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(EnvironmentFault, match="characters that no token has") as caught:
        fetch()
    assert token not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", "hf_x\n")
    fetch()


@pytest.mark.parametrize("kind", ["below a file", "a folder", "no text"])
def test_a_token_file_that_cannot_be_read_is_named(fetch, monkeypatch, tmp_path, kind):
    path = tmp_path / "home" / "token"
    if kind == "below a file":
        path.parent.write_text("in the way")
    elif kind == "a folder":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.write_bytes(b"\xff\xfe")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(path))
    with pytest.raises(EnvironmentFault, match="token cannot be read") as caught:
        fetch()
    assert str(path) in str(caught.value.expected)
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    fetch()  # as the remedy says


@pytest.mark.parametrize(("status", "code"), [(401, "GatedRepo"), (401, ""), (404, "RepoNotFound")])
def test_a_token_that_is_not_accepted_is_the_first_suspect(fetch, hub, monkeypatch, status, code):
    """The hub refuses even public repositories to an old token."""
    hub.repos["owner/toy"].status, hub.repos["owner/toy"].error = status, code
    with pytest.raises(AccessError) as caught:
        fetch()
    assert "a token was sent" not in caught.value.remedy
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    with pytest.raises(AccessError) as caught:
        fetch()
    assert caught.value.remedy.startswith("a token was sent")
    assert "hf_old" not in str(caught.value)


def test_a_file_that_a_token_does_not_open_says_so(fetch, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    hub.spoil(SMALL, Fault(status=403))
    with pytest.raises(AccessError, match="restricts access") as caught:
        fetch()
    assert caught.value.remedy.startswith("a token was sent")


def test_a_socks_proxy_is_named_with_what_works(fetch, folder, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(EnvironmentFault, match="SOCKS proxy") as caught:
        fetch()
    assert caught.value.found == "ALL_PROXY"
    monkeypatch.delenv("ALL_PROXY")
    fetch()
    assert content(folder) == FILES


def test_a_proxy_that_does_not_answer_is_named_without_its_password(fetch, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    for name in PROXIES[:2]:
        monkeypatch.setenv(name, "http://me:secret@127.0.0.1:9")
    with pytest.raises(TransferError) as caught:
        fetch()
    assert "refused (through HTTP_PROXY)" in str(caught.value.found)
    assert "secret" not in str(caught.value)
    assert "proxy" in caught.value.remedy
