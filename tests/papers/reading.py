"""Reading a PDF back as somebody who holds it does: its text, its pictures, what is attached."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pypdfium2
import zxingcpp
from PIL import Image


@dataclass(frozen=True)
class Read:
    """A PDF's pages as text, and what is attached to it."""

    pages: tuple[str, ...]
    attached: dict[str, bytes]
    pictures: tuple[Image.Image, ...]
    raw: bytes

    @property
    def text(self) -> str:
        """All pages, every run of spaces one space."""
        return re.sub(r"\s+", " ", " ".join(self.pages))

    @property
    def solid(self) -> str:
        """The text without any space."""
        return "".join(self.text.split())

    @property
    def codes(self) -> list[str]:
        """What the QR codes on the pages say, in order."""
        return [
            code.text
            for picture in self.pictures
            for code in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
        ]


def read(content: bytes, *, scale: float = 2.0) -> Read:
    """The PDF as read; pages are drawn at `scale` times 72 dots an inch."""
    document = pypdfium2.PdfDocument(content)
    pages = [page.get_textpage().get_text_bounded() for page in document]
    files = [document.get_attachment(at) for at in range(document.count_attachments())]
    pictures = [page.render(scale=scale).to_pil() for page in document]
    return Read(
        pages=tuple(pages),
        attached={file.get_name(): bytes(file.get_data()) for file in files},
        pictures=tuple(pictures),
        raw=content,
    )
