#!/usr/bin/env bash
# ./run.sh VERB [MANIFEST] [options]: build the environment once, then run one verb in it.
#
# Needs x86-64 Linux, Bash and Python 3.11 (or uv). What it reads from the environment:
#   PEBENCH_CACHE  where everything goes that can be made again (default: .cache beside this script)
#   PEBENCH_ENV    a finished environment to use instead of building one (containers)
set -euo pipefail
shopt -s nullglob

project=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
lock=$project/docker/requirements.cpu.lock
cache=$(readlink -m -- "${PEBENCH_CACHE:-$project/.cache}")
verbs='all test doctor plan fetch finetune unlearn evaluate report sign verify keygen clean smoke-base'

# Packages are compiled when first imported, which is faster than all at once: so let Python write
# what it compiled. In a read-only folder it goes on without, silently.
unset PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export PEBENCH_CACHE=$cache PYTHONNOUSERSITE=1 TOKENIZERS_PARALLELISM=false OMP_WAIT_POLICY=PASSIVE
export HF_HUB_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1 ANONYMIZED_TELEMETRY=False
export VLLM_NO_USAGE_STATS=1 VLLM_DO_NOT_TRACK=1

say() { printf '%s\n' "$*" >&2; }

fail() {  # EXIT_CODE WHAT EXPECTED FOUND REMEDY: the form and the codes of kit/errors.py
  say "error: $2"
  [[ -z $3 ]] || say "  expected: $3"
  [[ -z $4 ]] || say "  found: $4"
  say "  remedy: $5"
  exit "$1"
}

overview() {
  cat <<END
usage: ./run.sh VERB [MANIFEST] [options]

PEBench reproducibility kit: from a manifest (default: manifests/smoke.toml) to a signed table.
verbs: $verbs
'./run.sh all' runs the experiment, './run.sh test' the tests, './run.sh VERB --help' explains a verb.

The environment is not there yet. The first verb but clean builds it, once, from packages pinned by
hash (some minutes, 1 GB to download, 6 GB of free disk), in $cache/env.
END
}

find_python() {  # print a Python 3.11 that can make virtual environments
  local name version found=''
  for name in python3.11 python3 python; do
    version=$("$name" -c 'import sys; print(sys.version.split()[0])' 2>/dev/null) || version=missing
    found+="${found:+, }$name $version"
    [[ $version == 3.11.* ]] || continue
    "$name" -c 'import ensurepip, venv' 2>/dev/null && command -v "$name" && return
    found+=' without venv'
  done
  if command -v uv >/dev/null; then
    say "environment: no usable Python 3.11 ($found); asking uv for one"
    uv python install --quiet 3.11 >&2 && uv python find --no-project 3.11 && return
    found+=', uv could not install it'
  fi
  fail 3 'no usable Python 3.11' 'Python 3.11 with venv: the locked packages are for it' "$found" \
    'install python3.11 and python3.11-venv, or uv (it brings Python itself), then call again'
}

