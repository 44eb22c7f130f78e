"""Croissant metadata (MLCommons, version 1.1) of an experiment's data, from its checksum lists.

Each listed file becomes one FileObject, so the lists can be read back from the document. It says
what the kit knows in the fields of Croissant RAI 1.0. Citation, date and semantic version are left
out: the validator recommends them, but the kit does not know them.
"""

import copy
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from kit import benchmarks
from kit.artifacts import cache_root, project_path, write_bytes
from kit.benchmarks.parquet import Place
from kit.describe.croissant_tables import TABLES, fields
from kit.describe.rai import RAI, data_fields
from kit.digests import canonical_json, read_checksums
from kit.errors import DataError, ManifestError
from kit.experiment.disclosure import public_address
from kit.experiment.hub import repository_page
from kit.experiment.manifest import Manifest, SourceSection

VERSION = "http://mlcommons.org/croissant/1.1"
NAME = "croissant.json"
# Media types as Croissant's validator knows them; an RO-Crate uses the registered ones.
FORMATS = {
    ".csv": "text/csv",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".md": "text/markdown",
    ".parquet": "application/x-parquet",
    ".png": "image/png",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".zip": "application/zip",
}
ANY = "application/octet-stream"
# The context that mlcroissant writes for version 1.1, in full: if the document only named its
# address, readers would have to download it.
_TERMS = """arrayShape citeAs column containedIn equivalentProperty extract field fileProperty
fileObject fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path recordSet
references regex repeated replace samplingRate separator source subField transform"""
CONTEXT: dict[str, object] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS.split()},
}


def write_croissant(
    manifest: Manifest, places: Mapping[str, Place], output: Path | None
) -> list[str]:
    """Write the metadata of a manifest's data to `output` or the cache; return lines for the user.

    Raises:
        DataError: the document does not validate; nothing is written.
    """
    document = croissant(manifest, places)
    lines = validate(document)
    path = output or cache_root() / "describe" / manifest.run_name / NAME
    write_bytes(path, canonical_json(document) + b"\n")
    return [*lines, f"croissant: {path}"]


def croissant(manifest: Manifest, places: Mapping[str, Place]) -> dict[str, object]:
    """Return the metadata of all data sources, whose places are given, as one document.

    Raises:
        ManifestError: a source on the hub has no revision.
        ChecksumError: a list is damaged.
    """
    lists = {source.name: read_checksums(project_path(source.checksums)) for source in
             manifest.sources}  # fmt: skip
    document: dict[str, object] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [VERSION, RAI],
        **data_fields(
            [source.model_dump() for source in manifest.sources],
            benchmarks.protocol(manifest.benchmark.loader),
        ),
        "name": f"{manifest.name}: {', '.join(lists)}",
        "description": f"The data of the experiment “{manifest.title}”. "
        + " ".join(_sentence(source, len(lists[source.name])) for source in manifest.sources),
        "isBasedOn": [_origin(source) for source in manifest.sources],
        "distribution": [
            _file(source, name, digest)
            for source in manifest.sources
            for name, digest in sorted(lists[source.name].items())
        ],
        "recordSet": [
            _record_set(source.name, name, places[source.name].path / name)
            for source in manifest.sources
            for name in sorted(lists[source.name])
            if name.endswith(TABLES)
        ],
    }
    if licences := sorted({source.licence for source in manifest.sources} - {""}):
        document["license"] = licences
    return document


def checksum_lists(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the lists that a document was made from: {source: {path: digest}}.

    Only tests call it: they prove that a document loses nothing of the lists.
    """
    lists: dict[str, dict[str, str]] = {}
    for each in document["distribution"]:
        source, _, path = each["@id"].partition("/")
        lists.setdefault(source, {})[unquote(path)] = each["sha256"]
    return lists


def validate(document: dict[str, object]) -> list[str]:
    """Check a document with mlcroissant if it is installed; return the recommendations.

    Nothing is downloaded: the document holds its own context.

    Raises:
        DataError: the document has errors.
    """
    if not find_spec("mlcroissant"):
        return ["not validated: the package mlcroissant is not installed"]
    from absl import logging
    from mlcroissant import Dataset, ValidationError

    logging.set_verbosity(logging.ERROR)  # recommendations are returned instead
    try:
        # mlcroissant changes its argument.
        found = Dataset(copy.deepcopy(document)).metadata.ctx.issues
    except (ValidationError, ValueError) as error:
        raise DataError(
            "the Croissant metadata is not valid",
            expected="a document without errors of mlcroissant",
            found=str(error)[:2000],
            remedy="report this as an error of the kit, with the manifest",
        ) from None
    return ["validated by mlcroissant: no errors", *sorted(found.warnings)]


def _sentence(source: SourceSection, files: int) -> str:
    if source.repo:
        where = f"the {source.repo_type} repository {source.repo} at revision {source.revision}"
    elif source.embedded:
        where = f"drawn by the kit (the embedded world in the form '{source.embedded}')"
    else:
        where = "a local folder" if source.folder else "mirrors"
    stated = f"licence as its publisher states it: {source.licence}" if source.licence else (
        "no licence stated in the manifest")  # fmt: skip
    return f"Source {source.name}: {files} files, {where}; {stated}."


def _origin(source: SourceSection) -> dict[str, str]:
    """Return the publication that a source comes from, and its version."""
    stated = {
        "license": source.licence,
        "url": repository_page(source.repo, source.repo_type) if source.repo else "",
        "version": source.revision or "",
    }
    named = {"@type": "sc:CreativeWork", "@id": f"source/{source.name}", "name": source.name}
    return named | {key: value for key, value in stated.items() if value}


def _file(source: SourceSection, name: str, digest: str) -> dict[str, str]:
    return {
        "@type": "cr:FileObject",
        "@id": _id(source.name, name),
        "name": name,
        "contentUrl": _address(source, name),
        "encodingFormat": FORMATS.get(PurePosixPath(name).suffix.lower(), ANY),
        "sha256": digest,
    }


def _address(source: SourceSection, name: str) -> str:
    """Return the address of a file: on the hub, at the first mirror, or relative to its folder."""
    if source.repo and not source.revision:
        raise ManifestError(
            f"source '{source.name}' names no revision",
            expected="a commit of 40 hexadecimal digits",
            found="no `revision`",
            remedy="pin one in the manifest: without it an address does not identify the bytes",
        )
    if source.repo:
        page = repository_page(source.repo, source.repo_type)
        return f"{page}/resolve/{source.revision}/{quote(name)}"
    if source.mirrors and not (source.embedded or source.folder):
        return f"{public_address(source.mirrors[0]).rstrip('/')}/{quote(name)}"
    return name


def _id(source: str, name: str) -> str:
    return f"{source}/{quote(name)}"


def _record_set(source: str, name: str, table: Path) -> dict[str, object]:
    key = _id(source, name)
    named = {"@type": "cr:RecordSet", "@id": f"{key}#rows", "name": f"rows of {name}"}
    return {**named, "field": fields(table, key)}
