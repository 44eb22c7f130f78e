"""A whole run in processes of its own: the verbs as `run.sh` calls them, stopped when asked."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from tests.toys.canaries import MARK, SECRETS

PATIENCE = 2_400  # seconds until a test gives up; a slow machine shares its cores with other tests


def heed_ctrl_c() -> None:
    """A shell in the background starts its children deaf to SIGINT, and they would stay so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """One cache, one folder of results and one key; verbs are called as `run.sh` calls them."""

    def __init__(self, root: Path, manifest: str) -> None:
        self.root = root
        self.manifest = root / "shrunk.toml"
        self.cache, self.results = root / "cache", root / "results"
        self.manifest.write_text(manifest, encoding="utf-8")

    def start(self, verb: str = "all", *arguments: str) -> "subprocess.Popen[str]":
        places = {
            "PEBENCH_CACHE": self.cache,
            "PEBENCH_RESULTS": self.results,
            "XDG_CONFIG_HOME": self.root / "config",
            "PYTHONPATH": PROJECT,
            **{name: f"{MARK}-{name}" for name in SECRETS},
        }
        environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
        environment.pop("PYTHONWARNINGS", None)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "kit", verb, *(arguments or (str(self.manifest),))],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=heed_ctrl_c,
        )

    def call(self, verb: str = "all", *arguments: str) -> tuple[int, str]:
        process = self.start(verb, *arguments)
        output, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, output

    def stop_once(self, pattern: str, number: signal.Signals) -> str:
        """Start `all`, send a signal as soon as a file of the cache matches, return the output."""
        process = self.start()
        end = time.monotonic() + PATIENCE
        while not any(self.cache.glob(pattern)):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, f"{pattern} did not appear"
            time.sleep(0.02)
        if number is signal.SIGINT:  # as a terminal does it: to every process of the group
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        output, _ = process.communicate(timeout=30)  # ends only once no worker holds the pipe
        end = time.monotonic() + 10  # Python's own tracker of semaphores ends a little later
        while left := members(process.pid):
            assert time.monotonic() < end, f"processes go on after the end of their run: {left}"
            time.sleep(0.1)
        return f"{process.returncode}\n{output}"

    @property
    def result(self) -> Path:
        (folder,) = (path for path in self.results.iterdir() if path.is_dir())
        return folder

    def record(self) -> dict[str, Any]:
        """Return run.json."""
        return dict(json.loads((self.result / "run.json").read_bytes()))

    def times(self) -> dict[Path, int]:
        """Return the modification time of every file that a stage has made."""
        places = (self.cache / "artifacts", self.cache / "data", self.results)
        files = [path for place in places for path in place.rglob("*") if path.is_file()]
        about_calls = [p for p in files if p.name.startswith("attempts-") or p.suffix == ".lock"]
        return {path: path.stat().st_mtime_ns for path in files if path not in about_calls}


def members(group: int) -> list[int]:
    """Return the living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found
