#!/usr/bin/env bash
# reproduce.sh IDENTITY ISSUER FOLDER: run the small experiment as a job of a build service.
#
# The result is compared with the signed reference, and signed as the workflow that runs this job:
# IDENTITY is the address of the workflow's file, ISSUER the service's provider of tokens. FOLDER gets
# what is to be kept. It says in `outcome` whether the reference was reproduced: a result that does not
# reproduce it is kept as well.
set -euo pipefail
shopt -s nullglob

project=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
# shellcheck source=docker/messages.sh
source "$project/docker/messages.sh"
(($# == 3)) || fail PE-0207 "reproduce.sh has $# arguments" 'IDENTITY ISSUER FOLDER' '' \
  'see docker/jobs/README.md'
identity=$1 issuer=$2
mkdir -p -- "$3"
kept=$(readlink -f -- "$3")
cd "$project"
results=(results/*/)
((${#results[@]} == 0)) || fail PE-0701 "results/ is not empty: ${results[*]}" 'a fresh clone' '' \
  'run this in a fresh clone, so that nothing is taken from an earlier run'

./run.sh all
results=(results/smoke-*/)
((${#results[@]} == 1)) || fail PE-0701 "results/ has ${#results[@]} results of smoke" one '' \
  'run this in a fresh clone'
result=${results[0]%/}
name=${result##*/}

outcome=reproduced
status=0
./run.sh compare "$result" manifests/reference/smoke --html "$kept/comparison.html" \
  >"$kept/comparison.txt" || status=$?
((status <= 1)) || exit "$status"
((status == 0)) || outcome='not reproduced'

./run.sh sign "$result" --keyless --identity "$identity" --issuer "$issuer"
./run.sh verify "$result" --identity "$identity" --issuer "$issuer" --claims manifests/smoke.toml |
  tee "$kept/verified.txt"
tar --create --gzip --sort=name --file "$kept/$name.tar.gz" --directory results "$name"
printf '%s\n' "$outcome" >"$kept/outcome"
cat >"$kept/notes.md" <<END
The small experiment, run by $identity. The signed reference was $outcome.

Unpack the result in a clone of the kit and check who made it, and every number in it:

    tar -xzf $name.tar.gz
    ./run.sh verify $name --identity $identity --issuer $issuer
    ./run.sh compare $name manifests/reference/smoke

The last lines of \`verify\` say what this does not prove.
END
