# shellcheck shell=bash
# Messages of run.sh and of the scripts in this folder, which source this file.

say() { printf '%s\n' "$*" >&2; }

fail() { # ID WHAT EXPECTED FOUND REMEDY: format of kit/errors.py, ids of kit/error_kinds.txt
  say "error: $2"
  [[ -z $3 ]] || say "  expected: $3"
  [[ -z $4 ]] || say "  found: $4"
  say "  id: $1"
  say "  remedy: $5"
  exit "$((10#${1:3:2}))"
}
