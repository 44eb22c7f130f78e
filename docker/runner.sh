# shellcheck shell=bash disable=SC2154  # cache, project: set by run.sh
# run.sh --runner docker|podman|apptainer VERB ...: the same verb and flags, inside the image.
#
# The container has this user's id, a read-only root, no capability, and sees of this machine the
# results, the cache, the key where a verb signs, manifests and checksum lists, and the files that the
# arguments name. Folders keep their paths, so that what a verb prints is true outside as well.

runner_help() {
  cat <<'END'
usage: ./run.sh --runner venv|docker|podman|apptainer [options] VERB [MANIFEST] [verb's options]

  --image NAME     another image (docker, podman) or .sif file (apptainer) than this source's own
  --memory SIZE    limit of memory, e.g. 12g (docker, podman; default: none)
  --shm-size SIZE  size of /dev/shm (docker, podman; default: 1g, with a GPU 8g)

`./run.sh image build` makes the image. From the environment: PEBENCH_CACHE, PEBENCH_RESULTS,
XDG_CONFIG_HOME (the key), PEBENCH_PASSPHRASE and PEBENCH_PASSPHRASE_FILE (of an encrypted key), HF_TOKEN
and the proxy variables have their usual meaning.
END
}

choose_runner() { # ARGUMENTS...: sets runner and its options; what is left goes to `arguments`
  runner=venv image='' memory='' shm='' arguments=()
  local name value
  while (($# > 0)); do
    name=${1%%=*}
    # After `plan` it is the image of a job, and the verb's own option.
    [[ $name != --image || ${arguments[0]:-} != plan ]] || name=''
    case $name in
      --runner | --image | --memory | --shm-size)
        if [[ $1 == *=* ]]; then
          value=${1#*=}
        else
          (($# > 1)) || fail 2 "$1 has no value" '' '' './run.sh --runner docker --help'
          value=$2
          shift
        fi
        case $name in
          --runner) runner=$value ;;
          --image) image=$value ;;
          --memory) memory=$value ;;
          --shm-size) shm=$value ;;
        esac
        ;;
      *) arguments+=("$1") ;;
    esac
    shift
  done
  case $runner in
    venv | docker | podman | apptainer) ;;
    *) fail 2 "unknown runner $runner" 'venv, docker, podman or apptainer' '' \
      './run.sh --runner docker --help' ;;
  esac
}

source_digest() { # of what an image holds and is not mounted over: 12 digits
  local digest
  digest=$(cd "$project" && find run.sh kit docker -type f ! -path '*/__pycache__/*' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
  printf '%s' "${digest:0:12}"
}

image_name() { printf 'localhost/pebench-kit:%s-%s' "$1" "$(source_digest)"; } # TARGET

needs_gpu() { # MANIFEST: the real experiments compute in bfloat16, the small ones in float32
  local file=$1 base
  [[ -r $file ]] || file=$project/$1
  base=$(sed -n 's/^extends *= *"\([^"]*\)".*/\1/p' "$file" 2>/dev/null)
  grep -qsE '^compute_dtype *= *"bfloat16"' "$file" ${base:+"$(dirname -- "$file")/$base"}
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }

require_program() {
  command -v "$runner" >/dev/null || fail 3 "$runner is not installed" "$runner on the PATH" '' \
    "install $runner, or choose another --runner (venv needs no container)"
  [[ $runner == apptainer ]] || "$runner" version >/dev/null 2>&1 ||
    fail 3 "$runner does not answer" "$runner version" 'an error' \
      "start its service, and look whether you may use it: $runner version"
}

require_image() { # TARGET: sets image
  local build="./run.sh image build $1"
  if [[ $runner == apptainer ]]; then
    image=${image:-$cache/image/pebench-kit-$1-$(source_digest).sif}
    [[ -r $image ]] || fail 3 "there is no image $image" 'the image of this source' '' \
      "$build; ./run.sh image export kit.tar $1; apptainer build $image oci-archive:kit.tar"
    return
  fi
  image=${image:-$(image_name "$1")}
  "$runner" image inspect "$image" >/dev/null 2>&1 ||
    fail 3 "$runner has no image $image" 'the image of this source' '' "$build --builder $runner"
}

mount() { # FOLDER_OR_FILE [TARGET] [ro]
  local target=${2:-$1} mode=${3:-}
  [[ $1$target != *[,:]* ]] || fail 7 "$1 cannot be mounted" 'a path without comma and colon' '' \
    'move it, or give another path'
  [[ -z ${mounted[$target]:-} ]] || return 0
  mounted[$target]=yes
  case $runner in
    apptainer) options+=(--bind "$1:$target${mode:+:$mode}") ;;
    *) options+=(--mount "type=bind,source=$1,target=$target${mode:+,readonly}") ;;
  esac
}

