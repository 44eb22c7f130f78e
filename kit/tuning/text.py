"""Tuning as lines for a terminal: what is to be tried, and what was chosen."""

from collections.abc import Iterator, Sequence

from kit.experiment.choice import Tuning
from kit.experiment.grid import Attempt, attempts_of
from kit.experiment.manifest import Manifest
from kit.tuning.tune import section_of


def grid_table(manifest: Manifest) -> Iterator[str]:
    """Yield the grid of each tuned method, and what all of them share."""
    section = section_of(manifest)
    named = f"sha256 {section.digest[:12]} of {section.file}" if section.digest else "none yet"
    yield f"tuning: choice {named}"
    yield (
        f"  attempts are asked about {section.validation_percent} % of the images, which no table "
        f"reports; seeds {', '.join(map(str, section.seeds))}"
    )
    rates = ", ".join(f"{rate:g}" for rate in section.learning_rates)
    yield f"  learning rates: {rates}, each of them with every value of one option"
    width = max(map(len, section.methods))
    for entry in section.methods:
        tried = [each for each in attempts_of(section) if each.entry == entry]
        yield f"    {entry:<{width}}  {len(tried)} attempts: {_option(tried)}"
    others = [entry.name for entry in manifest.methods if entry.name not in section.methods]
    if others:
        yield f"  untuned: {', '.join(others)}"


def choice_table(tuning: Tuning) -> Iterator[str]:
    """Yield one line for each attempt, and mark the chosen ones."""
    width = max(len(each.attempt.words) for each in tuning.attempts)
    yield f"{'attempt':<24}{'values':<{width + 2}}{'distance to Retain-only':>24}"
    chosen = set(tuning.choices.values())
    for each in tuning.attempts:
        mark = "  chosen" if each.name in chosen else f"  {each.fault}" if each.fault else ""
        yield f"{each.name:<24}{each.attempt.words:<{width + 2}}{each.distance:>24.3f}{mark}"
    for entry, name in tuning.choices.items():
        if name is None:
            yield f"{entry} stays untuned: the answers of all its attempts are broken"


def digest_lines(digest: str) -> str:
    """Return what the section needs to name the choice."""
    return f'name the choice in the manifest:\n\n    [tune]\n    digest = "{digest}"'


def _option(tried: Sequence[Attempt]) -> str:
    if not tried[0].option:
        return "learning rates alone, because the manifest declares no option"
    return f"{tried[0].option} {', '.join(dict.fromkeys(str(each.value) for each in tried))}"
