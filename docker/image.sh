# shellcheck shell=bash disable=SC2154  # cache, project: set by run.sh
# run.sh image build|export: the image of this source, and what it is made of. Sourced by run.sh.

image_help() {
  cat <<'END'
usage: ./run.sh image [build] [cpu|gpu] [options]     build the image of this source
       ./run.sh image export FILE [cpu|gpu] [options] write it as an OCI tar, with FILE.sha256

  --builder docker|podman|buildah   default: the first of them that is installed
  --base-image NAME@sha256:DIGEST   another base, for example your mirror of the default one
  --apt-snapshot DATE               20260101T000000Z; '' takes the base's own package sources
  --wheels FOLDER                   packages from this folder as well; their hashes are checked
  --pip-config FILE, --ca FILE      a pip.conf, a proxy's certificate: for the build, not in the image
  --no-cache                        build every layer anew

A build writes sbom.cdx.json (CycloneDX), provenance.json (SLSA), licences.txt, inputs.json and
layers.txt into the cache, image/<target>-<digest of the source>/.
END
}

answers() { # BUILDER: docker may be a mere client, or without the part that builds such a file
  command -v "$1" >/dev/null && "$1" version >/dev/null 2>&1 &&
    { [[ $1 != docker ]] || docker buildx version >/dev/null 2>&1; }
}

find_builder() { # sets builder
  local name
  case $builder in
    '') ;;
    docker | podman | buildah)
      answers "$builder" || fail 3 "$builder is not installed or does not answer" \
        "$builder version$([[ $builder != docker ]] || echo ', docker buildx version')" 'an error' \
        "install it or start its service, or choose another --builder"
      return 0
      ;;
    *) fail 2 "unknown builder $builder" 'docker, podman or buildah' '' './run.sh image --help' ;;
  esac
  for name in docker podman buildah; do
    if answers "$name"; then
      builder=$name
      return
    fi
  done
  fail 3 'nothing that builds images is here' 'docker (with buildx), podman or buildah' \
    'none answers' 'install one of them; ./run.sh all needs none'
}

parse_image_options() { # ARGUMENTS...: sets action, target, file and the options
  action=build target='' file='' builder='' base='' wheels='' pip_config='' ca='' no_cache=''
  unset -v snapshot
  if [[ ${1:-} == build || ${1:-} == export ]]; then
    action=$1
    shift
  fi
  if [[ $action == export ]]; then
    [[ -n ${1:-} && $1 != -* ]] || fail 2 'image export has no file' './run.sh image export FILE' \
      '' './run.sh image --help'
    file=$1
    shift
  fi
  while (($# > 0)); do
    case $1 in
      cpu | gpu) target=$1 ;;
      --no-cache) no_cache=yes ;;
      --builder | --base-image | --apt-snapshot | --wheels | --pip-config | --ca)
        (($# > 1)) || fail 2 "$1 has no value" '' '' './run.sh image --help'
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
      *) fail 2 "image has no option $1" 'cpu, gpu or an option' '' './run.sh image --help' ;;
    esac
    shift
  done
  target=${target:-cpu}
}

revision() { # the commit, and whether the files are other than its own
  local commit
  commit=$(git -C "$project" rev-parse HEAD 2>/dev/null) || {
    echo unknown
    return
  }
  [[ -z $(git -C "$project" status --porcelain -- run.sh kit docker manifests checksums) ]] ||
    commit+=-changed
  echo "$commit"
}

