"""How many GPUs a manifest's processes use, those that share a base or an engine included."""

from kit.experiment.manifest import Manifest


def cards_of_all(manifest: Manifest) -> int:
    """Return how many GPUs all processes of a manifest use at the same time."""
    together = manifest.compute.workers * manifest.compute.shards
    return max(together, manifest.evaluation.tensor_parallel_size)


def fewest_cards(manifest: Manifest) -> int:
    """Return how many GPUs one adapter and one engine need."""
    return max(manifest.compute.shards, manifest.evaluation.tensor_parallel_size)
