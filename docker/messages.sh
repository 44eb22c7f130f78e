# shellcheck shell=bash
# Messages of run.sh and of the scripts in this folder, which source this file.

say() { printf '%s\n' "$*" >&2; }

fail() { # EXIT_CODE WHAT EXPECTED FOUND REMEDY: format and codes of kit/errors.py
  say "error: $2"
  [[ -z $3 ]] || say "  expected: $3"
  [[ -z $4 ]] || say "  found: $4"
  say "  remedy: $5"
  exit "$1"
}
