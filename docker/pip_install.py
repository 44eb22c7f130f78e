"""Install locked packages into the environment of this Python, whatever pip's settings say.

    ENVIRONMENT/bin/python docker/pip_install.py -r LOCK [options of pip install] [-- -r LOCK ...]
    python docker/pip_install.py --python ENVIRONMENT/bin/python -r LOCK ...

What follows `--` is installed by another call of pip, after the one before. With `--python` first,
the pip of this Python installs into that environment.

Of the user's settings (`PIP_...`, pip.conf), those are kept that say how to reach a package index.
The others could install somewhere else (`target`, `prefix`, `user`), build what is published as a
wheel (`no-binary`), or ask for other versions (`constraint`). Standard library only.
"""

import ast
import os
import subprocess
import sys

KEPT = {
    "cache-dir", "cert", "client-cert", "default-timeout", "extra-index-url", "find-links",
    "index-url", "keyring-provider", "no-cache-dir", "no-index", "proxy", "resume-retries",
    "retries", "root-user-action", "timeout", "trusted-host", "use-deprecated", "use-feature",
}  # fmt: skip
SECTIONS = ("global", "install", ":env:")  # a later one wins
# These are published only as source. Both are pure Python.
SOURCES = ("rouge-score", "jsonpath-rw")
OPTIONS = (
    "--require-hashes --no-deps --no-build-isolation --use-pep517 --no-compile --no-input "
    "--progress-bar off --disable-pip-version-check --only-binary :all: --no-binary "
).split()


def kept_settings(text: str) -> dict[str, str]:
    """Return {name of the variable: value} of the settings that are kept.

    Args:
        text: what `pip config list` prints: lines such as `global.index-url='https://...'`.
    """
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in text.splitlines():
        place, _, value = line.partition("=")
        section, _, key = place.rpartition(".")
        if section in found and key in KEPT:
            found[section][f"PIP_{key.upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    return {name: value for section in SECTIONS for name, value in found[section].items()}


def pip_environment(pip: list[str]) -> dict[str, str]:
    """Return this process's variables with no setting of pip but those that are kept."""
    listed = subprocess.run(
        [*pip, "config", "list"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1"},
        check=True,
    )
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    # With this name, pip reads no file at all.
    return {**others, **kept_settings(listed.stdout), "PIP_CONFIG_FILE": os.devnull}


def calls_of(words: list[str]) -> list[list[str]]:
    """Return the words of each call of pip: `--` is between two."""
    calls: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            calls.append([])
        else:
            calls[-1].append(word)
    return calls


def main() -> int:
    """Run `pip install` until a call fails, and return the exit code of the last."""
    pip, words = [sys.executable, "-I", "-m", "pip"], sys.argv[1:]
    if words[:1] == ["--python"]:
        pip, words = [*pip, *words[:2]], words[2:]
    try:
        environment = pip_environment(pip)
    except subprocess.CalledProcessError as error:
        return error.returncode
    for call in calls_of(words):
        command = [*pip, "install", *OPTIONS, ",".join(SOURCES), *call]
        if code := subprocess.run(command, env=environment, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
