"""The RO-Crate of a result: what was run, on what, and which files came of it, as JSON-LD.

Process Run Crate 0.5 (https://w3id.org/ro/wfrun/process/0.5) on RO-Crate 1.1: a root Dataset, the
files, and one CreateAction whose instrument is the kit. Everything in it follows from run.json and
from the digests of the other files. Nobody is named: neither profile demands an agent, and the kit
does not know one.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from kit.experiment.hub import repository_page
from kit.result.layout import (
    ANSWERS,
    BILL,
    CLAIMS,
    CRATE,
    LIKELIHOODS,
    RECORDS,
    ROWS,
    RUN,
    SETS,
    SIGNING_FILES,
    SUMS,
)
from kit.result.made_by import kit_of

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXT = [f"{SPECIFICATION}/context", {"sha256": "http://schema.org/sha256"}]
LICENCE = "https://spdx.org/licenses/Apache-2.0"
ROOT, ACTION, KIT, MANIFEST, TERMS = "./", "#run", "urn:pebench-kit:kit", "#manifest", "#terms"
UNLISTED = {CRATE, SUMS, *SIGNING_FILES}
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
}
ANY = "application/octet-stream"
CONTENTS = {
    RUN: "The record of the run: resolved manifest, environment, sources, jobs, costs, attempts",
    RECORDS: "The records: questions, reference answers and what they are about",
    SETS: "Which record is in which column of which table",
    ANSWERS: "One answer of each system to each record",
    LIKELIHOODS: "Log-probabilities of given answers",
    ROWS: "Metric rows with intervals, computed from the answers",
    CLAIMS: "The manifest's claims with their verdicts",
    BILL: "The Python packages of the run (CycloneDX)",
}
FOLDERS = {
    "adapters": "The trained adapters, each with its card",
    "answers": "What the systems answered",
    "report": "The report: pages, tables and figure, which follow from the other files",
}


def ro_crate(run: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the RO-Crate of a result (RO-Crate 1.1, Process Run Crate 0.5).

    Args:
        run: the content of run.json.
        digests: {path in the result: SHA-256} of its files. The crate itself and what is made by
            signing are left out: none of them can hold its own digest.

    Raises:
        LookupError, TypeError, AttributeError: run.json is not as the kit writes it.
    """
    files = {name: digests[name] for name in sorted(digests) if name not in UNLISTED}
    folders = _folders(files)
    parts = _all(folders.pop(".", ()))
    sources = [_source(source, run["manifest"]) for source in run["sources"]]
    graph = [
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


def _all(names: Iterable[str]) -> Any:
    """Return references to entities; to one alone without a list, as compacted JSON-LD has it."""
    references = [_to(name) for name in names]
    return references[0] if len(references) == 1 else references


def _folders(files: Iterable[str]) -> dict[str, list[str]]:
    """Return {folder: the ids of what lies directly in it}, sorted; the root is "."."""
    inside: dict[str, set[str]] = {}
    for name in files:
        inside.setdefault(str(PurePosixPath(name).parent), set()).add(quote(name))
        for folder in list(PurePosixPath(name).parents)[:-1]:
            inside.setdefault(str(folder.parent), set()).add(quote(f"{folder}/"))
    return {folder: sorted(inside[folder]) for folder in sorted(inside)}


def _root(run: Mapping[str, Any], parts: Any) -> dict[str, Any]:
    manifest = run["manifest"]
    return {
        "@id": ROOT,
        "@type": "Dataset",
        "conformsTo": _to(PROFILE),
        # The day on which the result was written; the kit knows of no other publication.
        "datePublished": run["written"][:10],
        "description": "The result of one experiment in multimodal machine unlearning: stored "
        "answers, and the scores, intervals, verdicts and pages that follow from them.",
        "hasPart": parts,
        "license": _to(TERMS),
        "mentions": _to(ACTION),
        "name": manifest.get("title") or manifest["name"],
    }


def _action(
    run: Mapping[str, Any], parts: Any, sources: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the run; it began with the first recorded call and ended when run.json was written."""
    action = {
        "@id": ACTION,
        "@type": "CreateAction",
        "description": "./run.sh, with the manifest that stands in run.json and the verbs that its "
        "`attempts` list",
        "endTime": run["written"],
        "instrument": _to(KIT),
        "name": f"Run of the manifest {run['manifest']['name']}",
        "object": _all([MANIFEST, *(source["@id"] for source in sources)]),
        "result": parts,
    }
    started = [attempt["utc"] for attempt in run["attempts"] if "utc" in attempt]
    return action | ({"startTime": min(started)} if started else {})


def _kit(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@id": KIT,
        "@type": "SoftwareApplication",
        "license": _to(LICENCE),
        "name": "PEBench reproducibility kit",
        "softwareRequirements": _to(BILL),
        "softwareVersion": kit_of(run).version,
    }


def _terms() -> dict[str, Any]:
    return {
        "@id": TERMS,
        "@type": "CreativeWork",
        "description": "No licence has been stated for this result. The program that made it is "
        "under Apache-2.0, which does not extend to what it writes: records and answers quote the "
        "data, adapters were trained on them and on top of the base model, and each of these is "
        "under its publisher's terms, which stand at its entity where they are known.",
        "name": "No licence stated",
    }


def _manifest(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@id": MANIFEST,
        "@type": "CreativeWork",
        "description": "The resolved manifest, as run.json holds it; the identifier is its digest",
        "identifier": f"sha256:{run['manifest_digest']}",
        "isPartOf": _to(RUN),
        "name": f"Manifest {run['manifest']['name']}",
    }


def _source(source: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return data or the base model: which bytes, from where, under which terms."""
    base = manifest["model"]["source"]
    is_base = source["name"] == base["name"]
    listed = "" if source["locked"] else " The list was written by this run and is not committed."
    found = {
        "@id": f"#source-{quote(source['name'])}",
        "@type": "CreativeWork",
        "description": f"{'Base model' if is_base else 'Data'}, from: {source['origin']}. The "
        f"identifier is the digest of the list of its files' SHA-256.{listed}",
        "identifier": f"sha256:{source['list_digest']}",
        "name": source["name"],
    }
    if source["licence"]:
        found["license"] = source["licence"]
    if source["revision"]:
        found["version"] = source["revision"]
    if source["repo"]:
        kinds = {each["name"]: each["repo_type"] for each in [*manifest["sources"], base]}
        found["url"] = repository_page(source["repo"], kinds[source["name"]])
    return found


def _folder(name: str, parts: Any) -> dict[str, Any]:
    said = FOLDERS.get(name) or f"{PurePosixPath(name).name}: LoRA weights, settings, losses, card"
    return {
        "@id": f"{quote(name)}/",
        "@type": "Dataset",
        "description": said,
        "hasPart": parts,
        "name": PurePosixPath(name).name,
    }


def _file(name: str, digest: str) -> dict[str, Any]:
    path = PurePosixPath(name)
    found = {
        "@id": quote(name),
        "@type": "File",
        "encodingFormat": FORMATS.get(path.suffix, ANY),
        "name": path.name,
        "sha256": digest,
    }
    return found | ({"description": CONTENTS[name]} if name in CONTENTS else {})
