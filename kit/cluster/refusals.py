"""What an object store refuses, as an error of the kit.

A store's own message may repeat the id of a key, so none of it is shown but its status and code.
"""

import re
from urllib.parse import urlsplit

from kit.errors import AccessError, KitError, StorageError, TransferError

FULL = {"507", "QuotaExceeded", "QuotaExceededException", "ServiceQuotaExceeded", "StorageFull",
        "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity",
        "TooManyBuckets", "AccountProblem"}  # fmt: skip
AGAIN = "run the same command again: finished work is kept"
RIGHTS = "list, read, write and delete"
# Where a machine in a cloud asks for a key of its own, if no variable has one.
OF_MACHINE = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "metadata")


def refusal(store: str, operation: str, key: str, said: str, endpoint: str = "") -> KitError:
    """Return the error for a request that a store did not fulfil.

    Args:
        operation: what was asked for: "read", "write" and the like.
        key: of the object.
        said: what obstore says.
        endpoint: `AWS_ENDPOINT_URL`; "" for Amazon's own.
    """
    status, code = _first(r"status code: (\d{3})", said), _first(r"<Code>(\w+)</Code>", said)
    what = " ".join(filter(None, [f"{store}: cannot {operation}", key]))
    found = " ".join(filter(None, [status, code])) or None
    bucket = urlsplit(store).netloc
    if code == "NoSuchBucket":
        return StorageError(
            what,
            expected=f"a bucket {bucket} at {_server(endpoint)}",
            found=found,
            remedy="create it, or correct --store or AWS_ENDPOINT_URL",
        )
    if {status, code} & FULL:
        return StorageError(
            what,
            expected="room for what was made",
            found=f"{found}: the store is full",
            remedy=f"make room there or raise its quota; then {AGAIN}",
        )
    if status is None and any(f"//{host}" in said for host in OF_MACHINE):
        return _without_key(what, "no key in the environment, and none that belongs to the machine")
    if status in ("401", "403"):
        if any(f"//{host}" in said for host in OF_MACHINE):
            return _without_key(what, f"no key in the environment, and {status} for the machine's")
        return AccessError(
            what,
            expected=f"a key that may {RIGHTS} there",
            found=found,
            remedy="correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the "
            "rights of the key, where this command runs and where `./run.sh ray start` ran. Some "
            f"stores also answer so when a quota is reached. Then {AGAIN}",
        )
    if status is None or status[0] == "5" or status in ("408", "429"):
        return TransferError(
            what,
            expected=f"an answer of {_server(endpoint)}",
            found=found or _reason(said),
            remedy=f"check the network and AWS_ENDPOINT_URL; then {AGAIN}",
        )
    return AccessError(
        what,
        expected=f"an object store at {_server(endpoint)}",
        found=found,
        remedy="check --store, AWS_REGION and AWS_ENDPOINT_URL",
    )


def _without_key(what: str, found: str) -> AccessError:
    return AccessError(
        what,
        expected="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a machine with a role",
        found=found,
        remedy="set them where this command runs, and on every node before `./run.sh ray start`",
    )


def _server(endpoint: str) -> str:
    """Return host and port of an endpoint, without a password in it."""
    return urlsplit(endpoint).netloc.rpartition("@")[2] or "Amazon S3 (AWS_ENDPOINT_URL is not set)"


def _reason(said: str) -> str:
    """Return why there was no answer: the system's words, deep inside of obstore's."""
    if "kind: Timeout" in said or "TimedOut" in said:
        return "no answer in time"
    inner = _first(r'(?:message|error): "([^"]{1,200})"', said)
    return inner or said.partition("\n")[0].rpartition(" - ")[2][:200]


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
