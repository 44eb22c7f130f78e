"""Values planted where a program can learn of its machine, and a search for them in a result."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

MARK = "Canary7f3a"  # every planted value holds it, so that nothing else can be meant
SECRETS = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "WANDB_API_KEY",
    "OPENAI_API_KEY", "PEBENCH_PASSPHRASE", "SSH_AUTH_SOCK", "USER", "LOGNAME", "HOSTNAME",
    "MAIL", "PWD", "OLDPWD",
)  # fmt: skip
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy")


def readings(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes, and what is encoded in them: base64 texts, and parquet as values."""
    data = path.read_bytes()
    yield data
    for text in re.findall(rb"[A-Za-z0-9+/_-]{16,}={0,2}", data):
        padded = text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)
        for variant in (padded, padded.replace(b"-", b"+").replace(b"_", b"/")):
            try:
                yield base64.b64decode(variant)
            except ValueError:
                continue
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.schema.metadata).encode()
        yield json.dumps(table.to_pylist(), ensure_ascii=False, default=str).encode()


def leaks(result: Path, words: Iterable[str]) -> list[str]:
    """Return `file: word` for every file of a result that holds one of the words."""
    wanted = [word.lower().encode() for word in words]
    return [
        f"{path.relative_to(result)}: {word.decode()}"
        for path in sorted(result.rglob("*"))
        if path.is_file()
        for word in wanted
        if any(word in reading.lower() for reading in readings(path))
    ]
