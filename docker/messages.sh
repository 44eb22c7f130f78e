# shellcheck shell=bash
# Messages of run.sh and of the scripts in this folder, which source this file.

say() { printf '%s\n' "$*" >&2; }

fail() { # ID WHAT EXPECTED FOUND REMEDY: format of kit/errors.py, ids of kit/error_kinds.txt
  local code=$((10#${1:3:2})) text="error: $2"
  [[ -z $3 ]] || text+=$'\n'"  expected: $3"
  [[ -z $4 ]] || text+=$'\n'"  found: $4"
  text+=$'\n'"  id: $1"$'\n'"  remedy: $5"
  say "$text"
  # As kit/cli/entry.py prints it. run.sh sets as_json for a call with --json.
  [[ -z ${as_json:-} ]] || printf '{"event": "error", "message": "%s", "code": %s, "id": "%s"}\n' \
    "$(json_text "$text")" "$code" "$1"
  exit "$code"
}

absolute() { # FOLDER: its whole path; a ~ in quotes is no folder of that name
  # shellcheck disable=SC2088
  if [[ $1 == '~/'* && -n ${HOME:-} ]]; then set -- "$HOME/${1:2}"; fi
  readlink -m -- "$1"
}

seconds() { # NAME DEFAULT: print a variable of the environment that is a number of seconds above 0
  local value=${!1:-$2}
  if [[ ! $value =~ ^[0-9]{1,8}(\.[0-9]{1,3})?$ || $value =~ ^[0.]*$ ]]; then
    fail PE-0207 "$1 is no time" 'a number of seconds above 0, such as 300' "$value" "export $1=$2, or unset it"
  fi
  printf '%s' "$value"
}

json_text() { # TEXT: print it as the inside of a JSON string
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  printf '%s' "${text//[[:cntrl:]]/?}"
}
