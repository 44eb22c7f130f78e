#!/usr/bin/env bash
# ./run.sh VERB [MANIFEST] [options]: build the environment once, then run a verb in it.
# ./run.sh --runner docker|podman|apptainer VERB ...: run it in a container.
#
# Needs Linux (x86-64 or aarch64), Bash and Python 3.11, 3.12 or 3.13 (or uv). On macOS and Windows,
# `python3 -m kit` checks results. Environment variables:
#   PEBENCH_CACHE  folder of everything that can be made again (default: .cache next to this script)
#   PEBENCH_ENV    a finished environment to use instead of building one (in containers)
set -euo pipefail
shopt -s nullglob

project=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
lock=$project/docker/requirements.cpu.lock pythons='3.11 3.12 3.13'
# shellcheck source=docker/messages.sh
source "$project/docker/messages.sh"
cache=$(absolute "${PEBENCH_CACHE:-$project/.cache}")
verbs='all test doctor plan fetch lock data new try-method finetune unlearn evaluate attack report show sign'
small='verify, rescore, compare, board, sign, keygen, new, show'
verbs+=' verify rescore compare board calibrate tune keygen bench clean smoke-base image completion'

# Let Python write compiled files: packages are compiled when first imported, which is faster than all
# in advance. In a read-only folder Python works without them.
unset PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export PEBENCH_CACHE=$cache PYTHONNOUSERSITE=1 TOKENIZERS_PARALLELISM=false OMP_WAIT_POLICY=PASSIVE
export HF_HUB_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1 ANONYMIZED_TELEMETRY=False
export VLLM_NO_USAGE_STATS=1 VLLM_DO_NOT_TRACK=1

overview() {
  cat <<END
usage: ./run.sh [--runner venv|docker|podman|apptainer] VERB [MANIFEST] [options]

PEBench reproducibility kit: from a manifest (default: manifests/smoke.toml) to a signed table.
verbs: $verbs
'./run.sh all' runs the experiment, './run.sh test' the tests, './run.sh VERB --help' explains a verb.

No environment exists yet. The first verb that needs one builds it from packages pinned by hash, in
$cache/env:
- --help, clean, completion and image need none.
- plan, show, new, keygen and verify --policy integrity need a very small one: 3 to 11 MB to download,
  20 to 35 MB on disk.
- verify, rescore, compare, board, sign, show --fresh and report --to need a small one: 0.1 GB to
  download, 0.3 GB on disk.
- The other verbs need the whole one: 1 GB to download, 6 GB of free disk space, a few minutes.
END
}

