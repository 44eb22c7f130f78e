"""What the appendix and the checklist say of a result, each in one line."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kit.exchange.exported import Exported
from kit.experiment.hub import repository_page
from kit.report.pages import seconds
from kit.result.layout import ADAPTERS, ANSWERS, RECORDS
from kit.result.made_by import machine_of
from kit.result.run_file import labels
from kit.sums import add_up

AUTHORS = "To be stated by the authors."
UNRECORDED = "not recorded by the run"


def program(exported: Exported) -> str:
    """Return the program and its version."""
    kit = exported.stored.kit
    revision = f", git revision {kit.revision}" if kit.revision else ", of no stated git revision"
    return f"PEBench reproducibility kit {kit.version}{revision}"


def methods(exported: Exported) -> list[str]:
    """Return the printed names of the methods, in the order of the tables."""
    return list(labels(exported.stored.systems).values())


def sources(exported: Exported, *, base: bool) -> list[Mapping[str, Any]]:
    """Return the source of the base model, or those of the data."""
    manifest = exported.run["manifest"]
    models = [manifest[key]["source"]["name"] for key in ("model", "judge") if key in manifest]
    if base:
        return [each for each in exported.run["sources"] if each["name"] == models[0]]
    return [each for each in exported.run["sources"] if each["name"] not in models]


def source_line(source: Mapping[str, Any], kind: str) -> str:
    """Return where a source is and what identifies its bytes; `kind` is dataset or model."""
    where = repository_page(source["repo"], kind) if source.get("repo") else source["origin"]
    revision = f"revision {source['revision']}; " if source.get("revision") else ""
    return f"{where} ({revision}SHA-256 of its checksum list {source['list_digest']})"


def licence(source: Mapping[str, Any]) -> str:
    """Return the licence of a source as the manifest states it."""
    return str(source.get("licence") or "none stated in the manifest")


def hardware(exported: Exported) -> str:
    """Return the machine of the run."""
    return machine_of(exported.run)


def engine_of(run: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and the version of the engine that answered; "unknown" where not recorded."""
    found = run.get("engine") or {}
    named = found.get("engine") or run["manifest"].get("evaluation", {}).get("engine")
    return str(named or "unknown"), str(found.get("version") or "unknown")


def software(exported: Exported) -> str:
    """Return the environment of the run."""
    found = exported.run.get("environment", {})
    packages = found.get("packages", {})
    main = [f"{name} {packages[name]}" for name in ("torch", "transformers", "peft", "vllm",
            "bitsandbytes") if name in packages]  # fmt: skip
    lock = f"; lock file SHA-256 {found['lock_digest']}" if found.get("lock_digest") else ""
    return (
        f"Python {found.get('python', 'of no recorded version')}; {len(packages)} packages in "
        f"fixed versions{', among them ' if main else ''}{', '.join(main)}{lock}"
    )


def sizes(exported: Exported) -> str:
    """Return how much a result holds."""
    tables = exported.stored.tables
    adapters = {n.split("/")[1] for n in exported.digests if n.startswith(f"{ADAPTERS}/")}
    return (
        f"{len(exported.stored.systems)} systems, {len(tables[RECORDS])} questions, "
        f"{len(tables[ANSWERS])} answers, {exported.stored.rows.num_rows} metric rows, "
        f"{len(adapters)} adapters, {len(exported.digests)} signed files"
    )


def disk(exported: Exported) -> str:
    """Return the size of the result on disk."""
    size = sum((exported.folder / name).stat().st_size for name in exported.digests)
    return f"{size / 1e6:.1f} MB for the result; the run did not record what its cache takes"


def stage_times(exported: Exported) -> Iterator[tuple[str, str]]:
    """Yield each stage with its measured time."""
    for stage in exported.contents.facts["stages"]:
        number, reused = stage.get("jobs"), stage.get("jobs_skipped") or 0
        more = f", {reused} of them finished before" if reused else ""
        counted = f" ({jobs(number)}{more})" if number else ""
        yield stage["stage"], f"{seconds(stage.get('seconds'))}{counted}"


def jobs(number: int) -> str:
    """Return a number of jobs in words."""
    return f"{number} job{'s' * (number != 1)}"


def total_time(exported: Exported) -> str:
    """Return the time of all stages; what was finished before is not in it, and is said."""
    stages = exported.contents.facts["stages"]
    measured = (each.get("seconds") for each in stages)
    known = [time for time in measured if time is not None]
    if not known:
        return UNRECORDED
    reused = sum(each.get("jobs_skipped") or 0 for each in stages)
    said = f"{seconds(add_up(known))} on the machine of the run"
    return f"{said}; finished before, and not in it: {jobs(reused)}" if reused else said


def verdicts(exported: Exported) -> str:
    """Return how many claims have which verdict."""
    counts = Counter(str(claim["verdict"]) for claim in exported.contents.facts["claims"])
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))


def seeds(exported: Exported) -> str:
    """Return the seeds of unlearning."""
    found = sorted({s["seed"] for s in exported.stored.systems if s["seed"] is not None})
    return ", ".join(map(str, found)) or "none"
