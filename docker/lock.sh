#!/usr/bin/env bash
# Makes docker/requirements.<platform>.lock from docker/requirements.in, with every file's hash.
#
#   docker/lock.sh cpu                        keeps the versions of the lock where they still fit
#   docker/lock.sh cpu --upgrade              newest versions that fit together
#   docker/lock.sh cpu --upgrade-package X    only X
#   docker/lock.sh --check                    proves that the locks are what requirements.in gives
#   docker/lock.sh cpu --check                that one lock is
#
# Platforms: cpu, gpu, uv (which brings a Python to an image build), tools (linters of the tests),
# verify (the slim environment, with the versions of the cpu lock) and keyless (the same with sigstore).
# Needs uv and pip. Prints nothing of this machine (index addresses, paths) into the lock. A lock is
# replaced whole, after everything worked. Exit codes are README.md's.
set -euo pipefail
here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=docker/messages.sh
source "$here/messages.sh"
usage='docker/lock.sh cpu|gpu|uv|tools|verify|keyless [--check | options of uv pip compile], or docker/lock.sh --check'

choose() { # the Python of a platform, and what is left out of its lock
  # Left out, because nothing that the kit runs imports them: torchaudio and torchcodec are CUDA
  # builds that cannot load beside a CPU torch; the triton wheel (1 GB, asked for by xgrammar) has no
  # CPU backend, so vLLM switches it off; numba and llvmlite (0.2 GB) serve speculative decoding;
  # fastapi-cli and fastapi-cloud-cli bring a cloud client with crash reports to its maker.
  case $1 in
    cpu)
      python=3.11
      excluded=(torchaudio torchcodec triton numba llvmlite fastapi-cli fastapi-cloud-cli)
      ;;
    gpu) python=3.12 excluded=(torchaudio torchcodec fastapi-cli fastapi-cloud-cli) ;;
    uv | tools | verify | keyless) python=3.11 excluded=() ;;
    *) fail 2 "unknown platform ${1:-(none)}" 'cpu, gpu, uv, tools, verify or keyless' '' "$usage" ;;
  esac
}

bring_torch() { # into wheels/
  # torch+cpu is published on PyTorch's own index alone. That index also mirrors other packages,
  # so it is asked for this one wheel and not made an index of the resolution.
  local torch wheel
  torch=$(grep -o '^torch==[^ ]*' requirements.in)
  wheel=(--no-deps --quiet --dest wheels --only-binary :all: --implementation cp
    --python-version "$python" --platform manylinux_2_28_x86_64 "$torch")
  python3 -m pip download "${wheel[@]}" 2>/dev/null ||
    python3 -m pip download "${wheel[@]}" --index-url https://download.pytorch.org/whl/cpu
}

compile() { # PLATFORM [options]: write the lock to $work/PLATFORM/lock
  local platform=$1 lock=$here/requirements.$1.lock python excluded
  choose "$platform"
  mkdir -p "$work/$platform/wheels"
  cd "$work/$platform"
  # A line without a mark is for the experiment, so for cpu and gpu, and for verify in its section.
  awk -v platform="$platform" '/^# ---/ { slim = ($3 == "verify:") }
    /^[A-Za-z0-9].*# [a-z]+$/ { if ($NF == platform) print; next }
    platform == "cpu" || platform == "gpu" ||
      ((platform == "verify" || platform == "keyless") && slim)' \
    "$here/requirements.in" >requirements.in
  printf '%s\n' "${excluded[@]}" >excluded.in
  [[ $platform != cpu ]] || bring_torch || return
  # A reviewer verifies with the versions that the result was made with.
  case $platform in
    verify) lock=$here/requirements.cpu.lock ;;
    keyless) grep -o '^[A-Za-z0-9].*==[^ ]*' "$here/requirements.verify.lock" >>requirements.in ;;
  esac
  [[ ! -f $lock ]] || cp "$lock" out.lock
  # rouge-score and jsonpath-rw (of mlcroissant) are published as source only; both are pure Python.
  uv pip compile requirements.in --output-file out.lock --quiet --no-header --generate-hashes \
    --python-version "$python" --python-platform x86_64-manylinux_2_35 \
    --only-binary :all: --no-binary rouge-score --no-binary jsonpath-rw --excludes excluded.in \
    --find-links wheels --no-emit-index-url --no-emit-find-links "${@:2}" || return
  {
    echo "# Made by docker/lock.sh $platform for Python $python on x86-64 Linux. Do not edit."
    grep -v '^# Made by' out.lock
  } >lock
}

check() { # PLATFORM
  local lock=$here/requirements.$1.lock
  compile "$1" || fail 3 "requirements.in cannot be resolved for $1" '' 'the lines above' \
    'check the network, then requirements.in'
  diff -u "$lock" lock >&2 || fail 3 "$lock does not match requirements.in" \
    'what requirements.in gives, from the same versions' 'the difference above' "docker/lock.sh $1"
  echo "$lock: $(grep -c '^[A-Za-z0-9].*==' "$lock") packages, as requirements.in gives them"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v uv >/dev/null || fail 3 'uv is not installed' 'uv on the PATH' '' 'pip install uv'
if [[ ${1:-} == --check ]]; then
  for platform in cpu gpu uv tools verify keyless; do check "$platform"; done
elif [[ ${2:-} == --check ]]; then
  check "$1"
else
  compile "${1:-}" "${@:2}" || fail 3 "requirements.in cannot be resolved for ${1:-}" '' \
    'the lines above' 'check the network, then requirements.in'
  cp lock "$here/requirements.$1.lock.new"
  mv "$here/requirements.$1.lock.new" "$here/requirements.$1.lock"
  echo "$here/requirements.$1.lock: $(grep -c '^[A-Za-z0-9].*==' lock) packages"
fi
