"""Every record fits into the context, and every picture can be read, before anything is trained."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field

from kit.benchmarks.records import Benchmark, Record
from kit.errors import DataError, ManifestError
from kit.evaluation.asking import asked_records_of, require_asked
from kit.evaluation.questions import asked_records
from kit.model.pixels import limits_pixels
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Plan
from kit.preflight.lengths import TokenCounter
from kit.preflight.pictures import picture_sizes
from kit.preflight.storable import require_storable


@dataclass(frozen=True)
class RecordTokens:
    """What the records of a manifest become, in tokens."""

    checked: int
    longest: str
    """Id of the record that needs the most."""
    needed: int
    """Its tokens: prompt with picture, and the longest answer that it may get."""
    limit: int
    """evaluation.max_model_len."""
    training: Annotated[int, Field(gt=0)]
    """Prompt and answer of the longest record that is trained with."""
    mean: float
    """The same, in the mean over all records that are trained with."""
    answer: int
    """Tokens of the longest answer among them."""

    def describe(self) -> str:
        """Return one line for a report."""
        return (
            f"{self.checked} records, at most {self.needed} of {self.limit} tokens ({self.longest})"
        )

    def stored(self) -> dict[str, Any]:
        """Return the values as JSON."""
        return asdict(self)


def measure_records(
    plan: Plan, processor: Any, benchmark: Benchmark, side: int | None = None
) -> RecordTokens:
    """Decode every picture and count the tokens of every record that a plan uses.

    Args:
        side: width and height in pixels that the vision tower accepts; None: any.

    Raises:
        DataError: a picture cannot be read or encoded, or no result can hold the records.
        ManifestError: a record, or a question under attack, does not fit into
            evaluation.max_model_len, or an attack can ask nothing; the message names it.
    """
    require_storable(benchmark, len(plan.systems))
    evaluation = plan.manifest.evaluation
    trained = {benchmark.records[record_id] for record_id in _trained(benchmark)}
    asked = set(_asked(plan, benchmark))
    pictures = {record.image for record in trained | asked if record.image is not None}
    counter = TokenCounter(processor, picture_sizes(pictures), side)
    learnt = {record: counter.prompt(record) + counter.answer(record) for record in trained}
    needed = {record: counter.prompt(record) + evaluation.max_new_tokens for record in asked}
    for record, tokens in learnt.items():
        needed[record] = max(tokens, needed.get(record, 0))
    if not needed or not learnt:
        raise DataError(
            "the benchmark has no records",
            expected="records to train on, and records to ask about",
            found=f"{len(learnt)} to train on, {len(asked)} to ask about",
            remedy="run `./run.sh data describe`: it says what was read and what was left out",
        )
    longest = max(needed, key=lambda record: (needed[record], record.id))
    if (over := needed[longest] - evaluation.max_model_len) > 0:
        many = sum(tokens > evaluation.max_model_len for tokens in needed.values())
        prompt, image = counter.prompt(longest), longest.image
        where = plan.manifest.origin_of("evaluation.max_model_len")
        raise ManifestError(
            f"{where}: record {longest.id} is longer than the context of the engines",
            expected=f"at most {evaluation.max_model_len} tokens (evaluation.max_model_len)",
            found=f"{needed[longest]} tokens: {prompt} of the question"
            f"{' and its picture' if image else ''}, {needed[longest] - prompt} for the answer; "
            f"{many} records are too long",
            remedy=f"set evaluation.max_model_len = {needed[longest]}"
            + _smaller(processor, counter.image_tokens(image) - over if image else 0),
        )
    return RecordTokens(
        len(needed),
        longest.id,
        needed[longest],
        evaluation.max_model_len,
        max(learnt.values()),
        round(sum(learnt.values()) / len(learnt), 1),
        max(counter.answer(record) for record in trained),
    )


def _trained(benchmark: Benchmark) -> Iterator[str]:
    yield from benchmark.finetune
    yield from benchmark.rehearsal
    for split in benchmark.splits.values():
        yield from split.forget
        yield from split.retain


def _asked(plan: Plan, benchmark: Benchmark) -> Iterable[Record]:
    """Yield every question as a system is asked it, its instruction included."""
    seen = set()
    for system in plan.systems:
        if (system.target, system.instruction) not in seen:
            seen.add((system.target, system.instruction))
            yield from asked_records(system, benchmark)
    yield from _attacked(plan, benchmark)


def _attacked(plan: Plan, benchmark: Benchmark) -> Iterator[Record]:
    """Yield every question under attack, in the attack's words.

    Raises:
        ManifestError: an attack can ask nothing about a target.
    """
    seen = set()
    for job in attack_jobs(plan):
        key = job.target, job.entry.name, job.system.instruction
        if key not in seen:
            seen.add(key)
            asked = {
                level: asked_records_of(job, plan, benchmark, level) for level in job.entry.levels
            }
            require_asked(job, {level for level, records in asked.items() if records})
            for records in asked.values():
                yield from records


def _smaller(processor: Any, allowed: int) -> str:
    """Return the other remedy: the pixels of a picture that becomes at most `allowed` tokens."""
    if not limits_pixels(processor) or allowed < 1:
        return ""
    images = processor.image_processor
    return f", or model.max_pixels = {allowed * (images.patch_size * images.merge_size) ** 2}"
