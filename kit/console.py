"""What the kit prints: answers, lines of progress, and no messages from libraries but errors.

Progress goes to standard error, answers go to standard output. With `--quiet` there is no progress.
With `--json`, both are JSON objects on standard output, one in a line. Workers inherit the mode.
"""

import io
import json
import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from kit.names import printable

# Workers inherit these variables, so they are set before a worker imports its first library.
ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore",  # multiprocessing warns after a run was killed
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
# They report missing optional kernels and compilers, which the kit does not need.
NOISY_LOGGERS = ("bitsandbytes", "torch._library.triton")


MODE = "PEBENCH_OUTPUT"  # of this process and its workers: one of these, or nothing
QUIET, JSON = "quiet", "json"
CLEAR_LINE = "\r\033[K"
BOLD, FAINT = "1", "2"
REPORT_SECONDS = 20.0  # the longest silence of a verb that works
CHECK_SECONDS = 8.0  # and of one that checks a result, which is soon done

_last = time.monotonic()  # when this process printed progress


def mode() -> str:
    """Return how progress and answers are printed: `QUIET`, `JSON`, or "" for plain lines."""
    return os.environ.get(MODE, "")


def say(text: str) -> None:
    """Print one line of progress to standard error."""
    if mode() == JSON:
        event("message", text=text)
    elif mode() != QUIET:
        _print_line(printable(text))


def warn(text: str) -> None:
    """Print a line despite `--quiet`: something that the user must know before work continues."""
    if mode() == QUIET:
        _print_line(printable(text))
    else:
        say(text)


def tell(text: str, *, end: str = "\n") -> None:
    """Print an answer to standard output; escapes stand for what a terminal would act on.

    Titles, labels, licences and texts of data are a stranger's.
    """
    if mode() == JSON:
        event("answer", text=text)
        return
    clear_status()
    print(printable(text), end=end, flush=True)


def head(text: str) -> None:
    """Print a line that begins a part of the work; bold on a terminal."""
    if not mode():
        _print_line(styled(printable(text), BOLD))


def event(kind: str, /, **facts: object) -> None:
    """With `--json`, print an object of this kind; otherwise nothing."""
    global _last
    if mode() == JSON:
        _last = time.monotonic()
        print(json.dumps({"event": kind, **facts}), flush=True)


def status(text: str) -> None:
    """Show how far the work is: in the last line of a terminal, elsewhere as a line."""
    global _last
    if mode():
        return
    _last = time.monotonic()
    if is_live():
        width = shutil.get_terminal_size().columns - 1
        line = styled(printable(text, keep="")[:width], FAINT)
        print(f"{CLEAR_LINE}{line}", end="", file=sys.stderr, flush=True)
    else:
        print(printable(text), file=sys.stderr, flush=True)


def is_live() -> bool:
    """Return whether progress goes to a terminal, whose last line can be redrawn."""
    return not mode() and sys.stderr.isatty()


def silent_seconds() -> float:
    """Return for how long this process has printed no progress."""
    return time.monotonic() - _last


def styled(text: str, style: str) -> str:
    """Return a text in a style of the terminal, if progress goes to one that wants colours."""
    plain = not sys.stderr.isatty() or os.environ.get("NO_COLOR") or mode()
    return text if plain else f"\033[{style}m{text}\033[0m"


def duration(seconds: float) -> str:
    """Return a time in words, as exact as an estimate is."""
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def clear_status() -> None:
    """Remove what `status` shows in the last line of a terminal."""
    if is_live():
        print(CLEAR_LINE, end="", file=sys.stderr, flush=True)


def _print_line(text: str) -> None:
    global _last
    _last = time.monotonic()
    # The last line of a terminal may show the status, also that of another process.
    print(f"{CLEAR_LINE if is_live() else ''}{text}", file=sys.stderr, flush=True)


@contextmanager
def waiting(what: str, every_seconds: float = REPORT_SECONDS) -> Iterator[None]:
    """Print a line now and then while something takes its time without a word of its own."""
    ended, started = Event(), time.monotonic()

    def repeat() -> None:
        while not ended.wait(every_seconds):
            say(f"  {what} ({time.monotonic() - started:.0f} s)")

    teller = Thread(target=repeat, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def quieten() -> None:
    """Silence the libraries of this process and of its children. The user's own settings win.

    What the console's encoding lacks is printed as an escape, as on Windows without UTF-8.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ["PYTHONWARNINGS"] == "ignore":
        warnings.simplefilter("ignore")
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
