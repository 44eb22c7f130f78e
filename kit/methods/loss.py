"""Compute a method's loss; an error names the line of the method's file that is wrong."""

import ast
import inspect
import textwrap
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from kit.errors import KitError, MethodError, TrainingError
from kit.failures import out_of_memory
from kit.methods.step import Method, Step
from kit.methods.update import GradientRule, Measuring, State
from kit.model.determinism import NONDETERMINISTIC

T = TypeVar("T")
FOLDER = Path(__file__).parent
# Files of this room that are no methods: what fails in them was called by a method.
BESIDE = (
    "arithmetic.py", "balance.py", "gradient.py", "legacy.py", "loss.py", "merger_file.py",
    "merging.py", "needs.py", "neurons.py", "options.py", "passes.py", "prepared.py", "registry.py",
    "step.py", "update.py",
)  # fmt: skip


def origin_of(method: Method) -> str:
    """Return how messages name a method: `method 'npo' (kit/methods/npo.py)`."""
    module = type(method).__module__
    return f"method '{module.rpartition('.')[2]}' ({module.replace('.', '/')}.py)"


def correct(method: Method) -> str:
    """Return the remedy for a fault in a method's code."""
    name = type(method).__module__.rpartition(".")[2]
    return f"correct the method's file, then run `./run.sh try-method {name}`"


def loss_of(method: Method, step: Step) -> Tensor:
    """Return the loss of one micro-batch: a finite scalar with a gradient.

    Raises:
        MethodError: it is none, or the method's code fails. The message names the method's file and
            line, the step and the job.
        TrainingError: it is not finite.
    """
    return _checked(method, step, _called(method, step.origin, lambda: method.loss(step)))


def losses_of(method: Method, step: Step) -> dict[str, Tensor]:
    """Return the terms of the loss of one micro-batch by name; a single scalar is named `loss`.

    Raises:
        MethodError, TrainingError: as for `loss_of`, for each term.
    """
    found = _called(method, step.origin, lambda: method.loss(step))
    if not isinstance(found, Mapping):
        return {"loss": _checked(method, step, found)}
    if not isinstance(method, GradientRule) or not found:
        raise MethodError(
            f"{step.origin}: the loss is {'several terms' if found else 'a mapping without terms'}",
            expected="one scalar; or terms by name, and a rule `combine` for their gradients",
            found=f"{', '.join(map(str, found)) or 'none'}, returned by {return_of(method)}",
            remedy=f"return the sum of the terms, or define `combine(self, update)` and declare "
            f"needs = {method.needs.source('gradient_rule')}",
        )
    return {name: _checked(method, step, term, f"term {name!r}") for name, term in found.items()}


def measures_of(method: Measuring, step: Step) -> dict[str, Tensor]:
    """Return the losses that a method measures before training, for a step of one record.

    Raises:
        MethodError, TrainingError: as for `loss_of`, for each; a loss may have no gradient.
    """
    found = _called(method, step.origin, lambda: method.measure(step))
    if not isinstance(found, Mapping) or not found:
        raise MethodError(
            f"{step.origin}: `measure` returns {type(found).__name__}",
            expected="a mapping from names to scalar losses",
            found=return_of(method, "measure"),
            remedy=correct(method),
        )
    return {
        name: _checked(method, step, term, f"measure {name!r}", gradient=False)
        for name, term in found.items()
    }


def rule_of(method: Method, name: str, origin: str, work: Callable[[], T]) -> T:
    """Return what one of a method's rules returns; errors are as for a loss.

    Args:
        name: of the function, such as `combine`.

    Raises:
        MethodError: it fails, or `begin` returns no state.
    """
    found = _called(method, origin, work)
    if name == "begin" and not isinstance(found, State):
        raise MethodError(
            f"{origin}: `begin` returns {type(found).__name__}",
            expected="State(numbers={...}, weights={...})",
            found=return_of(method, "begin"),
            remedy=correct(method),
        )
    return found


