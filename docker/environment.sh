# shellcheck shell=bash disable=SC2154  # cache, digest, env, lock, project, pythons: run.sh
# Build the virtual environment $env from $lock. Sourced by run.sh if the environment does not exist or
# Ray is asked for, by ray.sh, and by image_environment.sh.
#
# A virtual environment cannot be moved, so it is built in its final folder. `.complete` is written
# last, and nothing uses a folder without it. A lock file allows one build at a time.

find_python() { # "VERSION...": print a Python of one of these versions that can make environments
  local name version versions=$1 first=${1%% *} found=''
  # shellcheck disable=SC2086  # a list of words
  for name in $(printf 'python%s ' $versions) python3 python; do
    version=$("$name" -c 'import sys; print(sys.version.split()[0])' 2>/dev/null) || version=missing
    found+="${found:+, }$name $version"
    [[ " $versions " == *" ${version%.*} "* ]] || continue
    "$name" -c 'import ensurepip, venv' 2>/dev/null && command -v "$name" && return
    found+=' without venv'
  done
  if command -v uv >/dev/null; then
    say "environment: no usable Python ($found); asking uv for $first"
    UV_PYTHON_INSTALL_BIN=0 uv python install "$first" >&2 &&
      uv python find --no-project "$first" && return
    found+=', uv could not install it'
  fi
  fail PE-0301 "no usable Python" "Python ${versions// /, } with venv: the locked packages are for these" \
    "$found" "install python3 and python3-venv, or uv (it installs Python itself)"
}

found_megabytes() { # of packages so far, by what pip says of each in the log
  awk '/^ *(Downloading|Using cached) .* \([0-9.]+ [kMG]B\)$/ {
    unit = $NF; size = substr($(NF - 1), 2)
    sum += size * (unit ~ /^k/ ? 0.001 : unit ~ /^G/ ? 1000 : 1)
  } END { printf "%.0f", sum }' "$env/build.log"
}

