"""The counts in `[benchmark] options`, such as the paper's 200 people at 40 events.

`people` and `events` are numbers. With `events`, rows of events that the paper does not list are
left out (the hub has 8.2k images, the paper counts 8,000), unless the table has none of the paper's
events. With both options, every person must be at every event, in equally many images.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product

from kit.benchmarks.pebench.events import plain, published
from kit.benchmarks.pebench.options import Options
from kit.benchmarks.pebench.table import MAX_EXAMPLES, Picture, few
from kit.errors import DataError

REMEDY = "correct the names in the table, or the number in the manifest"


def expected_events(options: Options, events: Sequence[str]) -> frozenset[str] | None:
    """Return the events of a table that are kept, in the form of `plain`; None if all are."""
    if options.events is None:
        return None
    listed = {plain(name) for name in published()["keywords"]}
    return frozenset(listed & {plain(event) for event in events}) or None


def check_counts(pictures: Sequence[Picture], options: Options, notes: Sequence[str] = ()) -> None:
    """Compare the numbers of people and events with the options that state them.

    Args:
        notes: what was left out. The error repeats it, because it may be the reason.

    Raises:
        DataError: a number differs, or some person is not at every event equally often.
    """
    rows = {
        "people": Counter(picture.person for picture in pictures),
        "events": Counter(picture.event for picture in pictures),
    }
    for name, expected in options.counts.items():
        if len(rows[name]) != expected:
            rare = sorted(rows[name].items(), key=lambda item: (item[1], item[0]))[:MAX_EXAMPLES]
            shown = ", ".join(f"{n} ({c})" for n, c in rare)
            raise DataError(
                f"the table has {len(rows[name])} {name}, not {expected}",
                expected=f"{expected} {name}, as in benchmark.options.{name}",
                found="; ".join([f"with the fewest images: {shown}", *notes]),
                remedy=REMEDY,
            )
    if options.counts.keys() == rows.keys():
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
            f"{len(odd)} of {len(pairs)} pairs of a person and an event do not have {usual} "
            "images like the others",
            expected=f"{len(people)} people x {len(events)} events, {usual} each: "
            f"{len(pairs) * usual} images",
            found="; ".join([f"{len(pictures)} images: {shown}", *notes]),
            remedy="complete the table, or remove one of the two options",
        )
