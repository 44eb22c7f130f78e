"""The tests of training on a GPU, each with its outcome; without a GPU they are only collected."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch

from kit.artifacts import PROJECT

TESTS = "tests/gpu/test_training_on_a_gpu.py"


def run(notes: Any, scale: str) -> None:
    """Note every test's outcome and time, with the message of those that failed."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", TESTS]
    if not torch.cuda.is_available():
        done = subprocess.run([*command, "--collect-only"], cwd=PROJECT)
        notes.note("collected", {"as_expected": done.returncode == 0})
        return
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run([*command, f"--junitxml={report}"], cwd=PROJECT)
        cases = list(ElementTree.parse(report).iter("testcase")) if report.is_file() else []
        for case in cases:
            notes.note(str(case.get("name")), _outcome(case))
    notes.note("all", {"tests": len(cases), "as_expected": done.returncode == 0 and bool(cases)})


def _outcome(case: ElementTree.Element) -> dict[str, Any]:
    wrong = [each for each in case if each.tag in ("failure", "error", "skipped")]
    found: dict[str, Any] = {"seconds": float(case.get("time") or 0)}
    if wrong:
        found["failed"] = f"{wrong[0].tag}: {wrong[0].get('message') or wrong[0].text or ''}"[:600]
    return found