def _checked(
    method: Method, step: Step, loss: object, what: str = "loss", *, gradient: bool = True
) -> Tensor:
    function = "measure" if what.startswith("measure") else "loss"
    if not isinstance(loss, Tensor) or loss.dim():
        found = f"shape {list(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)[:100]
        raise MethodError(
            f"{step.origin}: the {what} is not a scalar",
            expected="a tensor of shape []",
            found=f"{found}, returned by {return_of(method, function)}",
            remedy="return a mean over records, for example `step.forget_nll().mean()`",
        )
    if gradient and not loss.requires_grad:
        raise MethodError(
            f"{step.origin}: the {what} has no gradient",
            expected="a loss that depends on the trained adapter",
            found=f"a constant, returned by {return_of(method, function)}",
            remedy="compute it from `step.policy(...)` or `step.forget_nll()`, and use no "
            "`.detach()`, `.item()` or `torch.no_grad()` on the way",
        )
    _require_numbers(method, step)
    if not torch.isfinite(loss):
        raise TrainingError(
            f"{step.origin}: the {what} is {float(loss.detach())}",
            expected="a finite number",
            found=terms_of(step) or float(loss.detach()),
            remedy="lower learning_rate, or stop earlier (stop = 'uniform')",
        )
    return loss


def terms_of(step: Step) -> str:
    """Return the terms that a loss has noted, to see which of them is wrong."""
    return ", ".join(f"{name} {value:.4g}" for name, value in step.log.items())


def return_of(method: Method, name: str = "loss") -> str:
    """Return file, line and text of the `return` of a loss; of its `def` if it has several.

    Args:
        name: of another function of the method.
    """
    function = inspect.unwrap(getattr(type(method), name))
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):  # made by code, not read from a file
        return f"`{name}`"
    tree = ast.parse(textwrap.dedent("".join(lines)))
    places = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Return)]
    place = places[0] if len(places) == 1 else 1
    return f"{_name(function.__code__.co_filename)}:{first + place - 1}: {lines[place - 1].strip()}"


def line_of(error: BaseException) -> str | None:
    """Return the last line of a method's own file that led to an error; None if there is none."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame)]
    return f"{_name(own[-1].filename)}:{own[-1].lineno}: {own[-1].line}" if own else None


def _called(method: Method, origin: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except MethodError as error:  # of the step: it does not know the line that called it
        found = ", used by ".join(filter(None, [str(error.found or ""), line_of(error)]))
        raise MethodError(
            error.what, expected=error.expected, found=found, remedy=error.remedy
        ) from None
    except (Exception, SystemExit, GeneratorExit) as error:
        # The training loop handles these: it retries with fewer records, or without strict kernels.
        expected = out_of_memory(error) or NONDETERMINISTIC.match(str(error))
        line = line_of(error)
        if isinstance(error, KitError) or expected or line is None or _in_model(error):
            raise
        raise MethodError(
            f"{origin}: {type(error).__name__}: {str(error)[:300]}",
            expected="a method that ends without an error",
            found=line,
            remedy=correct(method),
        ) from error


def _require_numbers(method: Method, step: Step) -> None:
    """Check what a loss has noted for losses.jsonl."""
    for name, value in step.log.items():
        if not isinstance(value, int | float):
            raise MethodError(
                f"{step.origin}: `step.log[{name!r}]` is not a number",
                expected="a float",
                found=f"{type(value).__name__}, noted before {return_of(method)}",
                remedy=f"write step.log[{name!r}] = float(value.detach())",
            )


def _is_own(frame: traceback.FrameSummary) -> bool:
    path = Path(frame.filename)
    return path.parent == FOLDER and path.name not in BESIDE


def _in_model(error: BaseException) -> bool:
    """Return whether an error comes from within the model: then the method is not to blame."""
    return any(f.name == "answer_distribution" for f in traceback.extract_tb(error.__traceback__))


def _name(file: str) -> str:
    path = Path(file)
    return f"kit/methods/{path.name}" if path.parent == FOLDER else path.name
