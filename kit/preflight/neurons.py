"""Try the function of a method that chooses neurons to remove."""

from kit.errors import MethodError
from kit.methods import Method
from kit.methods.loss import correct, origin_of
from kit.methods.neurons import removed_by
from kit.preflight.trial import RECORDS, Trial, Watched


def neurons_line(method: Method, trial: Trial, parts: list[Watched]) -> str:
    """Return how many neurons a method removes, in words; `parts` note what it reads.

    Raises:
        MethodError: it removes none or those of no layer, or not the same ones twice.
    """
    again = trial.steps(method, RECORDS)
    choices = [removed_by(method, steps, trial.model) for steps in (parts, again)]
    places = sorted({*choices[0], *choices[1]})
    if differing := [name for name in places if choices[0].get(name) != choices[1].get(name)]:
        raise MethodError(
            f"{origin_of(method)}: the neurons of the same records are not the same twice",
            expected="a choice that depends on the records and the model alone",
            found=f"{', '.join(differing[:3])} differ",
            remedy=correct(method),
        )
    numbers = [len(numbers) for numbers in choices[0].values()]
    return f"it removes {sum(numbers)} neurons in {len(numbers)} layers, the same ones twice"