clean() { # remove what can be made again; these folders never hold results or keys
  local name path dry='' found=''
  [[ ${1:-} != --dry-run ]] || {
    dry='would be '
    shift
  }
  (($# == 0)) ||
    fail PE-0207 "clean has no option $1" '--dry-run or nothing' '' './run.sh clean --dry-run'
  [[ ! -d $cache || $cache == "$project/.cache" || -f $cache/CACHEDIR.TAG ]] ||
    fail PE-0700 "$cache was not created by the kit" 'a folder with CACHEDIR.TAG' '' \
      'look at its contents and remove by hand what you do not need'
  for name in env data artifacts scratch vllm locks logs pytest hypothesis describe quarantine \
    image tools tmp; do
    path=$cache/$name
    [[ -e $path ]] || continue
    found=yes
    printf '%sremoved %s %s\n' "$dry" "$(du -sh "$path" | cut -f1)" "$path"
    [[ -n $dry ]] || rm -rf "$path"
  done
  [[ -n $found ]] || echo "nothing to remove in $cache"
}

completion() { # [SHELL]: print the script by which a shell completes ./run.sh
  local text quoted
  [[ $# == 1 && " bash zsh fish " == *" $1 "* ]] || fail PE-0207 'completion is for one shell' \
    'bash, zsh or fish' "${*:-nothing}" './run.sh completion bash'
  text=$(<"$project/docker/completion.$1")
  quoted="'${project//\'/\'\\\'\'}'"
  printf '%s\n' "${text//@PROJECT@/"$quoted"}"
}

is_complete() { [[ -f $env/.complete && -x $env/bin/python ]]; }

is_for_slim() { # VERB [WORD...]: whether kit/supply_chain/slim.py has an environment for this call
  local verb=$1 words=" ${*:2} "
  ! wants_ray "$@" || return 1
  # Only the keyless environment has Sigstore's client.
  [[ ' sign verify report board ' != *" $verb "* || $words != *' --keyless '* ]] || return 0
  [[ ' sign verify report board ' != *" $verb "* || $words != *' --identity'[\ =]* ]] || return 0
  ! is_complete || return 1
  [[ " ${small//,/} " != *" $verb "* && $words != *' --help '* && $words != *' -h '* ]] ||
    return 0
  # With --to, `report` makes pages of a result: that needs no torch either. Nor does a plan.
  [[ $verb == report && $words == *' --to'[\ =]* ]] ||
    [[ $verb == plan && $words != *' --probe '* ]]
}

wants_ray() { # [WORD...]
  local words=" $* "
  # A job file is only printed.
  [[ ${1:-} != plan || $words != *' --emit'[\ =]* ]] || return 1
  [[ ${1:-} == ray || $words == *' --executor ray '* || $words == *' --executor=ray '* ]]
}

main() {
  local digest verb python ray as_json='' runner=venv arguments=("$@")
  [[ " $* " != *' --json '* ]] || as_json=yes # for `fail`
  # shellcheck source=docker/runner.sh
  source "$project/docker/runner.sh"
  choose_runner "$@"
  set -- "${arguments[@]}"
  if (($# == 0)) && [[ $runner == venv && -d $project/image ]]; then # `docker run IMAGE`
    cat "$project/docker/welcome.txt"
    exit
  fi
  if [[ ${1:-} == image ]]; then
    # shellcheck source=docker/image.sh
    source "$project/docker/image.sh"
    image_verb "${@:2}"
    exit
  fi
  [[ $runner == venv ]] || run_in_container "$@"
  if [[ -d $project/image ]]; then # in an image, only the cache is writable
    # Ray's sockets cannot be in a cache that machines share, and their paths are limited.
    export HOME=$cache/home TMPDIR=$cache/tmp RAY_TMPDIR=/tmp
    mkdir -p "$HOME" "$TMPDIR" 2>/dev/null || true
  fi

  [[ -r $lock ]] || fail PE-0301 "the lock file $lock is missing" '' '' 'restore it from the repository'
  digest=$(sha256sum <"$lock")
  digest=${digest:0:12}
  env=${PEBENCH_ENV:-$cache/env/$digest}

  verb=${1:---help}
  case $verb in
    --help | -h)
      is_complete || {
        overview
        exit
      }
      set -- --help
      ;;
    clean)
      [[ ${2:-} == --help ]] || {
        clean "${@:2}"
        exit
      }
      ;;
    completion)
      [[ " $* " == *' --help '* || " $* " == *' -h '* ]] || {
        completion "${@:2}"
        exit
      }
      ;;
    ray) ;; # Ray's own command, which starts the nodes of a cluster: kit/cluster/README.md
    *)
      is_complete || [[ $verb == -* || " $verbs " == *" $verb "* ]] ||
        fail PE-0207 "unknown verb $verb" "one of $verbs" '' './run.sh --help'
      ;;
  esac

  if [[ -z ${PEBENCH_ENV:-} ]] && is_for_slim "$verb" "${@:2}"; then
    # shellcheck source=docker/environment.sh
    source "$project/docker/environment.sh"
    python=$(find_python "$pythons 3.14") || exit
    PYTHONPATH=$project exec "$python" -P -m kit "$@"
  fi
  if ! is_complete; then
    # shellcheck source=docker/environment.sh
    source "$project/docker/environment.sh"
    build_environment
  fi
  if wants_ray "$@"; then
    # shellcheck source=docker/environment.sh
    source "$project/docker/environment.sh"
    build_ray_environment "$@"
    export PEBENCH_RAY=$ray RAY_USAGE_STATS_ENABLED=0 RAY_enable_metrics_collection=false
    export RAY_DEDUP_LOGS=0
    # In seconds: until every node of a job's cluster is there (`ray symmetric-run`).
    export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=${RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT:-600}
  fi
  export PYTHONPATH=$project
  if [[ $verb == ray ]]; then
    # `ray symmetric-run` looks for `ray` on the PATH.
    PATH=$ray/bin:$PATH exec "$ray/bin/ray" "${@:2}"
  fi
  if [[ $verb == test && ${2:-} != --help ]]; then
    cd "$project"
    export HYPOTHESIS_STORAGE_DIRECTORY=$cache/hypothesis
    # Two tests at a time, those of one file in one process. The caller's own options come later
    # and win: -n 0 runs one after the other, as --pdb wants it.
    exec "$env/bin/python" -P -m pytest -o cache_dir="$cache/pytest" \
      -n 2 --dist loadfile --no-loadscope-reorder "${@:2}"
  fi
  if [[ $verb == bench && ${2:-} != --help ]]; then
    cd "$project"
    exec "$env/bin/python" -P -m tests.bench "${@:2}"
  fi
  # -P: a file in the current folder must not shadow a package.
  exec "$env/bin/python" -P -m kit "$@"
}

main "$@" # the last line, so that editing this file cannot change a running call
