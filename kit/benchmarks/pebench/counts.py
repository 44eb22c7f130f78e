"""What `[benchmark] options` count: 200 people at 40 events, as the paper says, and what is extra.

`people` and `events` are numbers. With `events`, a row of an event that the paper does not list is
extra (the hub shows 8.2k images, the paper counts 8,000) and is left out; where the table has none
of the paper's events, they are not what its rows are held against. With both, every person is at
every event, in as many images as every other pair.
"""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from kit.benchmarks.pebench.table import EXAMPLES, Picture, few, plain, published
from kit.errors import DataError, ManifestError

COUNTED = ("people", "events")
REMEDY = "correct the names in the table, or the number in the manifest"


def check_options(options: Mapping[str, Any]) -> None:
    """Check that the options are known and are numbers.

    Raises:
        ManifestError: an option does not exist or is no number of people or events.
    """
    for name, value in options.items():
        if name not in COUNTED:
            near = difflib.get_close_matches(name, COUNTED, n=1)
            raise ManifestError(
                f"PEBench has no benchmark option '{name}'",
                expected=f"one of {', '.join(COUNTED)}",
                found=name,
                remedy=f"did you mean '{near[0]}'?" if near else "remove it",
            )
        if type(value) is not int or value < 1:
            raise ManifestError(
                f"benchmark.options.{name} is not valid",
                expected="a number, 1 or more",
                found=repr(value),
                remedy="say how many the dataset has, or leave the option out",
            )


def expected_events(options: Mapping[str, Any], events: Sequence[str]) -> frozenset[str] | None:
    """Return which of a table's events count, as `plain` writes them; None where all of them do."""
    if "events" not in options:
        return None
    listed = {plain(name) for name in published()["keywords"]}
    return frozenset(listed & {plain(event) for event in events}) or None


def check_counts(
    pictures: Sequence[Picture], options: Mapping[str, Any], notes: Sequence[str] = ()
) -> None:
    """Hold the numbers of people and events against the options, where they give them.

    Args:
        notes: what was left out; it is part of the error, as it may be the reason.

    Raises:
        DataError: a number differs, or a person is not at every event equally often.
    """
    rows = {
        "people": Counter(picture.person for picture in pictures),
        "events": Counter(picture.event for picture in pictures),
    }
    for name, expected in options.items():
        if len(rows[name]) != expected:
            rare = sorted(rows[name].items(), key=lambda item: (item[1], item[0]))[:EXAMPLES]
            shown = ", ".join(f"{n} ({c})" for n, c in rare)
            raise DataError(
                f"the table has {len(rows[name])} {name}, not {expected}",
                expected=f"{expected} {name}, as benchmark.options.{name} says",
                found="; ".join([f"with the fewest images: {shown}", *notes]),
                remedy=REMEDY,
            )
    if all(name in options for name in COUNTED):
        _check_pairs(pictures, rows["people"], rows["events"], notes)


def _check_pairs(
    pictures: Sequence[Picture],
    people: Mapping[str, int],
    events: Mapping[str, int],
    notes: Sequence[str],
) -> None:
    counts = Counter((picture.person, picture.event) for picture in pictures)
    pairs = sorted(product(people, events))
    usual = max(1, Counter(counts.values()).most_common(1)[0][0])
    odd = [pair for pair in pairs if counts[pair] != usual]
    if odd:
        shown = few([f"{person} at {event} ({counts[person, event]})" for person, event in odd])
        raise DataError(
            f"{len(odd)} of {len(pairs)} pairs of a person and an event have another number of "
            f"images than the {usual} of the others",
            expected=f"{len(people)} people x {len(events)} events, {usual} each: "
            f"{len(pairs) * usual} images",
            found="; ".join([f"{len(pictures)} images: {shown}", *notes]),
            remedy="complete the table, or leave one of the two options out",
        )
