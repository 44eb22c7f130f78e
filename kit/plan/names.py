"""Resolve every name of a manifest before any work: loader, targets, methods, claims."""

from collections.abc import Collection, Mapping

from kit import benchmarks
from kit.artifacts import project_path
from kit.benchmarks.protocol import Protocol
from kit.errors import ManifestError, unknown
from kit.experiment.claims import ClaimSection, claim_fault, doubled_ids
from kit.experiment.grid import attempts_manifest
from kit.experiment.inherited import naming_the_file, naming_their_manifest
from kit.experiment.labels import Entry, label_faults
from kit.experiment.manifest import Manifest
from kit.experiment.plain_texts import PROSE, text_faults
from kit.experiment.settings import TuneSection
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.methods import Method, registry
from kit.metrics.definition import Definition
from kit.metrics.families import answer_metrics, names_of_all
from kit.metrics.outside import load_metric
from kit.names import show
from kit.plan.added_files import importing, require_concepts
from kit.plan.attack_names import require_attack_claim, require_attacks
from kit.plan.method_settings import require_method_settings, require_servable_ranks
from kit.plan.several_cards import require_spreadable
from kit.plan.storable import require_storable


def require_names(manifest: Manifest) -> dict[str, Method]:
    """Resolve loader, targets, methods, options and claims; return the methods by entry.

    Raises:
        ManifestError: one of them does not exist.
    """
    with importing(f"benchmark.loader '{manifest.benchmark.loader}'"):
        benchmarks.require_settings(manifest)
    _require_labels(manifest)
    _require_plain_texts(manifest)
    _require_probes(manifest)
    require_storable(manifest)
    if manifest.split.ids and not project_path(manifest.split.ids).is_file():
        raise ManifestError(
            f"{manifest.origin_of('split.ids')}: split.ids: {manifest.split.ids} does not exist",
            expected="a list of what is forgotten",
            found="no such file",
            remedy="name a list in manifests/splits/, or leave `ids` out to draw by seed",
        )
    built = {}
    for number, entry in enumerate(manifest.methods):
        where = f"{manifest.origin_of(f'methods.{number}')}: method '{entry.name}'"
        built[entry.name] = registry.build(entry.method, dict(entry.options), where)
    require_method_settings(manifest, built)
    with importing("attack.entries"):
        attacks = require_attacks(manifest)
    require_servable_ranks(manifest, built, attacks)
    require_spreadable(manifest, built, attacks)
    _require_facts(manifest, built)
    if manifest.evaluation.metric_file:
        with naming_the_file(manifest, "evaluation.metric_file"), importing("metric_file"):
            path = project_path(manifest.evaluation.metric_file)
            require_concepts(load_metric(path, names_of_all()))
    require_claims(manifest)
    if manifest.tune is not None and manifest.tune.asks == "reported":
        _require_rates(manifest, manifest.tune, built)
        require_names(attempts_manifest(manifest))
    return built


def _require_rates(manifest: Manifest, section: TuneSection, built: Mapping[str, Method]) -> None:
    """Check that learning rates are tried of the methods that train, and of no other."""
    for name in section.methods:
        trains, listed = not built[name].needs.training_free, name in section.without_rate
        if trains == listed:
            has = "trains with a learning rate" if trains else "trains nothing and has none"
            where = "tune.without_rate"
            raise ManifestError(
                f"{manifest.origin_of(where)}: {where}: method '{name}' {has}",
                expected="those tuned methods that train nothing",
                found=", ".join(section.without_rate) or "none",
                remedy=f"{'remove' if trains else 'add'} '{name}'",
            )


def _require_facts(manifest: Manifest, built: Mapping[str, Method]) -> None:
    """Check that methods that train on other facts of what is forgotten find any."""
    loader = manifest.benchmark.loader
    known = benchmarks.protocol(loader).kept_facts
    for number, entry in enumerate(manifest.methods):
        lacking = [each for each in entry.targets if each not in known]
        if built[entry.name].needs.subject_facts and lacking:
            where = manifest.origin_of(f"methods.{number}")
            raise ManifestError(
                f"{where}: method '{entry.name}' trains on other facts about what is forgotten, "
                f"and target '{lacking[0]}' of benchmark '{loader}' forgets everything about it",
                expected=f"targets among {', '.join(sorted(known)) or 'none'}",
                found=", ".join(entry.targets),
                remedy="leave it out of the method's `targets`, or leave the method out",
            )


def _require_probes(manifest: Manifest) -> None:
    """Check that every probe exists, has a source of its own, and a column of its own."""
    known = [source.name for source in manifest.sources]
    for number, probe in enumerate(manifest.probes):
        if probe.source not in known:
            where = manifest.origin_of(f"probes.{number}")
            what = f"{where}: probe '{probe.name}': there is no source '{probe.source}'"
            raise unknown(what, probe.source, known, remedy="add a [[sources]] entry of this name")
    if manifest.probes and not set(known) - {probe.source for probe in manifest.probes}:
        raise ManifestError(
            f"{manifest.origin_of('sources', 'probes')}: all sources belong to probes",
            expected="the data of the benchmark, and a source of its own for each probe",
            found=", ".join(known),
            remedy="give each probe another `source`",
        )
    with naming_the_file(manifest, "probes"), importing("probes"):
        benchmarks.planned_protocol(manifest)