writable_folder() { # WHAT FOLDER VARIABLE: make it, and be sure that the container can write in it
  local owner mode
  mkdir -p "$2" 2>/dev/null || fail 7 "the folder of $1, $2, cannot be made" '' '' \
    "set $3 to a folder that you can write"
  read -r owner mode < <(stat -c '%u %a' "$2")
  # Not -w alone: root may write anywhere here, but has no such capability in the container.
  if [[ ! -w $2 ]] || ((EUID == 0 && owner != 0 && (8#$mode & 2) == 0)); then
    fail 7 "the folder of $1, $2, belongs to another user" "user id $EUID" "user id $owner, mode $mode" \
      "sudo chown -R $EUID '$2', or set $3 to a folder of your own"
  fi
}

mount_argument() { # ARGUMENT ro|rw: sets `translated` to what the argument is in the container
  local real
  real=$(readlink -m -- "$1")
  translated=$real
  case $real/ in
    "$project/manifests/"* | "$project/checksums/"*) translated=/opt/pebench/${real#"$project/"} ;;
    "$results/"* | "$cache/"*) ;;
    *) if [[ $2 == rw ]]; then mount "${real%/*}"; else mount "$real" "$real" ro; fi ;;
  esac
}

translate_arguments() { # files that arguments name are mounted; sets `translations`
  local argument previous='' position=0 prefix value
  for argument; do
    prefix='' value=$argument
    if [[ $argument == --*=* ]]; then prefix=${argument%%=*}= value=${argument#*=}; fi
    if [[ $previous == --output || $prefix == --output= || "$1 ${2:-} $position" == 'data export 3' ]]; then
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

mount_places() { # VERB
  local keys=${XDG_CONFIG_HOME:-${HOME:-}/.config} name
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
    all | sign | keygen)
      mkdir -p "$keys"
      [[ -d $keys/pebench ]] || mkdir -m 700 "$keys/pebench"
      mount "$keys/pebench" /keys/pebench
      ;;
    verify) [[ ! -d $keys/pebench ]] || mount "$keys/pebench" /keys/pebench ro ;;
  esac
  options+=(--env "PEBENCH_RESULTS=$results" --env "PEBENCH_CACHE=$cache" --env XDG_CONFIG_HOME=/keys)
  if [[ -n ${PEBENCH_PASSPHRASE_FILE:-} ]]; then
    mount_argument "$PEBENCH_PASSPHRASE_FILE" ro
    options+=(--env "PEBENCH_PASSPHRASE_FILE=$translated")
  fi
  for name in HF_TOKEN PEBENCH_PASSPHRASE http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY \
    NO_PROXY; do
    # By name alone: a value on the command line could be read by everybody on the machine.
    [[ -z ${!name:-} ]] || case $runner in
      apptainer) export "APPTAINERENV_$name=${!name}" ;;
      *) options+=(--env "$name") ;;
    esac
  done
}

choose_target() { # ARGUMENTS...: sets target and gpu
  local argument manifest=manifests/smoke.toml
  for argument in "${@:2}"; do
    [[ $argument != *.toml ]] || manifest=$argument
  done
  target=cpu gpu=''
  ! has_gpu || gpu=yes
  ! needs_gpu "$manifest" || target=gpu
  case " $* " in # what measures or tests a GPU, whatever the manifest
    *' --scale tiny '*) ;;
    ' bench --gpu '* | ' bench gpu '* | ' test '*'-m gpu '*) target=gpu manifest=$1 ;;
  esac
  case $1 in
    all | finetune | unlearn | evaluate | bench | test)
      [[ $target == cpu || -n $gpu ]] || fail 3 "$manifest needs a GPU, and none is visible" \
        'nvidia-smi lists a GPU' 'none' 'run it on a machine with an NVIDIA GPU and its driver'
      ;;
  esac
}

container_options() { # ARGUMENTS...
  local offline=''
  [[ " $* " != *' --offline '* ]] || offline=yes
  if [[ $runner == apptainer ]]; then
    options=(run --containall --cleanenv)
    [[ -z $gpu ]] || options+=(--nv)
    if [[ -n $offline ]]; then
      if ((EUID == 0)); then
        options+=(--net --network none)
      else
        say 'apptainer cuts the network for root alone; --offline itself opens no connection'
      fi
    fi
    return
  fi
  options=(run --rm --read-only --cap-drop ALL --security-opt no-new-privileges
    --user "$(id -u):$(id -g)" --shm-size "${shm:-$([[ -z $gpu ]] && echo 1g || echo 8g)}")
  [[ $runner != podman || $EUID == 0 ]] || options+=(--userns keep-id)
  [[ -z $memory ]] || options+=(--memory "$memory" --memory-swap "$memory")
  [[ -z $offline ]] || options+=(--network none)
  [[ ! -t 0 || ! -t 1 ]] || options+=(--interactive --tty)
  if [[ -n $gpu ]]; then
    case $runner in
      docker) options+=(--gpus all) ;;
      podman) options+=(--device nvidia.com/gpu=all) ;;
    esac
  fi
}

run_in_container() { # ARGUMENTS...: does not return
  local results target gpu options=() translations=() translated
  local -A mounted=()
  if [[ ${1:-} == --help || $# == 0 ]]; then
    runner_help
    exit
  fi
  [[ " $verbs " == *" $1 "* ]] || fail 2 "unknown verb $1" "one of $verbs" '' './run.sh --help'
  results=$(readlink -m -- "${PEBENCH_RESULTS:-$project/results}")
  # shellcheck source=docker/environment.sh
  source "$project/docker/environment.sh"
  require_program
  choose_target "$@"
  require_image "$target"
  container_options "$@"
  mount_places "$1"
  translate_arguments "$@"
  exec "$runner" "${options[@]}" "$image" "${translations[@]}"
}
