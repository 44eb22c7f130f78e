"""How large a result may be: no honest one comes near, and a hostile one costs little to refuse.

An honest result asks one benchmark (PEBench has 16,000 records) of some 200 systems. What follows
leaves ten times that, and bounds the time and the memory of whoever verifies.
"""

from collections.abc import Mapping, Sequence

from kit.names import show
from kit.result.layout import RECORDS, RUN
from kit.result.run_file import System
from kit.result.unusable import unusable

MAX_SYSTEMS = 2_000  # the reference has 191
MAX_NAME = 200  # characters of a system's name; every row of the system repeats it
MAX_LABEL = 200  # characters of what tables print as one line
MAX_FACT = 2_000  # characters of a text of run.json
MAX_RECORDS = 200_000
MAX_ANSWERS = 20_000_000  # systems x records: each metric holds a float for every one


def require_sane_systems(run: Mapping[str, object], systems: Sequence[System]) -> None:
    """Check the number of systems, and that names, labels and title are short and printable.

    Raises:
        VerificationError: one of them is not.
    """
    if len(systems) > MAX_SYSTEMS:
        raise unusable(RUN, f"{len(systems)} systems, more than {MAX_SYSTEMS}")
    for system in systems:
        _require_line("a system's name", system["name"], MAX_NAME)
        _require_line("a system's label", system["label"], MAX_LABEL)
        _require_line("a system's method", system["method"], MAX_NAME)
    manifest = run["manifest"]
    assert isinstance(manifest, dict), "kit.result.run_file has read settings from it"
    for key in ("name", "title"):
        if (said := manifest.get(key)) is not None:
            _require_line(f"manifest.{key}", said, MAX_LABEL)


def _require_line(what: str, said: object, most: int) -> None:
    if not isinstance(said, str) or len(said) > most or not said.isprintable():
        shown = show(str(said)[:most])
        raise unusable(RUN, f"{what} is no line of at most {most} printable characters: {shown}")


def require_sane_size(systems: int, records: int) -> None:
    """Check how many records there are, and how many answers to them there may be.

    Raises:
        VerificationError: too many.
    """
    if records > MAX_RECORDS:
        raise unusable(RECORDS, f"{records} records, more than {MAX_RECORDS}")
    if systems * records > MAX_ANSWERS:
        raise unusable(RECORDS, f"{systems} systems x {records} records, more than {MAX_ANSWERS}")
