"""QR codes for papers, as the drawing the templates place."""

from __future__ import annotations

import functools
import io

import segno


@functools.lru_cache(256)
def drawing(text: str) -> str:
    """The QR code of `text` as SVG, black, with the quiet zone the standard asks for (four modules)."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4, nl=False, lineclass=None
    )
    return drawn.getvalue().decode()
