#!/usr/bin/env bash
# Inside an image build: install the locked packages of a platform into a virtual environment.
#
#   image_environment.sh cpu|gpu FOLDER SHA256_OF_THE_LOCK
set -euo pipefail
shopt -s nullglob
platform=$1 env=$2 expected=$3
project=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
lock=$project/docker/requirements.$platform.lock
pythons=3.11
[[ $platform != gpu ]] || pythons=3.12
# shellcheck source=docker/messages.sh
source "$project/docker/messages.sh"
# shellcheck source=docker/environment.sh
source "$project/docker/environment.sh"

complete_cuda() { # add the link names that CUDA's installer makes and its wheels lack
  local root=$env/lib/python$pythons/site-packages/nvidia/cu13 library
  ln -s lib "$root/lib64"
  for library in "$root"/lib/lib*.so.*; do
    [[ -e ${library%%.so.*}.so ]] || ln -s "${library##*/}" "${library%%.so.*}.so"
  done
  # The driver's library comes with the GPU; for linking, a stub with its name is enough.
  mkdir "$root/lib/stubs"
  g++ -x c++ -shared -Wl,-soname,libcuda.so.1 -o "$root/lib/stubs/libcuda.so" /dev/null
}

found=$(sha256sum <"$lock")
[[ ${found%% *} == "$expected" ]] || fail PE-0404 'the lock is not the one that the image is labelled with' \
  "$expected" "${found%% *}" 'build with ./run.sh image build, which passes its digest'

[[ ! -f /run/secrets/pip.conf ]] || export PIP_CONFIG_FILE=/run/secrets/pip.conf
[[ ! -f /run/secrets/ca.crt ]] || export PIP_CERT=/run/secrets/ca.crt
export PIP_CACHE_DIR=/build/pip PIP_FIND_LINKS=/build/wheels PIP_ROOT_USER_ACTION=ignore
python=$(find_python "$pythons")
total=$(grep -c '^[A-Za-z0-9].*==' "$lock")
mkdir -p "$env/tmp"
install_packages || {
  tail -n 15 "$env/build.log" >&2
  fail PE-0301 'the environment could not be built' 'every package of the lock, with its hash' \
    'the lines above' 'check the network and the secrets pipconf and ca, then build again'
}
rm -rf "$env/tmp" "$env/build.log"
[[ $platform != gpu ]] || complete_cuda

# The image is read-only, so files that are not compiled here would be compiled at every start. The
# compiled files must depend only on the source, not on times (as Python's own do) or on set order.
find "$env" -name __pycache__ -prune -exec rm -rf {} +
export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
"$env/bin/python" -m compileall -q -f -j 0 --invalidation-mode unchecked-hash \
  "$env/lib" >/dev/null || true # some packages ship templates that are not valid Python
: >"$env/.complete"
chmod -R u=rwX,go=rX "$env"
