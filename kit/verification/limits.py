"""How large a result may be: no honest one comes near, and a hostile one costs little to refuse.

An honest result asks one benchmark (PEBench has 16,000 records) of some 200 systems. What follows
leaves ten times that, and bounds the time and the memory of whoever verifies.
"""

from collections.abc import Mapping, Sequence

from kit.experiment.claims import ClaimSection
from kit.metrics.rows import Measured
from kit.metrics.statistics import VERDICT_DRAWS
from kit.names import show
from kit.result.layout import RECORDS, RUN, SETS
from kit.result.run_file import System
from kit.result.tables import unusable

MAX_SYSTEMS = 2_000  # the reference has 191
MAX_NAME = 200  # characters of a system's name, which stands in every one of its rows
MAX_LABEL = 200  # characters of what tables print as one line
MAX_RECORDS = 200_000
MAX_ANSWERS = 20_000_000  # systems x records: each metric holds a float for every one
# Clusters x draws of all intervals and bounds. 200 systems with 16,000 records and 1,000 draws take
# 3.2 billion for each metric, some 20 seconds.
MAX_DRAWN = 40_000_000_000


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


def require_sane_draws(measured: Measured, claims: Sequence[ClaimSection], draws: int) -> None:
    """Check how much has to be resampled for the intervals of all rows and the bounds of claims.

    Raises:
        VerificationError: more than any benchmark needs.
    """
    drawn = 0
    sizes: dict[tuple[str, ...], int] = {}
    for group in measured.groups:
        asked = sum(system["target"] in (None, group.target) for system in measured.systems)
        drawn += asked * len(group.ids) * draws
        sizes[group.target, group.part, group.column] = len(group.ids)
    places = ((claim.target, claim.part, claim.column) for claim in claims)
    drawn += VERDICT_DRAWS * sum(sizes.get(place, 0) for place in places)
    if drawn > MAX_DRAWN:
        raise unusable(
            SETS, f"its records resampled {draws} times are {drawn} draws, more than {MAX_DRAWN}"
        )
