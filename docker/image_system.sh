#!/usr/bin/env bash
# Inside an image build: install system packages and one version of Python.
#
#   image_system.sh PYTHON_VERSION APT_SNAPSHOT PACKAGE...
#
# APT_SNAPSHOT is a date like 20261101T000000Z, or empty to use the base image's package sources.
# Packages of the base image are not installed again. Exit codes: kit/errors.py.
set -euo pipefail
here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=docker/messages.sh
source "$here/messages.sh"

python_version=$1 snapshot=$2
shift 2
export DEBIAN_FRONTEND=noninteractive
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
apt_options=()

choose_snapshot() { # replaces all package sources: NVIDIA's has no snapshots
  local codename id host
  [[ -n $snapshot ]] || return 0
  [[ $snapshot =~ ^[0-9]{8}T[0-9]{6}Z$ ]] || fail PE-0207 "the package snapshot $snapshot is not a date" \
    'a date like 20261101T000000Z, or nothing' '' './run.sh image --help'
  id=$(. /etc/os-release && echo "$ID")
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  case $id in
    ubuntu)
      host=https://snapshot.ubuntu.com/ubuntu/$snapshot
      printf 'deb %s %s main universe\n' "$host" "$codename" "$host" "$codename-updates" \
        "$host" "$codename-security" >"$work/sources.list"
      ;;
    debian)
      host=http://snapshot.debian.org/archive
      printf 'deb %s %s main\n' "$host/debian/$snapshot" "$codename" \
        "$host/debian/$snapshot" "$codename-updates" \
        "$host/debian-security/$snapshot" "$codename-security" >"$work/sources.list"
      ;;
    *) fail PE-0207 "no package snapshots known for the base image's system" 'debian or ubuntu' "$id" \
      'choose another --base-image, or build with --apt-snapshot ""' ;;
  esac
  apt_options=(-o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Acquire::Check-Valid-Until=false)
  [[ ! -f /run/secrets/ca.crt ]] || apt_options+=(-o Acquire::https::CAInfo=/run/secrets/ca.crt)
}

updated=''
install() {
  if [[ -z $updated ]]; then
    apt-get "${apt_options[@]}" -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update ||
      fail PE-1500 'the system packages cannot be downloaded' 'package sources that answer' \
        "the lines above (snapshot ${snapshot:-none})" 'check the network, or build with --apt-snapshot ""'
    updated=yes
  fi
  apt-get "${apt_options[@]}" install --yes --no-install-recommends "$@"
}

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]]; }

usable_python() {
  local python=python$python_version
  "$python" -c 'import ensurepip, venv' 2>/dev/null
}

has_headers() {
  local folder
  folder=$("python$python_version" -c 'import sysconfig; print(sysconfig.get_path("include"))')
  [[ -f $folder/Python.h ]]
}

install_python() { # from the base or system packages; otherwise a standalone build from uv
  usable_python || install "python$python_version-venv" || true
  if usable_python; then
    # Triton, only on the platform with Python 3.12, compiles against Python's headers.
    [[ $python_version != 3.12 ]] || has_headers || install "python$python_version-dev"
    return
  fi
  python3 -c 'import ensurepip, venv' 2>/dev/null || install python3 python3-venv
  [[ ! -f /run/secrets/ca.crt ]] || export SSL_CERT_FILE=/run/secrets/ca.crt PIP_CERT=/run/secrets/ca.crt
  python3 -m venv "$work/uv"
  "$work/uv/bin/python" -m pip install --quiet --require-hashes --no-cache-dir \
    --disable-pip-version-check -r "$here/requirements.uv.lock"
  # uv knows the SHA-256 of each of its Python builds, and refuses other bytes.
  UV_PYTHON_INSTALL_DIR=/opt/python "$work/uv/bin/uv" python install --no-cache \
    --no-progress "$python_version" ||
    fail PE-1500 "no Python $python_version in the base image, and uv cannot download it" '' '' \
      'choose a --base-image with this Python, for example Debian 12 for 3.11'
  # Not a symbolic link: virtual environments made through one search for the library next to it.
  printf '#!/bin/sh\nexec %s "$@"\n' /opt/python/*/bin/"python$python_version" \
    >"/usr/local/bin/python$python_version"
  chmod 755 "/usr/local/bin/python$python_version"
}

remove_traces() { # files that differ from build to build
  local library
  rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/*.log /var/cache/ldconfig/* \
    /var/cache/debconf/*-old /var/lib/dpkg/*-old /root/.cache
  # The image's times are rewritten. Compiled files that record a time would then be out of date, and
  # be compiled at every start, because a read-only image cannot store them.
  library=$("python$python_version" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
  PYTHONHASHSEED=0 "python$python_version" -B -m compileall -q -f --invalidation-mode unchecked-hash \
    "$library" >/dev/null || true # lib2to3's tests include files that are not valid Python
}

choose_snapshot
missing=()
for package; do is_installed "$package" || missing+=("$package"); done
((${#missing[@]} == 0)) || install "${missing[@]}"
install_python
remove_traces
mkdir -p /cache /results
chmod 1777 /cache /results # the image may run with any user id
