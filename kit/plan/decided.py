"""What decides each job of a plan, kept beside the artifacts: a later plan can say what changed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kit.artifacts import Artifact, cache_root, write_bytes
from kit.digests import sha256_value
from kit.plan.attacks import attack_jobs
from kit.plan.inputs import inputs_of
from kit.plan.jobs import Plan

Inputs = Mapping[str, Any]
LONG = 8  # entries; a longer table, such as that of the code, is written once for all jobs


def artifacts_of(plan: Plan) -> Iterator[Artifact]:
    """Yield everything that a plan makes, in the order in which it is made."""
    for job in plan.jobs():
        yield job.artifact
    for system in plan.systems:
        yield system.answers
        yield system.agreement
        yield from system.scores.values()
    for attack in attack_jobs(plan):
        yield from (job.artifact for job in attack.relearned.values())
        if attack.pictures is not None:
            yield attack.pictures
        yield attack.answers


def keep_inputs(plan: Plan) -> None:
    """Write what decides each artifact of a plan that is about to be run, unless it is there."""
    digests = [artifact.digest for artifact in artifacts_of(plan)]
    path = cache_root() / "artifacts" / f"decided-{sha256_value(digests)[:16]}.json"
    if path.is_file():
        return
    tables: dict[str, object] = {}
    jobs = {digest: _shared(inputs_of(digest), tables) for digest in digests}
    write_bytes(path, json.dumps({"jobs": jobs, "tables": tables}).encode())


def read_inputs() -> dict[str, Inputs]:
    """Return what decided the artifacts of earlier runs with this cache, by their digests."""
    found: dict[str, Inputs] = {}
    for path in sorted((cache_root() / "artifacts").glob("decided-*.json")):
        try:
            kept = json.loads(path.read_bytes())
            for digest, inputs in kept["jobs"].items():
                found[digest] = {
                    key: kept["tables"][value["table"]] if _is_shared(value) else value
                    for key, value in inputs.items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue  # cut off, or changed by hand
    return found


def finished() -> dict[str, list[str]]:
    """Return {stage and name of finished artifacts: how their digests begin}."""
    found: dict[str, list[str]] = {}
    for record in (cache_root() / "artifacts").glob("*/job.json"):
        name, _, begin = record.parent.name.rpartition("-")
        found.setdefault(name, []).append(begin)
    return found


def _shared(inputs: Inputs, tables: dict[str, object]) -> dict[str, object]:
    """Return inputs whose long tables are replaced by names; the tables are put into `tables`."""
    written: dict[str, object] = {}
    for key, value in inputs.items():
        if isinstance(value, dict) and len(value) > LONG:
            name = sha256_value(value)[:16]
            tables[name] = value
            value = {"table": name}
        written[key] = value
    return written


def _is_shared(value: object) -> bool:
    return isinstance(value, dict) and list(value) == ["table"]
