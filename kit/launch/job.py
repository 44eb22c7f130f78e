"""What every scheduler has to know of a job: what it runs, what it needs, what is left to do."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from kit.artifacts import PROJECT
from kit.doctor.needs import Needs, needs_of
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import EXTENDS
from kit.fetch.settings import Settings
from kit.plan.jobs import Plan, make_plan
from kit.plan.names import require_names
from kit.sources import datasets
from kit.sources.checksum_lists import is_locked, local_list

TIME = re.compile(r"(?:(\d+)-)?(\d{1,2}):([0-5]\d):([0-5]\d)", re.ASCII)
MEBIBYTE, GIBIBYTE = 1 << 20, 1 << 30
RESTARTS = 3
LEAST = Needs()  # of disk, of any experiment: what the small ones were measured with
LABEL = 63  # characters of a name in Kubernetes


@dataclass(frozen=True)
class Job:
    """One call of `all` on one machine.

    `time` is in seconds, None without a limit; `restarts` is how often the job may start again;
    `arguments` are those of run.sh; `documents` are the texts of the manifest and of what it
    extends, by file name; `folders` are the sources that somebody has to bring (name, folder).
    """

    title: str
    run_name: str
    work: str
    manifest: str
    arguments: tuple[str, ...]
    needs: Needs
    cores: int
    workers: int
    gated: bool
    licences: tuple[str, ...]
    documents: dict[str, str]
    folders: tuple[tuple[str, str], ...]
    image: str | None = None
    time: int | None = None
    restarts: int = RESTARTS

    @property
    def name(self) -> str:
        """The result's name in the letters of Kubernetes and SkyPilot, with its digest whole."""
        name, _, digest = self.run_name.replace("_", "-").rpartition("-")
        return f"{name[: LABEL - len(digest) - 1].rstrip('-')}-{digest}"

    @property
    def target(self) -> str:
        """Which of the two images runs it."""
        return "gpu" if self.needs.gpu else "cpu"

    @property
    def gpus(self) -> int:
        """Cards to ask for: every worker trains on one of its own."""
        return self.workers if self.needs.gpu else 0

    @property
    def memory(self) -> int:
        """The bytes to ask for: pages of shared memory are counted as the job's own."""
        return self.needs.memory + self.needs.shared_memory

    @property
    def disk(self) -> int:
        """The bytes of cache and results."""
        return max(self.needs.disk, LEAST.disk)


def make_job(
    path: Path,
    manifest: Manifest,
    *,
    image: str | None = None,
    time: str | None = None,
    restarts: int | None = None,
    **flags: bool,
) -> Job:
    """Return the job of a manifest; `flags` are those of a fetch, and go into its arguments.

    Raises:
        ManifestError: a checksum list is missing, the manifest names what does not exist, its own
            name cannot be handed on, or `time` is no duration.
    """
    settings = Settings(**flags)
    work = work_left(_plan(manifest, settings))
    path = path if path.exists() or path.is_absolute() else PROJECT / path
    named = _named(path)
    remote = [source for source in manifest.all_sources() if source.repo or source.mirrors]
    given = ["--" + name.replace("_", "-") for name, on in sorted(flags.items()) if on]
    return Job(
        title=manifest.title,
        run_name=manifest.run_name,
        work=work,
        manifest=named,
        arguments=("all", named, *given),
        needs=needs_of(manifest),
        cores=manifest.compute.threads * manifest.compute.workers,
        workers=manifest.compute.workers,
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
        restarts=RESTARTS if restarts is None else restarts,
    )


def _plan(manifest: Manifest, settings: Settings) -> Plan | None:
    """Return the plan; None where it would need lists that only the job's own fetch will make."""
    require_names(manifest)
    datasets.require_lists(manifest, settings)
    if all(is_locked(s) or local_list(s).is_file() for s in manifest.all_sources()):
        return make_plan(manifest)
    return None


def work_left(plan: Plan | None) -> str:
    """Say what a plan has left to do. No time: nobody has measured it on such a machine."""
    if plan is None:
        return "To do: not counted, because checksum lists are missing (--allow-unlocked)."
    waiting = [job for job in plan.jobs() if not job.artifact.done]
    steps = sum(job.settings.steps for job in waiting)
    systems = sum(not system.evaluated for system in plan.systems)
    return (
        f"To do when this was made: {len(waiting)} adapters ({steps} optimisation steps), "
        f"{systems} systems to evaluate."
    )


def seconds_of(time: str) -> int:
    """Return the seconds of HH:MM:SS or D-HH:MM:SS.

    Raises:
        ManifestError: it is something else, or nothing.
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


def _named(path: Path) -> str:
    """Return what the job calls the manifest: within the project, wherever that lies there."""
    resolved = path.resolve()
    named = str(resolved)
    if resolved.is_relative_to(PROJECT):
        named = resolved.relative_to(PROJECT).as_posix()
    if not named.isprintable() or resolved.suffix != ".toml":
        raise ManifestError(
            "a job cannot name this manifest",
            expected="a path of printable characters that ends in .toml",
            found=repr(named),
            remedy="rename it",
        )
    return named


def _documents(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    base = tomllib.loads(text).get(EXTENDS)
    found = {path.name: text}
    if base is not None:
        found[str(base)] = (path.parent / base).read_text(encoding="utf-8")
    return found


def in_units(size: int, unit: int) -> int:
    """Return how many whole units of bytes hold a size."""
    return -(-size // unit)
