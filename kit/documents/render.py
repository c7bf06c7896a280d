"""Compile a document with Typst. Data goes in as JSON, so no text of it can ever be read as markup."""

from functools import lru_cache
from pathlib import Path

import typst

from kit.documents.models import Document
from kit.errors import Permanent

TEMPLATES = Path(__file__).parent
FAMILY = "Liberation Serif"
FACES = frozenset({("normal", 400), ("normal", 700), ("italic", 400), ("italic", 700)})


class FontsMissing(Permanent):
    """The font directory lacks a face of Liberation Serif; another font would break the layout silently."""


class DocumentFailed(Permanent):
    """Typst refused a template. The message names the document, never its content."""


def render_pdf(document: Document, fonts_dir: Path) -> bytes:
    """The document as PDF; the same input gives the same bytes. Takes CPU (about 10 ms a page): call it in a thread.

    Raises:
        FontsMissing: `fonts_dir` does not hold the four faces of Liberation Serif.
        DocumentFailed: the template does not compile.
    """
    fonts = _fonts(fonts_dir)
    inputs = {"document": document.model_dump_json(), "title": document.title}
    try:
        return typst.compile(TEMPLATES / document.template, root=TEMPLATES, font_paths=fonts, sys_inputs=inputs, timestamp=0)
    except typst.TypstError:
        # Its own message and trace may quote the data.
        raise DocumentFailed(f"{type(document).__name__} does not compile") from None


@lru_cache(maxsize=4)
def _fonts(fonts_dir: Path) -> typst.Fonts:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[fonts_dir])
    found = {(font.style, font.weight) for font in fonts.fonts() if font.family == FAMILY}
    if missing := FACES - found:
        names = ", ".join(f"{style} {weight}" for style, weight in sorted(missing))
        raise FontsMissing(f"{FAMILY} ({names}) is not in {fonts_dir}")
    return fonts
