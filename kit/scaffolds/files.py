"""Write a scaffold: all of its files and rows, or nothing. No file that exists is overwritten."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from kit.artifacts import PROJECT, project_path, storage_error, write_bytes
from kit.errors import EnvironmentFault, ManifestError
from kit.names import listed
from kit.scaffolds.names import NewName
from kit.scaffolds.pages import Row, with_row

TEMPLATES = Path(__file__).parent / "templates"
IMAGE = PROJECT / "image"  # the folder that only the kit in a container has


@dataclass(frozen=True)
class Scaffold:
    """What is written: {path in the project: bytes}, rows of pages, and what to do next."""

    files: Mapping[str, bytes]
    rows: tuple[Row, ...]
    next: tuple[str, ...]


def filled(template: str, name: NewName, **values: str) -> bytes:
    """Return the text of a template in `templates/` for a name."""
    text = (TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    forms = {"name": name.name, "module": name.module, "cls": name.cls, "label": name.label}
    return Template(text).substitute(forms | values).encode()


def write(scaffold: Scaffold) -> Iterator[str]:
    """Write a scaffold, and yield a line for each file and page, and those about what is next.

    Raises:
        ManifestError: one of its files exists. Nothing was written.
        DataError: a page lacks its table. Nothing was written.
        EnvironmentFault: this is the kit in a container, whose files cannot be changed.
        StorageError: a file cannot be written. What was written before is removed.
    """
    if IMAGE.is_dir():
        raise EnvironmentFault(
            "the kit in a container cannot be changed",
            expected="a clone of the kit",
            found=f"the image, whose files are in {IMAGE}",
            remedy="call it in a clone of the kit, without --runner",
        )
    if there := [name for name in scaffold.files if project_path(name).exists()]:
        raise ManifestError(
            "a file that would be written exists",
            expected="no file of the new name",
            found=listed(there),
            remedy="choose another name, or move the file away; nothing was written",
        )
    pages = {row.page: project_path(row.page).read_text(encoding="utf-8") for row in scaffold.rows}
    for row in scaffold.rows:
        pages[row.page] = with_row(pages[row.page], row)
    made: list[Path] = []
    try:
        for name, data in scaffold.files.items():
            made.append(project_path(name))
            write_bytes(made[-1], data)
        for page, text in pages.items():
            write_bytes(project_path(page), text.encode())
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise storage_error(error) from None
    folders = [str(path.parent.relative_to(PROJECT)) for path in made]
    for folder, path in zip(folders, made, strict=True):
        if folders.count(folder) == 1:
            yield f"wrote {path.relative_to(PROJECT)}"
    for folder in dict.fromkeys(folders):
        if (count := folders.count(folder)) > 1:
            yield f"wrote {count} files in {folder}"
    yield from (f"added a row to {page}" for page in pages)
    yield from ("", *scaffold.next)
