"""One small signed result of every released version: today's kit must verify each of them."""

from pathlib import Path

FOLDER = Path(__file__).parent
RESULT, PUBLIC = "result", "key.pub"
