"""Verify many results for an identity, in the environment that has sigstore.

Argument: a JSON file with a list of {"name", "result", "identity", "issuer", "trust_config"} and,
optionally, "revoked" or "expired", the file of a key that a list has in that state.
Prints {name: [exit code, message]}. This is a process of its own because the tests' environment has
no sigstore. It cannot reach any address.
"""

import json
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from kit.errors import KitError
from kit.signing.allowed_signers import AUTHOR, REVOKED, TrustedKey
from kit.signing.keyless import Identity
from kit.signing.period import Period
from kit.signing.trust import read_public_key
from kit.verification.text import describe
from kit.verification.verify import verify


def unreachable(*_: object, **__: object) -> None:
    """Stand in for every way to an address."""
    raise AssertionError("the verifier opened a connection")


def main() -> None:
    """Verify each result and print the outcome; any error but one of the kit ends the process."""
    socket.socket.connect = unreachable  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = unreachable
    outcomes = {}
    for case in json.loads(Path(sys.argv[1]).read_text()):
        config = case["trust_config"] and Path(case["trust_config"])
        identity = Identity(case["identity"], case["issuer"], config)
        try:
            found = verify(Path(case["result"]), trusted=known_keys(case), identity=identity)
            outcomes[case["name"]] = [0, describe(found)]
        except KitError as error:
            outcomes[case["name"]] = [error.exit_code, str(error)]
    print(json.dumps(outcomes))


def known_keys(case: dict[str, str]) -> list[TrustedKey]:
    """Return the keys that the lists of this case contain."""
    keys = []
    if file := case.get("revoked"):
        public = read_public_key(Path(file))
        keys.append(TrustedKey(public, REVOKED, "list", refusal="it was revoked"))
    if file := case.get("expired"):
        public, period = read_public_key(Path(file)), Period(end=datetime(2020, 1, 1, tzinfo=UTC))
        keys.append(TrustedKey(public, AUTHOR, "author, list", period))
    return keys


if __name__ == "__main__":
    main()