show_progress() {  # copy pip's output to the log; one updating line on a terminal, else one every 10 s
  local line text installed next=$SECONDS step=10
  [[ ! -t 2 ]] || step=1
  while true; do
    if IFS= read -r -t 1 line; then
      printf '%s\n' "$line" >>"$env/build.log"
    elif (($? <= 128)); then  # above 128 it was the timeout, below the end of the output
      break
    fi
    ((SECONDS >= next)) || continue
    next=$((SECONDS + step))
    installed=("$env"/lib/python3.11/site-packages/*.dist-info)
    text="environment: found $(grep -c '^Collecting ' "$env/build.log" || true) of $total packages"
    text+=", installed $((${#installed[@]} < total ? ${#installed[@]} : total))"
    if [[ -t 2 ]]; then printf '\r\033[K%s' "$text" >&2; else say "$text"; fi
  done
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
}

pip_install() {  # hashes are always checked; nothing is fetched that the lock does not name
  TMPDIR=$env/tmp PIP_USER=0 "$env/bin/python" -m pip install --require-hashes --no-deps \
    --no-build-isolation --no-compile --progress-bar off --disable-pip-version-check "$@" 2>&1 | show_progress
}

only() {  # write the lock's entry of package $1 to a file of its own and print the file's name
  awk -v name="$1==" '/^[A-Za-z0-9]/ { keep = index($0, name) == 1 } keep' "$lock" >"$env/tmp/$1.lock"
  printf '%s' "$env/tmp/$1.lock"
}

install_packages() {
  "$python" -m venv "$env" >>"$env/build.log" 2>&1 || return
  # setuptools before all: one package (rouge-score) is published as source and built with it.
  pip_install -r "$(only setuptools)" || return
  # torch apart: its CPU build may be on PyTorch's own index alone, which is asked for nothing else.
  pip_install -r "$(only torch)" || {
    grep -q 'No matching distribution found for torch' "$env/build.log" || return
    say "environment: the configured package index has no torch+cpu; asking PyTorch's"
    pip_install -r "$(only torch)" --extra-index-url https://download.pytorch.org/whl/cpu || return
  }
  pip_install -r "$lock" || return
  cp "$project"/docker/cpu_site/*.p* "$env/lib/python3.11/site-packages/"
}

claim_cache() {  # mark a new or empty folder as a cache of ours: clean removes nothing from any other
  mkdir -p "$cache" || return
  [[ -n $(ls -A "$cache") ]] ||
    echo 'Signature: 8a477f597d28d172789f06886806bc55' >"$cache/CACHEDIR.TAG" || return
  mkdir -p "$cache/locks"
}

build_environment() {
  local python total need free
  [[ -z ${PEBENCH_ENV:-} ]] || fail 3 "PEBENCH_ENV=$PEBENCH_ENV is not a finished environment" \
    'a folder with .complete and bin/python' '' 'unset PEBENCH_ENV, and one is built'
  [[ $(uname -sm) == 'Linux x86_64' ]] || fail 3 'no packages are locked for this machine' \
    'Linux x86_64' "$(uname -sm)" 'use an x86-64 Linux machine or container'
  python=$(find_python) || exit
  if ! { claim_cache && exec 9>>"$cache/locks/env-$digest"; } 2>/dev/null; then
    fail 7 "cannot write in $cache" '' '' 'set PEBENCH_CACHE to a folder that you can write'
  fi
  flock --nonblock 9 || { say 'environment: another process builds it; waiting'; flock 9; }
  ! is_complete || return 0

  # Whatever an interrupted build left is not worth trusting; pip's own cache keeps the downloads.
  trap 'say "environment: interrupted; the next call builds it anew"; exit 130' INT TERM
  rm -rf "$env"
  mkdir -p "$env/tmp"
  total=$(grep -c '^[A-Za-z0-9].*==' "$lock" || true)
  need=$((total * 35)) free=$(($(df -Pk "$env" | awk 'END { print $4 }') / 1024))
  ((free >= need)) || fail 7 "not enough disk space for the environment in $cache" \
    "$need MB" "$free MB" 'free some, or set PEBENCH_CACHE to a folder on another disk'
  say "environment: installing $total packages for $("$python" -V) into $env (once)"
  if ! install_packages; then
    tail -n 15 "$env/build.log" >&2
    rm -rf "$env/tmp"
    ! grep -qE 'No space left|Disk quota exceeded' "$env/build.log" || fail 7 'the disk is full' '' '' \
      "free $need MB, or set PEBENCH_CACHE to a folder on another disk, then call again"
    fail 3 'the environment could not be built' 'every package of the lock, with its hash' \
      "the lines above; all of them: $env/build.log" \
      'check the network and your pip settings (pip config list), then call again'
  fi
  rm -rf "$env/tmp"
  : >"$env/.complete"
  trap - INT TERM
  exec 9>&-
  say "environment: ready after $SECONDS s"
}

clean() {  # remove what can be made again; results and keys are never in these folders
  local name path dry=''
  [[ ${1:-} != --dry-run ]] || { dry='would be '; shift; }
  (($# == 0)) || fail 2 "clean has no option $1" '--dry-run or nothing' '' './run.sh clean --dry-run'
  [[ ! -d $cache || -f $cache/CACHEDIR.TAG ]] || fail 7 "$cache is not a folder that the kit made" \
    'CACHEDIR.TAG in it' '' 'look what is in it and remove by hand what you do not need'
  for name in env data artifacts vllm locks pytest hypothesis; do
    path=$cache/$name
    [[ -e $path ]] || continue
    printf '%sremoved %s %s\n' "$dry" "$(du -sh "$path" | cut -f1)" "$path"
    [[ -n $dry ]] || rm -rf "$path"
  done
}

is_complete() { [[ -f $env/.complete && -x $env/bin/python ]]; }

main() {
  local digest verb
  [[ -r $lock ]] || fail 3 "the lock file $lock is missing" '' '' 'restore it from the repository'
  digest=$(sha256sum <"$lock")
  digest=${digest:0:12}
  env=${PEBENCH_ENV:-$cache/env/$digest}

  verb=${1:---help}
  case $verb in
    --help | -h)
      is_complete || { overview; exit; }
      set -- --help ;;
    clean)
      [[ ${2:-} == --help ]] || { clean "${@:2}"; exit; } ;;
    *)
      is_complete || [[ $verb == -* || " $verbs " == *" $verb "* ]] ||
        fail 2 "unknown verb $verb" "one of $verbs" '' './run.sh --help' ;;
  esac

  is_complete || build_environment
  export PYTHONPATH=$project
  if [[ $verb == test && ${2:-} != --help ]]; then
    cd "$project"
    export HYPOTHESIS_STORAGE_DIRECTORY=$cache/hypothesis
    exec "$env/bin/python" -P -m pytest -o cache_dir="$cache/pytest" "${@:2}"
  fi
  exec "$env/bin/python" -P -m kit "$@"  # -P: a file of the current folder must not shadow a package
}

main "$@"  # the last line, so that an edit of this file cannot change a call that is under way
