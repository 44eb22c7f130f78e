# shellcheck shell=bash disable=SC2154  # cache, project: set by run.sh
# run.sh image build|export: build the image of this source, and records of its contents.

image_help() {
  cat <<'END'
usage: ./run.sh image [build] [cpu|gpu] [options]     build the image of this source
       ./run.sh image export FILE [cpu|gpu] [options] write it as an OCI tar, with FILE.sha256

  --builder docker|podman|buildah   default: the first of them that is installed
  --base-image NAME@sha256:DIGEST   another base, for example your mirror of the default one
  --apt-snapshot DATE               20260101T000000Z; '' uses the base's own package sources
  --wheels FOLDER                   also use packages in this folder; their hashes are checked
  --pip-config FILE, --ca FILE      a pip.conf, a proxy's certificate: for the build, not in the image
  --no-cache                        build every layer again

A build writes sbom.cdx.json (CycloneDX), provenance.json (SLSA), licences.txt, inputs.json and
layers.txt into the cache, image/<target>-<digest of the source>/.
END
}

answers() { # BUILDER: docker may lack its daemon, or buildx, which this Dockerfile needs
  command -v "$1" >/dev/null && "$1" version >/dev/null 2>&1 &&
    { [[ $1 != docker ]] || docker buildx version >/dev/null 2>&1; }
}

find_builder() { # sets builder
  local name
  case $builder in
    '') ;;
    docker | podman | buildah)
      answers "$builder" || fail PE-0306 "$builder is not installed or does not answer" \
        "$builder version$([[ $builder != docker ]] || echo ', docker buildx version')" 'an error' \
        "install it or start its service, or choose another --builder"
      return 0
      ;;
    *) fail PE-0207 "unknown builder $builder" 'docker, podman or buildah' '' './run.sh image --help' ;;
  esac
  for name in docker podman buildah; do
    if answers "$name"; then
      builder=$name
      return
    fi
  done
  fail PE-0306 'no program to build images' 'docker (with buildx), podman or buildah' \
    'none of them answers' 'install one of them; ./run.sh all needs none'
}

parse_image_options() { # ARGUMENTS...: sets action, target, file and the options
  action=build target='' file='' builder='' base='' wheels='' pip_config='' ca='' no_cache=''
  unset -v snapshot
  if [[ ${1:-} == build || ${1:-} == export ]]; then
    action=$1
    shift
  fi
  if [[ $action == export ]]; then
    [[ -n ${1:-} && $1 != -* ]] || fail PE-0207 'image export has no file' './run.sh image export FILE' \
      '' './run.sh image --help'
    file=$1
    shift
  fi
  while (($# > 0)); do
    case $1 in
      cpu | gpu) target=$1 ;;
      --no-cache) no_cache=yes ;;
      --builder | --base-image | --apt-snapshot | --wheels | --pip-config | --ca)
        (($# > 1)) || fail PE-0207 "$1 has no value" '' '' './run.sh image --help'
        case $1 in
          --builder) builder=$2 ;;
          --base-image) base=$2 ;;
          --apt-snapshot) snapshot=$2 ;;
          --wheels) wheels=$2 ;;
          --pip-config) pip_config=$2 ;;
          --ca) ca=$2 ;;
        esac
        shift
        ;;
      *) fail PE-0207 "image has no option $1" 'cpu, gpu or an option' '' './run.sh image --help' ;;
    esac
    shift
  done
  target=${target:-cpu}
}

revision() { # print the commit, with -changed if files differ from it
  local commit
  commit=$(git -C "$project" rev-parse HEAD 2>/dev/null) || {
    echo unknown
    return
  }
  [[ -z $(git -C "$project" status --porcelain -- run.sh kit docker manifests checksums) ]] ||
    commit+=-changed
  echo "$commit"
}

