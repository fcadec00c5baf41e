"""What a file is, by its first bytes alone: never by its name or by what the browser claims. Pure."""

from __future__ import annotations

JPEG, PNG, HEIC, PDF = "image/jpeg", "image/png", "image/heic", "application/pdf"
WEBP = "image/webp"

#: Brands of the HEVC still picture, as phones write them.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_OFFICE_OLD = bytes.fromhex("d0cf11e0a1b11ae1")
_ARCHIVES = (b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")


class Refused(Exception):
    """A file that is not taken in. `reason` is a stable code:

    ``empty``, ``too_large``, ``office``, ``archive``, ``web`` (HTML, SVG), ``gif``, ``pdf``, ``other``,
    ``case_full`` (files or bytes of the case used up), ``consent`` (separate consent is missing).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def media_type_of(data: bytes) -> str:
    """One of the four accepted types. Raises Refused, naming what it is instead where that helps."""
    if not data:
        raise Refused("empty")
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"%PDF-"):
        return PDF
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return HEIC
    raise Refused(_what_else(data))


def picture_type_of(data: bytes) -> str:
    """The type of a photograph or screenshot: no paper, but also WebP. Raises Refused; "pdf" for a PDF."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    found = media_type_of(data)
    if found == PDF:
        raise Refused("pdf")
    return found


def _what_else(data: bytes) -> str:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if data.startswith(b"PK"):
        office = (b"word/", b"xl/", b"ppt/", b"[Content_Types].xml")
        return "office" if any(mark in data[:4096] for mark in office) else "archive"
    if data.startswith(_OFFICE_OLD) or head.startswith(b"{\\rtf"):
        return "office"
    if data.startswith(_ARCHIVES):
        return "archive"
    if data.startswith(b"GIF8"):
        return "gif"
    if head.startswith((b"<!doctype", b"<html", b"<svg", b"<?xml", b"<script")):
        return "web"
    return "other"
