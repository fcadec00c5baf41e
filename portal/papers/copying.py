"""The words of a paper as somebody copies them out of the file: what is signed is what can be read."""

from __future__ import annotations

import pypdfium2


def words_of(pdf: bytes) -> str:
    """All words of `pdf`, page by page in the order they are set in."""
    return "\n".join(pages_of(pdf))


def pages_of(pdf: bytes) -> tuple[str, ...]:
    """The words of each page of `pdf`."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return tuple(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()
