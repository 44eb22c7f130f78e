"""The options of MLLMU-Bench in a manifest: `[benchmark] options = { ... }`.

few_shot         number of worked examples before every question, default 0. They show people who
                 are never asked about.
letters          "likelihood" (default) or "first_character". With the second, the likelihood of
                 letters is not measured: choice_accuracy is absent, choice_first_character exists.
text_pairs       true: fine-tuning also uses the pairs without their image. Default false, as
                 published. The small experiment needs it, because its base model does not transfer
                 facts from one type of question to the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.errors import ManifestError, unknown

LETTERS = ("likelihood", "first_character")


@dataclass(frozen=True)
class Options:
    """The options; the module explains them."""

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
        ManifestError: an option does not exist or has an invalid value.
    """
    for name in given:
        one_of("benchmark option", name, tuple(Options.__annotations__))
    options = Options(**given)  # type: ignore[arg-type]
    shots = options.few_shot
    if not isinstance(shots, int) or isinstance(shots, bool) or shots < 0:
        raise ManifestError(
            "benchmark.options.few_shot is not valid",
            expected="a number, 0 or more",
            found=repr(shots),
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
        ManifestError: it is not; the message suggests the nearest one.
    """
    if name not in valid:
        what = f"MLLMU-Bench has no {kind} '{name}'"
        raise unknown(what, str(name), valid, remedy="use one of these")
