"""What an attack asks of a system: records in other words, with other pictures."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from PIL import Image

from kit.artifacts import write_bytes
from kit.attacks import Around
from kit.benchmarks.records import Benchmark, Column, Record
from kit.digests import sha256_value
from kit.errors import ManifestError
from kit.evaluation.engines import Request
from kit.evaluation.questions import instruction_of
from kit.experiment.attack import drawn_records
from kit.pictures.decoding import open_image
from kit.plan.attacks import AttackJob
from kit.plan.jobs import Plan


@dataclass(frozen=True)
class Asked:
    """One question under attack; its record has the picture and the words that are asked."""

    job: AttackJob
    level: float
    record_id: str
    request: Request
    picture: str
    """SHA-256 of the pixels if the attack made the picture, else ""."""


def require_asked(job: AttackJob, levels: Collection[float]) -> None:
    """Check that every level of an attack has a question: one that asks nothing shows nothing.

    Raises:
        ManifestError: no record can be asked at one of them.
    """
    if missing := [level for level in job.entry.levels if level not in levels]:
        raise ManifestError(
            f"no record of target {job.target} can be asked under the attack '{job.entry.name}' at "
            f"{missing[0]:g}",
            expected="records that it applies to: with a picture, for an attack on pictures; not "
            "trained on, for one that trains",
            found=f"questions at the levels {', '.join(f'{level:g}' for level in sorted(levels))}"
            if levels
            else "no question at any level",
            remedy="remove this level or the attack, or name in attack.targets those targets that "
            "it can ask about",
        )


def ask(job: AttackJob, plan: Plan, benchmark: Benchmark, folder: Path) -> Iterator[Asked]:
    """Yield every question of an attack, level by level; pictures are written to `folder`."""
    around = Around(benchmark, job.target, job.entry.name)
    for level in job.entry.levels:
        system = job.served(level).name
        for record in asked_records_of(job, plan, benchmark, level):
            image = job.attack.picture(benchmark.records[record.id], level, around)
            if job.pictures is not None:
                image = open_image(picture_path(job.pictures.path, record.id, level))
            path, digest = _stored(image, folder)
            name = f"{job.answers.name}/{level:g}/{record.id}"
            changed = replace(record, id=name, image=path)
            yield Asked(job, level, record.id, Request(changed, system), digest)


def asked_records_of(
    job: AttackJob, plan: Plan, benchmark: Benchmark, level: float
) -> list[Record]:
    """Return the records that an attack asks at a level, in its words, with their own pictures."""
    section = plan.manifest.attack
    assert section is not None, "there is an attack"
    around = Around(benchmark, job.target, job.entry.name)
    names = {
        name: benchmark.records[name]
        for (part, column), ids in benchmark.splits[job.target].evaluation.items()
        if column is Column.EFFICACY
        for name in drawn_records(ids, section.max_records, job.target, str(part))
    }
    applied = (record for record in names.values() if job.attack.applies(record, level, around))
    return in_their_words(job, benchmark, applied, level)


def in_their_words(
    job: AttackJob, benchmark: Benchmark, records: Iterable[Record], level: float
) -> list[Record]:
    """Return records with the questions of an attack, after the instruction of its system."""
    around = Around(benchmark, job.target, job.entry.name)
    instruction = instruction_of(job.system, benchmark)
    asked = []
    for record in records:
        said = job.attack.question(record, level, around)
        question = f"{instruction} {said}" if instruction else said
        asked.append(replace(record, question=question))
    return asked


def picture_path(folder: Path, record_id: str, level: float) -> Path:
    """Return where the optimised picture of a record lies at a level."""
    return folder / f"{level:g}" / f"{sha256_value(record_id)[:32]}.png"


def _stored(image: Path | Image.Image | None, folder: Path) -> tuple[Path | None, str]:
    """Return the file of a picture and, if an attack made it, the digest of its pixels."""
    if not isinstance(image, Image.Image):
        return image, ""
    size = "x".join(map(str, image.size)).encode()
    digest = hashlib.sha256(size + image.convert("RGB").tobytes()).hexdigest()
    path = folder / f"{digest[:32]}.png"
    if not path.is_file():
        drawn = BytesIO()
        image.convert("RGB").save(drawn, "PNG")
        write_bytes(path, drawn.getvalue())  # as a whole: other processes ask about it as well
    return path, digest
