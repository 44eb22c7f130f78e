"""Whose signatures count on a page of many results, and the names of their folders."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kit.errors import SignatureError
from kit.result.layout import BUNDLE
from kit.signing.allowed_signers import TrustedKey
from kit.signing.keyless import Identity
from kit.signing.timestamp import AUTHORITIES
from kit.verification.case import Verification
from kit.verification.verify import verify


@dataclass(frozen=True)
class Trust:
    """Whose signature counts: these keys, and one identity at most."""

    keys: tuple[TrustedKey, ...]
    identity: Identity | None = None
    authorities: Path = AUTHORITIES

    def verify(self, folder: Path) -> Verification:
        """Verify a result: by the identity if it has signed, otherwise by a key.

        Raises:
            KitError: as `kit.verification.verify`.
        """
        check = partial(verify, folder, trusted=self.keys, authorities=self.authorities, keep=True)
        if self.identity is None or not os.path.lexists(folder / BUNDLE):
            return check()
        try:
            return check(identity=self.identity)
        except SignatureError as error:
            refusal = error
        try:
            return check()  # another identity has signed it, but so has a known key
        except SignatureError:
            raise refusal from None


def name_folders(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the folders by name, each folder once, with names that differ.

    Results of one manifest have folders of the same name. As many folders around them are named as
    it takes to tell them apart.
    """
    paths = list(dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders))
    for parts in range(1, max((len(path.parts) for path in paths), default=1)):
        named = {"/".join(path.parts[-parts:]): path for path in paths}
        if len(named) == len(paths):
            return named
    return {str(path): path for path in paths}
