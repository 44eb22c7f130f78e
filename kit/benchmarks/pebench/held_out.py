"""The images that no system learns from: Retain is asked about them.

PEBench has one image of each person at each event and measures Retain on images of training. Memory
of those images passes for knowledge of the people. With the option `held_out_percent`, that share
of each person's images is left out of fine-tuning and of unlearning.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from kit.benchmarks.pebench.counts import HELD_OUT
from kit.benchmarks.pebench.table import Picture
from kit.errors import ManifestError
from kit.streams import sample

MAX_PERCENT = 50  # more would be a test of another experiment: fine-tuning on a few images


def held_out_of(pictures: Sequence[Picture], options: Mapping[str, object]) -> frozenset[Path]:
    """Return the held-out images: the share `held_out_percent` of each person's, drawn by name.

    The draw depends on the person and the names of the images alone. It is the same for every split
    of the same data, so that one vanilla model serves all of them.

    Raises:
        ManifestError: the option is no whole number from 0 to `MAX_PERCENT`.
    """
    percent = options.get(HELD_OUT, 0)
    if type(percent) is not int or not 0 <= percent <= MAX_PERCENT:
        raise ManifestError(
            f"benchmark.options.{HELD_OUT} is not valid",
            expected=f"a whole number of percent, 0 to {MAX_PERCENT}",
            found=repr(percent),
            remedy="write a smaller share, or remove the option to hold no image out",
        )
    images: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for picture in pictures:
        images[picture.person][picture.name] = picture.path
    return frozenset(
        own[name]
        for person, own in images.items()
        for name in sample(sorted(own), len(own) * percent // 100, "held out", person)
    )
