"""What Ray's worker does: it supervises one fresh interpreter of the kit, and publishes its work.

Nothing here imports Ray or a model library. An interpreter has a cache of its own, a log in the
shared cache, and the variables of the driver that decide how libraries behave.
"""

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from kit.cluster.private_cache import PrivateCache, folder_of

TICK_S = 1.0  # between two looks at what is finished
PATIENCE_S = 300.0  # for the shared folder to be there, and to take what was made
TAIL = 2000  # bytes of the log of an interpreter that was killed
NODE = "node.json"  # which node an interpreter runs on; touched as long as its supervisor lives
# Variables of the driver that an interpreter gets, too: those of run.sh and `kit.console`.
VARIABLES = (
    "PYTHONNOUSERSITE", "TOKENIZERS_PARALLELISM", "OMP_WAIT_POLICY", "HF_HUB_DISABLE_TELEMETRY",
    "DO_NOT_TRACK", "ANONYMIZED_TELEMETRY", "VLLM_NO_USAGE_STATS", "VLLM_DO_NOT_TRACK",
    "PYTHONWARNINGS", "TORCH_CPP_LOG_LEVEL", "TRANSFORMERS_VERBOSITY",
    "HF_HUB_DISABLE_PROGRESS_BARS", "TQDM_DISABLE", "VLLM_LOGGING_LEVEL",
)  # fmt: skip
# Ray sets this from the number of CPUs of a task. The manifest decides about threads.
OF_RAY = "OMP_NUM_THREADS"
CHILD = "kit.cluster.child"
TRAIN = "train"  # the kind of work that has checkpoints

Reply = dict[str, Any]
"""`done`: what the work returned; `error`: fields of an error; `ended`: how it was killed."""


def variables() -> dict[str, str]:
    """Return the variables of this process that an interpreter needs."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def kit_environment(cache: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an interpreter: the node's, less Ray's, and the driver's."""
    kept = {k: v for k, v in os.environ.items() if k != OF_RAY and not k.startswith("RAY_")}
    return {**kept, **given, "PYTHONPATH": str(PROJECT), "PEBENCH_CACHE": str(cache)}


class Interpreter:
    """One interpreter on this node, its private cache, and its log.

    Args:
        cache: the shared cache.
        token: names the interpreter.
        python: of the experiment's environment.
        node: the node, as the cluster names it.
        given: variables of the driver.
        module: what the interpreter runs; a test has another one.
    """

    def __init__(
        self,
        python: str,
        cache: str,
        token: str,
        node: str,
        given: Mapping[str, str],
        module: str = CHILD,
    ) -> None:
        self._cache = PrivateCache(Path(cache), token)
        self._node = self._cache.folder / NODE
        self._log = Path(cache) / "logs" / f"ray-{token}.log"
        patiently(lambda: self._open(node))
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

    def _open(self, node: str) -> None:
        self._cache.open()
        self._node.write_text(json.dumps({"node": node}), encoding="utf-8")
        self._log.parent.mkdir(exist_ok=True)

    def ask(self, line: str) -> Reply:
        """Let the interpreter do a piece of work, and publish all that it finishes.

        Raises:
            OSError: what it made could not be published for some minutes.
        """
        self._failed = True
        patiently(self._cache.refresh)
        request = json.loads(line)
        if request["kind"] == TRAIN:
            self._cache.adopt(request["digests"])
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has died; the reply says how
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        reply = self._reply()
        patiently(self._publish_all)
        self._failed = "done" not in reply
        return reply

    def close(self) -> None:
        """End the interpreter. Unless it failed, remove its log, and its cache with checkpoints."""
        self._process.kill()
        self._process.wait()
        os.close(self._replies)
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
                os.utime(self._node)
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


def heard_of(cache: Path, token: str) -> tuple[str, float] | None:
    """Return the node of an interpreter, and when its supervisor last showed that it lives.

    None where it has not begun, or where the shared folder cannot be read.
    """
    path = folder_of(cache, token) / NODE
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["node"]), path.stat().st_mtime
    except (OSError, ValueError):
        return None


def tidy(cache: Path) -> None:
    """Remove what interpreters left that were killed; call it when none runs."""
    for token in (path.name for path in folder_of(cache, "").glob("*")):
        for begun in (cache / "artifacts").glob(f".*.{token}"):  # killed while it published
            shutil.rmtree(begun) if begun.is_dir() else begun.unlink()
    shutil.rmtree(folder_of(cache, ""), ignore_errors=True)
