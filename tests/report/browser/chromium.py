"""Chromium without a window, driven through its DevTools protocol: pages as a reader has them."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOUND = next((path for name in NAMES if (path := shutil.which(name))), None)
START_SECONDS = 60
# Without a sandbox, so that root can start it; the pages are the kit's own.
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-dev-shm-usage", "--remote-debugging-port=0",
)  # fmt: skip
needs_chromium = pytest.mark.skipif(FOUND is None, reason=f"none of {', '.join(NAMES)} is here")


class Page:
    """One tab. `problems` are errors of the console and refusals of the security policy."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something, and return the answer."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(timeout=60))
            if said.get("id") == number:
                assert "error" not in said, said
                return said["result"]
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        if said.get("method") == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(said["params"]["exceptionDetails"]))
        if said.get("method") == "Log.entryAdded":
            self.problems.append(said["params"]["entry"]["text"])
        if said.get("method") == "Runtime.consoleAPICalled":
            self.problems.append(json.dumps(said["params"]["args"]))

    def run(self, program: str) -> Any:
        """Run JavaScript in the page and return its value."""
        done = self.send("Runtime.evaluate", expression=program, returnByValue=True,
                         awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def open(self, address: str, width: int = 1300, *, dark: bool = False) -> int:
        """Open a page; return the milliseconds after which it was ready."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=address)
        return int(self.until("document.documentElement?.dataset.ready"))

    def until(self, program: str, seconds: float = 30) -> Any:
        """Wait until a program gives a true value, and return it."""
        end = time.monotonic() + seconds
        while not (value := self.run(program)):
            assert time.monotonic() < end, f"{program} stayed {value!r}: {self.problems}"
            time.sleep(0.02)
        return value

    def picture(self, path: Path) -> None:
        """Write what is seen, as PNG."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """Start Chromium with an own profile in `folder`, and end it."""
    assert FOUND is not None
    command = [FOUND, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(folder / "DevToolsActivePort")
        with connect(_tab(port), max_size=None, proxy=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(30)


def _port(path: Path) -> int:
    end = time.monotonic() + START_SECONDS
    while not path.is_file() or not path.read_text(encoding="utf-8").strip():
        assert time.monotonic() < end, "Chromium has not opened its port"
        time.sleep(0.05)
    return int(path.read_text(encoding="utf-8").split()[0])


def _tab(port: int) -> str:
    """Return the address of the first tab."""
    from urllib.request import ProxyHandler, build_opener

    opener = build_opener(ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while True:
        with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            tabs = [each for each in json.load(answer) if each["type"] == "page"]
        if tabs:
            return str(tabs[0]["webSocketDebuggerUrl"])
        assert time.monotonic() < end, "Chromium has no tab"
        time.sleep(0.05)
