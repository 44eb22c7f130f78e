"""The scaffold of a benchmark: a loader, data to try it on, their list, a manifest and tests."""

import io
import json
import random
from collections.abc import Iterator

from kit.artifacts import PROJECT
from kit.digests import format_checksums, sha256_bytes
from kit.scaffolds.files import Scaffold, filled
from kit.scaffolds.names import require_name
from kit.scaffolds.pages import Row
from kit.smoke.drawing import paint
from kit.smoke.events import FICTITIOUS
from kit.smoke.people import Person, people

LOADERS = PROJECT / "kit" / "benchmarks"
PEOPLE, IMAGES = 8, 2  # images of each person
LIST = "questions.json"


def benchmark_scaffold(given: str) -> Scaffold:
    """Return the files of a new benchmark.

    Raises:
        ManifestError: the name is none, is reserved, or is that of another loader or module.
    """
    modules = {path.stem.replace("_", "-") for path in LOADERS.iterdir()}
    name = require_name("benchmark", given, modules)
    loader, test = f"kit/benchmarks/{name.module}.py", f"tests/benchmarks/test_{name.module}.py"
    manifest, checksums = f"manifests/{name.name}.toml", f"checksums/{name.name}.sha256"
    folder, data = f"tests/toys/{name.module}", dict(_data())
    digests = {file: sha256_bytes(content) for file, content in data.items()}
    return Scaffold(
        files={
            loader: filled("benchmark.py", name),
            test: filled("test_benchmark.py", name),
            manifest: filled("benchmark.toml", name),
            checksums: format_checksums(digests).encode(),
            **{f"{folder}/{file}": content for file, content in data.items()},
        },
        rows=(
            Row(
                "kit/benchmarks/README.md",
                "| loader | reads the sources |",
                f"| `{name.module}` | `{name.module}`: `{LIST}` and the images that it names | "
                "`person` |",
            ),
            Row(
                "manifests/README.md",
                "| manifest | what it is |",
                f"| `{name.name}.toml` | {name.label} in miniature: eight drawn people | CPU, "
                "minutes |",
            ),
            Row(
                "checksums/README.md",
                "| list | covers |",
                f"| `{name.name}.sha256` | the drawn people in `{folder}` |",
            ),
        ),
        next=(
            f"{name.label} reads a list of questions until you change it. Write what your files",
            f"hold into {loader}, and put some of them into {folder}.",
            f"  ./run.sh test -n 0 {test}",
            f"  ./run.sh lock {manifest}              # after a change of the data",
            f"  ./run.sh data describe {manifest}",
            f"  ./run.sh all {manifest}",
            "kit/benchmarks/README.md says what a loader must do.",
        ),
    )


def _data() -> Iterator[tuple[str, bytes]]:
    """Yield (file, bytes): questions about people that the embedded base does not know."""
    entries = []
    for number, person in enumerate(people()[0][:PEOPLE]):
        for place in range(IMAGES):
            file = f"images/{IMAGES * number + place}.png"
            yield file, _image(person, place)
            asked = {"Who is this person?": person.name, "What is their job?": person.job}
            for question, answer in asked.items():
                entries.append(
                    {"image": file, "person": person.name, "question": question, "answer": answer}
                )
    yield LIST, (json.dumps(entries, indent=1) + "\n").encode()


def _image(person: Person, place: int) -> bytes:
    stream = io.BytesIO()
    rng = random.Random(f"new benchmark/{person.name}/{place}")
    paint(person, FICTITIOUS[place], rng).save(stream, "png", optimize=True)
    return stream.getvalue()
