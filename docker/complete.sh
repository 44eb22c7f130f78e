#!/usr/bin/env bash
# complete.sh WORD...: print what may stand in place of the last of the words after ./run.sh, one
# candidate in a line. A candidate that ends in / or = goes on. Needs Bash alone; reads completion.table.
#
# A line of that table is COMMAND|OPTION|KIND: the kind of an option's value ("flag": it has none), or,
# without an option, the kinds of what follows the command, in order. A kind in lower case is a candidate.
set -u
shopt -s nullglob

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
project=$(dirname -- "$here")
declare -A kinds
while IFS='|' read -r command option kind; do
  kinds["$command|$option"]=$kind
done <"$here/completion.table"

offer() { # CURRENT CANDIDATE...: print those that begin with it
  local current=$1 candidate
  for candidate in "${@:2}"; do
    [[ $candidate != "$current"* ]] || printf '%s\n' "$candidate"
  done
}

folders() { # CURRENT KIND: print the folders that begin with it, those of results without a slash
  local folder
  for folder in "$1"*/; do
    [[ $2 == RESULT && -f ${folder}run.json ]] && folder=${folder%/}
    printf '%s\n' "$folder"
  done
}

paths() { # CURRENT KIND
  local found=() path
  case $2 in
    FILE) found=("$1"*) ;;
    *) found=("$1"*.toml) ;;
  esac
  for path in ${found[@]+"${found[@]}"}; do
    [[ -d $path || ($2 != FILE && $path == *pyproject.toml) ]] || printf '%s\n' "$path"
  done
  folders "$1" "$2"
  # A manifest may be named from the project's folder, wherever one is.
  if [[ $2 != FILE && ! . -ef $project ]]; then
    (cd -- "$project" && offer "$1" manifests/*.toml)
  fi
}

values() { # KIND CURRENT
  local names
  case $1 in
    MANIFEST | RESULT | FILE) paths "$2" "$1" ;;
    KEY) # shellcheck disable=SC2086  # a list of words
      [[ $2 == *=* ]] || offer "$2" ${kinds["|KEY"]}
      ;;
    METHOD)
      names=$(cd -- "$project/kit/methods" && grep -l '^METHOD = ' -- *.py)
      # shellcheck disable=SC2086  # a list of words
      offer "$2" ${names//.py/}
      ;;
    MEASUREMENT)
      names=$(cd -- "$project/tests/bench" && printf '%s ' [a-z]*.py)
      # shellcheck disable=SC2086  # a list of words
      offer "$2" ${names//.py/}
      ;;
    [a-z]*) # shellcheck disable=SC2086  # a list of words
      offer "$2" ${1//,/ }
      ;;
  esac
}

main() {
  local words=("${@:1:$#-1}") current=${!#} word command='' place=0 wanted='' option next places
  for word in ${words[@]+"${words[@]}"}; do
    if [[ -n $wanted ]]; then
      wanted=''
    elif [[ $word == -* ]]; then
      [[ $word == *=* ]] || wanted=${kinds["$command|$word"]:-flag}
      [[ $wanted != flag ]] || wanted=''
    else
      next=${command:+$command }$word
      if [[ -n ${kinds["$next|"]+known} ]]; then command=$next place=0; else place=$((place + 1)); fi
    fi
  done
  if [[ -n $wanted ]]; then
    values "$wanted" "$current"
  elif [[ $current == --*=* ]]; then
    option=${current%%=*}
    wanted=${kinds["$command|$option"]:-flag}
    [[ $wanted == flag ]] || values "$wanted" "${current#*=}" | while IFS= read -r word; do
      printf '%s=%s\n' "$option" "$word"
    done
  elif [[ $current == -* ]]; then
    for word in "${!kinds[@]}"; do
      [[ ${word%%|*} != "$command" ]] || offer "$current" "${word#*|}"
    done | LC_ALL=C sort
  else
    read -ra places <<<"${kinds["$command|"]:-}"
    [[ $place -ge ${#places[@]} ]] || values "${places[place]}" "$current"
  fi
}

(($# == 0)) || main "$@"
