#!/usr/bin/env bash
# keep.sh FOLDER COMMAND...: run a command of the kit on a machine that may disappear at any moment.
#
# Finished adapters and answers, the last checkpoints and the results are copied to FOLDER, which outlives
# the machine, every PEBENCH_KEEP_SECONDS (300) and at the end. Before the command, the contents of FOLDER
# are copied back. Data, weights and the base model for serving are not kept: they are quickly restored.
#
# FOLDER may be a mounted bucket: files are written sequentially and then renamed. job.json, which marks an
# artifact as complete, is copied after the artifact's other files.
set -euo pipefail
shopt -s nullglob

project=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)
# shellcheck source=docker/messages.sh
source "$project/docker/messages.sh"
(($# > 1)) || fail PE-0207 'keep.sh has no folder or no command' 'keep.sh FOLDER COMMAND...' '' \
  'docker/keep.sh /mnt/bucket ./run.sh all'
store=$(readlink -m -- "$1")
pause=$(seconds PEBENCH_KEEP_SECONDS 300)
shift
artifacts=$(absolute "${PEBENCH_CACHE:-$project/.cache}")/artifacts
results=$(absolute "${PEBENCH_RESULTS:-$project/results}")

put() { # FILE TARGET: copy FILE if it is newer
  [[ $1 -nt $2 ]] || return 0
  mkdir -p -- "${2%/*}" && cp -- "$1" "$2.part" && mv -f -- "$2.part" "$2"
}

put_artifact() { # FOLDER TARGET
  local file
  [[ ! -e $2/job.json ]] || return 0 # complete, and its name contains the digest of its inputs
  while IFS= read -r -d '' file; do
    put "$1/$file" "$2/$file" || return
  done < <(cd -- "$1" && find . -type f ! -path ./job.json ! -name '*.part' -printf '%P\0')
  put "$1/job.json" "$2/job.json"
}

put_all() { # FROM TO: copy artifacts, checkpoints, logs of attempts and costs
  local path name
  for path in "$1"/*/job.json; do
    path=${path%/*}
    name=${path##*/}
    [[ $name == evaluate-serving-base-* ]] || put_artifact "$path" "$2/$name" || return
    rm -rf -- "${2:?}/$name.partial" # its checkpoint
  done
  for path in "$1"/*.partial/checkpoint "$1"/*.json "$1"/*.jsonl; do
    name=${path#"$1"/}
    [[ -e $2/${name%.partial/checkpoint}/job.json ]] || put "$path" "$2/$name" || return
  done
}

put_results() {
  local folder name
  for folder in "$results"/*/; do
    name=$(basename -- "$folder")
    ! diff -qr -- "$folder" "$store/results/$name" >/dev/null 2>&1 || continue
    rm -rf -- "$store/results/$name"
    mkdir -p -- "$store/results" && cp -R -- "$folder" "$store/results/$name" || return
  done
}

[[ -d $store && -w $store ]] || fail PE-0700 "$store cannot be written" 'a folder that outlives this machine' \
  '' 'mount it first'
mkdir -p -- "$artifacts"
put_all "$store/artifacts" "$artifacts" || fail PE-0700 "$store cannot be copied to $artifacts" '' \
  'the lines above' 'free some space, then try again'

"$@" &
command=$! signalled=''
trap 'signalled=yes; kill -TERM "$command" 2>/dev/null || true' INT TERM
(
  trap - INT
  trap 'kill $! 2>/dev/null; exit' TERM # bash runs it after the current copy
  while kill -0 $$ 2>/dev/null; do
    sleep "$pause" &
    wait $!
    put_all "$artifacts" "$store/artifacts" || say "keep: cannot copy to $store; trying again"
  done
) &
keeper=$!

code=0
wait "$command" || code=$?
while [[ -n $signalled ]]; do # the signal ended the wait, not the command
  code=0 signalled=''
  wait "$command" || code=$?
done
kill "$keeper" 2>/dev/null || true # what is below has to be copied, whatever became of it
wait "$keeper" || true
if ! { put_all "$artifacts" "$store/artifacts" && put_results; }; then
  ((code > 0)) || fail PE-0700 "the work cannot be copied to $store" '' 'the lines above' \
    'free some space there, then try again: finished work is not repeated'
  say "keep: the work cannot be copied to $store"
fi
exit "$code"
