"""The adapters of a result: are they there, and of the form that the manifest asks for?

That these weights were trained as stated, or give the stored answers, cannot be seen without the
base model. What can be seen is checked: which adapters there are, the names, types and shapes of
their weights, their settings, and a line of losses for each step. No two are equal, or nearly one
update.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.experiment.claims import ClaimSection
from kit.experiment.kept_adapters import ALL, CLAIMED, NONE, Trained, kept_adapters
from kit.result.layout import (
    ADAPTER_CONFIG,
    ADAPTERS,
    FULL_UPDATE,
    LOSSES,
    MERGING,
    NEURONS,
    RUN,
    WEIGHTS,
)
from kit.result.made_by import Kit
from kit.result.tree import read_bytes
from kit.result.unusable import unusable
from kit.verification.adapter_form import PREFIX, Adapter, form_faults
from kit.verification.contradiction import contradicts
from kit.verification.merging import merger_faults, merger_of, side_by_side
from kit.verification.neurons import neuron_faults
from kit.verification.planned import Planned
from kit.verification.run_facts import RunFacts, may_lack_facts
from kit.verification.safetensors import NotWeights, Weights, read_weights
from kit.verification.training import asked_of, training_of
from kit.verification.updates import NEAR, near_copies

PLACEHOLDER_BYTES = 64  # zeros that stand for an adapter in the small results of kit 0.1 and 0.2


def check_adapters(
    results: Path,
    manifest: Mapping[str, object],
    claims: Collection[ClaimSection],
    facts: RunFacts,
    planned: Planned,
    digests: Mapping[str, str],
    kit: Kit,
) -> tuple[int, int, int, list[str]]:
    """Check which adapters a result has, and the form of each.

    Args:
        results: the folder of the result.
        manifest: that in run.json.
        claims: those of the manifest.
        facts: of run.json.
        planned: what the manifest implies.
        digests: {path in the result: SHA-256} of all signed files.
        kit: which made the result.

    Returns:
        The number of adapters whose weights were read, how many of them are full updates, the
        number of lists of removed neurons without an adapter, and lines for what was not checked.

    Raises:
        VerificationError: an adapter is missing or too much, or its files are not what the
            manifest asks for; two adapters are equal; a file changed while it was read.
    """
    there = {name.split("/")[1] for name in digests if name.startswith(f"{ADAPTERS}/")}
    lines = list(_require_kept(there, manifest, claims, planned, kit))
    key = sha256_value(sorted(digests.items())).encode()
    asked, modules = asked_of(training_of(manifest), planned), _lora_modules(manifest)
    faults: list[str] = []
    found: list[Adapter] = []
    pruned: list[str] = []
    for name in sorted(there):
        if may_lack_facts(kit, manifest) and _is_placeholder(results, name, digests):
            lines.append(f"{ADAPTERS}/{name} is a placeholder without weights")
            continue
        files = planned.files[name]
        if NEURONS in files:
            pruned.append(name)
        file = next((each for each in (WEIGHTS, FULL_UPDATE) if each in files), None)
        if file is None:
            continue
        own = asked[name]
        if MERGING in files:
            told = merger_of(results, f"{ADAPTERS}/{name}/{MERGING}", digests)
            if isinstance(told, str):
                faults.append(told)
                continue
            entry = planned.entries[name]
            faults += merger_faults(f"{ADAPTERS}/{name}/{MERGING}", told, manifest, entry)
            own = side_by_side(own, len(told.adapters))
        try:
            weights = _read(results, f"{ADAPTERS}/{name}/{file}", digests, key)
        except NotWeights as error:
            faults.append(f"{ADAPTERS}/{name}/{file}: {error}")
            continue
        adapter = Adapter(name, own, facts.job(name).steps, modules, weights, file)
        found.append(adapter)
        faults += (f"{ADAPTERS}/{name}/{fault}" for fault in form_faults(results, adapter, digests))
    faults += _module_faults(found, modules)
    layers = {k: size for each in found[:1] for k, (size, _) in each.layers.items()}
    for name in pruned:
        faults += neuron_faults(results, f"{ADAPTERS}/{name}/{NEURONS}", layers, digests)
    faults += _equal_faults({each.name: each.weights.digest for each in found}, "weights")
    faults += _near_faults({each.name: each.weights for each in found})
    losses = {each.name: digests.get(f"{ADAPTERS}/{each.name}/{LOSSES}", "") for each in found}
    faults += _equal_faults(losses, "losses")
    if faults:
        raise contradicts(
            "the adapters are not what the manifest asks for",
            "LoRA weights or full updates (safetensors, float32) and settings as the manifest has "
            "them, a line of losses for each step, no two adapters alike, and removed neurons of "
            "adapted layers",
            faults,
        )
    full = sum(each.file == FULL_UPDATE for each in found)
    return len(found), full, len(set(pruned) - {each.name for each in found}), lines


def _require_kept(
    there: Collection[str],
    manifest: Mapping[str, object],
    claims: Collection[ClaimSection],
    planned: Planned,
    kit: Kit,
) -> Iterator[str]:
    report = manifest.get("report")
    kept = report.get("adapters") if isinstance(report, dict) else None
    if kept is None and may_lack_facts(kit, manifest):
        yield "the manifest does not say which adapters the result keeps"
        return
    if kept not in (ALL, CLAIMED, NONE):
        raise unusable(RUN, f"manifest.report.adapters is {str(kept)[:100]!r}")
    if kept == NONE:
        yield "the result keeps no adapter: report.adapters = 'none'"
    seeds = manifest["seeds"]
    assert isinstance(seeds, list), "kit.verification.planned has read it"
    trained = (
        Trained(each.name, each.target, each.seed, planned.entries.get(each.name))
        for each in planned.adapters.values()
    )
    right = set(kept_adapters(trained, claims, seeds[0], kept))
    faults = [f"{name} is missing" for name in sorted(right - set(there))]
    faults += [f"{name} is too much" for name in sorted(set(there) - right)]
    if faults:
        raise contradicts(
            f"the adapters are not those that report.adapters = {kept!r} keeps",
            f"the {len(right)} that follow from the manifest",
            faults,
        )


def _is_placeholder(results: Path, name: str, digests: Mapping[str, str]) -> bool:
    """Say whether an adapter is a few zeros alone: no run ever wrote that."""
    path = f"{ADAPTERS}/{name}/{WEIGHTS}"
    if path not in digests:
        return False
    if f"{ADAPTERS}/{name}/{ADAPTER_CONFIG}" in digests:
        return False
    return (results / path).stat().st_size == PLACEHOLDER_BYTES and not any(
        read_bytes(results / path, max_bytes=PLACEHOLDER_BYTES)
    )


def _read(results: Path, path: str, digests: Mapping[str, str], key: bytes) -> Weights:
    if path not in digests:
        raise NotWeights("it is missing")
    weights = read_weights(results / path, key)
    if weights.file_digest != digests[path]:
        raise VerificationError(
            f"{path} changed while it was verified",
            expected="the bytes that were signed",
            found="other bytes",
            remedy="stop what writes to it; verify again",
        )
    return weights


def _lora_modules(manifest: Mapping[str, object]) -> str | None:
    model = manifest.get("model")
    expression = model.get("lora_modules") if isinstance(model, dict) else None
    if expression is not None and not isinstance(expression, str):
        raise unusable(RUN, "manifest.model.lora_modules is no text")
    return expression


def _module_faults(adapters: list[Adapter], expression: str | None) -> Iterator[str]:
    """Yield adapters that change other modules than the first, or than the manifest's expression.

    RE2, which Arrow brings, takes linear time with any expression; a stranger wrote this one.
    """
    if not adapters:
        return
    first, *others = (adapter.layers for adapter in adapters)
    for adapter, modules in zip(adapters[1:], others, strict=True):
        if modules != first:
            where = f"{ADAPTERS}/{adapter.name}/{adapter.file}"
            yield f"{where}: other modules than {adapters[0].name}{_apart(modules, first)}"
    if expression is None:
        return
    names = [name.removeprefix(PREFIX) for name in first]
    try:
        fits = pc.match_substring_regex(pa.array(names), f"^(?:{expression})$").to_pylist()
    except pa.ArrowInvalid:
        return  # an expression that RE2 does not know; the settings name it
    for name, fit in zip(names, fits, strict=True):
        if not fit:
            yield f"{ADAPTERS}: {name[:200]!a} is no module of model.lora_modules"


def _apart(found: Mapping[str, tuple[int, int]], first: Mapping[str, tuple[int, int]]) -> str:
    """Return the first layer of two adapters that differ only in the size of layers, in words."""
    if found.keys() != first.keys():
        return ""
    name = next(each for each in first if found[each] != first[each])
    pair = found[name], first[name]
    sizes = (f"{inputs} inputs and {outputs} outputs" for inputs, outputs in pair)
    return f": {name.removeprefix(PREFIX)[:200]!a} has {', not '.join(sizes)}"


def _near_faults(found: Mapping[str, Weights]) -> Iterator[str]:
    """Yield the adapters that are not equal and make nearly one update."""
    for one, other, apart in near_copies({name: each.probes for name, each in found.items()}):
        if found[one].digest != found[other].digest:
            yield (
                f"{ADAPTERS}: {one} and {other} are nearly one update of the base: {apart:.1g} of "
                f"their length apart, less than {NEAR}"
            )


def _equal_faults(digests: Mapping[str, str], what: str) -> Iterator[str]:
    """Yield the adapters that share a digest; "" stands for what is missing."""
    same = defaultdict(list)
    for name, digest in digests.items():
        same[digest].append(name)
    for digest, names in same.items():
        if digest and len(names) > 1:
            yield f"{ADAPTERS}: {' and '.join(names[:5])} have equal {what}"
