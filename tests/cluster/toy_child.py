"""An interpreter of toy work: no model, but real processes, artifacts and checkpoints.

It imports no library, so that it starts at once. A request's manifest is a number of seconds. Each
artifact holds bytes that follow from its digest.
"""

import ctypes
import json
import os
import signal
import sys
import time

from kit.artifacts import Artifact, write_bytes
from kit.digests import sha256_value

STEPS = 10


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


def main() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, as `kit.stages.workers`
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
    with os.fdopen(int(sys.argv[2]), "w") as replies:
        for line in sys.stdin:
            request = json.loads(line)
            steps = [make(digest, float(request["manifest"])) for digest in request["digests"]]
            replies.write(json.dumps({"done": [os.getpid(), *steps]}) + "\n")
            replies.flush()


if __name__ == "__main__":
    main()
