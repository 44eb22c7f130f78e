"""Which code renders the pages of a result, as one digest.

A result states the renderer that made its pages. Where it is this kit's, a verifier can make every
page again and compare the bytes; another renderer may word the same numbers in another way.
"""

from functools import cache
from importlib.metadata import version

from kit.code import code_of, modules_under
from kit.digests import sha256_value

# Everything in the room of the report renders, and so does all that it imports. Benchmarks are
# imported by name; each has sentences that a page prints.
ROOMS = ("kit.report", "kit.benchmarks")
# Libraries that write text into a page, or decide how a number is written.
LIBRARIES = ("jinja2", "markupsafe", "pandas")


@cache
def renderer_digest() -> str:
    """Return the digest of the code, the templates and the libraries that make a page."""
    libraries = {name: version(name) for name in LIBRARIES}
    return sha256_value({"code": rendering_code(), "libraries": libraries})


def rendering_code() -> dict[str, str]:
    """Return {file: digest} of everything in the kit that a page depends on."""
    return code_of([module for room in ROOMS for module in modules_under(room)], outside=())
