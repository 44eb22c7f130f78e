#!/usr/bin/env bash
# ray_node.sh NODES ADDRESS JOB [START...] -- [RUNNER...] -- VERB...: one node of a job on several machines.
#
# A scheduler calls this on each of NODES machines, in the project's folder. The machines become one Ray
# cluster with the head at ADDRESS (HOST:PORT), and its first one runs `run.sh VERB... --executor ray`. START
# are options of `ray start`, RUNNER those of run.sh. JOB names this start of the job.
#
# The cache is where the machines meet: each leaves a sign there before Ray starts, so that a cache that they
# do not share is named within two minutes. Only the first machine builds Ray's environment.
#   PEBENCH_HEAD_START_SECONDS (5) of the first machine
#   PEBENCH_SIGN_SECONDS (120)     for the signs of the other machines
#   PEBENCH_PREPARE_SECONDS (1800) for the first machine to build the environment
set -euo pipefail
shopt -s nullglob

project=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
# shellcheck source=docker/messages.sh
source "$project/docker/messages.sh"
(($# > 5)) || fail PE-0207 "ray_node.sh has $# arguments" \
  'NODES ADDRESS JOB [START...] -- [RUNNER...] -- VERB...' '' 'see docker/jobs/README.md'
head_start=$(seconds PEBENCH_HEAD_START_SECONDS 5)
patience=$(seconds PEBENCH_SIGN_SECONDS 120)
preparation=$(seconds PEBENCH_PREPARE_SECONDS 1800)
nodes=$1 address=$2 job=$3
shift 3
start=() runner=()
while [[ $1 != -- ]]; do start+=("$1") && shift; done
shift
while [[ $1 != -- ]]; do runner+=("$1") && shift; done
shift
rank=${SLURM_PROCID:-${SKYPILOT_NODE_RANK:?no scheduler says which node this is}}
cache=$(absolute "${PEBENCH_CACHE:-$project/.cache}")
meeting=$cache/scratch/ray-job-$job
# The path of the project in a container.
inside=$project
[[ ${#runner[@]} == 0 ]] || inside=/opt/pebench

unshared() { # FOUND
  fail PE-0304 "the nodes of this job do not share the cache $cache" \
    "signs of $nodes nodes in $meeting" "$1" \
    'set PEBENCH_CACHE to a folder on a file system that all nodes share, under the same path'
}

wait_for() { # SECONDS CONDITION...: whether a condition becomes true
  local end=$((SECONDS + 10#${1%.*}))
  until "${@:2}"; do
    ((SECONDS < end)) || return 1
    sleep 1
  done
}

# shellcheck disable=SC2329 # wait_for calls them
all_are_there() {
  local signs=("$meeting"/node-*)
  ((${#signs[@]} >= nodes))
}

# shellcheck disable=SC2329
leave_sign() { [[ -d $meeting ]] && : 2>/dev/null >"$meeting/node-$rank"; }

# shellcheck disable=SC2329
is_prepared() {
  [[ -e $meeting ]] || return 0
  [[ -e $meeting/node-$rank ]] || leave_sign || return 1 # it was the folder of an earlier start
  [[ -e $meeting/prepared ]]
}

is_over() { [[ ! -e $meeting ]]; }

if ((rank == 0)); then
  if [[ ! -d $cache ]]; then # so that `clean` knows it for the kit's
    mkdir -p -- "$cache"
    echo 'Signature: 8a477f597d28d172789f06886806bc55' >"$cache/CACHEDIR.TAG"
  fi
  rm -rf -- "$meeting"
  mkdir -p -- "$meeting"
  trap 'rm -rf -- "$meeting"' EXIT
  : >"$meeting/node-0"
  wait_for "$patience" all_are_there || unshared "$(cd -- "$meeting" && echo node-*)"
  "$project/run.sh" "${runner[@]}" ray --version
  : >"$meeting/prepared"
else
  # The first node removes what an earlier start left here, where that was cut off.
  sleep "$head_start"
  wait_for "$patience" leave_sign || unshared 'no folder of the first node'
  wait_for "$preparation" is_prepared || fail PE-0301 \
    "the first node has not prepared Ray's environment" 'a few minutes' '' 'see the lines of the first node'
  ! is_over || exit 0 # the first node has said why
fi

code=0
"$project/run.sh" "${runner[@]}" ray symmetric-run --address "$address" --min-nodes "$nodes" \
  "${start[@]}" -- "$inside/docker/jobs/keep_code.sh" "$meeting/code" "$inside/run.sh" "$@" \
  --executor ray --address "$address" || code=$?
if ((rank > 0)); then
  # Not an error of the job: the run goes on where a node is left, and says where none is.
  wait_for 20 is_over || say "ray: ended on node $rank with code $code; the run continues without it"
  exit 0
fi
[[ -e $meeting/code ]] || fail PE-0304 'Ray did not start, or was ended' "$nodes nodes at $address" \
  "exit code $code, and the run did not end" 'see the lines above, then submit the job again'
exit "$(<"$meeting/code")"
