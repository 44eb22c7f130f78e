# shellcheck shell=bash
# What run.sh and the scripts beside this file say; sourced by each of them.

say() { printf '%s\n' "$*" >&2; }

fail() { # EXIT_CODE WHAT EXPECTED FOUND REMEDY: the form and the codes of kit/errors.py
  say "error: $2"
  [[ -z $3 ]] || say "  expected: $3"
  [[ -z $4 ]] || say "  found: $4"
  say "  remedy: $5"
  exit "$1"
}
