"""The fields of Croissant RAI 1.0 (responsible AI) that the kit can fill, and no others.

https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html. mlcroissant accepts any name that
begins with `rai:`, so names are held against the list here. What only the publisher of a data set
knows (annotators, dates, consent) is left out.
"""

from collections.abc import Mapping, Sequence

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column

RAI = "http://mlcommons.org/croissant/RAI/1.0"
# Those with one text, and those with several.
ONE = frozenset({
    "dataCollection", "dataCollectionMissingData", "dataCollectionRawData",
    "dataImputationProtocol", "dataManipulationProtocol", "annotationsPerItem",
    "dataSocialImpact", "dataReleaseMaintenancePlan",
})  # fmt: skip
MANY = frozenset({
    "dataCollectionType", "dataCollectionTimeframe", "dataPreprocessingProtocol",
    "dataAnnotationProtocol", "dataAnnotationPlatform", "dataAnnotationAnalysis",
    "annotatorDemographics", "machineAnnotationTools", "dataBiases", "dataUseCases",
    "dataLimitations", "personalSensitiveInformation",
})  # fmt: skip
USES = ("Measure whether a vision-language model forgets people or events, and what it keeps.",)


def rai_fields(**said: str | Sequence[str]) -> dict[str, object]:
    """Return RAI fields by their names in a document; empty ones are left out.

    Raises:
        ValueError: RAI 1.0 has no such field, or it holds one text and not several.
    """
    for name, value in said.items():
        if name not in (ONE if isinstance(value, str) else MANY):
            raise ValueError(f"{name} is not a field of Croissant RAI 1.0 with this value")
    return {
        f"rai:{name}": value if isinstance(value, str) else list(value)
        for name, value in sorted(said.items())
        if value
    }


def data_fields(
    sources: Sequence[Mapping[str, object]], protocol: Protocol, uses: Sequence[str] = USES
) -> dict[str, object]:
    """Return what the kit knows of the data of an experiment.

    Args:
        sources: name, repo, revision and embedded of each, as in a manifest.
        protocol: of the benchmark.
        uses: what the data is for.
    """
    drawn = [str(source["name"]) for source in sources if source.get("embedded")]
    others = [str(source["name"]) for source in sources if not source.get("embedded")]
    return rai_fields(
        dataCollection=" ".join([*map(_drawn, drawn), *map(_taken, others)]),
        dataLimitations=protocol.comparability,
        dataBiases=[_one_world(name) for name in drawn],
        dataUseCases=uses,
        personalSensitiveInformation=[
            *(f"{name}: none. Its people are invented, and code drew their pictures."
              for name in drawn),
            *(_people(name, protocol) for name in others),
        ],
    )  # fmt: skip


def _drawn(name: str) -> str:
    return f"{name}: drawn by the kit's code from a seed; nothing was collected."


def _taken(name: str) -> str:
    return (
        f"{name}: taken as its publisher released it; the kit collected nothing and checked each "
        "file against a list of digests."
    )


def _one_world(name: str) -> str:
    return f"{name}: names, faces and events come from short lists in code; no population is meant."


def _people(name: str, protocol: Protocol) -> str:
    real = " The column Real asks about people that a base model knows." * (
        Column.REAL in protocol.headings
    )
    return f"{name}: questions and answers name people; its publisher says which are real.{real}"
