"""Decode image files."""

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from kit.errors import DataError


def open_image(path: Path) -> Image.Image:
    """Decode an image file.

    Raises:
        DataError: the file is missing, truncated, not an image, or too large.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        found = "no such file"
    except Image.DecompressionBombError as error:  # more than 179 million pixels
        raise DataError(
            f"image {path} has too many pixels",
            found=str(error),
            remedy="scale it down, or leave its record out of the dataset",
        ) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        found = str(error)  # ValueError: a text chunk that unpacks to too many bytes
    raise DataError(
        f"image {path} cannot be read",
        found=found,
        remedy="run `./run.sh fetch`, which checks every byte and restores what differs; if its "
        "digest is the listed one, replace the picture or remove its row from the data",
    )