def _require_plain_texts(manifest: Manifest) -> None:
    """Check that all texts read as they are written: a verifier refuses a result of others."""
    for place, fault, text in text_faults(manifest.resolved(), PROSE):
        section, _, key = place.partition(".")
        raise ManifestError(
            f"{manifest.origin_of(section)}: a text of '{section}' is {fault}",
            expected="one line in letters that are seen, and words of one alphabet",
            found=f"{show(key) or section} = {text[:100]!a}",
            remedy="write it again by hand: copied text brings such characters",
        )


def _require_labels(manifest: Manifest) -> None:
    """Check that no two rows of a table would read alike."""
    entries = [Entry(each.name, each.label, each.targets) for each in manifest.methods]
    for number, target, fault in label_faults(entries):
        where = manifest.origin_of(f"methods.{number}")
        raise ManifestError(
            f"{where}: the label of method '{entries[number].name}' is {fault}",
            expected=f"a label of its own among the rows of target '{target}'",
            found=ascii(entries[number].label),
            remedy="change `label`: tables print it",
        )


def require_claims(manifest: Manifest) -> None:
    """Check every claim of a manifest.

    Raises:
        ManifestError: an id occurs twice, a claim cannot be tested, or it names a target, column,
            system or metric that does not exist. Of inherited claims, it says from which manifest.
    """
    if doubled := doubled_ids(manifest.claims):
        with naming_their_manifest(manifest, doubled[0]):
            raise ManifestError(
                f"manifest {manifest.name}: claims.id has {', '.join(doubled)} twice",
                expected="each id once",
                found=f"{len(doubled)} ids that several claims have",
                remedy="give each claim its own id",
            )
    if not manifest.claims:
        return
    protocol = benchmarks.planned_protocol(manifest)
    definitions = answer_metrics(manifest.evaluation.metrics)
    if file := manifest.evaluation.metric_file:
        outside = load_metric(project_path(file), names_of_all())
        definitions[outside.name] = outside
    for claim in manifest.claims:
        with naming_their_manifest(manifest, claim.id):
            _require_claim(claim, manifest, protocol, definitions)


def _require_claim(
    claim: ClaimSection,
    manifest: Manifest,
    protocol: Protocol,
    definitions: Mapping[str, Definition],
) -> None:
    where = f"manifest {manifest.name}: claim {claim.id}"
    if fault := claim_fault(claim):
        raise ManifestError(
            f"{where}: {fault}",
            expected=f"what a claim of the kind '{claim.kind}' needs, and nothing else",
            found=", ".join(sorted(claim.model_fields_set)),
            remedy="correct the claim: kit/experiment/claims.py explains the kinds",
        )
    _require(where, "target", claim.target, manifest.targets)
    if claim.kind != "changed":
        _require_place(where, claim.target, claim.part, claim.column, protocol)
        _require_metric(where, claim, claim.metric, definitions)
    elif claim.target in protocol.targets:
        columns = protocol.targets[claim.target].columns
        _require(where, "part", claim.part, {part for part, _ in columns})
    if claim.other_part is not None and claim.other_metric is not None:
        _require_place(where, claim.target, claim.other_part, claim.column, protocol)
        _require_metric(where, claim, claim.other_metric, definitions)
    _require(where, "system", claim.system, _systems(manifest, claim.target))
    if claim.kind == "returns":
        require_attack_claim(where, claim, manifest)
    if claim.other is not None:
        target = claim.other_target or claim.target
        _require(where, "other_target", target, manifest.targets)
        _require(where, "other", claim.other, _systems(manifest, target))


def _systems(manifest: Manifest, target: str) -> list[str]:
    methods = [entry.name for entry in manifest.methods if target in entry.targets]
    return [VANILLA, RETAIN_ONLY, *methods]


def _require_place(where: str, target: str, part: str, column: str, protocol: Protocol) -> None:
    if target in protocol.targets:
        columns = protocol.targets[target].columns
        _require(where, "part", part, {part for part, _ in columns})
        printed = [str(each) for other, each in columns if other == part]
        _require(where, "column", column, printed)


def _require_metric(
    where: str, claim: ClaimSection, metric: str, definitions: Mapping[str, Definition]
) -> None:
    known = [definition.id for definition in definitions.values()]
    name, _, version = metric.partition("/")
    if name in definitions and str(definitions[name].version) != version:
        raise ManifestError(
            f"{where}: the definition of {name} has another version",
            expected=definitions[name].id,
            found=metric,
            remedy="read what changed, then name this version in the claim",
        )
    _require(where, "metric", metric, known)
    if claim.paired and definitions[name].weight is not None:
        raise ManifestError(
            f"{where}: {name} is a ratio of sums and has no difference per record",
            expected="a metric that has a value for each record",
            found=definitions[name].id,
            remedy="claim a difference of another metric, or a bound of this one",
        )


def _require(where: str, kind: str, name: str, known: Collection[str]) -> None:
    if name in known:
        return
    raise unknown(f"{where}: no {kind} '{name}'", name, sorted(known), remedy=f"correct `{kind}`")
