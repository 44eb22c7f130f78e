"""What the numbers of a result can be compared with, as sentences."""

from collections.abc import Iterator

from kit.benchmarks.protocol import Protocol
from kit.experiment.own_settings import own_budget, update_of
from kit.experiment.updates import FULL
from kit.report import notes
from kit.report.run_types import Manifest

OWN = (
    "The budget of these methods differs from that of [unlearn]: {named}. A difference between "
    "their rows and those of other methods may come from the budget."
)

FULLY = (
    "Full updates are trained in {stages}, not LoRA: every weight of the adapted layers changes. "
    "Norms, embeddings, output layer, vision tower and projector are not trained."
)


def comparability(manifest: Manifest, protocol: Protocol) -> list[str]:
    """Return what holds for all results, for this manifest and for its benchmark."""
    return [
        *notes.COMPARABILITY,
        *_full_updates(manifest),
        *_own_budgets(manifest),
        *protocol.comparability,
    ]


def _full_updates(manifest: Manifest) -> Iterator[str]:
    stages = {
        "fine-tuning": manifest.get("finetune", {}),
        "unlearning": manifest.get("unlearn", {}),
    }
    if full := [stage for stage, section in stages.items() if update_of(section) == FULL]:
        yield FULLY.format(stages=" and ".join(full))


def _own_budgets(manifest: Manifest) -> Iterator[str]:
    named = [
        f"{entry['label']} ({', '.join(budget)})"
        for entry in manifest.get("methods", [])
        if (budget := [*own_budget(manifest.get("unlearn", {}), entry)])
    ]
    if named:
        yield OWN.format(named="; ".join(named))
