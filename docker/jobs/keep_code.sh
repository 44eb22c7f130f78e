#!/usr/bin/env bash
# keep_code.sh FILE COMMAND...: run a command, and write its exit code into FILE.
#
# `ray symmetric-run` ends with 0 where Ray did not start. Without a code in FILE, the command never ran.
set -euo pipefail
file=$1 code=0
"${@:2}" || code=$?
printf '%s\n' "$code" >"$file.part"
mv -f -- "$file.part" "$file"
exit "$code"
