"""Is what a method keeps between steps saved whole? A killed run must end in the same bits."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from kit.errors import KitError, MethodError
from kit.methods import Gradient, Method, State
from kit.methods.loss import correct, origin_of, return_of
from kit.training.checkpoint import Checkpoint

WHAT = "numbers: a float for each name; weights: a Gradient for each name"


def require_saved(method: Method, kept: State) -> str:
    """Save and load what a method keeps; return its names, in words.

    Raises:
        MethodError: a checkpoint cannot hold it.
    """
    try:
        again = _loaded(kept)
        fault = "" if _equal(kept, again) else "it is not the same after it was saved and loaded"
    except KitError:
        raise
    except Exception as error:
        fault = f"{type(error).__name__}: {str(error)[:200]}"
    if fault:
        raise MethodError(
            f"{origin_of(method)}: what it keeps between steps cannot be saved",
            expected=WHAT,
            found=f"{fault}; see {return_of(method, 'combine')}",
            remedy=correct(method),
        )
    return ", ".join([*kept.numbers, *kept.weights]) or "nothing"


def _loaded(kept: State) -> State:
    """Return what a resumed run would begin with."""
    names = {name for entry in kept.weights.values() for name in entry} or {"weight"}
    weights = {name: torch.nn.Parameter(torch.zeros(1)) for name in names}
    optimizer = torch.optim.SGD(weights.values(), lr=0.0)
    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder), weights, optimizer)
        checkpoint.save(1, {}, kept)
        return checkpoint.resume()[2]


def _equal(one: State, two: State) -> bool:
    floats = all(type(value) is float for value in one.numbers.values())
    gradients = all(isinstance(entry, Gradient) for entry in one.weights.values())
    return (
        floats
        and gradients
        and one.numbers == two.numbers
        and one.weights.keys() == two.weights.keys()
        and all(_same(entry, two.weights[name]) for name, entry in one.weights.items())
    )


def _same(one: Gradient, two: Gradient) -> bool:
    return one.keys() == two.keys() and all(
        value.dtype == two[name].dtype and torch.equal(value.cpu(), two[name].cpu())
        for name, value in one.items()
    )
