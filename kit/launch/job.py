"""What every scheduler needs to know about a job: its command, its resources, the work left."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.artifacts import PROJECT
from kit.doctor.resources import Resources, resources_of
from kit.errors import ManifestError
from kit.experiment.cards import cards_of_all
from kit.experiment.changes import FLAG
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import EXTENDS
from kit.fetch.settings import Settings
from kit.launch.nodes import ONE, RAY_BYTES
from kit.plan.jobs import Plan, make_plan
from kit.plan.names import require_names
from kit.plan.several_cards import require_one_card
from kit.sources import datasets
from kit.sources.checksum_lists import is_locked, local_list

TIME = re.compile(r"(?:(\d+)-)?(\d{1,2}):([0-5]\d):([0-5]\d)", re.ASCII)
MEBIBYTE, GIBIBYTE = 1 << 20, 1 << 30
DEFAULT_RESTARTS = 3
MIN_DISK_BYTES = Resources().disk  # what the small experiments were measured with
MAX_LABEL_CHARACTERS = 63  # of a name in Kubernetes


@dataclass(frozen=True)
class Job:
    """One call of `all`, on one machine or on a Ray cluster of several.

    `work` is one line on what is left to do; `arguments` are those of run.sh; `cards` counts the
    GPUs that all processes use; `gated` is whether a source needs a token. `licences` names the
    sources whose licences were not accepted. `documents` holds the text of the manifest, and of the
    one it extends, by file name. `folders` are the sources that the user has to copy to the
    machine, as (name, folder). `time` is the limit in seconds, None for no limit; `restarts` is how
    often the job may start again. `nodes` counts the machines: cores, workers, GPUs and memory are
    those of each.
    """

    title: str
    run_name: str
    work: str
    manifest: str
    arguments: tuple[str, ...]
    resources: Resources
    cores: int
    workers: int
    cards: int
    gated: bool
    licences: tuple[str, ...]
    documents: dict[str, str]
    folders: tuple[tuple[str, str], ...]
    image: str | None = None
    time: int | None = None
    restarts: int = DEFAULT_RESTARTS
    nodes: int = ONE

    @property
    def name(self) -> str:
        """The result's name as Kubernetes and SkyPilot allow it."""
        return self.name_within(MAX_LABEL_CHARACTERS)

    def name_within(self, limit: int) -> str:
        """Return the result's name in at most `limit` characters; its digest is never cut."""
        name, _, digest = self.run_name.replace("_", "-").rpartition("-")
        return f"{name[: limit - len(digest) - 1].rstrip('-')}-{digest}"

    @property
    def target(self) -> str:
        """Which of the two images runs it."""
        return "gpu" if self.resources.gpu else "cpu"

    @property
    def gpus(self) -> int:
        """The number of GPUs: each worker trains on its own, or on several that share the base."""
        return self.cards if self.resources.gpu else 0

    @property
    def memory(self) -> int:
        """The bytes to request: schedulers count shared memory as memory of the job."""
        ray = RAY_BYTES if self.nodes > ONE else 0
        return self.resources.memory + self.resources.shared_memory + ray

    @property
    def disk(self) -> int:
        """The bytes of cache and results together."""
        return max(self.resources.disk, MIN_DISK_BYTES)


