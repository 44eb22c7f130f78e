# shellcheck shell=bash disable=SC2154  # builder, cache, image, target: run.sh, image.sh
# The records of a built image: what it contains, how it was built. Sourced by image.sh.

in_image() { # PROGRAM...: run it in the image
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
    # buildah has no history: print the sizes of the layers' folders, in MB.
    buildah) in_image du --summarize --block-size=MB /usr /opt/environment /opt/pebench ;;
    *) "$builder" history --no-trunc --format '{{.Size}}	{{.CreatedBy}}' "$image" ;;
  esac
}

write_records() { # of the image's contents, and how it was built
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
