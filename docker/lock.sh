#!/usr/bin/env bash
# Make docker/requirements.<platform>.lock from docker/requirements.in, with the hash of every file.
#
#   docker/lock.sh cpu                        keep the locked versions where they still fit
#   docker/lock.sh cpu --upgrade              use the newest versions that fit together
#   docker/lock.sh cpu --upgrade-package X    upgrade only X
#   docker/lock.sh --check                    prove that all locks follow from requirements.in
#   docker/lock.sh cpu --check                prove it for one lock
#   docker/lock.sh gpu --check-files          prove that no file of its wheels is in two packages
#   docker/lock.sh verify --check-wheels      download the wheels for every Python and platform
#
# Platforms: cpu, gpu, uv (installs Python in an image build), tools (linters of the tests), verify (the
# slim environment, with the versions of the cpu lock), keyless (the same with sigstore), ray (Ray's own
# processes, with the versions of the cpu lock) and rayjob (the same with Ray's dashboard).
# Needs uv and pip. Locks contain nothing about this machine (index addresses, paths). A lock is replaced
# as a whole, after everything succeeded and no file is in two packages. Exit codes: kit/errors.py.
set -euo pipefail
here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=docker/messages.sh
source "$here/messages.sh"
usage='docker/lock.sh cpu|gpu|uv|tools|verify|keyless|ray|rayjob [--check | --check-files | --check-wheels | options of uv pip compile]'
usage+=', or docker/lock.sh --check'

shared='packages share files, or their lists of files cannot be read'
one_owner='require another version of one of them in requirements.in; if the files do no harm, name them in kit/supply_chain/owners.py'

choose() { # PLATFORM: sets pythons, places (as uv names them) and the packages excluded from the lock
  # The kit imports none of these. torchaudio and torchcodec are CUDA builds, which do not load with a
  # CPU torch. The triton wheel (1 GB, required by xgrammar) has no CPU backend, so vLLM disables it.
  # numba and llvmlite (0.2 GB) are for speculative decoding. fastapi-cli and fastapi-cloud-cli install
  # a cloud client that sends crash reports to its vendor.
  excluded=() pythons=(3.11) places=(x86_64-manylinux_2_35)
  case $1 in
    cpu)
      pythons=(3.11 3.12 3.13) places+=(aarch64-manylinux_2_35)
      excluded=(torchaudio torchcodec triton numba llvmlite fastapi-cli fastapi-cloud-cli)
      ;;
    gpu) pythons=(3.12) places+=(aarch64-manylinux_2_35) excluded=(torchaudio torchcodec fastapi-cli fastapi-cloud-cli) ;;
    uv | tools) ;;
    ray | rayjob) pythons=(3.11 3.12 3.13) places+=(aarch64-manylinux_2_35) ;;
    verify | keyless) # the oldest and the newest Python; --check-wheels looks at all
      pythons=(3.11 3.14)
      places=({x86_64,aarch64}-manylinux_2_28 {aarch64,x86_64}-apple-darwin x86_64-pc-windows-msvc)
      ;;
    *) fail PE-0207 "unknown platform ${1:-(none)}" 'cpu, gpu, uv, tools, verify, keyless, ray or rayjob' '' "$usage" ;;
  esac
}

download_torch() { # into wheels/
  # torch+cpu is published only on PyTorch's index. That index also mirrors other packages, so this
  # downloads one wheel from it, and does not make it an index of the resolution. uv reads only what the
  # package requires, which is the same in all wheels of a release: links stand for the others.
  local torch wheel name python machine
  torch=$(grep -o '^torch==[^ ]*' requirements.in)
  wheel=(--no-deps --quiet --dest wheels --only-binary :all: --implementation cp
    --python-version 3.11 --platform manylinux_2_28_x86_64 "$torch")
  python3 -m pip download "${wheel[@]}" 2>/dev/null ||
    python3 -m pip download "${wheel[@]}" --index-url https://download.pytorch.org/whl/cpu || return
  (cd wheels && sha256sum --check --ignore-missing --quiet "$here/torch_cpu.sha256") || return
  name=$(cd wheels && echo torch-*)
  for python in 311 312 313; do
    for machine in x86_64 aarch64; do
      ln -f "wheels/$name" "wheels/${name%%-cp*}-cp$python-cp$python-manylinux_2_28_$machine.whl" \
        2>/dev/null || true # the first is the file itself
    done
  done
}

uv_compile() { # PYTHON PLACE FILE [options]
  # rouge-score and jsonpath-rw (for mlcroissant) are published only as source; both are pure Python.
  uv pip compile "$3" --quiet --python-version "$1" --python-platform "$2" \
    --only-binary :all: --no-binary rouge-score --no-binary jsonpath-rw --find-links wheels "${@:4}"
}

