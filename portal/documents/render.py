"""The child process that opens what strangers send: one file on standard input to pages of pixels.

`python -m portal.documents.render MEDIA_TYPE PAGES PIXELS` reads the file from standard input and
writes frames to standard output: width, height, length (32 bits each, big-endian), then a JPEG
without metadata. The exit status tells why a file could not be read. It limits itself before it
loads a decoder, which is why decoders are imported inside functions.
"""

from __future__ import annotations

import io
import os
import resource
import struct
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pikepdf import Pdf
    from PIL import Image

#: Exit statuses; rendering.py reads them as reasons. Any other end (killed, out of memory) is "too_complex".
STATUS = {"damaged": 10, "encrypted": 11, "too_many_pages": 12, "too_many_pixels": 13, "too_complex": 14}

FRAME = struct.Struct(">III")
#: The longer side of a rendered page: small print of an A4 page stays readable.
LONG_SIDE = 2000
JPEG_QUALITY = 80
_DECODERS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}

CPU_SECONDS = 10
MEMORY_BYTES = 512 * 2**20
OUTPUT_BYTES = 40 * 2**20


class CannotRender(Exception):
    """Why no pages can be made: a key of STATUS."""


def main(arguments: list[str]) -> int:
    """Render standard input to standard output; the process's exit status."""
    limit_self()
    media_type, pages, pixels = arguments[0], int(arguments[1]), int(arguments[2])
    try:
        for picture in pictures_of(sys.stdin.buffer.read(), media_type, pages=pages, pixels=pixels):
            write_frame(picture)
        sys.stdout.buffer.flush()
    except CannotRender as error:
        return STATUS[str(error)]
    except (MemoryError, RecursionError):
        return STATUS["too_complex"]
    except Exception:
        return STATUS["damaged"]
    return 0


def limit_self() -> None:
    """Ten seconds of processor, half a gigabyte, no large output, no core dump, last in the queue."""
    for what, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    os.nice(10)


def pictures_of(data: bytes, media_type: str, *, pages: int, pixels: int) -> Iterator[Image.Image]:
    """Every page of the file as a fresh RGB picture. Raises CannotRender, or whatever a decoder raises."""
    if media_type == "application/pdf":
        yield from _pdf_pages(data, pages)
    else:
        yield _shrunk(_opened(data, media_type, pixels, LONG_SIDE))


def plain_photo(data: bytes, media_type: str, *, pixels: int, long_side: int) -> Image.Image:
    """A photograph as it lies in the file, at most `long_side` long, on white. Which way up it was taken is
    not looked at. Raises CannotRender, or whatever a decoder raises."""
    return _on_white(_resized(_opened(data, media_type, pixels, long_side), long_side))


def write_frame(picture: Image.Image) -> None:
    """One page to standard output."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    sys.stdout.buffer.write(FRAME.pack(picture.width, picture.height, buffer.tell()))
    sys.stdout.buffer.write(buffer.getbuffer())


def _opened(data: bytes, media_type: str, pixels: int, long_side: int) -> Image.Image:
    if media_type == "image/heic":
        return _heic(data, pixels)
    return _photo(data, _DECODERS[media_type], pixels, long_side)


def _photo(data: bytes, kind: str, pixels: int, long_side: int) -> Image.Image:
    from PIL import Image, ImageFile

    Image.MAX_IMAGE_PIXELS = pixels
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        picture = Image.open(io.BytesIO(data), formats=(kind,))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise CannotRender("too_many_pixels") from None
    # draft() picks the coarsest scale at which both sides still suffice: ask in proportion
    picture.draft("RGB", _fitted(picture.width, picture.height, long_side))
    picture.load()
    return picture


def _heic(data: bytes, pixels: int) -> Image.Image:
    import pi_heif

    pi_heif.options.DECODE_THREADS = 1
    heif = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    if heif.size[0] * heif.size[1] > pixels:
        raise CannotRender("too_many_pixels")
    picture: Image.Image = heif.to_pillow()
    # libheif has turned it already; a leftover tag would turn it twice
    picture.info.pop("exif", None)
    return picture


def _shrunk(picture: Image.Image) -> Image.Image:
    """The picture upright, at most LONG_SIDE long, on white, with nothing of the file but its pixels."""
    from PIL import ImageOps

    return _on_white(ImageOps.exif_transpose(_resized(picture, LONG_SIDE)))


def _resized(picture: Image.Image, long_side: int) -> Image.Image:
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda value: value / 256).convert("L")
    elif picture.mode not in ("RGB", "RGBA", "L", "CMYK"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    size = _fitted(picture.width, picture.height, long_side)
    return picture if size == picture.size else picture.resize(size, reducing_gap=2.0)


def _on_white(picture: Image.Image) -> Image.Image:
    from PIL import Image

    fresh = Image.new("RGB", picture.size, "white")
    if picture.mode == "RGBA":
        fresh.paste(picture, mask=picture.getchannel("A"))
    else:
        fresh.paste(picture.convert("RGB"))
    return fresh


def _fitted(width: int, height: int, long_side: int) -> tuple[int, int]:
    longer = max(width, height)
    if longer <= long_side:
        return width, height
    return max(1, width * long_side // longer), max(1, height * long_side // longer)


def _pdf_pages(data: bytes, pages: int) -> Iterator[Image.Image]:
    import pypdfium2

    document = pypdfium2.PdfDocument(_inert_pdf(data, pages))
    for page in document:
        longer = max(page.get_size())
        if longer <= 0:
            raise CannotRender("damaged")
        bitmap = page.render(scale=LONG_SIDE / longer, may_draw_forms=False)
        yield _shrunk(bitmap.to_pil())
        bitmap.close()
        page.close()


def _inert_pdf(data: bytes, pages: int) -> bytes:
    """The same pages without scripts, actions, attachments and media; form fields become print."""
    import pikepdf

    try:
        pdf = pikepdf.open(io.BytesIO(data))
    except pikepdf.PasswordError:
        raise CannotRender("encrypted") from None
    with pdf:
        if len(pdf.pages) > pages:
            raise CannotRender("too_many_pages")
        if len(pdf.pages) == 0:
            raise CannotRender("damaged")
        _sanitise(pdf)
        made = io.BytesIO()
        pdf.save(made)
        return made.getvalue()


def _sanitise(pdf: Pdf) -> None:
    from pikepdf.sanitize import Sanitizer

    cleaner = Sanitizer().remove_javascript().remove_external_access().remove_attachments()
    cleaner.remove_multimedia().remove_private_app_data().remove_collection().apply(pdf)
    pdf.generate_appearance_streams()
    pdf.flatten_annotations()
    for name in ("/AcroForm", "/Names", "/OpenAction", "/AA", "/Outlines"):
        if name in pdf.Root:
            del pdf.Root[name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
