# Completion of ./run.sh for Zsh: source <(./run.sh completion zsh)

_pebench_complete() {
  local project=@PROJECT@ found
  local -a ended open
  if [[ ! ${words[1]/#\~/$HOME} -ef $project/run.sh ]]; then # another project's run.sh
    _files
    return
  fi
  for found in "${(@f)$("$project/docker/complete.sh" "${(@Q)words[2,CURRENT]}")}"; do
    case $found in
      '') ;;
      *[/=]) open+=("$found") ;;
      *) ended+=("$found") ;;
    esac
  done
  compadd -a ended
  compadd -S '' -a open
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _pebench_complete run.sh
