#!/usr/bin/env bash
# Makes docker/requirements.<platform>.lock from docker/requirements.in, with every file's hash.
#
#   docker/lock.sh cpu                        keeps the versions of the lock where they still fit
#   docker/lock.sh cpu --upgrade              newest versions that fit together
#   docker/lock.sh cpu --upgrade-package X    only X
#
# Needs uv and pip. Prints nothing of this machine (index addresses, paths) into the lock.
set -euo pipefail

platform=${1:?usage: docker/lock.sh cpu|gpu [options of uv pip compile]}
shift
here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
lock=$here/requirements.$platform.lock
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Left out, because nothing that the kit runs imports them: torchaudio and torchcodec are CUDA
# builds that cannot load beside a CPU torch; the triton wheel (1 GB, asked for by xgrammar) has no
# CPU backend, so vLLM switches it off; numba and llvmlite (0.2 GB) serve speculative decoding;
# fastapi-cli and fastapi-cloud-cli bring a cloud client with crash reports to its maker.
case $platform in
  cpu)
    python=3.11 other=gpu
    excluded=(torchaudio torchcodec triton numba llvmlite fastapi-cli fastapi-cloud-cli) ;;
  gpu) python=3.12 other=cpu excluded=() ;;
  *) echo "unknown platform '$platform': cpu or gpu" >&2; exit 2 ;;
esac

cd "$work"
grep -v "# $other\$" "$here/requirements.in" >requirements.in
printf '%s\n' "${excluded[@]}" >excluded.in
mkdir wheels
if [[ $platform == cpu ]]; then
  # torch+cpu is published on PyTorch's own index alone. That index also mirrors other packages,
  # so it is asked for this one wheel and not made an index of the resolution.
  torch=$(grep -o '^torch==[^ ]*' requirements.in)
  wheel=(--no-deps --quiet --dest wheels --only-binary :all: --implementation cp
    --python-version "$python" --platform manylinux_2_28_x86_64 "$torch")
  python3 -m pip download "${wheel[@]}" 2>/dev/null ||
    python3 -m pip download "${wheel[@]}" --index-url https://download.pytorch.org/whl/cpu
fi

[[ ! -f $lock ]] || cp "$lock" out.lock
# rouge-score and jsonpath-rw (of mlcroissant) are published as source only; both are pure Python.
uv pip compile requirements.in --output-file out.lock --quiet --no-header --generate-hashes \
  --python-version "$python" --python-platform x86_64-manylinux_2_35 \
  --only-binary :all: --no-binary rouge-score --no-binary jsonpath-rw --excludes excluded.in \
  --find-links wheels --no-emit-index-url --no-emit-find-links "$@"
{
  echo "# Made by docker/lock.sh $platform for Python $python on x86-64 Linux. Do not edit."
  grep -v '^# Made by' out.lock
} >"$lock"
echo "$lock: $(grep -c '^[A-Za-z0-9].*==' "$lock") packages"
