"""An interpreter of toy work: no model, but real processes, artifacts and checkpoints.

It imports no library, so that it starts at once. A request's manifest is a number of seconds, and
what happens to the first job of a driver: "2", "2:memory", "2:killed". Each artifact holds bytes
that follow from its digest.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from typing import Any

from kit.artifacts import Artifact, write_bytes
from kit.digests import sha256_value

STEPS = 10
FIRST = sha256_value(["toy", 0])  # the digest of a driver's first job
ROOM = 300_000_000  # bytes of memory, where there is not enough


def artifact_of(digest: str) -> Artifact:
    return Artifact("toy", "job", digest)


def content_of(digest: str) -> bytes:
    return sha256_value(["content", digest]).encode()


def make(digest: str, seconds: float) -> int:
    """Make an artifact in ten steps, with a checkpoint after each; return the steps done now."""
    made = artifact_of(digest)
    if made.done:
        return 0
    checkpoint = made.partial / "checkpoint"
    first = int(checkpoint.read_text()) if checkpoint.is_file() else 0
    for step in range(first, STEPS):
        time.sleep(seconds / STEPS)
        write_bytes(checkpoint, str(step + 1).encode())
    write_bytes(made.partial / "content", content_of(digest))
    made.publish({"pid": os.getpid(), "steps": STEPS - first})
    return STEPS - first


def happen(fault: str) -> None:
    """Let something happen to this process in the middle of its work."""
    if fault == "memory":
        resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
        bytes(2 * ROOM)
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)  # as the system does where memory ends


def answer(request: dict[str, Any]) -> dict[str, object]:
    """Return the reply to a request."""
    seconds, _, fault = request["manifest"].partition(":")
    try:
        if FIRST in request["digests"]:
            happen(fault)
        steps = [make(digest, float(seconds)) for digest in request["digests"]]
    except Exception as error:
        from kit.cluster.faults import fields_of  # slow to import
        from kit.failures import kit_error

        return {"error": fields_of(kit_error(error, request["place"]))}
    return {"done": [os.getpid(), *steps]}


def main() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, as `kit.stages.workers`
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
    with os.fdopen(int(sys.argv[2]), "w") as replies:
        for line in sys.stdin:
            replies.write(json.dumps(answer(json.loads(line))) + "\n")
            replies.flush()


if __name__ == "__main__":
    main()
