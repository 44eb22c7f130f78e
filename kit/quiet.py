"""Keep libraries' notes about themselves out of the progress lines; errors still show."""

import logging
import os
import warnings

# Workers inherit them, so that they hold before the first library is imported there.
ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore",  # also what multiprocessing says of a run that was killed
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
# They say that an optional kernel or compiler is not there; nothing here depends on it.
TALKATIVE = ("bitsandbytes", "torch._library.triton")


def quieten() -> None:
    """Silence this process and those that it will start; what the user has set stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ["PYTHONWARNINGS"] == "ignore":
        warnings.simplefilter("ignore")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
