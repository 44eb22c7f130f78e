"""How an image was built: an in-toto statement with SLSA provenance, version 1, as predicate.

The kit does not sign it. The builder of an image should, if others are to rely on it.
"""

import re
from typing import TypedDict

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:pebench-kit:image-build:1"
BUILDER = "urn:pebench-kit:run.sh"


class ImageInputs(TypedDict):
    """The content of `image/inputs.json`; `records` are the SHA-256 of the files beside it."""

    target: str
    base_image: str
    apt_snapshot: str
    revision: str
    source_date_epoch: int
    lock: str
    lock_sha256: str
    records: dict[str, str]


def provenance(
    inputs: ImageInputs, *, image: str, image_id: str, builder: str
) -> dict[str, object]:
    """Return the statement about one built image.

    Args:
        inputs: `image/inputs.json` of the image.
        image: name of the image.
        image_id: SHA-256 of the image's configuration, in hexadecimal digits.
        builder: program that built it, with its version.
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": image, "digest": {"sha256": image_id}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "target": inputs["target"],
                    "baseImage": inputs["base_image"],
                    "aptSnapshot": inputs["apt_snapshot"] or None,
                },
                "internalParameters": {"sourceDateEpoch": inputs["source_date_epoch"]},
                "resolvedDependencies": _dependencies(inputs),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"cli": builder}},
                "byproducts": [
                    {"name": name, "digest": {"sha256": digest}}
                    for name, digest in sorted(inputs["records"].items())
                ],
            },
        },
    }


def _dependencies(inputs: ImageInputs) -> list[dict[str, object]]:
    name, _, digest = str(inputs["base_image"]).partition("@sha256:")
    base: dict[str, object] = {"name": "base image", "uri": f"oci://{name}"}
    if digest:
        base["digest"] = {"sha256": digest}
    source: dict[str, object] = {"name": "source", "annotations": {"revision": inputs["revision"]}}
    if re.fullmatch(r"[0-9a-f]{40}", str(inputs["revision"])):
        source["digest"] = {"gitCommit": inputs["revision"]}
    source["uri"] = "git+file:."
    locked: dict[str, object] = {"name": "packages", "uri": inputs["lock"]}
    locked["digest"] = {"sha256": inputs["lock_sha256"]}
    return [base, source, locked]
