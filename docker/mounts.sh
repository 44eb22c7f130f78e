# shellcheck shell=bash disable=SC2154,SC2004  # the variables: run.sh, runner.sh; `mounted` is an associative array
# The folders and files of this machine that a container sees. Sourced by runner.sh; each function
# adds to the container's `options`.

mount() { # FOLDER_OR_FILE [TARGET] [ro]
  local target=${2:-$1} mode=${3:-}
  [[ $1$target != *[,:]* ]] || fail PE-0700 "$1 cannot be mounted" 'a path without commas and colons' '' \
    'move it, or use another path'
  [[ -z ${mounted[$target]:-} ]] || return 0
  mounted[$target]=yes
  case $runner in
    apptainer) options+=(--bind "$1:$target${mode:+:$mode}") ;;
    *) options+=(--mount "type=bind,source=$1,target=$target${mode:+,readonly}") ;;
  esac
}

writable_folder() { # WHAT FOLDER VARIABLE: make it, and check that the container can write in it
  local owner mode
  mkdir -p "$2" 2>/dev/null || fail PE-0700 "the folder of $1, $2, cannot be created" '' '' \
    "set $3 to a folder that you can write"
  read -r owner mode < <(stat -c '%u %a' "$2")
  # -w is not enough: root can write anywhere here, but not in the container.
  if [[ ! -w $2 ]] || ((EUID == 0 && owner != 0 && (8#$mode & 2) == 0)); then
    fail PE-0700 "the folder of $1, $2, belongs to another user" "user id $EUID" "user id $owner, mode $mode" \
      "sudo chown -R $EUID '$2', or set $3 to a folder of your own"
  fi
}

mount_argument() { # ARGUMENT ro|rw: mount a file; sets `translated` to its path in the container
  local real
  real=$(readlink -m -- "$1")
  translated=$real
  case $real/ in
    "$project/manifests/"* | "$project/checksums/"*) translated=/opt/pebench/${real#"$project/"} ;;
    "$results/"* | "$cache/"*) ;;
    *) if [[ $2 == rw ]]; then mount "${real%/*}"; else mount "$real" "$real" ro; fi ;;
  esac
}

translate_arguments() { # ARGUMENTS...: mount the files they name; sets `translations`
  local argument previous='' position=0 prefix value
  for argument; do
    prefix='' value=$argument
    if [[ $argument == --*=* ]]; then prefix=${argument%%=*}= value=${argument#*=}; fi
    if [[ $previous =~ ^--(output|to|html)$ || $prefix =~ ^--(output|to|html)=$ || "$1 ${2:-} $position" == 'data export 3' ]]; then
      mount_argument "$value" rw
      value=$translated
    elif ((position > 0)) && [[ "$1 $position" != 'data 1' && $1 != bench && $1 != test ]] &&
      [[ $value != -* && -e $value ]]; then
      mount_argument "$value" ro
      value=$translated
    fi
    translations+=("$prefix$value")
    previous=$argument position=$((position + 1))
  done
}

mount_places() { # ARGUMENTS...
  local keys=${XDG_CONFIG_HOME:-${HOME:-}/.config} name
  local names=(HF_TOKEN PEBENCH_PASSPHRASE http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY)
  writable_folder results "$results" PEBENCH_RESULTS
  writable_folder 'the cache' "$cache" PEBENCH_CACHE
  claim_cache
  mount "$results"
  mount "$cache"
  mount "$project/manifests" /opt/pebench/manifests ro
  if [[ $1 == lock ]]; then
    mount "$project/checksums" /opt/pebench/checksums
  else
    mount "$project/checksums" /opt/pebench/checksums ro
  fi
  [[ ! -d $project/data ]] || mount "$project/data" /opt/pebench/data ro
  case $1 in
    all | sign | keygen | ray) # a job runs `all` on the first node of its cluster
      mkdir -p "$keys"
      [[ -d $keys/pebench ]] || mkdir -m 700 "$keys/pebench"
      mount "$keys/pebench" /keys/pebench
      ;;
    verify | board | report) [[ ! -d $keys/pebench ]] || mount "$keys/pebench" /keys/pebench ro ;;
  esac
  options+=(--env "PEBENCH_RESULTS=$results" --env "PEBENCH_CACHE=$cache" --env XDG_CONFIG_HOME=/keys)
  if [[ -n ${PEBENCH_PASSPHRASE_FILE:-} ]]; then
    mount_argument "$PEBENCH_PASSPHRASE_FILE" ro
    options+=(--env "PEBENCH_PASSPHRASE_FILE=$translated")
  fi
  # An object store is asked by the nodes of a cluster, and by a driver that was told of one.
  [[ $1 != ray && " $* " != *' --store'[\ =]* ]] || names+=(AWS_ENDPOINT_URL AWS_REGION
    AWS_DEFAULT_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN)
  for name in "${names[@]}"; do
    # Pass only the name: all users of the machine can read the values on a command line.
    [[ -z ${!name:-} ]] || case $runner in
      apptainer) export "APPTAINERENV_$name=${!name}" ;;
      *) options+=(--env "$name") ;;
    esac
  done
}
