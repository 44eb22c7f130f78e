"""Checks before a run: what the manifest needs, what the machine has, and the remedies."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kit.doctor.check import Check
from kit.doctor.inputs import examine_base, examine_methods, examine_records, examine_training
from kit.doctor.machine import examine_machine
from kit.doctor.packages import examine_packages
from kit.doctor.places import examine_places
from kit.doctor.readings import Readings, read_machine
from kit.doctor.resources import Resources, resources_of
from kit.errors import KitError
from kit.experiment.manifest import Manifest


def examine(
    manifest: Path, readings: Readings | None = None, changes: Sequence[str] = ()
) -> list[Check]:
    """Run every check; none of them changes anything.

    Args:
        manifest: decides how much is needed. A broken manifest is itself a failed check.
        readings: what the machine has; read from this machine if not given.
        changes: those of `--set`.
    """
    found = readings or read_machine()
    loaded, inputs = _examine_inputs(manifest, changes)
    needed = resources_of(loaded) if loaded else Resources()
    largest = max(found.gpus, key=lambda gpu: gpu.memory, default=None)
    return [
        *examine_machine(found, needed),
        *(examine_training(loaded, largest) if loaded and largest else []),
        *examine_packages(found),
        *examine_places(found, needed),
        *inputs,
    ]


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


def exit_code(checks: list[Check]) -> int:
    """Return 0, or the exit code of the first check that failed (kit/errors.py has the list)."""
    return next((check.exit_code for check in checks if check.failed), 0)


def _examine_inputs(path: Path, changes: Sequence[str]) -> tuple[Manifest | None, list[Check]]:
    """Load the manifest and check the files it reads; an error becomes a failed check."""
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.jobs import make_plan
    from kit.sources.datasets import verify_base

    loaded, checks = None, []
    try:
        loaded = load_manifest(path, changes=changes)
        plan = make_plan(loaded)
        checks.append(Check("manifest", f"{loaded.name}, {len(plan.systems)} systems"))
        verify_base(loaded)
        checks.append(Check("base weights", "every file has its listed digest"))
        checks += examine_base(loaded)
        checks.append(examine_records(plan))
        checks.append(examine_methods(plan))
    except KitError as error:
        found = f"{error.what}: found {error.found}" if error.found is not None else error.what
        remedy = error.remedy or "see the line above"
        checks.append(Check("inputs", found, True, remedy, error.exit_code))
    return loaded, checks
