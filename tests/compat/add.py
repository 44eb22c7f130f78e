"""Write the small signed result of this version: `python -m tests.compat.add`, at a release."""

import sys

from kit import __version__
from kit.signing.keys import public_line
from kit.signing.sign import sign
from tests.compat import FOLDER, PUBLIC, RESULT
from tests.toys.signed_result import KEY, write_result


def main() -> None:
    folder = FOLDER / __version__
    if folder.exists():
        sys.exit(f"{folder} exists and must not change: raise kit.__version__ first")
    folder.mkdir()
    (folder / PUBLIC).write_text(public_line(KEY.public_key()) + "\n", encoding="utf-8")
    sign(write_result(folder / RESULT), key=KEY)
    print(folder)


if __name__ == "__main__":
    main()
