"""The options of MLLMU-Bench in a manifest: `[benchmark] options = { ... }`.

few_shot         number of worked examples before every question, default 0. They show people who
                 are never asked about.
letters          "likelihood" (default) or "first_character". With the second, the likelihood of
                 letters is not measured: choice_accuracy is absent, choice_first_character exists.
text_pairs       true: fine-tuning also uses the pairs without their image. Default false, as
                 published. The small experiment needs it, because its base model does not transfer
                 facts from one type of question to the other.
"""

from dataclasses import dataclass

from kit.experiment.options import NOT_NEGATIVE, OneOf, require

LETTERS = ("likelihood", "first_character")


@dataclass(frozen=True)
class Options:
    """The options; the module explains them."""

    few_shot: int = 0
    letters: str = LETTERS[0]
    text_pairs: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        require(self, few_shot=NOT_NEGATIVE, letters=OneOf(LETTERS))

    @property
    def by_likelihood(self) -> bool:
        """Whether the likelihood of the letters is measured."""
        return self.letters == LETTERS[0]
