"""What a piece of work reads: artifacts that are finished, and data. Paths below the cache.

With a shared folder every node has all of it. With an object store a node is told what to bring, so
what is named here has to be enough; more does no harm.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kit.artifacts import Artifact, cache_root
from kit.cluster.kinds import ANSWER, ATTACKING, METHODS, SERVE, systems_of
from kit.experiment.manifest import Manifest
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Job, Plan
from kit.plan.systems import System
from kit.sources.checksum_lists import is_locked, local_list
from kit.sources.own_folders import is_own
from kit.sources.places import listed_place

SERVED = {ANSWER, *ATTACKING}  # kinds of work that may ask an engine
OF_THE_BASE = {METHODS, SERVE}  # kinds of work that read no artifact


def below_cache(path: Path) -> str:
    """Return a path of the cache as it is called below it."""
    return path.relative_to(cache_root()).as_posix()


def data_of(manifest: Manifest) -> tuple[str, ...]:
    """Return the data and weights of a manifest that are in the cache: their listed files alone."""
    found: dict[str, None] = {}
    for source in manifest.all_sources():
        here = listed_place(source)
        places = [here.images]
        if not source.folder or is_own(source):  # the kit's own folders are in every kit
            places.append(here.path)
        if not is_locked(source):
            places.append(local_list(source))
        found |= {below_cache(place): None for place in places if place.exists()}
    return tuple(found)


def needs_of_training(job: Job) -> tuple[str, ...]:
    """Return the adapters that a training job reads."""
    return _finished([*job.below, *([job.oracle] if job.oracle else [])])


def needs_of(kind: str, plan: Plan, names: Sequence[str]) -> tuple[str, ...]:
    """Return the artifacts that a kind of work reads for artifacts of these names."""
    if kind in OF_THE_BASE:
        return ()
    about = systems_of(kind, plan)
    systems = {about[name] for name in names}
    read = [artifact for s in plan.systems if s.name in systems for artifact in _of_system(s)]
    if kind in SERVED:
        read.append(plan.serving)
        if plan.manifest.evaluation.serving != "merged":  # room is made for every adapter
            read += [artifact for system in plan.systems for artifact in system.adapters]
            if kind in ATTACKING:
                relearned = (e for attack in attack_jobs(plan) for e in attack.relearned.values())
                read += [each.artifact for each in relearned]
    if kind in ATTACKING:
        for attack in attack_jobs(plan):
            if attack.answers.name in names:
                read += [job.artifact for job in attack.relearned.values()]
                read += [attack.pictures] if attack.pictures is not None else []
    # Vanilla reads the answers of others, and distances are measured to Retain-only models.
    return _finished([*read, *(job.artifact for job in plan.finetune)])


def _of_system(system: System) -> Iterator[Artifact]:
    yield from system.adapters
    yield system.answers
    for _, adapters in (system.references or {}).values():
        yield from adapters


def _finished(read: Iterable[Artifact]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(below_cache(each.path) for each in read if each.done))