require_matching_lock() { # every line of requirements.in is in the lock, with the same version
  local lock=$project/docker/requirements.$target.lock name missing=''
  [[ -r $lock ]] || fail 3 "the lock file $lock is missing" '' '' 'restore it from the repository'
  while read -r name; do
    grep -qiE "^${name//+/\\+}( |$)" "$lock" || missing+=" $name"
  done < <(awk -v platform="$target" '
    /^[A-Za-z0-9].*# [a-z]+$/ && $NF != platform { next }
    /^[A-Za-z0-9]/ {  # a lock has names as PEP 503 normalises them
      split($1, part, "=="); sub(/\[.*/, "", part[1]); gsub(/[-_.]+/, "-", part[1])
      print part[1] "==" part[2]
    }' "$project/docker/requirements.in")
  [[ -z $missing ]] || fail 3 "$lock does not match requirements.in" "it holds$missing" \
    'other versions or none' "docker/lock.sh $target"
}

build_arguments() { # sets options
  local lock_digest epoch scripts
  lock_digest=$(sha256sum <"$project/docker/requirements.$target.lock")
  scripts=$(cd "$project/docker" && sha256sum messages.sh environment.sh image_system.sh \
    image_environment.sh "requirements.$target.lock" requirements.uv.lock cpu_site/*.p* | sha256sum)
  # The commit's time, so that equal sources give equal images on any day.
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
    # OCI's format has no health check, but what buildah writes in docker's has a random host name.
    *) options=(build "${options[@]}" --layers --format oci --timestamp "$epoch") ;;
  esac
  # Where no user namespaces are to be had, as in most build services, chroot is enough.
  [[ $builder != buildah ]] || options+=(--isolation chroot)
}

in_image() { # PROGRAM...: what it prints, run in the image
  local container
  if [[ $builder != buildah ]]; then
    "$builder" run --rm --network none --entrypoint "$1" "$image" "${@:2}"
    return
  fi
  container=$(buildah from --pull-never "$image")
  buildah run --isolation chroot "$container" -- "$@" || {
    buildah rm "$container" >/dev/null
    return 1
  }
  buildah rm "$container" >/dev/null
}

image_id() {
  local id
  case $builder in
    buildah) id=$(buildah inspect --type image --format '{{.FromImageID}}' "$image") ;;
    *) id=$("$builder" image inspect --format '{{.Id}}' "$image") ;;
  esac
  printf '%s' "${id#sha256:}"
}

layer_sizes() {
  case $builder in
    # buildah has no history: the folders that the layers are made of, in MB.
    buildah) in_image du --summarize --block-size=MB /usr /opt/environment /opt/pebench ;;
    *) "$builder" history --no-trunc --format '{{.Size}}	{{.CreatedBy}}' "$image" ;;
  esac
}

write_records() { # beside the image: what it is made of, and how
  local folder name id
  folder=$cache/image/$target-$(source_digest)
  rm -rf "$folder.partial"
  mkdir -p "$folder.partial"
  for name in sbom.cdx.json licences.txt inputs.json; do
    in_image cat "/opt/pebench/image/$name" >"$folder.partial/$name" || return
  done
  id=$(image_id)
  in_image env PYTHONPATH=/opt/pebench /opt/environment/bin/python -P -B -m kit.supply_chain \
    provenance "$image" "$id" "$("$builder" --version | head -n 1)" \
    >"$folder.partial/provenance.json" || return
  layer_sizes >"$folder.partial/layers.txt" || return
  rm -rf "$folder"
  mv "$folder.partial" "$folder"
  say "image: $image"
  say "image: id sha256:$id"
  say "image: $(head -n 1 "$folder/licences.txt")"
  say "image: SBOM, provenance, licences, layers in $folder"
}

explain_failure() { # LOG
  local asked
  asked=${base:-$(sed -n 's/^ARG BASE_IMAGE=//p' "$project/docker/Dockerfile" | head -n 1)}
  tail -n 15 "$1" >&2
  if grep -qiE 'unable to (copy|pull)|initializing source|pull access denied|failed to resolve source|error pinging|manifest unknown|no such image|image not known|failed to pull|failed to do request' "$1"; then
    fail 15 'the base image cannot be pulled' "$asked" 'the lines above' \
      'check the network, or give a mirror or an imported copy: --base-image NAME@sha256:DIGEST'
  fi
  ! grep -qE 'No space left|Disk quota exceeded' "$1" || fail 7 'the disk is full' '' '' \
    "free some space where $builder keeps its images, then build again"
  fail 3 'the image could not be built' 'every step of docker/Dockerfile' "the lines above; all: $1" \
    'mend what they name, then build again: nothing half-built is ever used'
}

build_image() {
  local options log=$cache/image/build-$target.log started=$SECONDS
  require_matching_lock
  build_arguments
  say "image: building $image with $builder (the log: $log)"
  # Without the lock's descriptor: what a killed build leaves running must not keep the next one out.
  "$builder" "${options[@]}" "$project" >"$log" 2>&1 8>&- &
  trap 'kill $! 2>/dev/null; say "image: interrupted; the next build goes on from there"; exit 130' \
    INT TERM
  wait $! || explain_failure "$log"
  trap - INT TERM
  write_records || fail 3 "what $image is made of cannot be read" '' '' 'look into its log, build again'
  say "image: ready after $((SECONDS - started)) s"
}

export_image() {
  local partial
  [[ -d $(dirname -- "$file") && -w $(dirname -- "$file") ]] || fail 7 "cannot write $file" '' '' \
    'name a file in a folder that you can write'
  partial=$(readlink -m -- "$file").partial
  rm -f "$partial"
  case $builder in
    docker) docker image save --output "$partial" "$image" ;; # an OCI layout since docker 25
    podman) podman image save --format oci-archive --output "$partial" "$image" ;;
    buildah) buildah push --quiet "$image" "oci-archive:$partial:$image" ;;
  esac >&2 || fail 3 "$image cannot be exported" 'the image of this source' '' "./run.sh image build $target"
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
  parse_image_options "$@"
  find_builder
  if ! { claim_cache && mkdir -p "$cache/image"; } 2>/dev/null; then
    fail 7 "cannot write in $cache" '' '' 'set PEBENCH_CACHE to a folder that you can write'
  fi
  exec 8>>"$cache/locks/image"
  flock --nonblock 8 || fail 8 'another process builds an image' '' '' 'wait until it ends'
  image=$(image_name "$target")
  case $action in
    build) build_image ;;
    export) export_image ;;
  esac
}
