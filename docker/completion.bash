# Completion of ./run.sh for Bash: source <(./run.sh completion bash)

_pebench_complete() {
  local project=@PROJECT@ words=() i typed current found
  [[ ${1/#\~/$HOME} -ef $project/run.sh ]] || return # another project's run.sh: files
  for ((i = 1; i <= COMP_CWORD; i++)); do
    # Bash takes --option=value for three words.
    if ((i > 1)) && [[ ${COMP_WORDS[i]} == = || ${COMP_WORDS[i - 1]} == = ]]; then
      words[-1]+=${COMP_WORDS[i]}
    else
      words+=("${COMP_WORDS[i]}")
    fi
  done
  typed=${COMP_WORDS[COMP_CWORD]#=} current=${words[-1]//\\/}
  words[-1]=$current
  while IFS= read -r found; do
    [[ $found != *[/=] ]] || compopt -o nospace
    found=${found#"${current%"${typed//\\/}"}"}
    [[ $found == *[\ \'\"\(\)\&\;\<\>\|\$\`\\]* ]] && found=$(printf '%q' "$found")
    COMPREPLY+=("$found")
  done < <("$project/docker/complete.sh" "${words[@]}")
}
complete -o default -F _pebench_complete run.sh
