"""Validate an RO-Crate with roc-validator, without network: `crate_validator.py FOLDER SEVERITY`.

It runs in the environment of docker/requirements.tools.lock. The validator asks w3id.org for the
JSON-LD context of RO-Crate 1.1; its cache is given the copy that the package rocrate holds.
"""

import importlib.util
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def warm(cache: Path) -> None:
    """Put the context into the validator's cache of web pages, as a request would have done."""
    import requests
    from requests_cache import CachedSession
    from urllib3 import HTTPResponse

    (folder,) = importlib.util.find_spec("rocrate").submodule_search_locations
    text = (Path(folder) / "data" / "ro-crate.jsonld").read_bytes()
    assert json.loads(text)["@id"] == CONTEXT, "rocrate holds the context of another version"
    page = requests.Response()
    page.status_code, page.url, page.headers["Content-Type"] = 200, CONTEXT, "application/ld+json"
    page.request = requests.Request("GET", CONTEXT).prepare()
    page.raw = HTTPResponse(io.BytesIO(text), dict(page.headers), 200, preload_content=False)
    CachedSession(str(cache), backend="sqlite", expire_after=-1).cache.save_response(page)


def main(crate: str, severity: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        warm(Path(folder) / "pages")
        program = Path(sys.executable).with_name("rocrate-validator")
        command = [str(program), "--no-interactive", "--disable-color", "validate", "--offline"]
        command += ["--cache-path", f"{folder}/pages", "--output-format", "json", "--no-paging"]
        command += ["--profile-identifier", "process-run-crate-0.5"]
        command += ["--requirement-severity", severity, "--output-file", f"{folder}/report", crate]
        done = subprocess.run(command, stdout=subprocess.DEVNULL)
        print(Path(f"{folder}/report").read_text(encoding="utf-8"))
        return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
