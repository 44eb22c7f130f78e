#!/usr/bin/env bash
# Inside an image build: give the project's files fixed modes, compile them, and write the records of the
# image's contents (SBOM, licences, inputs) into image/.
#
#   BASE_IMAGE=… APT_SNAPSHOT=… REVISION=… LOCK_SHA256=… SOURCE_DATE_EPOCH=… image_project.sh cpu|gpu
set -euo pipefail
project=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
python=/opt/environment/bin/python

chmod -R u=rwX,go=rX "$project"
PYTHONPATH=$project "$python" -P -B -m kit.supply_chain record "$1" "$project/image"
find "$project" -name __pycache__ -prune -exec rm -rf {} +
PYTHONHASHSEED=0 "$python" -B -m compileall -q -f --invalidation-mode unchecked-hash "$project/kit"
