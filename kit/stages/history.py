"""What earlier jobs took on this machine: one line for each, in a file of the cache.

The file is a help for estimates alone. It decides no result and no digest, holds the newest lines
only, and a run never fails because of it. What is not a line of it is left out, and said.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kit.artifacts import cache_root, write_bytes
from kit.digests import sha256_value
from kit.experiment.manifest import Manifest, MethodSection, TrainingSection
from kit.experiment.own_settings import settings_of
from kit.experiment.systems import FINETUNE, UNLEARN
from kit.plan.rates import device_name
from kit.stages.pace import TRAIN, Piece

MOST_LINES = 2000
MOST_BYTES = 2_000_000  # of a file that is read: its own lines take at most 250 bytes each
# What decides the seconds of a pass through the model, of a training section.
DECIDING = {
    "batch_size", "micro_batch_size", "update", "rank", "lora_dtype", "gradient_checkpointing",
    "vision_cache_bytes",
}  # fmt: skip


class JobTime(BaseModel):
    """What one job took."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    key: str = Field(max_length=16)
    """Digest of base, device and what else decides the time of a unit of work (`key_of`)."""
    stage: str = Field(max_length=20)
    kind: str = Field(max_length=20)
    """As in `kit.stages.pace`: `train`, `answers`, ..."""
    of: str = Field(default="", max_length=60)
    """File of the method that was trained."""
    work: float = Field(gt=0, allow_inf_nan=False)
    """In the unit of its kind: passes of records, or questions."""
    seconds: float = Field(ge=0, allow_inf_nan=False)
    """Of a training job, its own. Of another, since the job before was finished, so that workers
    share the time; 0 of the first of its kind in a call, whose time is part of `start`."""
    start: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Of the first of its kind in a call: from the begin of its stage, or the end of the kind
    before, until it was finished, without `seconds`."""


@dataclass(frozen=True)
class History:
    """The lines of the file, oldest first, and how much of the file is none."""

    lines: tuple[JobTime, ...] = ()
    fault: str = ""
    """What could not be read, as a sentence; "" where all could."""
    foreign: bool = False
    """Whether the file as a whole is not the kit's, so that it is left alone."""


def history_path() -> Path:
    """Return the file of this cache."""
    return cache_root() / "artifacts" / "job-times.jsonl"


def read_history() -> History:
    """Return what is known of earlier jobs; nothing in the file is an error."""
    path = history_path()
    try:
        if not path.exists():
            return History()
        if path.stat().st_size > MOST_BYTES:
            return _foreign(path, "it is too large to be the kit's")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return _foreign(path, error.strerror or type(error).__name__)
    lines, others = [], 0
    for line in filter(None, text.splitlines()):
        try:
            lines.append(JobTime.model_validate_json(line))
        except ValidationError:
            others += 1
    fault = f"{path}: {others} of its lines are no times of jobs and were left out"
    return History(tuple(lines), fault if others else "")


def _foreign(path: Path, why: str) -> History:
    remedy = "estimates begin again when it is removed"
    return History(fault=f"{path} cannot be used ({why}); {remedy}", foreign=True)


def add(times: Sequence[JobTime]) -> None:
    """Append times; of the older ones, only the newest are kept. Does nothing where it cannot."""
    before = read_history()
    if before.foreign:
        return
    kept = [*before.lines, *times][-MOST_LINES:]
    text = "".join(f"{json.dumps(each.model_dump(exclude_defaults=True))}\n" for each in kept)
    try:
        write_bytes(history_path(), text.encode())
    except OSError:  # a full disk is told by the stage that needs it
        return


class Keys:
    """The keys of a manifest's kinds of work: equal keys, equal seconds for a unit of work."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self.device = device_name()
        self._found: dict[tuple[str, bool, str], str] = {}

    def of(self, stage: str, kind: str, entry: MethodSection | None = None) -> str:
        """Return the key of a kind of work in a stage.

        Args:
            entry: of the method that is trained, which may state settings of its own.
        """
        section = stage if kind == TRAIN and stage == FINETUNE else UNLEARN
        which = section, kind == TRAIN, entry.name if entry else ""
        if which not in self._found:
            self._found[which] = self._made(section, kind == TRAIN, entry)
        return self._found[which]

    def _made(self, section: str, trained: bool, entry: MethodSection | None) -> str:
        manifest = self._manifest
        deciding: dict[str, object] = {
            "device": self.device,
            "model": manifest.model.model_dump(mode="json"),
            "compute": manifest.compute.model_dump(mode="json"),
            "loader": manifest.benchmark.loader,
        }
        if trained:
            settings: TrainingSection = manifest.finetune
            if section == UNLEARN:
                settings = settings_of(manifest.unlearn, entry) if entry else manifest.unlearn
            deciding["training"] = settings.model_dump(mode="json", include=DECIDING)
        else:
            deciding["evaluation"] = manifest.evaluation.deciding()
        return sha256_value(deciding)[:16]


class Stopwatch:
    """Writes a line of the history for each job that a run finishes.

    The artifact's job.json tells when a job was finished, so looking late changes nothing.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._keys = Keys(manifest)
        self._mark, self._seen = time.time(), set[str]()

    def begin(self, moment: float | None = None) -> None:
        """Note that a stage begins, now or at a moment in seconds since 1970."""
        self._mark, self._seen = time.time() if moment is None else moment, set()

    def add(self, pieces: Sequence[Piece]) -> None:
        """Keep what finished jobs of the stage took."""
        if found := [taken for _, taken in self.times(pieces)]:
            add(found)

    def times(self, pieces: Sequence[Piece]) -> list[tuple[Piece, JobTime]]:
        """Return what finished jobs of the stage took, in the order in which they were finished.

        A trained adapter that does not state its seconds is left out.
        """
        ended = sorted((finished(piece), number) for number, piece in enumerate(pieces))
        taken = [(pieces[number], self._time(pieces[number], moment)) for moment, number in ended]
        return [(piece, each) for piece, each in taken if each is not None]

    def _time(self, piece: Piece, moment: float) -> JobTime | None:
        """Return the line of a job; None of a trained adapter that does not state its seconds."""
        since, first = max(0.0, moment - self._mark), piece.kind not in self._seen
        self._mark = max(self._mark, moment)
        self._seen.add(piece.kind)
        own, work = (0.0 if first else since), piece.work
        if piece.kind == TRAIN:
            record = piece.made[0].job()
            if "seconds" not in record:
                return None
            own = float(record["seconds"])
            if piece.steps:  # a stop rule may have ended it after fewer
                work *= max(1, record["steps"]) / piece.steps
        return JobTime(
            key=self._keys.of(piece.stage, piece.kind, piece.entry),
            stage=piece.stage,
            kind=piece.kind,
            of=piece.of,
            work=work,
            seconds=own,
            start=max(0.0, since - own) if first else None,
        )


def finished(piece: Piece) -> float:
    """Return when a job was finished, in seconds since 1970."""
    return max((artifact.path / "job.json").stat().st_mtime for artifact in piece.made)
