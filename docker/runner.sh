# shellcheck shell=bash disable=SC2154  # cache, project: set by run.sh
# run.sh --runner docker|podman|apptainer VERB ...: run a verb inside the image.
#
# The container has this user's id, a read-only root and no capabilities. It sees the results, the cache,
# manifests and checksum lists, the files named by arguments, and the key if the verb signs or verifies.
# Folders keep their paths, so that paths printed by a verb are valid outside.

runner_help() {
  cat <<'END'
usage: ./run.sh --runner venv|docker|podman|apptainer [options] VERB [MANIFEST] [verb's options]

  --image NAME     image (docker, podman) or .sif file (apptainer); default: the image of this source
  --memory SIZE    memory limit, e.g. 12g (docker, podman; default: none)
  --shm-size SIZE  size of /dev/shm (docker, podman; default: 1g, with a GPU 8g)

`./run.sh image build` makes the image. These variables are passed on with their usual meaning:
PEBENCH_CACHE, PEBENCH_RESULTS, XDG_CONFIG_HOME (folder of the key), PEBENCH_PASSPHRASE and
PEBENCH_PASSPHRASE_FILE (of an encrypted key), HF_TOKEN and the proxy variables; for ray and --store also
AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
END
}

choose_runner() { # ARGUMENTS...: sets runner and its options; puts the others into `arguments`
  runner=venv image='' memory='' shm='' arguments=()
  local name value
  while (($# > 0)); do
    name=${1%%=*}
    # After `plan`, --image is the verb's own option.
    [[ $name != --image || ${arguments[0]:-} != plan ]] || name=''
    case $name in
      --runner | --image | --memory | --shm-size)
        if [[ $1 == *=* ]]; then
          value=${1#*=}
        else
          (($# > 1)) || fail PE-0207 "$1 has no value" '' '' './run.sh --runner docker --help'
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
    *) fail PE-0207 "unknown runner $runner" 'venv, docker, podman or apptainer' '' \
      './run.sh --runner docker --help' ;;
  esac
}

source_digest() { # print 12 digits of the digest of the files that an image contains
  local digest
  digest=$(cd "$project" && find run.sh kit docker -type f ! -path '*/__pycache__/*' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
  printf '%s' "${digest:0:12}"
}

image_name() { printf 'localhost/pebench-kit:%s-%s' "$1" "$(source_digest)"; } # TARGET

needs_gpu() { # MANIFEST: experiments in bfloat16 need one, those in float32 do not
  local file=$1 base
  [[ -r $file ]] || file=$project/$1
  base=$(sed -n 's/^extends *= *"\([^"]*\)".*/\1/p' "$file" 2>/dev/null)
  grep -qsE '^compute_dtype *= *"bfloat16"' "$file" ${base:+"$(dirname -- "$file")/$base"}
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }

require_program() {
  command -v "$runner" >/dev/null || fail PE-0306 "$runner is not installed" "$runner on the PATH" '' \
    "install $runner, or choose another --runner (venv needs no container)"
  local said
  [[ $runner == apptainer ]] || said=$("$runner" version 2>&1) ||
    fail PE-0306 "$runner does not answer" "$runner version" "$(tail -n 1 <<<"$said")" \
      "start its service, and check that you may use it: $runner version"
}

require_image() { # TARGET: sets image
  local build="./run.sh image build $1"
  if [[ $runner == apptainer ]]; then
    image=${image:-$cache/image/pebench-kit-$1-$(source_digest).sif}
    [[ -r $image ]] || fail PE-0306 "the image $image does not exist" 'the image of this source' '' \
      "$build; ./run.sh image export kit.tar $1; apptainer build $image oci-archive:kit.tar"
    return
  fi
  image=${image:-$(image_name "$1")}
  "$runner" image inspect "$image" >/dev/null 2>&1 ||
    fail PE-0306 "$runner has no image $image" 'the image of this source' '' "$build --builder $runner"
}

choose_target() { # ARGUMENTS...: sets target and gpu
  local argument manifest=manifests/smoke.toml
  for argument in "${@:2}"; do
    [[ $argument != *.toml ]] || manifest=$argument
  done
  target=cpu gpu=''
  ! has_gpu || gpu=yes
  ! needs_gpu "$manifest" || target=gpu
  case " $* " in # benchmarks and tests of a GPU need one for any manifest
    *' --scale tiny '*) ;;
    ' bench --gpu '* | ' bench gpu '* | ' test '*'-m gpu '*) target=gpu manifest=$1 ;;
  esac
  case $1 in
    all | finetune | unlearn | evaluate | bench | test | ray)
      [[ $target == cpu || -n $gpu ]] || fail PE-0300 "$manifest needs a GPU, and none is visible" \
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
    if [[ -n $offline && $1 != ray ]]; then
      if ((EUID == 0)); then
        options+=(--net --network none)
      else
        say 'only root can run apptainer without network; --offline still opens no connection'
      fi
    fi
    return
  fi
  options=(run --rm --read-only --cap-drop ALL --security-opt no-new-privileges
    --user "$(id -u):$(id -g)" --shm-size "${shm:-$([[ -z $gpu ]] && echo 1g || echo 8g)}")
  [[ $runner != podman || $EUID == 0 ]] || options+=(--userns keep-id)
  [[ -z $memory ]] || options+=(--memory "$memory" --memory-swap "$memory")
  # Ray's nodes reach each other by the machines' own addresses.
  if [[ $1 == ray ]]; then
    options+=(--network host)
  elif [[ -n $offline ]]; then options+=(--network none); fi
  [[ ! -t 0 || ! -t 1 ]] || options+=(--interactive --tty)
  if [[ -n $gpu ]]; then
    case $runner in
      docker) options+=(--gpus all) ;;
      podman) options+=(--device nvidia.com/gpu=all) ;;
    esac
  fi
}

run_in_container() { # ARGUMENTS...: replaces this process
  local results target gpu options=() translations=() translated
  local -A mounted=()
  if [[ ${1:-} == --help || $# == 0 ]]; then
    runner_help
    exit
  fi
  [[ " $verbs ray " == *" $1 "* ]] || fail PE-0207 "unknown verb $1" "one of $verbs" '' './run.sh --help'
  results=$(absolute "${PEBENCH_RESULTS:-$project/results}")
  # shellcheck source=docker/environment.sh
  source "$project/docker/environment.sh"
  # shellcheck source=docker/mounts.sh
  source "$project/docker/mounts.sh"
  require_program
  choose_target "$@"
  require_image "$target"
  container_options "$@"
  mount_places "$@"
  translate_arguments "$@"
  exec "$runner" "${options[@]}" "$image" "${translations[@]}"
}