# Copy pip's output to the log and print the progress: on a terminal one updated line with a bar,
# elsewhere a line every 10 s.
show_progress() {
  local line text bar installed found next=$SECONDS step=10
  [[ ! -t 2 ]] || step=1
  while true; do
    if IFS= read -r -t 1 line; then
      printf '%s\n' "$line" >>"$env/build.log"
    elif (($? <= 128)); then # above 128 it was the timeout, below the end of the output
      break
    fi
    ((SECONDS >= next)) || continue
    next=$((SECONDS + step))
    installed=("$env"/lib/python*/site-packages/*.dist-info)
    found=$(grep -c '^Collecting ' "$env/build.log" || true)
    text="environment: found $found of $total packages, $(found_megabytes) MB"
    text+=", installed $((${#installed[@]} < total ? ${#installed[@]} : total))"
    if [[ -t 2 ]]; then
      printf -v bar '%*s' $((24 * (found < total ? found : total) / total)) ''
      printf '\r\033[K[%-24s] %s' "${bar// /#}" "$text" >&2
    else say "$text"; fi
  done
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
}

pip_install() { # always checks hashes, and installs only what the lock names
  TMPDIR=$env/tmp "$env/bin/python" -I "$project/docker/pip_install.py" "$@" 2>&1 | show_progress
}

only() { # write the lock's entry for package $1 to a separate file and print its name
  local file=$env/tmp/$1.lock
  awk -v name="$1==" '/^[A-Za-z0-9]/ { keep = index($0, name) == 1 } keep' "$lock" >"$file"
  printf '%s' "$file"
}

install_packages() {
  "$python" -m venv "$env" >>"$env/build.log" 2>&1 || return
  # setuptools first: it builds what is published only as source.
  pip_install -r "$(only setuptools)" || return
  install_torch || return
  pip_install -r "$lock" || return
  [[ $lock != *.cpu.lock ]] || cp "$project"/docker/cpu_site/*.p* "$env"/lib/python*/site-packages/
}

install_ray() { # apart from the whole environment: Ray's agents import every package that they find
  "$python" -m venv "$env" >>"$env/build.log" 2>&1 || return
  pip_install -r "$lock" || return
  printf '%s' "$python" >"$env/kit-python" # what Ray's workers start
}

install_torch() {
  # Separately: the CPU build may exist only on PyTorch's index, which is used for nothing else.
  pip_install -r "$(only torch)" || {
    grep -q 'No matching distribution found for torch' "$env/build.log" || return
    say "environment: the configured package index has no torch+cpu; trying PyTorch's index"
    pip_install -r "$(only torch)" --extra-index-url https://download.pytorch.org/whl/cpu
  }
}

claim_cache() { # mark a new or empty folder as the kit's: clean touches no other
  mkdir -p "$cache" || return
  [[ -n $(ls -A "$cache") ]] ||
    echo 'Signature: 8a477f597d28d172789f06886806bc55' >"$cache/CACHEDIR.TAG" || return
  mkdir -p "$cache/locks"
}

build_environment() {
  local python
  [[ -z ${PEBENCH_ENV:-} ]] || fail PE-0301 "PEBENCH_ENV=$PEBENCH_ENV is not a finished environment" \
    'a folder with .complete and bin/python' '' 'unset PEBENCH_ENV: the kit then builds one'
  [[ $(uname -sm) == Linux\ @(x86_64|aarch64) ]] || fail PE-0301 'no packages are locked for this machine' \
    'Linux on x86_64 or aarch64' "$(uname -sm)" \
    'use such a machine or container; python3 -m kit verify RESULT checks a result anywhere'
  python=$(find_python "$pythons") || exit
  build_with install_packages
}

build_ray_environment() { # ARGUMENTS...: sets ray to the environment of Ray's processes for $env
  local python=$env/bin/python lock=$project/docker/requirements.ray.lock digest env=$env
  # A RayJob on Kubernetes is submitted to Ray's dashboard.
  [[ -z ${PEBENCH_RAY_DASHBOARD:-} ]] || lock=$project/docker/requirements.rayjob.lock
  digest=$({ cat "$lock" && echo "$env"; } | sha256sum)
  digest=ray-${digest:0:12}
  env=$cache/env/$digest
  is_complete || {
    [[ " $* " != *' --offline '* ]] || fail PE-0301 '--executor ray needs an environment of its own' \
      "$env" 'none there, and --offline opens no connection to build it' \
      './run.sh ray --version builds it, with a network; then run the same command again'
    build_with install_ray 600
  }
  # shellcheck disable=SC2034 # run.sh reads it
  ray=$env
}

build_with() { # COMMAND [MB]: build $env with it, once
  local total need free
  if ! { claim_cache && exec 9>>"$cache/locks/env-$digest"; } 2>/dev/null; then
    fail PE-0700 "cannot write in $cache" '' '' 'set PEBENCH_CACHE to a folder that you can write'
  fi
  flock --nonblock 9 || {
    say 'environment: another process builds it; waiting'
    flock 9
  }
  if is_complete; then
    exec 9>&-
    return
  fi

  # Do not trust what an interrupted build left; pip's cache keeps the downloads.
  trap 'say "environment: interrupted; the next call builds it again"; exit 130' INT TERM
  rm -rf "$env"
  mkdir -p "$env/tmp"
  total=$(grep -c '^[A-Za-z0-9].*==' "$lock" || true)
  # In MB: 171 packages took 2.5 GB, plus their wheels during the build.
  need=${2:-$((total * 35))} free=$(($(df -Pk "$env" | awk 'END { print $4 }') / 1024))
  ((free >= need)) || fail PE-0700 "not enough disk space for the environment in $cache" \
    "$need MB" "$free MB" 'free some space, or set PEBENCH_CACHE to a folder on another disk'
  say "environment: installing $total packages for $("$python" -V) into $env (once; up to $need MB)"
  if ! "$1"; then
    tail -n 15 "$env/build.log" >&2
    rm -rf "$env/tmp"
    ! grep -qE 'No space left|Disk quota exceeded' "$env/build.log" ||
      fail PE-0700 'the disk is full' '' '' \
        "free $need MB, or set PEBENCH_CACHE to a folder on another disk, then try again"
    fail PE-0301 'the environment could not be built' 'every package of the lock, with its hash' \
      "the lines above; the whole log: $env/build.log" \
      'check the network and your pip settings (pip config list), then try again'
  fi
  rm -rf "$env/tmp"
  : >"$env/.complete"
  trap - INT TERM
  exec 9>&-
  say "environment: ready after $SECONDS s"
}
