"""The RO-Crate of a result: what was run, on what, and which files resulted, as JSON-LD.

Process Run Crate 0.5 (https://w3id.org/ro/wfrun/process/0.5) on RO-Crate 1.1: a root Dataset, the
files, and one CreateAction whose instrument is the kit. Everything in it follows from run.json and
from the digests of the other files. It names no person: neither profile requires an agent, and the
kit does not know one.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from urllib.parse import quote

from kit.experiment.hub import repository_page
from kit.report.file_descriptions import (
    FILE_DESCRIPTIONS,
    FOLDER_DESCRIPTIONS,
    MEDIA_TYPES,
    OTHER_MEDIA_TYPE,
)
from kit.report.run_types import Manifest, Run, Source, as_run
from kit.result.layout import BILL, CRATE, FULL_UPDATE, RUN, SIGNING_FILES, SUMS
from kit.result.made_by import kit_of

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXT = [f"{SPECIFICATION}/context", {"sha256": "http://schema.org/sha256"}]
LICENCE = "https://spdx.org/licenses/Apache-2.0"
ROOT, ACTION, KIT, MANIFEST, TERMS = "./", "#run", "urn:pebench-kit:kit", "#manifest", "#terms"
UNLISTED = {CRATE, SUMS, *SIGNING_FILES}
Entity = dict[str, object]  # of the JSON-LD graph; it has an "@id"
References = dict[str, str] | list[dict[str, str]]


def ro_crate(content: Mapping[str, object], digests: Mapping[str, str]) -> dict[str, object]:
    """Return the RO-Crate of a result (RO-Crate 1.1, Process Run Crate 0.5).

    Args:
        content: the content of run.json.
        digests: {path in the result: SHA-256} of its files. The crate itself and the files that
            signing adds are left out: none of them can contain its own digest.

    Raises:
        LookupError, TypeError, AttributeError: run.json is not what the kit writes.
    """
    run = as_run(content)
    files = {name: digests[name] for name in sorted(digests) if name not in UNLISTED}
    folders = _folders(files)
    parts = _all(folders.pop(".", ()))
    sources = [_source(source, run["manifest"]) for source in run["sources"]]
    graph: list[Entity] = [
        {"@id": CRATE, "@type": "CreativeWork", "about": _to(ROOT),
         "conformsTo": _to(SPECIFICATION)},
        _root(run, parts),
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        _action(run, parts, sources),
        _kit(run),
        {"@id": LICENCE, "@type": "CreativeWork", "name": "Apache License 2.0"},
        _terms(),
        _manifest(run),
        *sources,
        *(_folder(name, _all(parts)) for name, parts in folders.items()),
        *(_file(name, digest) for name, digest in files.items()),
    ]  # fmt: skip
    return {"@context": CONTEXT, "@graph": graph}


def _to(name: str) -> dict[str, str]:
    """Return a reference to an entity."""
    return {"@id": name}


def _all(names: Iterable[str]) -> References:
    """Return references to entities; a single one without a list, as in compacted JSON-LD."""
    references = [_to(name) for name in names]
    return references[0] if len(references) == 1 else references


def _folders(files: Iterable[str]) -> dict[str, list[str]]:
    """Return {folder: ids of its direct children}, sorted; the root is "."."""
    inside: dict[str, set[str]] = {}
    for name in files:
        inside.setdefault(str(PurePosixPath(name).parent), set()).add(quote(name))
        for folder in list(PurePosixPath(name).parents)[:-1]:
            inside.setdefault(str(folder.parent), set()).add(quote(f"{folder}/"))
    return {folder: sorted(inside[folder]) for folder in sorted(inside)}


def _root(run: Run, parts: References) -> Entity:
    manifest = run["manifest"]
    return {
        "@id": ROOT,
        "@type": "Dataset",
        "conformsTo": _to(PROFILE),
        # The day on which the result was written: the kit knows no other date of publication.
        "datePublished": run["written"][:10],
        "description": "The result of one experiment in multimodal machine unlearning: the stored "
        "answers, and the scores, intervals, verdicts and pages derived from them.",
        "hasPart": parts,
        "license": _to(TERMS),
        "mentions": _to(ACTION),
        "name": manifest.get("title") or manifest["name"],
    }


def _action(run: Run, parts: References, sources: Iterable[Entity]) -> Entity:
    """Return the run: from the first recorded call until run.json was written."""
    action: Entity = {
        "@id": ACTION,
        "@type": "CreateAction",
        "description": "./run.sh with the manifest in run.json and the verbs listed in its "
        "`attempts`",
        "endTime": run["written"],
        "instrument": _to(KIT),
        "name": f"Run of the manifest {run['manifest']['name']}",
        "object": _all([MANIFEST, *(str(source["@id"]) for source in sources)]),
        "result": parts,
    }
    started = [attempt["utc"] for attempt in run["attempts"] if "utc" in attempt]
    return action | ({"startTime": min(started)} if started else {})


def _kit(run: Run) -> Entity:
    return {
        "@id": KIT,
        "@type": "SoftwareApplication",
        "license": _to(LICENCE),
        "name": "PEBench reproducibility kit",
        "softwareRequirements": _to(BILL),
        "softwareVersion": kit_of(run).version,
    }


def _terms() -> Entity:
    return {
        "@id": TERMS,
        "@type": "CreativeWork",
        "description": "No licence has been stated for this result. The licence of the program "
        "that made it (Apache-2.0) does not cover its output: records and answers quote the data, "
        "and adapters were trained on the data and on top of the base model. The terms of their "
        "publishers apply; they are stated at the entities of the sources where they are known.",
        "name": "No licence stated",
    }


def _manifest(run: Run) -> Entity:
    return {
        "@id": MANIFEST,
        "@type": "CreativeWork",
        "description": "The resolved manifest, a part of run.json; the identifier is its digest",
        "identifier": f"sha256:{run['manifest_digest']}",
        "isPartOf": _to(RUN),
        "name": f"Manifest {run['manifest']['name']}",
    }


def _source(source: Source, manifest: Manifest) -> Entity:
    """Return data, the base model or the judge: its bytes, origin and terms."""
    models = {"Base model": manifest["model"]["source"]}
    if "judge" in manifest:
        models["Judge"] = manifest["judge"]["source"]
    named = {each["name"]: what for what, each in models.items()}
    listed = "" if source["locked"] else " This run wrote the list; it is not committed."
    entity: Entity = {
        "@id": f"#source-{quote(source['name'])}",
        "@type": "CreativeWork",
        "description": f"{named.get(source['name'], 'Data')}; origin: {source['origin']}. The "
        f"identifier is the digest of its checksum list (SHA-256 of every file).{listed}",
        "identifier": f"sha256:{source['list_digest']}",
        "name": source["name"],
    }
    if source["licence"]:
        entity["license"] = source["licence"]
    if source["revision"]:
        entity["version"] = source["revision"]
    if source["repo"]:
        kinds = {
            each["name"]: each["repo_type"] for each in [*manifest["sources"], *models.values()]
        }
        entity["url"] = repository_page(source["repo"], kinds[source["name"]])
    return entity


def _folder(name: str, parts: References) -> Entity:
    inside = [parts] if isinstance(parts, dict) else parts
    full = any(part["@id"].endswith(f"/{FULL_UPDATE}") for part in inside)
    what = "a full update, losses" if full else "LoRA weights, settings, losses"
    adapter = f"{PurePosixPath(name).name}: {what} and model card"
    return {
        "@id": f"{quote(name)}/",
        "@type": "Dataset",
        "description": FOLDER_DESCRIPTIONS.get(name, adapter),
        "hasPart": parts,
        "name": PurePosixPath(name).name,
    }


def _file(name: str, digest: str) -> Entity:
    path = PurePosixPath(name)
    entity: Entity = {
        "@id": quote(name),
        "@type": "File",
        "encodingFormat": MEDIA_TYPES.get(path.suffix, OTHER_MEDIA_TYPE),
        "name": path.name,
        "sha256": digest,
    }
    return entity | ({"description": FILE_DESCRIPTIONS[name]} if name in FILE_DESCRIPTIONS else {})