def make_job(
    path: Path,
    manifest: Manifest,
    changes: Sequence[str] = (),
    *,
    image: str | None = None,
    time: str | None = None,
    restarts: int | None = None,
    nodes: int | None = None,
    **flags: bool,
) -> Job:
    """Return the job of a manifest.

    Args:
        path: of the manifest.
        manifest: its content.
        changes: those of `--set` that it holds already; they go into the job's arguments.
        image: container image or SIF file.
        time: limit as HH:MM:SS or D-HH:MM:SS.
        restarts: how often the job may start again.
        nodes: on how many machines (default: 1); several become a Ray cluster.
        flags: those of a fetch (`kit.fetch.settings.Settings`); they go into the job's arguments.

    Raises:
        ManifestError: a checksum list is missing, the manifest names something that does not exist,
            a job file cannot contain its path, or `time` is not a duration.
    """
    settings = Settings(**flags)
    if (nodes or ONE) > ONE:
        require_one_card(manifest, "--nodes")
    work = describe_work(_make_plan(manifest, settings))
    path = path if path.exists() or path.is_absolute() else PROJECT / path
    name = _job_path(path)
    remote = [source for source in manifest.all_sources() if source.repo or source.mirrors]
    given = ["--" + name.replace("_", "-") for name, on in sorted(flags.items()) if on]
    return Job(
        title=manifest.title,
        run_name=manifest.run_name,
        work=work,
        manifest=name,
        arguments=("all", name, *(word for change in changes for word in (FLAG, change)), *given),
        resources=resources_of(manifest),
        cores=manifest.compute.threads * manifest.compute.workers * manifest.compute.shards,
        workers=manifest.compute.workers,
        cards=cards_of_all(manifest),
        gated=any(source.gated for source in remote) and not settings.offline,
        licences=tuple(s.name for s in remote if not settings.accept_licences),
        documents=_documents(path),
        folders=tuple(
            (source.name, source.folder)
            for source in manifest.all_sources()
            if source.folder and Path(source.folder).parts[0] != "kit"  # part of the project
        ),
        image=image,
        time=None if time is None else seconds_of(time),
        restarts=DEFAULT_RESTARTS if restarts is None else restarts,
        nodes=nodes or ONE,
    )


def _make_plan(manifest: Manifest, settings: Settings) -> Plan | None:
    """Return the plan; None if it depends on checksum lists that the job's own fetch will make."""
    require_names(manifest)
    datasets.require_lists(manifest, settings)
    if all(is_locked(s) or local_list(s).is_file() for s in manifest.all_sources()):
        return make_plan(manifest)
    return None


def describe_work(plan: Plan | None) -> str:
    """Return a line on what a plan has left to do, without times: those were never measured."""
    if plan is None:
        return "To do: unknown, because checksum lists are missing (--allow-unlocked)."
    waiting = [job for job in plan.jobs() if not job.artifact.done]
    steps = sum(job.steps for job in waiting)
    systems = sum(not system.evaluated for system in plan.systems)
    return (
        f"To do when this file was made: {len(waiting)} adapters ({steps} optimisation steps), "
        f"{systems} systems to evaluate."
    )


def seconds_of(time: str) -> int:
    """Return the seconds of HH:MM:SS or D-HH:MM:SS.

    Raises:
        ManifestError: it has another form, or is zero.
    """
    matched = TIME.fullmatch(time)
    days, hours, minutes, seconds = (int(n or 0) for n in matched.groups()) if matched else [0] * 4
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not total:
        raise ManifestError(
            "--time is not a time limit",
            expected="HH:MM:SS or D-HH:MM:SS",
            found=time,
            remedy="for example --time 08:00:00",
        )
    return total


def _job_path(path: Path) -> str:
    """Return the manifest's path in the job file, relative to the project if it is in there."""
    resolved = path.resolve()
    name = str(resolved)
    if resolved.is_relative_to(PROJECT):
        name = resolved.relative_to(PROJECT).as_posix()
    if not name.isprintable() or resolved.suffix != ".toml":
        raise ManifestError(
            "a job file cannot contain the path of this manifest",
            expected="a path of printable characters that ends in .toml",
            found=repr(name),
            remedy="rename it",
        )
    return name


def _documents(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    base = tomllib.loads(text).get(EXTENDS)
    found = {path.name: text}
    if base is not None:
        found[str(base)] = (path.parent / base).read_text(encoding="utf-8")
    return found


def ceil_units(size: int, unit: int) -> int:
    """Return how many whole units hold a size; both are in bytes."""
    return -(-size // unit)
