"""What a `[[methods]]` entry states of its own: it replaces the values of `[unlearn]`.

All methods have one budget unless an entry says otherwise. One that does is named in the plan and
in the report, because its row then compares a budget as well as a method.
"""

from collections.abc import Iterator, Mapping

from kit.errors import ManifestError
from kit.experiment.manifest import Manifest, MethodSection, TrainingSection, UnlearnSection
from kit.experiment.systems import TRAINING_FREE, UNTRAINED
from kit.experiment.updates import FULL, LORA, OF_LORA

# Keys of an entry that replace those of `[unlearn]`; `steps` replaces `target_steps` as well.
REPLACED = (
    "steps", "learning_rate", "batch_size", "micro_batch_size", "update", "rank", "alpha",
)  # fmt: skip
# Those of them that change what a step sees or what an adapter can hold, as tables call them.
BUDGET = {
    "batch_size": "records in a step", "update": "update", "rank": "rank", "alpha": "alpha",
}  # fmt: skip
OF_STEPS = ("steps", "learning_rate", "stop")  # what decides steps, and nothing without them


def settings_of(
    shared: UnlearnSection, entry: MethodSection, target: str | None = None
) -> TrainingSection:
    """Return how an entry is trained: the values of `[unlearn]`, and its own in their place.

    Args:
        target: what is forgotten; None where the number of steps does not matter.
    """
    own = {name: getattr(entry, name) for name in REPLACED}
    own["steps"] = entry.steps or shared.target_steps.get(target or "")
    values = {name: value for name, value in own.items() if value is not None}
    return TrainingSection(**{**shared.model_dump(exclude={"stop", "target_steps"}), **values})


def update_of(section: Mapping[str, object], entry: Mapping[str, object] | None = None) -> str:
    """Return what is trained of each layer's weight: `lora` or `full`.

    Args:
        section: that of the stage, as in a resolved manifest.
        entry: the entry of the method; None for fine-tuning.
    """
    own = entry.get("update") if entry else None
    return str(own or section.get("update") or LORA)


def trains_full(manifest: Manifest) -> list[str]:
    """Return which keys make a manifest train full updates, as `section.key` each."""
    sections: dict[str, TrainingSection | MethodSection] = {
        "finetune": manifest.finetune,
        "unlearn": manifest.unlearn,
        **{f"methods.{number}": entry for number, entry in enumerate(manifest.methods)},
    }
    return [f"{place}.update" for place, each in sections.items() if each.update == FULL]


def deciding(settings: TrainingSection) -> dict[str, object]:
    """Return what decides the trained weights, but for the seed, which is told apart."""
    unused = OF_LORA if settings.update == FULL else ()
    return settings.model_dump(exclude={"seed", *unused})


def served_with(manifest: Manifest) -> int:
    """Return how many full updates the model of one system has at most: 0 to 2."""
    full = trains_full(manifest)
    return int("finetune.update" in full) + any(place != "finetune.update" for place in full)


def largest_rank(manifest: Manifest) -> int:
    """Return the largest rank of the adapters that methods train; that of `[unlearn]` if none."""
    shared = manifest.unlearn.rank
    trained = [each for each in manifest.methods if each.method not in UNTRAINED | TRAINING_FREE]
    return max((each.rank or shared for each in trained), default=shared)


def own_budget(shared: Mapping[str, object], entry: Mapping[str, object]) -> Iterator[str]:
    """Yield each setting by which an entry's budget differs from `[unlearn]`, in words.

    Args:
        shared: the section `[unlearn]` as in a resolved manifest.
        entry: the entry of the method.
    """
    common = {**shared, "update": update_of(shared)}
    for name, words in BUDGET.items():
        value = entry.get(name)
        if name in OF_LORA and common["update"] == FULL:
            continue  # [unlearn] has none that counts
        if value is not None and value != common.get(name):
            yield f"{words} {_written(value)} instead of {_written(common.get(name))}"


def _full_of(entry: MethodSection) -> str:
    return 'update = "full"' if entry.update else 'update = "full" of [unlearn]'


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def require_batches(manifest: Manifest) -> None:
    """Check that every micro-batch divides its batch.

    Raises:
        ManifestError: that of a section or of an entry does not.
    """
    for section, training in (("finetune", manifest.finetune), ("unlearn", manifest.unlearn)):
        if training.micro_batch_size and training.batch_size % training.micro_batch_size:
            size, part = f"{section}.batch_size", f"{section}.micro_batch_size"
            raise ManifestError(
                f"{manifest.origin_of(size, part)}: {size} is not a multiple of {part}",
                expected="a batch of whole micro-batches",
                found=f"{training.batch_size} and {training.micro_batch_size}",
                remedy="change one of them, or leave micro_batch_size out: the kit then finds it",
            )
    for number, entry in enumerate(manifest.methods):
        own = settings_of(manifest.unlearn, entry)
        if own.micro_batch_size and own.batch_size % own.micro_batch_size:
            size = "its batch_size" if entry.batch_size else "unlearn.batch_size"
            part = "its micro_batch_size" if entry.micro_batch_size else "unlearn.micro_batch_size"
            raise ManifestError(
                f"{manifest.origin_of(f'methods.{number}')}: method '{entry.name}': {size} is not "
                f"a multiple of {part}",
                expected="a batch of whole micro-batches",
                found=f"{own.batch_size} and {own.micro_batch_size}",
                remedy=f"give the method a micro_batch_size of its own that divides "
                f"{own.batch_size}, or change its batch_size",
            )


def require_own_settings(manifest: Manifest) -> None:
    """Check that what an entry states of its own has an effect, and only the one that it says.

    Raises:
        ManifestError: a rank stands without alpha or beside a full update, or a method that trains
            nothing has a budget.
    """
    for number, entry in enumerate(manifest.methods):
        where = f"{manifest.origin_of(f'methods.{number}')}: method '{entry.name}'"
        full = settings_of(manifest.unlearn, entry).update == FULL
        if full and (stated := [name for name in OF_LORA if getattr(entry, name) is not None]):
            raise ManifestError(
                f"{where}: it trains a full update, so its {stated[0]} has no effect",
                expected='update = "lora" in the entry, or none of rank and alpha',
                found=f"{', '.join(stated)}, and {_full_of(entry)}",
                remedy=f"remove {' and '.join(stated)} from the entry, or write update = "
                '"lora" there',
            )
        if entry.rank is not None and entry.alpha is None:
            same = manifest.unlearn.alpha * entry.rank / manifest.unlearn.rank
            raise ManifestError(
                f"{where}: rank stands without alpha",
                expected="both: the output of LoRA is multiplied by alpha / rank",
                found=f"rank {entry.rank}, and alpha {manifest.unlearn.alpha:g} of [unlearn]",
                remedy=f"add alpha to the entry; alpha = {same:g} keeps the scale of [unlearn]",
            )
        if entry.method in UNTRAINED | TRAINING_FREE:
            none = [*BUDGET, *OF_STEPS]
            none += ["micro_batch_size"] if entry.method in UNTRAINED else []
            if stated := [name for name in none if getattr(entry, name) is not None]:
                raise ManifestError(
                    f"{where}: it trains nothing, so its {stated[0]} has no effect",
                    expected=f"none of {', '.join(none)}",
                    found=", ".join(f"{name} = {getattr(entry, name)}" for name in stated),
                    remedy=f"remove {', '.join(stated)} from the entry",
                )
