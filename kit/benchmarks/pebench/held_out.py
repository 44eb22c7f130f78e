"""The images that no system learns from: Retain is asked about them.

PEBench has one image of each person at each event and measures Retain on images of training. Memory
of those images passes for knowledge of the people. With the option `held_out_percent`, that share
of each person's images is left out of fine-tuning and of unlearning.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from kit.benchmarks.pebench.table import Picture
from kit.streams import sample


def held_out_of(pictures: Sequence[Picture], percent: int) -> frozenset[Path]:
    """Return the held-out images: a share of each person's, in percent, drawn by name.

    The draw depends on the person and the names of the images alone. It is the same for every split
    of the same data, so that one vanilla model serves all of them.
    """
    images: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for picture in pictures:
        images[picture.person][picture.name] = picture.path
    return frozenset(
        own[name]
        for person, own in images.items()
        for name in sample(sorted(own), len(own) * percent // 100, "held out", person)
    )
