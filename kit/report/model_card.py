"""The model card of an adapter: a pure function of its card.json, of run.json and of the rows.

It contains neither durations nor the costs of interruptions, so two runs of one manifest have the
same cards if they measure the same values.
"""

import json
from collections.abc import Mapping
from typing import cast

from kit import benchmarks
from kit.experiment.own_settings import BUDGET, update_of
from kit.experiment.systems import RETAIN_ONLY, TRAINING_FREE, VANILLA
from kit.experiment.updates import FULL, OF_LORA
from kit.report.model_index import Measurements, model_index
from kit.report.pages import page
from kit.report.run_types import Card, Manifest, MethodSection, as_card, as_run
from kit.result.artifact_files import files_of
from kit.result.layout import FULL_UPDATE, MERGING, NEURONS, WEIGHTS
from kit.result.made_by import kit_of

UNLEARN = "unlearn"
# Training settings that a card does not list: how often a checkpoint is written decides nothing,
# and the seed that was used has its own line.
OMITTED_SETTINGS = frozenset({"checkpoint_every", "seed"})


def model_card(
    card: Mapping[str, object], run: Mapping[str, object], measured: Measurements | None = None
) -> str:
    """Return the card of one adapter for the Hugging Face hub: YAML metadata and Markdown.

    The metadata names a base model only if the manifest takes it from the hub. It states no
    licence: none has been chosen for an adapter.

    Args:
        card: the content of the adapter's card.json.
        run: the content of run.json.
        measured: the headline rows by system; those of the adapter's own system become its
            model-index.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: one of them is not what the kit writes.
    """
    return _page(as_card(card), run, measured or {})


def _page(card: Card, content: Mapping[str, object], measured: Measurements) -> str:
    run = as_run(content)
    manifest = run["manifest"]
    base = manifest["model"]["source"]
    entry = _entry(card, manifest)
    section = manifest["unlearn"] if card["stage"] == UNLEARN else manifest["finetune"]
    update = update_of(section, entry)
    files = files_of(entry["method"] if entry else None, update)
    head = {
        "base_model": base["repo"],
        # PEFT would load several adapters in one file as their sum.
        "library_name": "peft" if WEIGHTS in files and MERGING not in files else None,
        "pipeline_tag": "image-text-to-text",
        "tags": [
            *(["lora"] if WEIGHTS in files else []),
            *(["full-fine-tuning"] if FULL_UPDATE in files else []),
            "machine-unlearning",
            "pebench-kit",
            *([entry["method"]] if entry else []),
        ],
    }
    return page(
        "adapter.md.j2",
        head={key: json.dumps(value) for key, value in head.items() if value is not None},
        index=list(model_index(measured.get(card["name"], ()), run)),
        quoted_name=json.dumps(card["name"], ensure_ascii=False),
        card=card,
        kind=_kind(card),
        entry=entry,
        trained=WEIGHTS in files or FULL_UPDATE in files,
        full=FULL_UPDATE in files,
        neurons=NEURONS in files,
        merging=MERGING in files,
        target=_target(card, manifest),
        settings=_settings(card, manifest, entry, update),
        needs=sorted(
            n for n, needed in card["needs"].items() if needed is True and n != "training"
        ),
        base=next(source for source in run["sources"] if source["name"] == base["name"]),
        model=manifest["model"],
        data=[source for source in run["sources"] if source["name"] != base["name"]],
        title=manifest.get("title") or manifest["name"],
        run=run,
        kit_version=kit_of(content).version,
    )


def _kind(card: Card) -> str:
    """Return "vanilla", "retain_only" or "unlearned"."""
    if card["stage"] == UNLEARN:
        return "unlearned"
    return VANILLA if card["name"] == VANILLA else RETAIN_ONLY


def _entry(card: Card, manifest: Manifest) -> MethodSection | None:
    """Return the method's entry in the manifest; None for fine-tuning."""
    if card["stage"] != UNLEARN:
        return None
    named = {f"{card['target']}-{m['name']}-s{card['seed']}": m for m in manifest["methods"]}
    return named[card["name"]]


def _target(card: Card, manifest: Manifest) -> str:
    """Return what is forgotten, as the benchmark's tables call it; "" for the vanilla model."""
    if card["target"] is None:
        return ""
    protocol = benchmarks.protocol(manifest["benchmark"]["loader"])
    return protocol.targets[card["target"]].title


def _settings(
    card: Card, manifest: Manifest, entry: MethodSection | None, update: str
) -> dict[str, object]:
    """Return the requested settings: those of the stage, and what the method changes."""
    sections = {"finetune": manifest["finetune"], UNLEARN: manifest["unlearn"]}
    settings = {k: v for k, v in sections[card["stage"]].items() if k not in OMITTED_SETTINGS}
    if entry:
        # A run.json of kit 0.2.0 or earlier has no `target_steps`.
        by_target = cast(Mapping[str, int], settings.pop("target_steps", {}))
        changeable = {
            "steps": entry["steps"] or by_target.get(card["target"] or ""),
            "learning_rate": entry["learning_rate"],
            "stop": entry["stop"],
            **{name: entry.get(name) for name in (*BUDGET, "micro_batch_size")},
        }
        settings |= {name: value for name, value in changeable.items() if value is not None}
        if entry["method"] in TRAINING_FREE:
            settings = {}
        settings |= {f"options.{name}": value for name, value in entry["options"].items()}
    if update == FULL:
        settings = {name: value for name, value in settings.items() if name not in OF_LORA}
    return dict(sorted(settings.items()))
