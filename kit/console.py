"""Standard error: one line of progress at a time, and silence from libraries; errors still show."""

import logging
import os
import sys
import warnings

# Workers inherit these, so they hold before a worker imports its first library.
ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore",  # multiprocessing warns about a run that was killed
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
# They report a missing optional kernel or compiler. Nothing here depends on either.
NOISY_LOGGERS = ("bitsandbytes", "torch._library.triton")


def say(text: str) -> None:
    """Print one line of progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def quieten() -> None:
    """Silence the libraries of this process and of its children. The user's own settings win."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ["PYTHONWARNINGS"] == "ignore":
        warnings.simplefilter("ignore")
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