compile() { # PLATFORM [options]: write the lock to $work/PLATFORM/lock
  local platform=$1 lock=$here/requirements.$1.lock python place pythons places excluded parts=()
  local hashes=()
  choose "$platform"
  mkdir -p "$work/$platform/wheels"
  cd "$work/$platform"
  # Lines without a mark are for cpu and gpu, and in the section verify also for the slim locks.
  awk -v platform="$platform" '/^# ---/ { slim = ($3 == "verify:") }
    /^[A-Za-z0-9].*# [a-z]+$/ { if ($NF == platform) print; next }
    platform == "cpu" || platform == "gpu" ||
      ((platform == "verify" || platform == "keyless") && slim)' \
    "$here/requirements.in" >requirements.in
  printf '%s\n' "${excluded[@]}" >excluded.in
  if [[ $platform == cpu ]]; then
    download_torch || return
    hashes=(--hashes "$here/torch_cpu.sha256")
  fi
  # Reviewers verify with the versions that made the result.
  case $platform in
    verify) lock=$here/requirements.cpu.lock ;;
    keyless) lock=$here/requirements.verify.lock ;;
    ray | rayjob) lock=$here/requirements.cpu.lock ;;
  esac
  for python in "${pythons[@]}"; do
    for place in "${places[@]}"; do
      parts+=("$python,$place.lock")
      # Of what is locked, uv keeps the versions that still fit. The lock of the platform wins.
      cat "$lock" >"$python,$place.lock"
      [[ ! -f $here/requirements.$platform.lock ]] ||
        cat "$here/requirements.$platform.lock" >>"$python,$place.lock"
      uv_compile "$python" "$place" requirements.in --output-file "$python,$place.lock" --no-header \
        --generate-hashes --excludes excluded.in --no-emit-index-url --no-emit-find-links \
        "${@:2}" || return
    done
  done
  {
    echo "# Made by docker/lock.sh $platform for Python ${pythons[*]} on ${places[*]}. Do not edit."
    PYTHONPATH=$here/.. python3 -m kit.supply_chain.merged_lock "${hashes[@]}" "${parts[@]}"
  } >lock
}

check() { # PLATFORM
  local lock=$here/requirements.$1.lock
  compile "$1" || fail PE-0301 "requirements.in cannot be resolved for $1" '' 'the lines above' \
    'check the network, then requirements.in'
  diff -u "$lock" lock >&2 || fail PE-0301 "$lock does not match requirements.in" \
    'the packages that requirements.in requires, at the locked versions' 'the difference above' "docker/lock.sh $1"
  echo "$lock: $(grep -c '^[A-Za-z0-9].*==' "$lock") packages, as requirements.in requires"
}

check_files() { # PLATFORM LOCK: read the lists of files of all wheels, without downloading these
  local pythons places excluded lock
  lock=$(readlink -f -- "$2")
  choose "$1"
  mkdir -p "$work/$1/wheels"
  cd "$work/$1"
  [[ $1 != cpu || -n $(ls wheels) ]] || download_torch || return
  cp "$lock" locked.txt
  uv_compile "${pythons[0]}" "${places[0]}" locked.txt --no-deps --output-file pylock.toml >/dev/null || return
  PYTHONPATH=$here/.. python3 -m kit.supply_chain.owners pylock.toml
}

check_wheels() { # PLATFORM: download and unpack the lock for each Python and place, with its hashes
  local pythons places excluded python place
  choose "$1"
  [[ ${#places[@]} -lt 5 ]] || pythons=(3.11 3.12 3.13 3.14)
  for python in "${pythons[@]}"; do
    for place in "${places[@]}"; do
      uv pip install --quiet --python-version "$python" --python-platform "$place" --no-deps \
        --require-hashes --only-binary :all: --no-binary rouge-score --no-binary jsonpath-rw \
        --link-mode copy --target "$work/$python-$place" -r "$here/requirements.$1.lock" || return
      echo "Python $python on $place: $(cd "$work/$python-$place" && echo *.dist-info | wc -w) packages"
      rm -rf "${work:?}/$python-$place"
    done
  done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v uv >/dev/null || fail PE-0301 'uv is not installed' 'uv on the PATH' '' 'pip install uv'
if [[ ${1:-} == --check ]]; then
  for platform in cpu gpu uv tools verify keyless ray rayjob; do check "$platform"; done
elif [[ ${2:-} == --check ]]; then
  check "$1"
elif [[ ${2:-} == --check-wheels ]]; then
  check_wheels "$1" || fail PE-0301 "$here/requirements.$1.lock has no wheel for a platform" '' \
    'the lines above' 'choose versions in requirements.in that have wheels for it'
elif [[ ${2:-} == --check-files ]]; then
  choose "$1"
  check_files "$1" "$here/requirements.$1.lock" ||
    fail PE-0301 "$here/requirements.$1.lock: $shared" 'one owner of every file' 'the lines above' "$one_owner"
else
  compile "${1:-}" "${@:2}" || fail PE-0301 "requirements.in cannot be resolved for ${1:-}" '' \
    'the lines above' 'check the network, then requirements.in'
  check_files "$1" lock ||
    fail PE-0301 "the new lock: $shared" 'one owner of every file' 'the lines above' "$one_owner"
  cp lock "$here/requirements.$1.lock.new"
  mv "$here/requirements.$1.lock.new" "$here/requirements.$1.lock"
  echo "$here/requirements.$1.lock: $(grep -c '^[A-Za-z0-9].*==' lock) packages"
fi
