"""Options of methods, attacks and benchmarks are refused in one way, before any work."""

import math
from dataclasses import dataclass

import pytest

from kit.errors import ManifestError
from kit.experiment.options import Accepted, OneOf, Range, built, require


@dataclass(frozen=True)
class Toy:
    """An option of every kind."""

    share: float = 0.5
    steps: int = 3
    fast: bool = False
    name: str = "a"
    rate: float | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        require(
            self,
            share=Range(0, above=True, most=1),
            name=OneOf(("alpha", "beta", "a")),
            rate=Accepted(lambda value: value != 7, "no seven"),
        )


def made(**options):
    return built(Toy, options, "toy 't'", origin="here", remedy="see the page")


def test_a_whole_number_is_a_number_and_an_option_left_out_has_its_default():
    assert made(share=1, steps=2) == Toy(share=1, steps=2)
    assert made(rate=0.1).rate == 0.1
    assert made() == Toy()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"share": True}, "a number"),
        ({"share": "0.5"}, "a number"),
        ({"share": math.nan}, "a finite number > 0 and <= 1"),
        ({"share": 10**400}, "a finite number > 0 and <= 1"),
        ({"share": 0}, "a finite number > 0 and <= 1"),
        ({"share": 1.5}, "a finite number > 0 and <= 1"),
        ({"steps": 3.0}, "a whole number"),
        ({"steps": True}, "a whole number"),
        ({"fast": 1}, "true or false"),
        ({"name": 3}, "a text"),
        ({"rate": "fast"}, "a number"),
        ({"rate": math.inf}, "a finite number"),
        ({"rate": 10**400}, "a finite number"),
        ({"rate": math.nan}, "a finite number"),
        ({"rate": 7}, "no seven"),
    ],
)
def test_another_type_or_a_value_out_of_range_is_refused(options, expected):
    with pytest.raises(ManifestError) as caught:
        made(**options)
    (option,) = options
    assert caught.value.what.startswith(f"here: option '{option}' of ")
    assert caught.value.expected == expected
    assert caught.value.found
    assert "correct `options`" in caught.value.remedy


def test_the_nearest_name_is_suggested():
    with pytest.raises(ManifestError, match="toy 't' has no option 'step'") as caught:
        made(step=3)
    assert caught.value.remedy == "did you mean 'steps'?"
    with pytest.raises(ManifestError, match="did you mean 'alpha'"):
        made(name="alpah")
