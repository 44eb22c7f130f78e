"""The model card of an adapter: a function of its card.json and of run.json, equal byte for byte.

Durations and what was lost when a run was interrupted stay out of it, so that two runs of one
manifest have the same cards.
"""

import json
from collections.abc import Mapping
from typing import Any

from kit import benchmarks
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.report.pages import page
from kit.result.made_by import kit_of

UNLEARN = "unlearn"
# Of the manifest's training settings: where a killed run goes on decides nothing, and the seed that
# was used stands above them.
UNTOLD = {"checkpoint_every", "seed"}
CHANGEABLE = ("steps", "learning_rate", "stop")


def model_card(card: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Return the card of one adapter as the Hugging Face hub reads it: a YAML head and Markdown.

    The head names a base model only where the manifest takes it from the hub, and no licence: none
    has been stated for an adapter.

    Args:
        card: the content of the adapter's card.json.
        run: the content of run.json.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: one of them is not what the kit writes.
    """
    manifest = run["manifest"]
    base = manifest["model"]["source"]
    entry = _entry(card, manifest)
    head = {
        "base_model": base["repo"],
        "library_name": "peft",
        "pipeline_tag": "image-text-to-text",
        "tags": [
            "lora",
            "machine-unlearning",
            "pebench-kit",
            *([entry["method"]] if entry else []),
        ],
    }
    return page(
        "adapter.md.j2",
        head={key: json.dumps(value) for key, value in head.items() if value is not None},
        card=card,
        kind=_kind(card),
        entry=entry,
        target=_target(card, manifest),
        settings=_settings(card, manifest, entry),
        needs=sorted(
            n for n, needed in card["needs"].items() if needed is True and n != "training"
        ),
        base=next(source for source in run["sources"] if source["name"] == base["name"]),
        model=manifest["model"],
        data=[source for source in run["sources"] if source["name"] != base["name"]],
        title=manifest.get("title") or manifest["name"],
        run=run,
        kit_version=kit_of(run).version,
    )


def _kind(card: Mapping[str, Any]) -> str:
    """Return "vanilla", "retain_only" or "unlearned"."""
    if card["stage"] == UNLEARN:
        return "unlearned"
    return VANILLA if card["name"] == VANILLA else RETAIN_ONLY


def _entry(card: Mapping[str, Any], manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the method's entry in the manifest; fine-tuning has none."""
    if card["stage"] != UNLEARN:
        return None
    named = {f"{card['target']}-{m['name']}-s{card['seed']}": m for m in manifest["methods"]}
    found: Mapping[str, Any] = named[card["name"]]
    return found


def _target(card: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Return what is forgotten, as the benchmark's tables call it; "" for the vanilla model."""
    if card["target"] is None:
        return ""
    protocol = benchmarks.protocol(manifest["benchmark"]["loader"])
    return protocol.targets[card["target"]].title


def _settings(
    card: Mapping[str, Any], manifest: Mapping[str, Any], entry: Mapping[str, Any] | None
) -> dict[str, object]:
    """Return the settings that were asked for: the stage's, and what the method changes."""
    settings = {k: v for k, v in manifest[card["stage"]].items() if k not in UNTOLD}
    changed = {name: entry[name] for name in CHANGEABLE if entry and entry[name] is not None}
    options = (
        {f"options.{name}": value for name, value in entry["options"].items()} if entry else {}
    )
    return dict(sorted({**settings, **changed, **options}.items()))
