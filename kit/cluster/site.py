"""Packages of Ray's environment, which the driver borrows; none differs from its own."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.errors import EnvironmentFault

SITE = "lib/python*/site-packages"


@contextmanager
def packages_of_ray() -> Iterator[None]:
    """Let an import find them. In a worker of Ray they are its own.

    Raises:
        EnvironmentFault: there is no such environment.
    """
    before = list(sys.path)
    sys.path += [str(path) for path in Path(os.environ.get("PEBENCH_RAY", ".")).glob(SITE)]
    try:
        yield
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"{str(error.name).partition('.')[0]} is not installed",
            expected="the packages of docker/requirements.ray.lock",
            found=sys.executable,
            remedy="start with ./run.sh, which builds the environment for --executor ray",
        ) from None
    finally:
        sys.path[:] = before  # Ray puts packages that it carries in front
