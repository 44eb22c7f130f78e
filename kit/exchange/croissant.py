"""Croissant 1.1 with RAI 1.0 for a result: its tables, and what they hold, for tools of data sets.

The tables are written beside the document, so that it can be read and published as it is.
"""

from collections.abc import Iterator, Mapping

from kit.artifacts import readable_json
from kit.describe.croissant import CONTEXT, FORMATS, NAME, VERSION, validate
from kit.describe.croissant_tables import fields
from kit.describe.rai import RAI, data_fields
from kit.exchange.columns import COLUMNS, FILES, SENTENCES
from kit.exchange.exported import Exported

USES = (
    "Recompute the metrics of the result, or compute others, from the stored answers.",
    "Compare unlearning methods with each other and with a model that never saw the forget set.",
)


def croissant_files(exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield the tables of a result, then the document that describes them.

    Raises:
        DataError: the document does not validate.
    """
    tables = {name: file for name, file in FILES.items() if file in exported.digests}
    for file in tables.values():
        yield file, exported.read(file)
    document = croissant(exported, tables)
    validate(document)
    yield NAME, readable_json(document)


def croissant(exported: Exported, tables: Mapping[str, str]) -> dict[str, object]:
    """Return the metadata of the tables of a result; `tables` is {name: path in the result}."""
    run = exported.run
    manifest = run["manifest"]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [VERSION, RAI],
        **data_fields(manifest["sources"], exported.stored.protocol, USES),
        "name": exported.run_name,
        "description": f"The result of the experiment “{exported.title}” in multimodal machine "
        "unlearning: the questions, the answers of every system, and the metric rows that follow "
        "from them. No licence has been stated for it; the terms of the data and of the base model "
        "may apply.",
        "datePublished": str(run["written"])[:10],
        "isBasedOn": [
            {"@type": "sc:CreativeWork", "@id": f"source/{source['name']}", "name": source["name"]}
            for source in run["sources"]
        ],
        "distribution": [_file(file, exported.digests[file]) for file in tables.values()],
        "recordSet": [_rows(name, file, exported) for name, file in tables.items()],
    }


def _file(name: str, digest: str) -> dict[str, str]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "encodingFormat": FORMATS[".parquet"],
        "sha256": digest,
    }


def _rows(name: str, file: str, exported: Exported) -> dict[str, object]:
    described = COLUMNS[name]
    return {
        "@type": "cr:RecordSet",
        "@id": f"{file}#rows",
        "name": name,
        "description": SENTENCES[name].replace("`", ""),
        "field": [
            field | {"description": described[str(field["name"])]}
            for field in fields(exported.folder / file, file)
        ],
    }