require_matching_lock() { # the lock must have every line of requirements.in, at its version
  local lock=$project/docker/requirements.$target.lock name missing=''
  [[ -r $lock ]] || fail PE-0301 "the lock file $lock is missing" '' '' 'restore it from the repository'
  while read -r name; do
    grep -qiE "^${name//+/\\+}( |$)" "$lock" || missing+=" $name"
  done < <(awk -v platform="$target" '
    /^[A-Za-z0-9].*# [a-z]+$/ && $NF != platform { next }
    /^[A-Za-z0-9]/ {  # locks have names normalised by PEP 503
      split($1, part, "=="); sub(/\[.*/, "", part[1]); gsub(/[-_.]+/, "-", part[1])
      print part[1] "==" part[2]
    }' "$project/docker/requirements.in")
  [[ -z $missing ]] || fail PE-0301 "$lock does not match requirements.in" "it holds$missing" \
    'other versions or none' "docker/lock.sh $target"
}

build_arguments() { # sets options
  local lock_digest epoch scripts
  lock_digest=$(sha256sum <"$project/docker/requirements.$target.lock")
  scripts=$(cd "$project/docker" && sha256sum messages.sh environment.sh pip_install.py image_system.sh \
    image_environment.sh "requirements.$target.lock" requirements.uv.lock cpu_site/*.p* | sha256sum)
  # Use the commit's time, so that equal sources give equal images on any day.
  epoch=$(git -C "$project" log -1 --format=%ct 2>/dev/null) || epoch=1767225600
  options=(--file "$project/docker/Dockerfile" --target "$target" --tag "$image"
    --build-arg "REVISION=$(revision)" --build-arg "LOCK_SHA256=${lock_digest%% *}"
    --build-arg "SCRIPTS_SHA256=${scripts%% *}" --build-arg "SOURCE_DATE_EPOCH=$epoch")
  [[ -z $base ]] || options+=(--build-arg "BASE_IMAGE=$base")
  [[ -z ${snapshot+given} ]] || options+=(--build-arg "APT_SNAPSHOT=$snapshot")
  [[ -z $wheels ]] || options+=(--build-context "wheels=$(readlink -f -- "$wheels")")
  [[ -z $pip_config ]] || options+=(--secret "id=pipconf,src=$(readlink -f -- "$pip_config")")
  [[ -z $ca ]] || options+=(--secret "id=ca,src=$(readlink -f -- "$ca")")
  [[ -z $no_cache ]] || options+=(--no-cache)
  case $builder in
    docker)
      options=(buildx build "${options[@]}" --provenance=false
        --output "type=docker,rewrite-timestamp=true")
      ;;
    # The OCI format has no health check, but in docker's format buildah writes a random host name.
    *) options=(build "${options[@]}" --layers --format oci --timestamp "$epoch") ;;
  esac
  # Most build services have no user namespaces; chroot is enough.
  [[ $builder != buildah ]] || options+=(--isolation chroot)
}

explain_failure() { # LOG
  local asked
  asked=${base:-$(sed -n 's/^ARG BASE_IMAGE=//p' "$project/docker/Dockerfile" | head -n 1)}
  tail -n 15 "$1" >&2
  if grep -qiE 'unable to (copy|pull)|initializing source|pull access denied|failed to resolve source|error pinging|manifest unknown|no such image|image not known|failed to pull|failed to do request' "$1"; then
    fail PE-1500 'the base image cannot be pulled' "$asked" 'the lines above' \
      'check the network, or use a mirror or an imported copy: --base-image NAME@sha256:DIGEST'
  fi
  ! grep -qE 'No space left|Disk quota exceeded' "$1" || fail PE-0700 'the disk is full' '' '' \
    "free some space where $builder keeps its images, then build again"
  fail PE-0306 'the image could not be built' 'every step of docker/Dockerfile' "the lines above; the log: $1" \
    'fix the cause, then build again: an incomplete image is never used'
}

build_image() {
  local options log=$cache/image/build-$target.log started=$SECONDS
  require_matching_lock
  build_arguments
  say "image: building $image with $builder (the log: $log)"
  # Close the lock's descriptor: processes that a killed build leaves must not block the next build.
  "$builder" "${options[@]}" "$project" >"$log" 2>&1 8>&- &
  trap 'kill $! 2>/dev/null; say "image: interrupted; the next build continues"; exit 130' INT TERM
  wait $! || explain_failure "$log"
  trap - INT TERM
  write_records || fail PE-0306 "the contents of $image cannot be read" '' '' 'see the log, then build again'
  say "image: ready after $((SECONDS - started)) s"
}

export_image() {
  local partial folder
  folder=$(dirname -- "$file")
  [[ ! -e $file && ! -L $file ]] || fail PE-0701 "$file already exists, and an image is only written to a new file" \
    'a path that does not exist' "$([[ -d $file ]] && echo a folder || echo a file)" \
    'name another file, or remove this one'
  [[ -d $folder && -w $folder ]] || fail PE-0700 "$file cannot be written" 'a folder that you can write' \
    "$folder: $([[ -d $folder ]] && echo not writable || echo no folder)" \
    'make the folder, or name a file in another one'
  partial=$(readlink -m -- "$file").partial
  rm -f "$partial"
  case $builder in
    docker) docker image save --output "$partial" "$image" ;; # an OCI layout since docker 25
    podman) podman image save --format oci-archive --output "$partial" "$image" ;;
    buildah) buildah push --quiet "$image" "oci-archive:$partial:$image" ;;
  esac >&2 || fail PE-0306 "$image cannot be exported" 'the image of this source' '' "./run.sh image build $target"
  mv "$partial" "$file"
  (cd "$(dirname -- "$file")" && sha256sum "$(basename -- "$file")" >"$(basename -- "$file").sha256")
  say "image: wrote $file and $file.sha256"
}

image_verb() { # ARGUMENTS...
  local action target file builder base snapshot wheels pip_config ca no_cache image
  if [[ " $* " == *' --help '* || " $* " == *' -h '* ]]; then
    image_help
    return
  fi
  # shellcheck source=docker/environment.sh
  source "$project/docker/environment.sh"
  # shellcheck source=docker/image_records.sh
  source "$project/docker/image_records.sh"
  parse_image_options "$@"
  find_builder
  if ! { claim_cache && mkdir -p "$cache/image"; } 2>/dev/null; then
    fail PE-0700 "cannot write in $cache" '' '' 'set PEBENCH_CACHE to a folder that you can write'
  fi
  exec 8>>"$cache/locks/image"
  flock --nonblock 8 || fail PE-0800 'another process builds an image' '' '' 'wait until it ends'
  image=$(image_name "$target")
  case $action in
    build) build_image ;;
    export) export_image ;;
  esac
}
