"""A base that is larger than a card: how many cards hold it, and what cannot be done with it then.

Training and scoring spread it over `compute.shards` processes (`kit.model.sharding`), and vLLM over
`evaluation.tensor_parallel_size` GPUs.
"""

from collections.abc import Iterator, Mapping

from kit.attacks import Attack
from kit.attacks.relearning import Relearning
from kit.attacks.weights import WeightAttack
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.experiment.own_settings import settings_of, trains_full
from kit.methods import Method
from kit.plan.cards import GIGABYTES, answering, kinds
from kit.plan.memory import RecordSize
from kit.plan.sizes import BaseSizes

COUNTS = (2, 4, 8)  # of cards in one machine
SHARDS, SPREAD = "compute.shards", "evaluation.tensor_parallel_size"


def require_spreadable(
    manifest: Manifest, built: Mapping[str, Method], attacks: Mapping[str, Attack]
) -> None:
    """Check that everything in a manifest can be done with a base that is spread over cards.

    Args:
        built: the methods by the names of their entries.
        attacks: those of the manifest by the names of their entries.

    Raises:
        ManifestError: something cannot.
    """
    if manifest.compute.shards > 1:
        _require_shared(manifest, built, attacks)
    if manifest.evaluation.tensor_parallel_size > 1:
        _require_parallel(manifest, attacks)


def require_one_card(manifest: Manifest, what: str) -> None:
    """Check that a base is on one card, for what knows no other.

    Args:
        what: such as `--executor ray`.

    Raises:
        ManifestError: it is spread over several.
    """
    for key, count in (
        (SHARDS, manifest.compute.shards),
        (SPREAD, manifest.evaluation.tensor_parallel_size),
    ):
        if count > 1:
            raise _refused(manifest, key, count, f"{what} gives each piece of work one card", what)


def fitting(manifest: Manifest, sizes: BaseSizes, record: RecordSize) -> Iterator[str]:
    """Yield, for each size of GPU that is too small for something, how many hold it together."""
    for gigabytes in GIGABYTES:
        card, parts = gigabytes * 10**9, []
        if not _trains(manifest, sizes, record, card):
            parts.append(("training", SHARDS, _shards_for(manifest, sizes, record, card)))
        if answering(manifest, sizes) > card:
            parts.append(("answers", SPREAD, _spread_for(manifest, sizes, card)))
        said = [
            f"{what} fit with {key} = {count}"
            if count
            else f"{what} fit on no {COUNTS[-1]} cards of one machine"
            for what, key, count in parts
        ]
        if said:
            yield f"{gigabytes} GB: {', '.join(said)}"


def with_shards(manifest: Manifest, count: int) -> Manifest:
    """Return a manifest with so many shards."""
    compute = manifest.compute.model_copy(update={"shards": count})
    return manifest.model_copy(update={"compute": compute})


def with_spread(manifest: Manifest, count: int) -> Manifest:
    """Return a manifest whose engine is spread over so many GPUs."""
    section = manifest.evaluation.model_copy(update={"tensor_parallel_size": count})
    return manifest.model_copy(update={"evaluation": section})


def _trains(manifest: Manifest, sizes: BaseSizes, record: RecordSize, card: int) -> bool:
    return all(kind.least <= card for kind in kinds(manifest, sizes, record))


def _shards_for(manifest: Manifest, sizes: BaseSizes, record: RecordSize, card: int) -> int | None:
    if trains_full(manifest):
        return None
    found = (n for n in COUNTS if _trains(with_shards(manifest, n), sizes, record, card))
    return next(found, None)


def _spread_for(manifest: Manifest, sizes: BaseSizes, card: int) -> int | None:
    return next((n for n in COUNTS if answering(with_spread(manifest, n), sizes) <= card), None)


def _require_shared(
    manifest: Manifest, built: Mapping[str, Method], attacks: Mapping[str, Attack]
) -> None:
    count = manifest.compute.shards
    if full := trains_full(manifest):
        why = "every process would hold the whole update, which is larger than the base"
        raise _refused(manifest, SHARDS, count, why, f'{full[0]} = "full"')
    if manifest.evaluation.engine == "transformers":
        why = "the engine 'transformers' holds the whole base on one card"
        raise _refused(manifest, SHARDS, count, why, 'evaluation.engine = "transformers"')
    for where, size in _micro_batches(manifest, built, attacks):
        if size is None:
            raise ManifestError(
                f"{manifest.origin_of(SHARDS)}: {SHARDS} = {count} needs micro_batch_size in "
                f"{where}",
                expected="a number: processes that share a base cannot find it by trying, because "
                "the others wait in the pass that fails",
                found="no micro_batch_size",
                remedy="add micro_batch_size = 1, or as many records as `./run.sh plan` estimates",
            )


def _micro_batches(
    manifest: Manifest, built: Mapping[str, Method], attacks: Mapping[str, Attack]
) -> Iterator[tuple[str, int | None]]:
    """Yield where a training takes its micro-batch from, and what that is."""
    yield "[finetune]", manifest.finetune.micro_batch_size
    for entry in manifest.methods:
        needs = built[entry.name].needs
        if needs.training and not needs.whole_batch:
            own = settings_of(manifest.unlearn, entry)
            yield "[unlearn]", own.micro_batch_size
    if any(isinstance(attack, Relearning) for attack in attacks.values()):
        yield "[unlearn], for attacks that relearn", manifest.unlearn.micro_batch_size


def _require_parallel(manifest: Manifest, attacks: Mapping[str, Attack]) -> None:
    count, section = manifest.evaluation.tensor_parallel_size, manifest.evaluation
    if section.engine != "vllm":
        why = f"the engine '{section.engine}' holds the whole base on one card"
        raise _refused(manifest, SPREAD, count, why, f'evaluation.engine = "{section.engine}"')
    if section.serving == "merged":
        why = "merged weights are handed to an engine within one process"
        raise _refused(manifest, SPREAD, count, why, 'evaluation.serving = "merged"')
    changed = [name for name, attack in attacks.items() if isinstance(attack, WeightAttack)]
    if changed:
        why = f"the attack '{changed[0]}' needs merged weights, which one process holds"
        raise _refused(manifest, SPREAD, count, why, f"the attack '{changed[0]}'")


def _refused(manifest: Manifest, key: str, count: int, why: str, other: str) -> ManifestError:
    return ManifestError(
        f"{manifest.origin_of(key)}: {key} = {count} cannot be combined with {other}: {why}",
        expected=f"{key} = 1, or another way",
        found=f"{key} = {count}",
        remedy=f"leave {key} out, or leave out {other}",
    )
