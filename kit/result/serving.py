"""Show the pages of a result in a browser of this machine: nothing else is served, to no one else.

A page may be a stranger's. It can load nothing and send nothing, whatever it says itself.
"""

import errno
import os
import sys
import webbrowser
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kit.errors import EnvironmentFault, MissingStageError
from kit.result.layout import ENVELOPE, RUN

HOST = "127.0.0.1"
PAGE, ANSWERS = "report.html", "answers.html"
# Scripts in a page itself may run: that of the answers does, and its own policy names it by hash.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def make_server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of the pages of a report.

    Args:
        folder: the folder report/ of a result.
        port: where it listens; 0 for a free one.

    Raises:
        MissingStageError: there is no report.
        EnvironmentFault: the port is taken or not allowed.
    """
    if not (folder / PAGE).is_file():
        raise _without_pages(folder)
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Pages, directory=str(folder)))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise EnvironmentFault(
            f"port {port} cannot be used",
            expected="a port that no other program uses and that you may open",
            found=error.strerror,
            remedy="leave out --port, and a free one is taken",
        ) from error


def _without_pages(folder: Path) -> MissingStageError:
    result = folder.parent
    if any((result / mark).is_file() for mark in (ENVELOPE, RUN)):
        found = "a result without its report"
        remedy = "of your own run: ./run.sh report MANIFEST; otherwise get the whole result"
    else:
        found = f"no result: {result} has neither {ENVELOPE} nor {RUN}"
        remedy = "name the folder of a result; ./run.sh all makes one"
    expected = f"the folder of a result, with {folder.name}/{PAGE}"
    return MissingStageError(
        f"{folder} has no {PAGE}", expected=expected, found=found, remedy=remedy
    )


def serve(server: ThreadingHTTPServer, started: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `started` is given the address of the report first."""
    with server:
        started(f"http://{HOST}:{server.server_port}/{PAGE}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def open_browser(address: str) -> bool:
    """Open an address in the user's browser, if there is a screen for one; say whether."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in screens):
        return False  # a browser of text would take the terminal
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False


class _Pages(SimpleHTTPRequestHandler):
    """Gives the plain files directly in one folder."""

    def do_GET(self) -> None:
        """Give a page."""
        if self._is_allowed():
            super().do_GET()

    def do_HEAD(self) -> None:
        """Give the head of a page."""
        if self._is_allowed():
            super().do_HEAD()

    def _is_allowed(self) -> bool:
        # A page elsewhere must not read a result through a name that it points at this machine.
        assert isinstance(self.server, ThreadingHTTPServer)
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self.send_error(403, "ask for this machine by its address")
            return False
        path = Path(self.translate_path(self.path))
        if path.parent != Path(self.directory) or path.is_symlink() or not path.is_file():
            if self.path == "/":
                self.send_response(302)
                self.send_header("Location", f"/{PAGE}")
                self.end_headers()
            else:
                self.send_error(404, "no page of this report")
            return False
        return True

    def end_headers(self) -> None:
        """Add what holds for every page."""
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
