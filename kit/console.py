"""What the kit prints: answers, lines of progress, and no messages from libraries but errors."""

import io
import logging
import os
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


def say(text: str) -> None:
    """Print one line of progress to standard error."""
    print(printable(text), file=sys.stderr, flush=True)


def tell(text: str, *, end: str = "\n") -> None:
    """Print an answer to standard output; escapes stand for what a terminal would act on.

    Titles, labels, licences and texts of data are a stranger's.
    """
    print(printable(text), end=end, flush=True)


@contextmanager
def waiting(what: str, every_seconds: float = 20.0) -> Iterator[None]:
    """Print a line now and then while something takes its time without a word of its own."""
    ended, started = Event(), time.monotonic()

    def tell() -> None:
        while not ended.wait(every_seconds):
            say(f"  {what} ({time.monotonic() - started:.0f} s)")

    teller = Thread(target=tell, daemon=True)
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
