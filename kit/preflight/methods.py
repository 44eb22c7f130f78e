"""Is a method's loss one that training can use? Each method is tried before hours are spent."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from kit.artifacts import write_json
from kit.errors import MethodError
from kit.experiment.manifest import Manifest
from kit.methods import Method, registry
from kit.methods.arithmetic import after_training
from kit.methods.loss import origin_of, return_of, terms_of
from kit.methods.merger_file import require_merge
from kit.methods.merging import adapters_of, merge_of
from kit.model.batches import padding_token
from kit.model.lora import adapter_state
from kit.model.side_by_side import merged_updates
from kit.plan.jobs import Plan
from kit.preflight.kept import require_saved
from kit.preflight.neurons import neurons_line
from kit.preflight.padding import more_padded
from kit.preflight.trial import DTYPE, RECORDS, Found, Trial, Watched
from kit.preflight.tried import path_of, untried
from kit.training.padding import TOLERANCE
from kit.training.steps import TRAINED

RULES = {"gradient_rule", "measure", "perturbation"}  # they prepare no batch
# Needs that prepare something to be read; the others change what is drawn or how it is cut.
READ = {
    "forget", "retain", "refusals", "reference_scalars", "reference_distribution",
    "other_answers", "text_view", "random_answers", "alternates", "subject_facts",
    "retain_only_scalars", "hidden_states",
}  # fmt: skip
NOT_OF_FORGET = {
    "retain", "reference_distribution", "hidden_states", "arithmetic", "neurons", "merging",
}  # fmt: skip


def require_methods(plan: Plan, names: Collection[str] | None = None) -> list[str]:
    """Try every method that is still to be trained; return one line for each.

    Runs in a process of its own: it imports the model libraries.

    Args:
        names: of the jobs whose methods are tried; None: all that were not tried yet.

    Raises:
        MethodError: a method is broken.
    """
    lines: list[str] = []
    waiting = [job for job in untried(plan) if names is None or job.name in names]
    if not waiting:
        return lines
    with TemporaryDirectory() as folder:
        torch.set_num_threads(plan.manifest.compute.threads)
        trial = Trial(Path(folder))
        for job in waiting:
            found = list(check_method(job.method, trial))
            write_json(path_of(job.method), {"found": found})
            lines.append(f"{origin_of(job.method)}: tried, {len(found)} checks passed")
    return lines


def try_named(manifest: Manifest, name: str) -> Iterator[str]:
    """Try a method by the name of its file, or of a manifest's entry; yield lines for a reader.

    Raises:
        ManifestError: there is no such method, or an entry's option is not valid.
        MethodError: the method is broken.
    """
    known = {each.name: number for number, each in enumerate(manifest.methods)}
    entry = manifest.methods[known[name]] if name in known else None
    options = dict(entry.options) if entry else {}
    method = registry.build(
        entry.method if entry else name.removesuffix(".py").rpartition("/")[2],
        options,
        f"{manifest.origin_of(f'methods.{known[name]}')}: method '{name}'"
        if entry
        else "try-method",
    )
    given = ", ".join(f"{option} = {value!r}" for option, value in options.items())
    yield f"{origin_of(method)}, options: {given or 'defaults'}"
    with TemporaryDirectory() as folder:
        for line in check_method(method, Trial(Path(folder))):
            yield f"ok  {line}"
    yield "What this does not show: that the method forgets, and that it suits your data and model."


def check_method(method: Method, trial: Trial) -> Iterator[str]:
    """Try one step of a method; yield what was checked, in words.

    Raises:
        MethodError: the method is broken; the message names file, line and what was expected.
    """
    yield "METHOD is a frozen dataclass with `needs` and `loss`"
    if not method.needs.training:
        yield "it trains nothing, so there is no loss to try"
        return
    parts = trial.steps(method, RECORDS)
    if method.needs.neurons:
        yield neurons_line(method, trial, parts)
    if method.needs.training_free:
        yield f"needs that are declared are used: {_used(method, parts)}"
        return
    found = trial.step(method, parts)
    terms = terms_of(parts[0])
    yield f"the loss is one finite number: {found.loss:.6g}" + (f" ({terms})" if terms else "")
    yield _moved(method, found)
    again = trial.step(method, trial.steps(method, RECORDS))
    _require_equal(
        method, found, again, "the loss of the same step is not the same twice",
        "draw random numbers from a generator of your own, which each call seeds in the same way",
    )  # fmt: skip
    yield "the same step gives the same loss twice"
    if method.needs.gradient_rule:
        yield f"kept between steps, and in checkpoints: {require_saved(method, found.kept)}"
    if method.needs.arithmetic:
        changed = after_training(method, adapter_state(trial.model, TRAINED))
        yield f"after training, {len(changed)} weights keep their form"
    if method.needs.merging:
        updates = merged_updates(trial.model, TRAINED, merge_of(method))
        count, merged = len(adapters_of(method)), require_merge(method, updates)
        yield f"{count} adapters become one update of each of {merged} weights"
    yield f"needs that are declared are used: {_used(method, parts)}"
    filler = padding_token(trial.processor.tokenizer)
    padded = [more_padded(part, filler) for part in trial.steps(method, RECORDS)]
    gap = _require_equal(
        method, found, trial.step(method, padded), "the loss depends on the padding of its batch",
        "count tokens of answers alone: multiply by `batch.answer_mask` and divide by its sum",
    )  # fmt: skip
    yield f"more padding changes neither loss nor gradient ({gap})"
    if method.needs.whole_batch:
        yield "it needs the whole batch, so micro-batches were not tried"
        return
    remedy = (
        "take the mean over records, not the sum: `.mean()`. A loss that compares the records of a "
        f"batch declares it: needs = {method.needs.source('whole_batch')}"
    )
    single = _single(method, trial, remedy)
    gap = _require_equal(
        method, found, single, "the loss depends on the size of the micro-batch", remedy
    )
    yield f"micro-batches of one record give the batch's loss and gradient ({gap})"


def _single(method: Method, trial: Trial, remedy: str) -> Found:
    """Return what the step gives in micro-batches of one record.

    Raises:
        MethodError: the loss fails there, though it did not for both records at once.
    """
    try:
        return trial.step(method, trial.steps(method, 1))
    except MethodError as error:
        raise MethodError(
            f"{origin_of(method)}: the loss depends on the size of the micro-batch",
            expected="a loss of one record alone, too",
            found=f"{error.what.partition(': ')[2]}, returned by {return_of(method)}",
            remedy=remedy,
        ) from error


def _moved(method: Method, found: Found) -> str:
    """Return which weights got a gradient.

    Raises:
        MethodError: none did, or one is not finite.
    """
    given = {name: g for name, g in found.gradient.items() if g is not None and bool(g.any())}
    wrong = [name for name, g in given.items() if not bool(torch.isfinite(g).all())]
    if wrong or not given:
        raise MethodError(
            f"{origin_of(method)}: the gradient is {'not finite' if wrong else 'zero'}",
            expected="a finite gradient, not zero, of the adapter's weights",
            found=f"{len(wrong) or len(found.gradient)} weights with "
            f"{'NaN or infinity' if wrong else 'no gradient'}, by {return_of(method)}",
            remedy="look for square roots and logarithms at 0, and masks that multiply infinity"
            if wrong
            else "compute the loss from `step.policy(...)`; look for a factor that is 0, `clamp`, "
            "`round` and comparisons, which have no gradient",
        )
    return (
        f"{len(given)} of {len(found.gradient)} weights of the adapter got a gradient, of length "
        f"{found.length():.3g}"
    )


def _require_equal(method: Method, one: Found, two: Found, what: str, remedy: str) -> str:
    """Return how far two results are apart, in words.

    Raises:
        MethodError: by more than rounding.
    """
    of_loss, of_gradient = TOLERANCE[DTYPE]
    loss, gradient = one.apart(two)
    gap = f"{loss:.2g} nats, gradients {gradient:.2g} of their length apart"
    if loss <= of_loss * (1 + abs(one.loss)) and gradient <= of_gradient:  # false for NaN, too
        return gap
    raise MethodError(
        f"{origin_of(method)}: {what}",
        expected="equal losses and gradients, up to rounding",
        found=f"{one.loss:.6g} and {two.loss:.6g} ({gap}), returned by {return_of(method)}",
        remedy=remedy,
    )


def _used(method: Method, parts: Sequence[Watched]) -> str:
    """Return the needs that the loss has read.

    Raises:
        MethodError: it declares one that it does not read: the report would print its cost.
    """
    declared = set(method.needs.declared())
    used = set().union(*(part.used for part in parts))
    idle = (declared & READ) - used
    if (used | declared - READ) - NOT_OF_FORGET - RULES - {"training", "whole_batch"}:
        idle.discard("forget")  # everything else is about forget records
    if not idle:
        return ", ".join(sorted(declared - {"training"}))
    fewer = replace(method.needs, **dict.fromkeys(idle, False))
    raise MethodError(
        f"{origin_of(method)}: the loss does not use what its needs declare",
        expected=f"a loss that reads what is prepared for {' and '.join(sorted(idle))}",
        found=f"{method.needs.source()}, read were {', '.join(sorted(used)) or 'none'}",
        remedy=f"needs = {fewer.source()}",
    )
