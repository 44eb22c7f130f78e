"""Verify many results for an identity, in the environment that has sigstore.

Arguments: a JSON file with [{"name", "result", "identity", "issuer", "trust_config", "revoked"}].
Prints {name: [exit code, message]}. A process of its own, because the tests' environment has no
sigstore; no address can be reached from it.
"""

import json
import socket
import sys
from pathlib import Path

from kit.errors import KitError
from kit.signing.allowed_signers import REVOKED, TrustedKey
from kit.signing.keyless import Identity
from kit.signing.trust import read_public_key
from kit.verification.text import describe
from kit.verification.verify import verify


def unreachable(*_: object, **__: object) -> None:
    """Stand in for every way to an address."""
    raise AssertionError("the verifier opened a connection")


def main() -> None:
    """Verify each and print what came of it; anything but an error of the kit is a crash."""
    socket.socket.connect = unreachable  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = unreachable
    said = {}
    for case in json.loads(Path(sys.argv[1]).read_text()):
        config = case["trust_config"] and Path(case["trust_config"])
        identity = Identity(case["identity"], case["issuer"], config)
        revoked = case.get("revoked")
        trusted = revoked and [
            TrustedKey(read_public_key(Path(revoked)), REVOKED, "list", "", "it was revoked")
        ]
        try:
            found = verify(Path(case["result"]), trusted=trusted or (), identity=identity)
            said[case["name"]] = [0, describe(found)]
        except KitError as error:
            said[case["name"]] = [error.exit_code, str(error)]
    print(json.dumps(said))


if __name__ == "__main__":
    main()
