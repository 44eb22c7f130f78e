"""Two nodes of a Ray cluster on one machine, each in a network namespace of its own.

Needs root, `ip`, and the environment of `./run.sh ray`. Each node is a process group that is killed
at the end: `ray stop` would also end every other Ray of this machine.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from kit.artifacts import PROJECT, cache_root

PORT = 6399
STORE_BYTES = 100_000_000
CLUSTERS = itertools.count(os.getpid())  # of this process: each has a name and a net of its own
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "false",
    "RAY_DEDUP_LOGS": "0",
}


def missing() -> str:
    """Return what this machine lacks for two nodes; "" if nothing."""
    if os.geteuid() != 0:
        return "root is needed for network namespaces"
    if shutil.which("ip") is None:
        return "the command ip is needed (Debian, Ubuntu: apt install iproute2)"
    return ""


ON_TWO_NODES = [  # the marks of a module whose tests need them
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing"),
]


def environment() -> Path:
    """Return the folder of the environment that has Ray; build it if it is missing.

    Raises:
        RuntimeError: it cannot be built.
    """
    done = subprocess.run(
        [PROJECT / "run.sh", "ray", "--version"],
        env={**os.environ, "PEBENCH_CACHE": str(cache_root())},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    built = sorted((cache_root() / "env").glob("ray-*/.complete"), key=lambda p: p.stat().st_mtime)
    return built[-1].parent


class TwoNodes:
    """A cluster of a head and one more node, joined by a cable that can be cut.

    Args:
        cache: the shared cache, or that of drivers.
        cpus: of each node.
        variables: further environment variables of nodes and drivers.
        caches: of each node, where they share none.
    """

    def __init__(
        self,
        cache: Path,
        cpus: int = 2,
        variables: dict[str, str] | None = None,
        caches: Sequence[Path] = (),
    ) -> None:
        self.cache, self._cpus = cache, cpus
        self.caches = caches or (cache, cache)
        self._variables = variables or {}
        self._ray = environment()
        number = next(CLUSTERS)
        tag = f"{number % 100000}"
        self._spaces = (f"pbA{tag}", f"pbB{tag}")
        self._cables = (f"pba{tag}", f"pbb{tag}")
        self._net = f"10.{number % 200 + 20}.77"
        self._nodes: dict[int, subprocess.Popen[bytes]] = {}
        self._folders = [Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp")) for _ in range(2)]

    @property
    def host(self) -> str:
        """The head's address in the net of the nodes."""
        return f"{self._net}.1"

    @property
    def address(self) -> str:
        """The head's address, for `--address`."""
        return f"{self.host}:{PORT}"

    def __enter__(self) -> "TwoNodes":
        try:
            for space in self._spaces:
                _ip("netns", "add", space)
            first, second = self._cables
            _ip("link", "add", first, "type", "veth", "peer", "name", second)
            for number, cable in enumerate(self._cables):
                space = self._spaces[number]
                _ip("link", "set", cable, "netns", space)
                _ip("-n", space, "addr", "add", f"{self._net}.{number + 1}/24", "dev", cable)
                _ip("-n", space, "link", "set", "lo", "up")
                _ip("-n", space, "link", "set", cable, "up")
            self.start(0)
            self.start(1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._nodes):
            self.kill(number)
        for number, space in enumerate(self._spaces):
            found = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True)
            for pid in found.stdout.split():  # what left its process group
                _kill(int(pid))
            subprocess.run(["ip", "netns", "delete", space], check=False)
            shutil.rmtree(self._folders[number], ignore_errors=True)

    def command(self, number: int, words: Sequence[str | Path]) -> list[str]:
        """Return a command that runs on a node."""
        return ["ip", "netns", "exec", self._spaces[number], *map(str, words)]

    def kit(self, *words: str) -> list[str]:
        """Return a command of the kit that runs on the head."""
        return self.python("-m", "kit", *words)

    def python(self, *words: str) -> list[str]:
        """Return a command of this Python that runs on the head."""
        return self.command(0, [sys.executable, "-P", *words])

    def variables(self) -> dict[str, str]:
        """Return the environment of nodes and drivers."""
        own = {"PYTHONPATH": str(PROJECT), "PEBENCH_CACHE": str(self.cache)}
        own |= {"PEBENCH_RAY": str(self._ray), "PYTHONNOUSERSITE": "1"}
        return {**os.environ, **SETTINGS, **own, **self._variables}

    def start(
        self,
        number: int,
        seen: Mapping[Path, Path] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Start a node: 0 is the head. On a busy machine Ray may give up after 30 s; try again.

        Args:
            seen: {folder: what this node sees in its place}.
            variables: of its environment, instead of those of both nodes.

        Raises:
            RuntimeError: it does not start.
        """
        for last in (False, False, True):
            self._start(number, seen or {}, variables or {})
            try:
                return self._until_up(number)
            except RuntimeError:
                self.kill(number)
                if last:
                    raise

    def _start(self, number: int, seen: Mapping[Path, Path], variables: Mapping[str, str]) -> None:
        role = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        words = [
            "start", *(role if number == 0 else [f"--address={self.address}"]), "--block",
            f"--node-ip-address={self._net}.{number + 1}", "--disable-usage-stats",
            f"--num-cpus={self._cpus}", "--num-gpus=0",
            f"--object-store-memory={STORE_BYTES}",
        ]  # fmt: skip
        if number == 0:
            words.append(f"--temp-dir={self._folders[0]}")
        # `ip netns exec` gives a command mounts of its own.
        mounts = "".join(f"mount --bind '{other}' '{folder}' && " for folder, other in seen.items())
        log = (self._folders[number] / "start.log").open("wb")
        self._nodes[number] = subprocess.Popen(
            self.command(
                number, ["sh", "-c", f'{mounts}exec "$@"', "sh", self._ray / "bin" / "ray", *words]
            ),
            env={**self.variables(), "PEBENCH_CACHE": str(self.caches[number]), **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def _until_up(self, number: int) -> None:
        log = self._folders[number] / "start.log"
        deadline = time.monotonic() + 300
        while "Ray runtime started" not in log.read_text(errors="replace"):
            if self._nodes[number].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"node {number} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.5)

    def kill(self, number: int) -> None:
        """Kill a node's raylet, and with it everything that it has started."""
        process = self._nodes.pop(number)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pid in self.pids(number):
            _kill(pid)

    def pids(self, number: int, containing: str = "") -> list[int]:
        """Return the processes of a node whose command line contains a text."""
        found = subprocess.run(
            ["ip", "netns", "pids", self._spaces[number]], capture_output=True, text=True
        )
        return [int(pid) for pid in found.stdout.split() if containing in _command_of(int(pid))]

    def cut(self) -> None:
        """Pull the cable between the nodes."""
        _ip("-n", self._spaces[1], "link", "set", self._cables[1], "down")

    def join(self) -> None:
        """Plug the cable in again."""
        _ip("-n", self._spaces[1], "link", "set", self._cables[1], "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
