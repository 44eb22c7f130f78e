"""The runner's Ed25519 key: made on first use, kept outside the project and outside every result.

The key says "the holder of this file made this statement", not who that is. No key is shipped.
"""

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kit.artifacts import PROJECT, results_root
from kit.digests import sha256_bytes
from kit.errors import SignatureError, StorageError

KEY_BYTES = 4096  # A PKCS8 Ed25519 key has 119 bytes; anything near this limit is another file.


def key_folder() -> Path:
    """Return the folder of the runner key: $XDG_CONFIG_HOME/pebench or ~/.config/pebench.

    Raises:
        SignatureError: neither XDG_CONFIG_HOME nor HOME names an absolute folder.
    """
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification has relative values ignored.
    if os.path.isabs(configured):
        return Path(configured) / "pebench"
    home = os.environ.get("HOME", "")
    if not os.path.isabs(home):
        raise SignatureError(
            "there is no place for the runner key",
            expected="HOME or XDG_CONFIG_HOME, an absolute folder outside the project",
            found=f"HOME={home!r}, XDG_CONFIG_HOME={configured!r}",
            remedy="export XDG_CONFIG_HOME=/a/private/folder",
        )
    return Path(home) / ".config" / "pebench"


def raw_public(public: Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of a public key."""
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(public: Ed25519PublicKey) -> str:
    """Return the hexadecimal SHA-256 of the 32 raw bytes of a public key."""
    return sha256_bytes(raw_public(public))


def public_line(public: Ed25519PublicKey) -> str:
    """Return the key as one `ssh-ed25519 AAAA... comment` line, as in runner.pub."""
    body = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{body} pebench-runner\n"


def runner_key(*, outside: Iterable[Path] = ()) -> Ed25519PrivateKey:
    """Return this machine's key, made on first use.

    Args:
        outside: folders that must not hold the key, beside the project and its results.

    Raises:
        SignatureError: the key is inside such a folder, readable by others, or not Ed25519.
        StorageError: its folder cannot be written.
    """
    return _runner_key(outside=outside, force=False)[0]


def keygen(*, force: bool = False, outside: Iterable[Path] = ()) -> tuple[Ed25519PublicKey, bool]:
    """Make the runner key unless there is one; return the public key and whether it is new.

    `force` replaces an existing key: results that the old one signed are then by a foreign key.

    Raises:
        SignatureError, StorageError: as for `runner_key`.
    """
    key, made = _runner_key(outside=outside, force=force)
    return key.public_key(), made


def _runner_key(*, outside: Iterable[Path], force: bool) -> tuple[Ed25519PrivateKey, bool]:
    path = key_folder() / "runner.key"
    _refuse_inside(path, (PROJECT, results_root(), *outside))
    try:
        made = _make(path, force=force)
        _refuse_readable_by_others(path)
        key = load_private_key(path)
        line = public_line(key.public_key()).encode()
        public = path.with_suffix(".pub")
        if not public.is_file() or public.read_bytes() != line:
            os.replace(_write_private(path.parent, line), public)
    except OSError as error:
        raise StorageError(
            f"the runner key {path} cannot be written or read",
            found=error.strerror or str(error),
            remedy="export XDG_CONFIG_HOME=/a/private/folder on a local disk",
        ) from error
    return key, made


def _make(path: Path, *, force: bool) -> bool:
    """Create the key file in one step; of two processes at once, one wins and both see its key."""
    if path.exists() and not force:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_readable_by_others(path.parent)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    draft = _write_private(path.parent, pem)
    if force:
        os.replace(draft, path)
        return True
    try:
        # Unlike O_EXCL on the final name, a link never shows another process half a key.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _write_private(folder: Path, data: bytes) -> Path:
    """Write `data` to a new file of mode 0600 in `folder` and flush it to the disk."""
    draft = folder / f".draft-{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    return draft


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a PEM PKCS8 Ed25519 key without a password.

    Raises:
        SignatureError: the file is something else.
    """
    with path.open("rb") as stream:
        data = stream.read(KEY_BYTES)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(
            f"{path} is not a usable runner key",
            expected="an Ed25519 private key, PEM PKCS8, without a password",
            remedy="move it away, or replace it: ./run.sh keygen --force",
        )
    return key


def _refuse_inside(path: Path, folders: Iterable[Path]) -> None:
    real = path.resolve()
    for folder in folders:
        if real.is_relative_to(folder.resolve()):
            raise SignatureError(
                f"the runner key {path} would lie inside {folder}, and could be published with it",
                expected="a folder outside the project and the results",
                remedy="export XDG_CONFIG_HOME=/a/private/folder",
            )


def _refuse_readable_by_others(path: Path) -> None:
    state = path.stat()
    wanted = 0o700 if stat.S_ISDIR(state.st_mode) else 0o600
    if state.st_mode & 0o077:
        raise SignatureError(
            f"{path} can be used by other people on this machine",
            expected=f"mode {wanted:04o}",
            found=f"mode {stat.S_IMODE(state.st_mode):04o}",
            remedy=f"chmod {wanted:o} {path}",
        )
