"""What the user's environment says of the network: the hub's address, a token, proxies.

A mistake here would come back as an odd failure of every request, or as none at all.
"""

import os
import re
from urllib.request import getproxies

from huggingface_hub import constants, get_token

from kit.errors import EnvironmentFault
from kit.experiment.hub import HUB

TOKEN = re.compile(r"[!-~]+")  # what a header can hold: printable, without blanks
SOCKS = "socks"
CREDENTIALS = re.compile(r"//[^@/\s]*@")


def endpoint() -> str:
    """Return the hub's address (the environment's `HF_ENDPOINT`, if set).

    Raises:
        EnvironmentFault: it is no address.
    """
    given = os.environ.get("HF_ENDPOINT", "").strip() or HUB
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", given, re.IGNORECASE):
        raise EnvironmentFault(
            "the environment variable HF_ENDPOINT is no address",
            expected=f"the address of a hub, such as {HUB}",
            found=repr(CREDENTIALS.sub("//...@", given)[:80]),
            remedy="set HF_ENDPOINT with https:// in front and without quotes, or unset it",
        )
    return given.rstrip("/")


def token() -> str | None:
    """Return the token that requests to the hub send; None if there is none.

    Raises:
        EnvironmentFault: its file cannot be read, or it is no token.
    """
    try:
        found = get_token()
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            "the hub's file with your token cannot be read",
            expected=f"a file of text, or none, at {constants.HF_TOKEN_PATH}",
            found=type(error).__name__,
            remedy="correct HF_HOME, or remove what lies there; HF_TOKEN=... needs no file",
        ) from None
    if found and not TOKEN.fullmatch(found):
        raise EnvironmentFault(
            "the hub's token holds characters that no token has",
            expected="letters, digits and signs of ASCII, without quotes and blanks",
            found=f"{len(found)} characters",
            remedy="copy it again from the hub's page: HF_TOKEN=... ./run.sh fetch",
        )
    return found


def about_token(remedy: str) -> str:
    """Return a remedy for refused access; it begins with the token, if one was sent."""
    if token() is None:
        return remedy
    return (
        "a token was sent (HF_TOKEN, or that of `hf auth login`) and not accepted for this: if it "
        f"is old or of another account, make a new one or unset it. Otherwise {remedy}"
    )


def require_usable_proxy() -> None:
    """Check that this client can use the proxy that the environment names.

    Raises:
        EnvironmentFault: it is one of SOCKS, for which no package is in the locks.
    """
    socks = sorted(name for name, url in getproxies().items() if url.lower().startswith(SOCKS))
    if socks:
        raise EnvironmentFault(
            "the environment names a SOCKS proxy, which the kit cannot use",
            expected="an HTTP proxy, or none",
            found=", ".join(f"{name.upper()}_PROXY" for name in socks),
            remedy="set HTTPS_PROXY=http://HOST:PORT of an HTTP proxy and unset "
            f"{socks[0].upper()}_PROXY; or bring the files by `./run.sh data export` and `import`",
        )


def reason(error: Exception) -> str:
    """Return why no connection came about, with the proxy that was asked, without its password."""
    said = CREDENTIALS.sub("//...@", str(error).splitlines()[0])[:120] if str(error) else ""
    named = f"{type(error).__name__}: {said}" if said else type(error).__name__
    proxies = sorted(f"{name.upper()}_PROXY" for name in getproxies() if name != "no")
    return f"{named} (through {', '.join(proxies)})" if proxies else named
