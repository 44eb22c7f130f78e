"""The table of GPU resources in tests/README.md, from what `./run.sh bench --gpu` measured.

    ./run.sh bench resources [FILE]

FILE becomes the committed measurement (tests/bench/resources.json). Without FILE, the table is
written again from the committed measurement; without one, it says that nothing was measured.
"""

import json
import sys
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT

REFERENCE = PROJECT / "tests" / "bench" / "resources.json"
PAGE = PROJECT / "tests" / "README.md"
BEGIN, END = "<!-- resources: by ./run.sh bench resources -->", "<!-- /resources -->"
NOTHING = """\
Not yet measured, because no GPU was available. `./run.sh bench --gpu` measures
every stage on models of real sizes with random weights, and `./run.sh bench resources FILE` writes
its table here."""
HEADER = (
    "| base | what | batch | at once | seconds a step, the first included | peak of GPU memory |",
    "|---|---|---|---|---|---|",
)
NAMES = {"llava": "LLaVA 1.5 7B", "qwen2_5_vl": "Qwen2.5-VL 7B"}


def main() -> int:
    """Adopt a measurement and rewrite the table; return 1 if it is not of full scale."""
    if len(sys.argv) > 1:
        text = Path(sys.argv[1]).read_text(encoding="utf-8")
        measured = json.loads(text)
        if not measured or any(one["scale"] != "full" for one in measured.values()):
            print(f"error: {sys.argv[1]} is not a measurement at full scale", file=sys.stderr)
            return 1
        REFERENCE.write_text(text, encoding="utf-8")
    PAGE.write_text(inserted(PAGE.read_text(encoding="utf-8"), reference()), encoding="utf-8")
    print("tests/README.md is up to date")
    return 0


def reference() -> dict[str, Any]:
    """Return the committed measurement by family; empty where there is none."""
    return dict(json.loads(REFERENCE.read_text(encoding="utf-8"))) if REFERENCE.is_file() else {}


def inserted(page: str, measured: dict[str, Any]) -> str:
    """Return the page with the table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(measured)}\n{END}{after}"


def table(measured: dict[str, Any]) -> str:
    """Return the table as Markdown; bytes are shown in GB of 10^9."""
    if not measured:
        return NOTHING
    lines = [_machine(measured), "", *HEADER]
    for family, one in sorted(measured.items()):
        for name, job in one["jobs"].items():
            what = "fine-tuning" if job["method"] == "retain_finetune" else job["method"]
            if name.startswith("retain_only"):
                continue  # the same work as the vanilla model
            again = ", recomputing" if job["gradient_checkpointing"] else ""
            lines.append(
                f"| {NAMES[family]} | {what} | {job['records_per_step']} | "
                f"{job['micro_batch_size']}{again} | {job['seconds_per_step']:.2f} | "
                f"{_gb(job['peak_memory_bytes'])} |"
            )
        found = one["evaluation"]
        what = f"{found['answers']} answers of {found['systems']} systems"
        lines.append(
            f"| {NAMES[family]} | {what} | | | {found['seconds']:.0f} in all | "
            f"{_gb(found['peak_memory_bytes'])} |"
        )
    return "\n".join([*lines, "", *map(_rates, sorted(measured.items()))])


def _rates(of_family: tuple[str, dict[str, Any]]) -> str:
    family, one = of_family
    found = one["answers_per_second"]
    return (
        f"{NAMES[family]}: {found['engine']:.1f} answers a second in the engine, "
        f"{found['loop']:.1f} one question at a time (`generate`), both once loaded."
    )


def _machine(measured: dict[str, Any]) -> str:
    one = next(iter(measured.values()))
    cards = sorted({card["name"] for found in measured.values() for card in found["devices"]})
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one["packages"].items()))
    return f"On {', '.join(cards) or 'no GPU'} with {versions} (`./run.sh bench --gpu`):"


def _gb(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:.1f} GB"


if __name__ == "__main__":
    raise SystemExit(main())
