"""Settings that a method's code or the engine refuses: found before any work."""

from collections.abc import Mapping

from kit.attacks import Attack
from kit.attacks.relearning import Relearning
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.experiment.own_settings import settings_of, trains_full
from kit.experiment.updates import FULL
from kit.methods import Method
from kit.plan.training_settings import require_rehearsal, require_warm_ups

LARGEST_RANK = 512  # that vLLM serves, as in kit.evaluation.engines.vllm_settings


def require_method_settings(manifest: Manifest, built: Mapping[str, Method]) -> None:
    """Check that every method can be trained and served with its settings.

    Args:
        built: the methods by the names of their entries.

    Raises:
        ManifestError: the engine, a method's code or the schedule refuses a setting.
    """
    _require_engine_settings(manifest)
    require_merged(manifest, built)
    require_low_rank(manifest, built)
    require_whole_batches(manifest, built)
    require_warm_ups(manifest, built)
    require_rehearsal(manifest)


def _require_engine_settings(manifest: Manifest) -> None:
    """Check that answers are as independent of each other as the manifest says.

    Raises:
        ManifestError: vLLM's mode for it is asked for, and vLLM does not answer.
    """
    where, engine = "evaluation.batch_invariant", manifest.evaluation.engine
    if manifest.evaluation.batch_invariant and engine != "vllm":
        raise ManifestError(
            f"{manifest.origin_of(where, 'evaluation.engine')}: {where} has no effect: it is a "
            "mode of vLLM",
            expected='evaluation.engine = "vllm", or evaluation.batch_invariant = false',
            found=f'evaluation.engine = "{engine}"',
            remedy="leave batch_invariant out of [evaluation]",
        )


def require_merged(manifest: Manifest, built: Mapping[str, Method]) -> None:
    """Check that what is no LoRA adapter is not to be served as one.

    transformers stacks adapters, full updates and gates in both cases, so `serving` is of vLLM
    alone. In bfloat16, merging would round small updates away, and `serving = "merged"` is refused.

    Args:
        built: the methods by the names of their entries.

    Raises:
        ManifestError: vLLM would serve it as an adapter.
    """
    section = manifest.evaluation
    if (section.engine, section.serving) != ("vllm", "adapters"):
        return
    engine = "evaluation.engine", "evaluation.serving"
    other = [name for name, method in built.items() if not method.needs.lora]
    if full := trains_full(manifest):
        what = f'{manifest.origin_of(full[0], *engine)}: {full[0]} = "full" gives no LoRA adapter'
    elif other:
        what = f"{manifest.origin_of('methods', *engine)}: method '{other[0]}' is no LoRA adapter"
    else:
        return
    halved = manifest.model.compute_dtype == "bfloat16"
    key = 'engine = "transformers"' if halved else 'serving = "merged"'
    raise ManifestError(
        f"{what}, so vLLM cannot serve it as one",
        expected='evaluation.serving = "merged", or evaluation.engine = "transformers"',
        found='evaluation.serving = "adapters"',
        remedy=f"write {key} in [evaluation]",
    )


def require_low_rank(manifest: Manifest, built: Mapping[str, Method]) -> None:
    """Check that a method of several adapters in one file trains LoRA: each has its own ranks.

    Args:
        built: the methods by the names of their entries.

    Raises:
        ManifestError: an entry of such a method trains a full update.
    """
    for number, entry in enumerate(manifest.methods):
        full = settings_of(manifest.unlearn, entry).update == FULL
        if full and built[entry.name].needs.merging:
            where = manifest.origin_of(f"methods.{number}", "unlearn.update")
            raise ManifestError(
                f"{where}: method '{entry.name}' trains several adapters side by side, each in "
                "ranks of its own, which a full update does not have",
                expected='update = "lora" in the entry',
                found='update = "full"' if entry.update else 'update = "full" of [unlearn]',
                remedy='write update = "lora" in the entry of the method',
            )


def require_whole_batches(manifest: Manifest, built: Mapping[str, Method]) -> None:
    """Check that a method whose loss compares the records of a batch gets no part of one.

    Args:
        built: the methods by the names of their entries.

    Raises:
        ManifestError: an entry states a smaller micro-batch than its batch.
    """
    for number, entry in enumerate(manifest.methods):
        batch = settings_of(manifest.unlearn, entry).batch_size
        stated = entry.micro_batch_size
        if built[entry.name].needs.whole_batch and stated not in (None, batch):
            raise ManifestError(
                f"{manifest.origin_of(f'methods.{number}')}: method '{entry.name}' needs its whole "
                "batch at once, because its loss compares the records",
                expected=f"micro_batch_size = {batch}, or none in the entry",
                found=f"micro_batch_size = {stated}",
                remedy="remove micro_batch_size from the entry, or lower its batch_size",
            )


def require_servable_ranks(
    manifest: Manifest, built: Mapping[str, Method], attacks: Mapping[str, Attack]
) -> None:
    """Check that vLLM serves the adapters of every system stacked: their ranks add up.

    Args:
        built: the methods by the names of their entries.
        attacks: those of the manifest by the names of their entries.

    Raises:
        ManifestError: a sum is above what it accepts.
    """
    section = manifest.evaluation
    if (section.engine, section.serving) != ("vllm", "adapters"):
        return
    relearns = any(isinstance(attack, Relearning) for attack in attacks.values())
    above = manifest.unlearn.rank if relearns else 0
    for number, entry in enumerate(manifest.methods):
        if not built[entry.name].needs.training:
            continue
        own = settings_of(manifest.unlearn, entry).rank
        if (total := manifest.finetune.rank + own + above) > LARGEST_RANK:
            stacked = f"{manifest.finetune.rank} of [finetune], {own} of the method"
            raise ManifestError(
                f"{manifest.origin_of(f'methods.{number}', 'finetune.rank', 'unlearn.rank')}: "
                f"vLLM cannot serve the adapters of method '{entry.name}' stacked",
                expected=f"ranks of {LARGEST_RANK} or less together",
                found=f"{total}: {stacked}{f', {above} of relearning' if above else ''}",
                remedy='lower a rank, or write serving = "merged" in [evaluation]',
            )
