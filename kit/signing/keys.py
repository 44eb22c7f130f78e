"""The runner's Ed25519 key: made on first use, kept outside the project and outside every result.

A signature proves that the holder of the key file made a statement, not who the holder is. The kit
ships no private key.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_key,
)

from kit.artifacts import PROJECT, results_root
from kit.digests import sha256_bytes
from kit.errors import SignatureError, StorageError
from kit.signing.passphrase import read_passphrase
from kit.signing.private_key import is_encrypted, load_private_key, to_pem


def key_folder() -> Path:
    """Return the folder of the runner key: $XDG_CONFIG_HOME/pebench or ~/.config/pebench.

    Raises:
        SignatureError: neither XDG_CONFIG_HOME nor HOME names an absolute folder.
    """
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification says to ignore relative values.
    if os.path.isabs(configured):
        return Path(configured) / "pebench"
    home = os.environ.get("HOME", "")
    if not os.path.isabs(home):
        raise SignatureError(
            "the kit does not know where to keep the runner key",
            expected="HOME or XDG_CONFIG_HOME: an absolute folder outside the project",
            found=f"HOME={home!r}, XDG_CONFIG_HOME={configured!r}",
            remedy="export XDG_CONFIG_HOME=/a/private/folder",
        )
    return Path(home) / ".config" / "pebench"


def raw_public(public: Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of a public key."""
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(public: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the 32 raw bytes of a public key, in hexadecimal."""
    return sha256_bytes(raw_public(public))


def public_line(public: Ed25519PublicKey) -> str:
    """Return the key as one `ssh-ed25519 AAAA... comment` line, as in runner.pub."""
    body = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{body} pebench-runner\n"


def runner_key(
    *, outside: Iterable[Path] = (), passphrase: Callable[[], bytes] = read_passphrase
) -> Ed25519PrivateKey:
    """Return this machine's key. The first call makes it, without a passphrase.

    Args:
        outside: folders that must not hold the key, in addition to the project and its results.
        passphrase: called only if the key is encrypted.

    Raises:
        SignatureError: the key lies in such a folder, other users can read it, it is not Ed25519,
            or the passphrase does not open it.
        StorageError: its folder cannot be written.
    """
    path = _key_path(outside)
    with _storage(path):
        _make(path, None, force=False)
        _refuse_readable_by_others(path)
        key = load_private_key(path, passphrase)
        _write_public(path, key.public_key())
    return key


def keygen(
    *, force: bool = False, outside: Iterable[Path] = (), passphrase: bytes | None = None
) -> tuple[Ed25519PublicKey, bool]:
    """Make the runner key unless it exists; return the public key and whether it is new.

    Args:
        force: replace an existing key. Results that the old key signed are then signed by a key
            that this machine does not know.
        outside: as for `runner_key`.
        passphrase: encrypts a new key, or an existing key that is not encrypted yet.

    Raises:
        SignatureError: as for `runner_key`.
        StorageError: as for `runner_key`.
    """
    path = _key_path(outside)
    with _storage(path):
        made = _make(path, passphrase, force=force)
        _refuse_readable_by_others(path)
        known = None if made else _known_public(path)
        if known is not None:
            return known, made
        key = load_private_key(path, lambda: passphrase or read_passphrase())
        if passphrase is not None and not is_encrypted(path):
            os.replace(_write_private(path.parent, to_pem(key, passphrase)), path)
        _write_public(path, key.public_key())
    return key.public_key(), made


def runner_fingerprint() -> str | None:
    """Return the fingerprint of the runner key from its public file; None before its first use.

    Raises:
        SignatureError: as for `key_folder`.
    """
    try:
        key = load_ssh_public_key((key_folder() / "runner.pub").read_bytes().strip())
    except (OSError, ValueError, UnsupportedAlgorithm):
        return None
    return fingerprint(key) if isinstance(key, Ed25519PublicKey) else None


def holds_encrypted_key() -> bool:
    """Tell whether the runner key exists and needs a passphrase."""
    path = key_folder() / "runner.key"
    return os.access(path, os.R_OK) and is_encrypted(path)


def _key_path(outside: Iterable[Path]) -> Path:
    path = key_folder() / "runner.key"
    _refuse_inside(path, (PROJECT, results_root(), *outside))
    return path


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the runner key {path} cannot be written or read",
            expected="a folder in which this user can make and read files",
            found=error.strerror or str(error),
            remedy="export XDG_CONFIG_HOME=/a/private/folder on a local disk",
        ) from error


def _known_public(path: Path) -> Ed25519PublicKey | None:
    """Return the public half of an encrypted key from its own file, which needs no passphrase."""
    public = path.with_suffix(".pub")
    if not is_encrypted(path) or not public.is_file():
        return None
    try:
        key = load_ssh_public_key(public.read_bytes().strip())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _write_public(path: Path, key: Ed25519PublicKey) -> None:
    line, public = public_line(key).encode(), path.with_suffix(".pub")
    if not public.is_file() or public.read_bytes() != line:
        os.replace(_write_private(path.parent, line), public)


def _make(path: Path, passphrase: bytes | None, *, force: bool) -> bool:
    """Create the key file atomically: if two processes race, both end up with the same key."""
    if path.exists() and not force:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_readable_by_others(path.parent)
    draft = _write_private(path.parent, to_pem(Ed25519PrivateKey.generate(), passphrase))
    if force:
        os.replace(draft, path)
        return True
    try:
        # A link appears with its whole content. O_EXCL on the final name would show half a key.
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


def _refuse_inside(path: Path, folders: Iterable[Path]) -> None:
    real = path.resolve()
    for folder in folders:
        if real.is_relative_to(folder.resolve()):
            raise SignatureError(
                f"the runner key {path} would lie in {folder}, and could be published with it",
                expected="a folder outside the project and the results",
                found=real,
                remedy="export XDG_CONFIG_HOME=/a/private/folder",
            )


def _refuse_readable_by_others(path: Path) -> None:
    state = path.stat()
    wanted = 0o700 if stat.S_ISDIR(state.st_mode) else 0o600
    if state.st_mode & 0o077:
        raise SignatureError(
            f"{path} can be used by other users of this machine",
            expected=f"mode {wanted:04o}",
            found=f"mode {stat.S_IMODE(state.st_mode):04o}",
            remedy=f"chmod {wanted:o} {path}",
        )
