"""The environment that has sigstore, built as for a user, and the verbs in it."""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from kit.artifacts import PROJECT, cache_root
from kit.digests import sha256_file
from tests.sigstore.instance import token

ALICE, ISSUER = "alice@example.org", "https://accounts.example.org"
NO_INDEX = ("No matching distribution", "NewConnectionError", "connection broken")
WHO = ["--identity", ALICE, "--issuer", ISSUER]


@cache
def _built() -> Path | str:
    lock = PROJECT / "docker" / "requirements.keyless.lock"
    folder = cache_root() / "env" / f"keyless-{sha256_file(lock)[:12]}"
    done = keyless_kit("sign", "no-such-result", "--keyless", *WHO)
    if not (folder / ".complete").is_file():
        return f"docker/requirements.keyless.lock cannot be installed: {done.stderr[-3000:]}"
    return folder / "bin" / "python"


def keyless_python() -> Path:
    """Return its Python; skip the test, saying why, where there is no package index."""
    python = _built()
    if isinstance(python, str):
        # A lock that cannot be installed though there is an index is a failure and no gap.
        (pytest.skip if any(sign in python for sign in NO_INDEX) else pytest.fail)(python)
    return Path(python)


def keyless_kit(*words: str, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run `./run.sh WORDS` as a user who has no environment yet and whose home is `home`."""
    return subprocess.run(
        [str(PROJECT / "run.sh"), *words],
        env=surroundings(home),
        capture_output=True,
        text=True,
        check=False,
    )


def surroundings(home: Path | None = None) -> dict[str, str]:
    """Return the environment variables of such a user.

    Who builds the environment may need a proxy; the instance on this machine is behind none.
    """
    hidden = {"PEBENCH_ENV"}
    own = {"PEBENCH_CACHE": str(cache_root())}
    if home:
        hidden |= {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}
        own |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    return {name: value for name, value in os.environ.items() if name not in hidden} | own


def publish(
    result: Path, config: Path, home: Path, *, raw: str | None = None, words: list[str] = WHO
) -> "subprocess.CompletedProcess[str]":
    """Sign as a user does: ./run.sh sign RESULT --keyless, with a token in a file."""
    home.mkdir(exist_ok=True)
    (home / "token").write_text(token(ALICE, ISSUER) if raw is None else raw)
    more = ["--trust-config", str(config), "--identity-token", str(home / "token")]
    return keyless_kit("sign", str(result), "--keyless", *words, *more, home=home)
