"""The schemas of a result's JSON files: which this kit reads, and what it says of a later one."""

import re
from collections.abc import Sequence

from kit import __version__
from kit.errors import VerificationError
from kit.names import show
from kit.result.unusable import unusable


def require_schema(name: str, schema: object, known: Sequence[str]) -> None:
    """Check that this kit reads the schema of a file; `known` lists those it reads, newest last.

    Raises:
        VerificationError: it does not; a schema of a later kit is told apart from what is none.
    """
    if schema in known:
        return
    family, _, number = known[-1].rpartition("/")
    said = str(schema)
    later = re.fullmatch(rf"{re.escape(family)}/(\d{{1,6}})", said)
    if later and int(later[1]) > int(number):
        raise VerificationError(
            f"{name} is of a later version of the kit: its schema is {said}",
            expected=f"{', '.join(known)}; the newest that version {__version__} of the kit reads "
            f"is {known[-1]}",
            found=said,
            remedy="verify with a newer version of the kit",
        )
    raise unusable(name, f"its schema is {show(said[:100])}, none of {', '.join(known)}")
