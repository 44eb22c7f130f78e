"""The attempts of tuning: for each method, learning rates times the values of one option.

The attempts are an experiment of their own: its methods are the attempts, its seeds those of
`[tune]`, and its systems are asked about the validation part alone. Vanilla and Retain-only are the
same adapters as in the experiment that is tuned.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kit.errors import ManifestError, unknown
from kit.experiment.manifest import Manifest, MethodSection
from kit.experiment.settings import TuneSection
from kit.experiment.systems import UNTRAINED

Value = float | int | str | bool


@dataclass(frozen=True)
class Attempt:
    """One point of the grid of a method.

    `option` is "" for the learning rate alone, `learning_rate` None for a method that has none.
    """

    entry: str
    name: str
    learning_rate: float | None
    option: str = ""
    value: Value | None = None

    @property
    def words(self) -> str:
        """Return its values as tables print them."""
        rate = [] if self.learning_rate is None else [f"learning rate {self.learning_rate:g}"]
        return ", ".join([*rate, *([f"{self.option} {self.value}"] if self.option else [])])

    def applied(self, entry: MethodSection) -> MethodSection:
        """Return the entry of a method with the values of this attempt."""
        options = {**entry.options, **({self.option: self.value} if self.option else {})}
        return entry.model_copy(update={"learning_rate": self.learning_rate, "options": options})


def attempts_of(section: TuneSection) -> Iterator[Attempt]:
    """Yield the attempts of every tuned method, in the order of the manifest.

    An attempt is named after its entry and its number: `npo-1`, `npo-2`, ...
    """
    for entry in section.methods:
        options: list[tuple[str, Value | None]] = [
            (option, value)
            for option, values in section.parameters.get(entry, {}).items()
            for value in values
        ]
        rates = [None] if entry in section.without_rate else section.learning_rates
        points = [(rate, each) for rate in rates for each in options or [("", None)]]
        for number, (rate, (option, value)) in enumerate(points, 1):
            yield Attempt(entry, f"{entry}-{number}", rate, option, value)


def is_tuning(manifest: Manifest) -> bool:
    """Return whether a manifest is the experiment of the attempts of another one."""
    return manifest.tune is not None and manifest.tune.asks == "validation"


def attempts_manifest(manifest: Manifest) -> Manifest:
    """Return the experiment of all attempts of a manifest with a section `[tune]`.

    The same grid follows whether or not a choice is applied to the methods of the manifest.
    """
    section = manifest.tune
    assert section is not None, "the caller asks for a manifest with [tune]"
    entries = {entry.name: entry for entry in manifest.methods}
    targets = section.targets or manifest.targets
    methods = []
    for attempt in attempts_of(section):
        entry = entries[attempt.entry]
        label = f"{entry.label}, {attempt.words}"
        own = tuple(target for target in entry.targets if target in targets)
        changed = {"name": attempt.name, "label": label, "targets": own}
        methods.append(attempt.applied(entry).model_copy(update=changed))
    seed = manifest.seeds[0] if manifest.finetune.seed is None else manifest.finetune.seed
    return manifest.model_copy(
        update={
            "name": f"{manifest.name}-tuning",
            "title": f"Tuning of: {manifest.title}",
            "seeds": section.seeds,
            "targets": targets,
            "methods": tuple(methods),
            "claims": (),
            "finetune": manifest.finetune.model_copy(update={"seed": seed}),
            "evaluation": manifest.evaluation.model_copy(update={"metrics": ()}),
            "report": manifest.report.model_copy(update={"adapters": "claimed"}),
            "attack": None,
            "probes": (),  # no answer that chooses an attempt is of a column of the report
            "calibration": None,
            "tune": section.model_copy(update={"asks": "validation", "digest": ""}),
        }
    )


def require_fair(manifest: Manifest) -> None:
    """Check that every tuned method gets the same grid, on records that no table reports.

    Args:
        manifest: the manifest.

    Raises:
        ManifestError: a method does not exist or is not trained, budgets differ, a grid is empty or
            has a value twice, or reported records would be asked.
    """
    section = manifest.tune
    if section is None:
        return
    if section.asks != "reported":
        where = manifest.origin_of("tune.asks")
        raise ManifestError(
            f"{where}: tune.asks = '{section.asks}' would report the records of tuning",
            expected="reported: a file describes the experiment, not its attempts",
            found=section.asks,
            remedy="leave the key out; ./run.sh tune asks the validation part by itself",
        )
    trained = [entry.name for entry in manifest.methods if entry.method not in UNTRAINED]
    for place, names in (
        ("methods", section.methods),
        ("parameters", tuple(section.parameters)),
        ("without_rate", section.without_rate),
    ):
        for name in names:
            if name not in trained:
                where = f"tune.{place}"
                what = f"{manifest.origin_of(where)}: {where}: no trained method '{name}'"
                raise unknown(what, name, trained, remedy="correct the name")
    _require_targets(manifest, section)
    _require_once(manifest, "tune.methods", section.methods)
    _require_once(manifest, "tune.learning_rates", section.learning_rates)
    for name, options in section.parameters.items():
        where = f"tune.parameters.{name}"
        if name not in section.methods:
            raise ManifestError(
                f"{manifest.origin_of(where)}: {where}: '{name}' is not tuned",
                expected="an entry of tune.methods",
                found=", ".join(section.methods),
                remedy="add it to tune.methods, or remove its values",
            )
        if len(options) != 1:
            raise ManifestError(
                f"{manifest.origin_of(where)}: {where} has {len(options)} options",
                expected="one option and its values: the budget is the same for all methods",
                found=", ".join(options) or "none",
                remedy="keep one; the others keep the value of [[methods]]",
            )
        ((option, values),) = options.items()
        _require_once(manifest, f"{where}.{option}", values)
    _require_one_budget(manifest, section)


def _require_targets(manifest: Manifest, section: TuneSection) -> None:
    for target in section.targets:
        if target not in manifest.targets:
            what = f"{manifest.origin_of('tune.targets')}: tune.targets: no target '{target}'"
            raise unknown(what, target, manifest.targets, remedy="correct the name")
    for entry in manifest.methods:
        tried = set(entry.targets) & set(section.targets or entry.targets)
        if entry.name in section.methods and not tried:
            where = manifest.origin_of("tune.methods", "tune.targets")
            raise ManifestError(
                f"{where}: '{entry.name}' would be tuned on no target",
                expected=f"one of its targets, {', '.join(entry.targets)}, in tune.targets",
                found=", ".join(section.targets),
                remedy="add one, or leave the method out of tune.methods",
            )
    _require_once(manifest, "tune.targets", section.targets)


def _require_one_budget(manifest: Manifest, section: TuneSection) -> None:
    sizes = {
        name: len(values)
        for name, options in section.parameters.items()
        for values in options.values()
    }
    for name in section.without_rate:
        if name not in sizes:
            where = "tune.without_rate"
            raise ManifestError(
                f"{manifest.origin_of(where)}: {where}: nothing of '{name}' is tuned",
                expected="an entry of tune.parameters: it has no learning rate to try",
                found=", ".join(sizes) or "no entry",
                remedy=f"add values of one of its options to tune.parameters.{name}",
            )
    if 0 in sizes.values():
        empty = min(name for name, size in sizes.items() if not size)
        where = manifest.origin_of(f"tune.parameters.{empty}")
        raise ManifestError(
            f"{where}: the grid of '{empty}' is empty",
            expected="two values or more",
            found="none",
            remedy="write values, or remove the option to tune the learning rate alone",
        )
    rates = len(section.learning_rates)
    attempts = {
        name: size * (1 if name in section.without_rate else rates) for name, size in sizes.items()
    }
    if len(set(attempts.values())) > 1:
        where = manifest.origin_of("tune.parameters")
        raise ManifestError(
            f"{where}: tune.parameters gives methods different budgets",
            expected="the same number of attempts for every method: learning rates times values, "
            "and values alone for those of tune.without_rate",
            found=", ".join(f"{name} {size}" for name, size in attempts.items()),
            remedy="add or remove values",
        )


def _require_once(manifest: Manifest, where: str, values: tuple[Value, ...]) -> None:
    if doubled := [value for value in values if values.count(value) > 1]:
        raise ManifestError(
            f"{manifest.origin_of(where)}: {where} has {doubled[0]!r} twice",
            expected="different values: each is an attempt",
            found=", ".join(map(repr, values)),
            remedy="remove one of them",
        )
