"""What a library raises while it reads the files of a base, as one error of the kit.

transformers, tokenizers and the classes of a base raise errors of a dozen unrelated kinds where a
value has a wrong type. Each names the value, and none names the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.errors import KitError, ModelError
from kit.failures import out_of_memory

SHOWN = 300  # characters of a library's message


@contextmanager
def reading(folder: Path, files: str) -> Iterator[None]:
    """Name the files that a library cannot read.

    Args:
        folder: of the base.
        files: what is read, for the message.

    Raises:
        ModelError: the library raised something; errors of the kit and of memory are passed on.
    """
    try:
        yield
    except KitError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise ModelError(
            f"{files} of the base in {folder} cannot be used",
            expected="values of the types that transformers expects, in files of one revision",
            found=" ".join(f"{type(error).__name__}: {error}".split())[:SHOWN],
            remedy="fetch these files again, all of one revision of the base; in a `folder` of "
            "your own, correct them and run `./run.sh lock MANIFEST`",
        ) from error
