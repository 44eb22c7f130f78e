"""Arguments and options that several verbs share: one decorator for each."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, NamedTuple

import click

from kit.console import JSON, MODE, QUIET
from kit.errors import StorageError

if TYPE_CHECKING:
    from kit.experiment.manifest import Manifest
    from kit.stages.work import Work

Command = Callable[..., None]

DEFAULT_MANIFEST = "manifests/smoke.toml"
FILE = click.Path(path_type=Path)


class Finite(click.FloatRange):
    """A finite number in a range; click's own range accepts NaN and infinity."""

    def convert(
        self, value: float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail; the value is the text that was given."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


DEBUG = "--debug"
CHANGES = "Change a key of MANIFEST, such as unlearn.learning_rate=5e-4. Can be repeated."
CHANGES_OF_RESULT = "If RESULT is a manifest: the --set of its run. Can be repeated."


def with_manifest(command: Command) -> Command:
    """Add the argument MANIFEST and the option --set, received as `manifest` and `changes`."""
    return with_changes(click.argument("manifest", type=FILE, default=DEFAULT_MANIFEST)(command))


def with_changes(command: Command, *, help_text: str = CHANGES) -> Command:
    """Add the option --set, which the command receives as `changes`."""
    return click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help=help_text)(
        command
    )


def with_result(command: Command) -> Command:
    """Add the argument RESULT, a result folder or the manifest that the result was made from.

    With it comes the option --set. They are received as `result` and `changes`.
    """
    command = with_changes(command, help_text=CHANGES_OF_RESULT)
    return click.argument("result", default=DEFAULT_MANIFEST)(command)


def without_changes(command: Command) -> Command:
    """Refuse --set in words: a verb about two results takes none."""

    def refuse(call: click.Context, option: click.Parameter, given: tuple[str, ...]) -> None:
        if given and not call.resilient_parsing:
            raise click.UsageError(
                f"{call.info_name} takes no --set, because it could refer to either result; name "
                "the "
                "result's folder, which the run printed"
            )

    return click.option("--set", multiple=True, hidden=True, expose_value=False, callback=refuse)(
        command
    )


def with_json(command: Command) -> Command:
    """Add the flag --json, which the command receives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def with_price(command: Command) -> Command:
    """Add the option --price, which the command receives as `price`."""
    return click.option(
        "--price",
        type=Finite(min=0, min_open=True),
        metavar="X",
        help="Price per hour of a GPU (or of the machine, if it has none): print costs.",
    )(command)


def with_fetch_flags(command: Command) -> Command:
    """Add the flags of a download, which become the fields of `kit.fetch.settings.Settings`."""
    for flag, text in (
        ("--accept-licences", "Accept the licences of all sources without asking."),
        ("--allow-unlocked", "Run without committed checksum lists; the result records this."),
        ("--offline", "Open no connection; a missing file is an error."),
    ):
        command = click.option(flag, is_flag=True, help=text)(command)
    return command


def with_output(command: Command) -> Command:
    """Add the flags --quiet and --json, which decide how progress and answers are printed."""

    def choose(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
        def note(call: click.Context, parameter: click.Parameter, given: bool) -> None:
            if not given or call.resilient_parsing:
                return
            if os.environ.get(MODE, name) != name:
                raise click.UsageError("--quiet and --json cannot be combined")
            os.environ[MODE] = name  # worker processes inherit it

        return note

    for flag, name, text in (
        ("--json", JSON, "Print progress and answers as JSON objects, one per line."),
        ("--quiet", QUIET, "Print no progress, only the answer and errors."),
    ):
        option = click.option(
            flag, is_flag=True, expose_value=False, callback=choose(name), help=text
        )
        command = option(command)
    return command


def require_creatable(path: Path) -> None:
    """Check, before long work, that something new can be made at a path.

    Raises:
        StorageError: the nearest existing parent is not a folder, or cannot be written.
    """
    there = next(each for each in path.absolute().parents if os.path.lexists(each))
    try:
        with TemporaryFile(dir=there):
            return
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written",
            expected="a path in a folder that you can write",
            found=f"{there}: {error.strerror}",
            remedy="name a path in another folder",
        ) from None


class Executor(NamedTuple):
    """Where the stages' work is done: by processes of this machine, or on a Ray cluster."""

    name: str = "local"
    address: str | None = None
    store: str | None = None

    def require_possible(self, manifest: "Manifest") -> None:
        """Check, before anything is fetched, that it can do the work of a manifest.

        Raises:
            ManifestError: the base is spread over several cards, and a cluster knows only one.
        """
        if self.name != "local":
            from kit.plan.several_cards import require_one_card

            require_one_card(manifest, f"--executor {self.name}")

    @contextmanager
    def work(self, manifest: "Manifest") -> Iterator["Work"]:
        """Yield where the stages run their work; check a cluster first, and leave it afterwards."""
        if self.name == "local":
            from kit.stages.work import LOCAL

            yield LOCAL
            return
        from kit.cluster.work import ray_work

        with ray_work(self.address, self.store, manifest) as work:
            yield work


LOCAL = Executor()


def with_executor(command: Command) -> Command:
    """Add --executor, --address and --store, which the command receives as one `executor`."""

    @wraps(command)
    def chosen(
        *arguments: object,
        executor: str,
        address: str | None,
        store: str | None,
        **values: object,
    ) -> None:
        if address is not None and executor == "local":
            raise click.UsageError("--address names a Ray cluster, so it needs --executor ray")
        if store is not None and executor == "local":
            raise click.UsageError("--store is for a Ray cluster, so it needs --executor ray")
        command(*arguments, executor=Executor(executor, address, store), **values)

    address = "Head of the Ray cluster (default: RAY_ADDRESS, or the cluster of this machine)."
    store = "Object store, s3://BUCKET/PREFIX, for nodes without a shared cache folder."
    for option in (
        click.option("--store", metavar="URL", help=store),
        click.option("--address", metavar="HOST:PORT", help=address),
        click.option(
            "--executor",
            type=click.Choice(["local", "ray"]),
            default="local",
            help="Where the work runs: in processes of this machine (default), or on a Ray "
            "cluster.",
        ),
    ):
        chosen = option(chosen)
    return chosen


def add_debug(command: click.Command) -> None:
    """Add the flag --debug to a command and all that it contains; `kit.cli.entry` reads it."""
    text = "Print the traceback of an error."
    command.params.append(click.Option([DEBUG], is_flag=True, expose_value=False, help=text))
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        add_debug(inner)
