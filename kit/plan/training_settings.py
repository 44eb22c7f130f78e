"""Settings of training do what they say.

A training that ends within its warm-up never reaches its learning rate. A share of a batch that is
less than half a record is none.
"""

from collections.abc import Mapping

from kit.attacks.relearning import Relearning
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest, MethodSection, TrainingSection
from kit.experiment.own_settings import settings_of
from kit.experiment.rehearsal import rehearsed
from kit.methods import Method

WARM_UP = "unlearn.warmup_steps"  # an entry of [[methods]] has none of its own


def require_rehearsal(manifest: Manifest) -> None:
    """Check that fine-tuning rehearses general records, and not those alone.

    Raises:
        ManifestError: `finetune.rehearsal` is no record of a batch, or the whole batch.
    """
    section = manifest.finetune
    general = rehearsed(section.batch_size, section.rehearsal)
    if section.rehearsal and not 0 < general < section.batch_size:
        keys = "finetune.rehearsal", "finetune.batch_size"
        raise ManifestError(
            f"{manifest.origin_of(*keys)}: {keys[0]} = {section.rehearsal:g} of a batch of "
            f"{section.batch_size} is {'the whole batch' if general else 'no record'}",
            expected="general records and others in each batch",
            found=f"{general} general records",
            remedy=f"{f'lower {keys[0]}' if general else f'set {keys[0]} = 0'}, or raise {keys[1]}",
        )


def require_warm_ups(manifest: Manifest, built: Mapping[str, Method]) -> None:
    """Check that fine-tuning and every method reach the learning rate that is stated for them.

    Args:
        built: the methods by the names of their entries.

    Raises:
        ManifestError: one makes fewer steps than its warm-up has.
    """
    keys = "finetune.steps", "finetune.warmup_steps"
    _require_warm(manifest.finetune, manifest.origin_of(*keys), "fine-tuning", *keys)
    for number, entry in enumerate(manifest.methods):
        needs = built[entry.name].needs
        if needs.training_free or not needs.training:
            continue
        for target in entry.targets:
            steps = steps_key(manifest, entry, number, target)
            _require_warm(
                settings_of(manifest.unlearn, entry, target),
                manifest.origin_of(steps, WARM_UP),
                f"method '{entry.name}', which forgets '{target}',",
                steps,
                WARM_UP,
            )


def steps_key(manifest: Manifest, entry: MethodSection, number: int, target: str) -> str:
    """Return the key that says how many steps an entry makes for a target."""
    if entry.steps:
        return f"methods.{number}.steps"
    longer = target in manifest.unlearn.target_steps
    return f"unlearn.target_steps.{target}" if longer else "unlearn.steps"


def _require_warm(
    settings: TrainingSection, origin: str, what: str, steps: str, warm_up: str
) -> None:
    if settings.warmup_steps > settings.steps:
        raise ManifestError(
            f"{origin}: {what} never reaches its learning rate",
            expected=f"a warm-up of at most its {settings.steps} steps ({steps})",
            found=f"{warm_up} = {settings.warmup_steps}",
            remedy=f"set {warm_up} to {settings.steps} or less, or raise {steps}",
        )


def require_warm_relearning(attack: Relearning, manifest: Manifest, number: int) -> None:
    """Check that an attack that relearns ends its warm-up: it is weaker than it says otherwise.

    Args:
        number: of the attack's entry.

    Raises:
        ManifestError: it makes fewer steps than its warm-up has.
    """
    assert manifest.attack is not None, "it has this entry"
    own = {**manifest.unlearn.model_dump(), **attack.settings(attack.most)}
    if own["warmup_steps"] > own["steps"]:
        raise ManifestError(
            f"{manifest.origin_of(f'attack.entries.{number}')}: the attack "
            f"'{manifest.attack.entries[number].name}' never reaches its learning rate",
            expected=f"a warm-up of at most its {own['steps']} steps",
            found=f"warmup_steps = {own['warmup_steps']}",
            remedy="set warmup_steps in the options of the attack: without it, that of [unlearn] "
            "holds",
        )
