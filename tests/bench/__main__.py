"""`./run.sh bench NAME`: measure one thing on this machine; without a name, say what there is."""

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Run the benchmark that is named."""
    there = sorted(p.stem for p in Path(__file__).parent.glob("[a-z]*.py"))
    name, *rest = sys.argv[1:] or [""]
    name = name.removeprefix("--")  # `bench --gpu` is `bench gpu`
    if name not in there:
        sys.exit(f"error: no benchmark '{name}'\n  expected: one of {', '.join(there)}")
    sys.argv = [name, *rest]
    sys.exit(importlib.import_module(f"tests.bench.{name}").main())


if __name__ == "__main__":
    main()
