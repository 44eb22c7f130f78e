"""The first twelve minutes on a card: does it compute right, how fast, and in how much memory?

    ./run.sh bench first_minutes [--scale full|tiny] [--output FILE] [--seconds N] [--steps ...]

Needs torch, transformers, peft, bitsandbytes and the kit's small packages; no vLLM, no network, no
weights and no disk. Models are random, of LLaVA 1.5 7B's and Qwen2.5-VL 7B's sizes, and made on the
card. Every step runs in a process of its own with its own time limit, and FILE is written after
each: what fails or is killed ends nothing else. `--scale tiny` tries all of it on a CPU. Where the
kit's environment is missing, `python -m tests.bench.first_minutes` does the same.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT, results_root
from tests.bench.minutes.notes import Notes, failures

SECONDS = 720
PATIENCE = {"full": 1, "tiny": 5}  # on a CPU that others use as well
KIT = ("pydantic", "pyarrow", "PIL")
MODELS = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", *KIT)
TESTS = ("pytest", "cryptography", "bcrypt", "pandas", "jinja2")
LOG_LINES = 30


@dataclass(frozen=True)
class Part:
    """One step: where its code is, how many seconds it gets, and which packages it needs."""

    module: str
    limit_s: int
    packages: tuple[str, ...] = MODELS
    function: str = "run"


PARTS = {  # the limits add up to SECONDS
    "machine": Part("machine", 60, ()),
    "nf4": Part("nf4", 45),
    "gpu-tests": Part("gpu_tests", 105, (*MODELS, *TESTS)),
    "padding": Part("padding", 45),
    "training": Part("training", 210),
    "bfloat16": Part("training", 90, function="run_bfloat16"),
    "profile": Part("profile", 45),
    "qwen": Part("qwen", 70),
    "answers": Part("answers", 50),
}


def main() -> int:
    """Run the steps; return 0 if all went well, 1 if something failed, 3 without a GPU."""
    asked = _arguments()
    if asked.run:
        part = PARTS[asked.run]
        module = importlib.import_module(f"tests.bench.minutes.{part.module}")
        getattr(module, part.function)(Notes(asked.output), asked.scale)
        return 0
    output = asked.output or results_root() / "first-minutes.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    budget = asked.seconds or SECONDS * PATIENCE[asked.scale]
    found: dict[str, Any] = {"scale": asked.scale, "budget_s": budget, "steps": {}}
    ends = time.monotonic() + budget
    for name in asked.steps or PARTS:
        limit = min(PARTS[name].limit_s * PATIENCE[asked.scale], ends - time.monotonic())
        print(f"{name}: at most {limit:.0f} s", file=sys.stderr, flush=True)
        found["steps"][name] = one = _step(name, asked.scale, limit)
        _write(output, found)
        print(f"{name}: {one['ended']} after {one['seconds']} s", file=sys.stderr, flush=True)
        if asked.scale == "full" and one["found"].get("card", {}).get("cuda") is False:
            print("error: torch sees no GPU\n  remedy: --scale tiny", file=sys.stderr)
            return 3
    wrong = _wrong(found)
    print("\n".join([*wrong, f"wrote {output}"]), file=sys.stderr)
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run.sh bench first_minutes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scale", choices=("full", "tiny"), default="full")
    parser.add_argument("--output", type=Path, help="default: first-minutes.json, in the results")
    parser.add_argument("--seconds", type=float, help=f"for all steps; default: {SECONDS}")
    parser.add_argument("--steps", nargs="+", choices=PARTS, help="default: all, in this order")
    parser.add_argument("--run", choices=PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def _step(name: str, scale: str, limit: float) -> dict[str, Any]:
    """Run one step in a new process; return how it ended, its seconds, results and last lines."""
    missing = [package for package in PARTS[name].packages if find_spec(package) is None]
    if missing:
        ended = f"not run: {', '.join(missing)} missing"
        return {"ended": ended, "seconds": 0.0, "found": {}, "log": []}
    if limit < 1:
        return {"ended": "not run: no time is left", "seconds": 0.0, "found": {}, "log": []}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        notes, log = Path(folder) / "notes.json", Path(folder) / "log"
        command = [sys.executable, "-m", "tests.bench.first_minutes", "--run", name]
        with log.open("wb") as lines:
            process = subprocess.Popen(
                [*command, "--scale", scale, "--output", str(notes)],
                cwd=PROJECT,
                stdout=lines,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": _path(), "HF_HUB_OFFLINE": "1"},
            )
            ended = _ended(process, limit)
        return {
            "ended": ended,
            "seconds": round(time.monotonic() - started, 1),
            "found": json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {},
            "log": log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:],
        }


def _path() -> str:
    return os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))


def _ended(process: subprocess.Popen[bytes], limit: float) -> str:
    """Wait for a process, and kill it with all that it started where it takes too long."""
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        code = None
    with suppress(ProcessLookupError):  # nothing is left of it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if code is None:
        return f"killed: it took longer than {limit:.0f} s"
    return "finished" if code == 0 else f"failed: exit code {code}"


def _wrong(found: dict[str, Any]) -> list[str]:
    lines = []
    for name, one in found["steps"].items():
        if one["ended"] != "finished":
            lines.append(f"{name}: {one['ended']}{''.join(f' ({x})' for x in one['log'][-1:])}")
        lines += failures(one["found"], name)
    return lines


def _write(output: Path, found: dict[str, Any]) -> None:
    partial = output.with_name(output.name + ".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, output)


if __name__ == "__main__":
    raise SystemExit(main())
