"""What a manifest may tell the loader of MLLMU-Bench: `[benchmark] options = { ... }`.

few_shot         worked examples before every question (0), of people who are never asked about
letters          "likelihood" (default) or "first_character": letters then have no candidates, so
                 that choice_accuracy is absent and choice_first_character is what is reported
text_pairs       whether fine-tuning is also given the pairs without their image (false, as
                 published). The small experiment needs it: its base would not carry facts over
                 from one kind of question to the other
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from kit.errors import ManifestError

LETTERS = ("likelihood", "first_character")


@dataclass(frozen=True)
class Options:
    """The loader's options, as its documentation says."""

    few_shot: int = 0
    letters: str = LETTERS[0]
    text_pairs: bool = False

    @property
    def by_likelihood(self) -> bool:
        """Whether the likelihood of the letters is measured."""
        return self.letters == LETTERS[0]


def read_options(given: Mapping[str, object]) -> Options:
    """Return the options with their defaults.

    Raises:
        ManifestError: an option does not exist or has a value that it cannot have.
    """
    for name in given:
        one_of("benchmark option", name, tuple(Options.__annotations__))
    options = Options(**given)  # type: ignore[arg-type]
    shots = options.few_shot
    if not isinstance(shots, int) or isinstance(shots, bool) or shots < 0:
        raise ManifestError(
            "benchmark.options.few_shot is not valid", expected="0 or more", found=repr(shots)
        )
    if not isinstance(options.text_pairs, bool):
        raise ManifestError(
            "benchmark.options.text_pairs is not valid",
            expected="true or false",
            found=repr(options.text_pairs),
        )
    one_of("value of benchmark.options.letters", options.letters, LETTERS)
    return options


def one_of(kind: str, name: object, valid: tuple[str, ...]) -> None:
    """Check that a name is one of the valid ones.

    Raises:
        ManifestError: it is not; the nearest one is named.
    """
    if name not in valid:
        near = difflib.get_close_matches(str(name), valid, n=1)
        raise ManifestError(
            f"MLLMU-Bench has no {kind} '{name}'",
            expected=f"one of {', '.join(valid)}",
            remedy=f"did you mean '{near[0]}'?" if near else None,
        )
