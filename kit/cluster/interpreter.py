"""What Ray's worker does: it supervises one fresh interpreter of the kit, and publishes its work.

Nothing here imports Ray or a model library. An interpreter has a cache of its own, a log in the
shared cache, and the variables of the driver that decide how libraries behave.
"""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from kit.cluster.faults import fields_of
from kit.cluster.places import Place
from kit.cluster.private_cache import JOB, PrivateCache
from kit.errors import KitError
from kit.failures import kit_error

TICK_S = 1.0  # between two looks at what is finished
PATIENCE_S = 300.0  # for the shared folder to be there, and to take what was made
TAIL = 2000  # bytes of the log of an interpreter that was killed
# Variables of the driver that an interpreter gets, too: those of run.sh and `kit.console`.
VARIABLES = (
    "PYTHONNOUSERSITE", "TOKENIZERS_PARALLELISM", "OMP_WAIT_POLICY", "HF_HUB_DISABLE_TELEMETRY",
    "DO_NOT_TRACK", "ANONYMIZED_TELEMETRY", "VLLM_NO_USAGE_STATS", "VLLM_DO_NOT_TRACK",
    "PYTHONWARNINGS", "TORCH_CPP_LOG_LEVEL", "TRANSFORMERS_VERBOSITY",
    "HF_HUB_DISABLE_PROGRESS_BARS", "TQDM_DISABLE", "VLLM_LOGGING_LEVEL",
)  # fmt: skip
# Ray sets the first from the number of CPUs of a task; the manifest decides about threads. The keys
# of an object store are for the supervisor alone.
NOT_PASSED_ON = ("OMP_NUM_THREADS", "RAY_", "AWS_")
CHILD = "kit.cluster.child"
TRAIN = "train"  # the kind of work that has checkpoints

Reply = dict[str, Any]
"""`done`: what the work returned; `error`: fields of an error; `ended`: how it was killed.

`made`: {name: digest} of what was published in an object store.
"""


def variables() -> dict[str, str]:
    """Return the variables of this process that an interpreter needs."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def kit_environment(cache: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an interpreter: a part of the node's, and the driver's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(NOT_PASSED_ON)}
    return {**kept, **given, "PYTHONPATH": str(PROJECT), "PEBENCH_CACHE": str(cache)}


class Interpreter:
    """One interpreter on this node, its private cache, and its log.

    Args:
        python: of the experiment's environment.
        place: where artifacts of the cluster live.
        token: names the interpreter.
        node: the node, as the cluster names it.
        given: variables of the driver.
        module: what the interpreter runs; a test has another one.
    """

    def __init__(
        self,
        python: str,
        place: Place,
        token: str,
        node: str,
        given: Mapping[str, str],
        module: str = CHILD,
    ) -> None:
        self._place, self._token, self._node = place, token, node
        self._cache = PrivateCache(place.root, token)
        self._log = place.root / "logs" / f"ray-{token}.log"
        patiently(self._open)
        self._failed = False
        self._replies, descriptor = os.pipe()
        code = [python, "-P", "-m", module, str(os.getpid()), str(descriptor)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                code,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=kit_environment(self._cache.folder, given),
                pass_fds=[descriptor],
            )
        os.close(descriptor)

    def _open(self) -> None:
        (self._cache.shared / "artifacts").mkdir(parents=True, exist_ok=True)
        self._cache.open()
        self._place.sign(self._token, self._node)
        self._log.parent.mkdir(exist_ok=True)

    def ask(self, line: str, lent: Mapping[str, str]) -> Reply:
        """Let the interpreter do a piece of work, and publish all that it finishes.

        Args:
            line: the request.
            lent: {name: digest} of what it reads, in an object store.

        Returns:
            The reply. It is an error also where nothing could be brought, or what was made could
            not be published for some minutes.
        """
        self._failed = True
        request = json.loads(line)
        try:
            reply = self._asked(line, request, lent)
        except (KitError, OSError) as error:
            return {"error": fields_of(kit_error(error, request["place"]))}
        self._failed = "done" not in reply
        return reply

    def _asked(self, line: str, request: Mapping[str, Any], lent: Mapping[str, str]) -> Reply:
        self._place.bring(lent)
        self._place.find(request["makes"])
        patiently(self._cache.refresh)
        if request["kind"] == TRAIN:
            self._cache.adopt(request["digests"])
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has died; the reply says how
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        reply = self._reply()
        patiently(self._publish_all)
        made = {f"artifacts/{name}" for name in self._cache.made}
        # What an earlier attempt on this machine could not publish in the store.
        made |= {n for n in request["makes"] if (self._cache.shared / n / JOB).is_file()}
        reply["made"] = self._place.give(sorted(made))
        self._cache.made.clear()
        return reply

    def close(self) -> None:
        """End the interpreter. Unless it failed, remove its log, and its cache with checkpoints."""
        self._process.kill()
        self._process.wait()
        os.close(self._replies)
        self._place.end(self._token)
        if not self._failed:
            self._cache.close()
            self._log.unlink(missing_ok=True)

    def _reply(self) -> Reply:
        received = b""
        while not received.endswith(b"\n"):
            if select.select([self._replies], [], [], TICK_S)[0]:
                part = os.read(self._replies, 1 << 16)
                if not part:
                    return {"ended": self._process.wait(), "log": self._tail()}
                received += part
            with suppress(OSError):  # a shared folder that is gone for a while
                self._place.sign(self._token, self._node)
                self._cache.publish()
        reply: Reply = json.loads(received)
        return reply

    def _publish_all(self) -> None:
        self._cache.publish()
        self._cache.publish_files()

    def _tail(self) -> str:
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - TAIL))
            return log.read().decode(errors="replace")


def patiently(action: Callable[[], None]) -> None:
    """Do something in the shared folder, which may be gone, full or read-only for a while.

    Raises:
        OSError: it was for some minutes.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return action()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(TICK_S)
