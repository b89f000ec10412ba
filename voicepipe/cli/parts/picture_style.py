"""The look of the pictures that commands draw, and the file they are written to."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from voicepipe.audio.files.private_files import create_private_file
from voicepipe.errors import BackendMissingError
from voicepipe.text import printable

__all__ = [
    "FAINT",
    "GRID",
    "INK",
    "LEVEL_COLOUR",
    "QUIET",
    "SCORE_COLOUR",
    "SPEECH_COLOUR",
    "WIDTH",
    "draw_into",
]

INK, QUIET, FAINT, GRID = "#22303c", "#566b7d", "#8aa0b3", "#e3e8ed"
"""Text; text that stands back; lines; the grid."""
SPEECH_COLOUR, SCORE_COLOUR, LEVEL_COLOUR = "#2a9d8f", "#d1495b", "#33658a"
WIDTH = 11.0
"""Of every picture, in inches."""
_FONT = {"font.size": 9.5, "font.family": "DejaVu Sans", "axes.edgecolor": FAINT, "text.color": INK}


def _library() -> Any:
    try:
        return importlib.import_module("matplotlib")
    except ImportError as error:
        raise BackendMissingError(
            f"the package matplotlib is not installed ({printable(error)}): "
            "python -m pip install matplotlib, or this project with its extra [plot]"
        ) from error


_matplotlib = _library()


@contextmanager
def draw_into(path: str | os.PathLike[str], height: float) -> Iterator[Any]:
    """Yield an empty figure, and write it into the file in the end, as its name says: PNG, SVG or PDF.

    Args:
        path: of the file, which is the owner's alone if it is new.
        height: of the picture in inches.

    Raises:
        OSError: it cannot be written.
    """
    figures = importlib.import_module("matplotlib.figure")
    with _matplotlib.rc_context(_FONT), warnings.catch_warnings():
        # A name may have characters that the font lacks; a picture has boxes for them.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = figures.Figure(figsize=(WIDTH, height), dpi=140, layout="constrained")
        yield figure
        with create_private_file(path) as file:
            figure.savefig(file, format=os.path.splitext(path)[1].lstrip(".").lower())
