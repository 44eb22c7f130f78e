"""A description of a benchmark as text for a terminal, or as JSON."""

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from kit.describe.benchmark import Description, EvaluatedSet, Sample, shorten
from kit.names import show

WIDTH = 100  # characters per line
MAX_LINES = 3  # of a question or an answer
MAX_CANDIDATES = 4
CANDIDATE_CHARACTERS = 24
PLURAL = {"person": "people", "event": "events", "group": "groups"}


def render(
    description: Description,
    *,
    sheet: Path | None = None,
    unreadable: Iterable[str] = (),
    as_json: bool = False,
) -> str:
    """Return a description as text for a terminal, or as JSON.

    Args:
        description: what to show.
        sheet: path of the contact sheet; None if no set has an image.
        unreadable: images that could not be drawn into it.
        as_json: return JSON.
    """
    broken = list(unreadable)
    if as_json:
        drawn = {"contact_sheet": str(sheet) if sheet else None, "unreadable_images": broken}
        return json.dumps(
            _json_values(description) | drawn, indent=1, sort_keys=True, ensure_ascii=False
        )
    lines = [
        show(description.title),
        f"benchmark {description.benchmark}, {description.records} records, "
        f"run {description.run_name}",
        *_set_lines(description),
        *_training_lines(description),
        *_block("Left out", description.left_out or ("nothing",)),
        *_sample_lines(description),
        *_block("Images that cannot be read", broken),
        "",
        f"contact sheet: {sheet}" if sheet else "contact sheet: none, no set has an image",
    ]
    return "\n".join(lines)


def _json_values(description: Description) -> dict[str, object]:
    """Return a description as JSON values, with the size of each set instead of its ids."""
    values = asdict(description)
    for each in values["sets"]:
        each["records"] = len(each.pop("ids"))
    return values


def _set_lines(description: Description) -> list[str]:
    lines = ["", _columns("Evaluated sets", "records", "people or events", "images")]
    for target, title in description.targets.items():
        lines.append(f"{title} ({target})")
        for each in description.sets:
            if each.target == target:
                title = each.title if each.printed else f"(in no table) {each.title}"
                name = f"  {each.label:<14} {shorten(title, 45)}"
                lines.append(_columns(name, len(each.ids), _owners(each), each.with_image))
    if any(each.single for each in description.sets):
        lines.append("  single: records without a cluster; intervals resample each on its own")
    return lines


def _columns(name: str, records: object, owners: str, images: object) -> str:
    return f"{name:<62} {records:>7}  {owners:<17}{images:>7}"


def _owners(each: EvaluatedSet) -> str:
    kinds = PLURAL.get(each.cluster, each.cluster) if each.named != 1 else each.cluster
    named = [f"{each.named} {kinds}"] if each.named else []
    return ", ".join([*named, *([f"{each.single} single"] if each.single else [])]) or "none"


def _training_lines(description: Description) -> list[str]:
    lines = ["", _columns("Training sets", "records", "people", "images")]
    for each in description.training:
        name = f"{each.name}, {description.targets[each.target]}" if each.target else each.name
        people = f"{each.people} {PLURAL['person'] if each.people != 1 else 'person'}"
        shown = people if each.people else "none"
        lines.append(_columns(f"  {shorten(name, 59)}", each.records, shown, each.with_image))
    return lines


def _block(title: str, entries: Iterable[str]) -> list[str]:
    wrapped = [
        textwrap.fill(entry, WIDTH, initial_indent="  ", subsequent_indent="    ")
        for entry in entries
    ]
    return ["", title, *wrapped] if wrapped else []


def _sample_lines(description: Description) -> list[str]:
    lines, before, number = ["", "Sample questions, the same at every call"], "", 0
    for each in description.samples:
        if each.label != before:
            lines.append(f"{each.label}  {each.title}")
            before, number = each.label, 0
        number += 1
        for name, text in _sample_fields(each):
            first = f"  {number if name == 'asked' else ' '}  {name:<11}"
            line = " ".join(text.split()) or "nothing"
            wrapped = textwrap.wrap(
                line, WIDTH - len(first), max_lines=MAX_LINES, placeholder="..."
            )
            lines += [first + wrapped[0], *(" " * len(first) + line for line in wrapped[1:])]
    return lines


def _sample_fields(each: Sample) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each line that shows a sample."""
    yield "asked", each.question
    yield "reference", each.answer
    if each.paraphrase:
        yield "or", each.paraphrase
    if each.candidates:
        first = each.candidates[:MAX_CANDIDATES]
        shown = " | ".join(shorten(text, CANDIDATE_CHARACTERS) for text in first)
        rest = len(each.candidates) - MAX_CANDIDATES
        yield "candidates", f"{shown} and {rest} more" if rest > 0 else shown
    yield "image", each.image or "none"
