"""Resolve every name of the section `[attack]` before any work, and of claims about attacks."""

from kit.attacks import Attack, registry
from kit.attacks.pixels import PixelAttack
from kit.attacks.relearning import Relearning
from kit.attacks.weights import WeightAttack
from kit.errors import ManifestError, unknown
from kit.experiment.attack import attacked_targets
from kit.experiment.claims import ClaimSection
from kit.experiment.labels import Entry, label_faults
from kit.experiment.manifest import Manifest
from kit.plan.training_settings import require_warm_relearning

MERGING = "vllm"  # the engine that serves merged weights


def require_attacks(manifest: Manifest) -> dict[str, Attack]:
    """Resolve every name of the section `[attack]`; return the attacks by entry.

    Raises:
        ManifestError: an attack, option, level, method or target does not exist or fit, or the
            engine cannot serve what an attack changes.
    """
    section = manifest.attack
    if section is None:
        return {}
    for kind, named, known in (
        ("methods", section.methods, [entry.name for entry in manifest.methods]),
        ("targets", section.targets, list(manifest.targets)),
    ):
        for name in named:
            if name not in known:
                where = f"attack.{kind}"
                what = f"{manifest.origin_of(where)}: {where} has '{name}', which does not exist"
                raise unknown(what, name, known, remedy=f"correct `attack.{kind}`")
    for entry in manifest.methods:
        under = section.targets or manifest.targets
        if entry.name in section.methods and not set(under) & set(entry.targets):
            where = manifest.origin_of("attack.methods", "attack.targets")
            raise ManifestError(
                f"{where}: attack.methods names '{entry.name}', which is attacked for no target",
                expected=f"one of its targets, {', '.join(entry.targets)}, in attack.targets",
                found=", ".join(under),
                remedy="add one, or leave the method out of attack.methods",
            )
    entries = [entry.name for entry in section.entries]
    if doubled := [name for name in entries if entries.count(name) > 1]:
        raise ManifestError(
            f"{manifest.origin_of('attack.entries')}: attack.entries.name has {doubled[0]} twice",
            expected="each name once",
            found=", ".join(entries),
            remedy="give each attack its own name",
        )
    labelled = [Entry(entry.name, entry.label, ("",)) for entry in section.entries]
    for number, _, fault in label_faults(labelled, "attack"):
        raise ManifestError(
            f"{manifest.origin_of(f'attack.entries.{number}')}: the label of attack "
            f"'{labelled[number].name}' is {fault}",
            expected="a label of its own among the attacks",
            found=ascii(labelled[number].label),
            remedy="change `label`: tables print it",
        )
    built = {
        entry.name: registry.build(entry, manifest.origin_of(f"attack.entries.{number}"))
        for number, entry in enumerate(section.entries)
    }
    for number, attack in enumerate(built.values()):
        if isinstance(attack, Relearning):
            require_warm_relearning(attack, manifest, number)
        if isinstance(attack, PixelAttack):
            _require_reach(attack, manifest, number)
    merged = [name for name, attack in built.items() if isinstance(attack, WeightAttack)]
    if merged and manifest.evaluation.engine != MERGING:
        where = manifest.origin_of("attack.entries", "evaluation.engine")
        raise ManifestError(
            f"{where}: the attack '{merged[0]}' changes merged weights, which the engine "
            f"'{manifest.evaluation.engine}' does not serve",
            expected=f"evaluation.engine = '{MERGING}'",
            found=f"evaluation.engine = '{manifest.evaluation.engine}'",
            remedy=f"set it, or remove {', '.join(merged)} from [attack]",
        )
    return built


def _require_reach(attack: PixelAttack, manifest: Manifest, number: int) -> None:
    """Check that an attack on pixels makes steps enough for its levels: it is weaker otherwise.

    Raises:
        ManifestError: no pixel can change by as much as a level says.
    """
    assert manifest.attack is not None, "it has this entry"
    entry = manifest.attack.entries[number]
    beyond = [level for level in entry.levels if not attack.reaches(level)]
    if beyond:
        raise ManifestError(
            f"{manifest.origin_of(f'attack.entries.{number}')}: the attack '{entry.name}' never "
            f"reaches its level {beyond[0]:g}",
            expected=f"steps that change a pixel by {beyond[0]:g} ({attack.unit})",
            found=f"{attack.steps} steps, which change it by {attack.reach:g}",
            remedy="raise `steps` in the options of the attack, or lower the level",
        )


def require_attack_claim(where: str, claim: ClaimSection, manifest: Manifest) -> None:
    """Check that the attack of a claim is run on its system.

    Raises:
        ManifestError: it is not.
    """
    section = manifest.attack
    if section is None:
        raise ManifestError(
            f"{where}: it is about an attack, and the manifest has none",
            expected="a section [attack] with the entry that the claim names",
            found="no such section",
            remedy="add it, or remove the claim",
        )
    known = {entry.name: entry.levels for entry in section.entries}
    attack = claim.attack or ""
    if attack not in known:
        what = f"{where}: no attack '{attack}'"
        raise unknown(what, attack, known, remedy="correct `attack`")
    if claim.level not in known[attack]:
        raise ManifestError(
            f"{where}: the attack '{attack}' has no level {claim.level}",
            expected=", ".join(f"{level:g}" for level in known[attack]),
            found=claim.level,
            remedy="correct `level`",
        )
    if not list(attacked_targets(section, [claim.target], claim.target, claim.system)):
        raise ManifestError(
            f"{where}: {claim.system} is not attacked for target {claim.target}",
            expected="the system of the claim among those that are attacked",
            found=f"attack.methods = {list(section.methods)}, attack.targets = "
            f"{list(section.targets)}",
            remedy="add it to `attack.methods` and `attack.targets`",
        )
