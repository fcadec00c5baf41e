"""The child process that looks for QR codes in a picture somebody took or was sent.

`python -m portal.documents.scan MEDIA_TYPE PIXELS [quick]` reads the picture from standard input and writes what
its codes say to standard output: a JSON list of texts, from top to bottom, and last an empty one when a
code was seen that could not be read. It has the limits of
portal/documents/render.py and keeps nothing.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from portal.documents.render import STATUS, CannotRender, limit_self, plain_photo

if TYPE_CHECKING:
    from PIL import Image
    from zxingcpp import Barcode

#: The longer side that is looked at: on a page of A4 a dense code's squares stay five pixels wide.
LONG_SIDE = 3200
#: Codes that are told, all of which are judged: a false one must not hide behind real ones. More in one picture
#: is no letter, and counts as one that could not be read.
MOST = 12
#: Processor seconds after which no further try is begun.
TRYING_SECONDS = 5.0
#: Tries that are always made, so that a second code in the picture is not passed over.
ALWAYS = 2


def main(arguments: list[str]) -> int:
    """Standard input's codes to standard output; the process's exit status."""
    limit_self()
    media_type, pixels, is_quick = arguments[0], int(arguments[1]), "quick" in arguments[2:]
    try:
        data = sys.stdin.buffer.read()
        picture = plain_photo(data, media_type, pixels=pixels, long_side=LONG_SIDE).convert("L")
        sys.stdout.write(json.dumps(texts_in(picture, most_tries=ALWAYS if is_quick else None)))
        sys.stdout.flush()
    except CannotRender as error:
        return STATUS[str(error)]
    except (MemoryError, RecursionError):
        return STATUS["too_complex"]
    except Exception:
        return STATUS["damaged"]
    return 0


def texts_in(picture: Image.Image, *, most_tries: int | None = None) -> list[str]:
    """What the codes in a grey picture say, each once, from top to bottom; "" last for one that was seen
    and not read.

    Harder tries follow only while nothing was read, or a code was seen that could not be; `most_tries` ends them.
    """
    from zxingcpp import BarcodeFormat, BarcodeFormats, Binarizer, TextMode, read_barcodes

    found: dict[str, None] = {}
    most_seen = 0
    for number, tried in enumerate(itertools.islice(_tries(picture), most_tries)):
        if number >= ALWAYS and (len(found) >= max(most_seen, 1) or time.process_time() > TRYING_SECONDS):
            break
        codes = read_barcodes(
            tried,
            formats=BarcodeFormats([BarcodeFormat.QRCode]),
            binarizer=Binarizer.GlobalHistogram if number % 2 else Binarizer.LocalAverage,
            text_mode=TextMode.Plain,
            return_errors=True,
        )
        most_seen = max(most_seen, len(codes))
        found |= dict.fromkeys(code.text for code in sorted(codes, key=_place) if code.valid and code.text)
    return [*list(found)[:MOST], *([""] if most_seen > min(len(found), MOST) else [])]


def _place(code: Barcode) -> tuple[int, int]:
    return code.position.top_left.y, code.position.top_left.x


def _tries(picture: Image.Image) -> Iterator[Image.Image]:
    """The picture, then what helps where it is small, dim, soft or aslant."""
    from PIL import Image, ImageFilter, ImageOps

    half = (max(1, picture.width // 2), max(1, picture.height // 2))
    yield picture
    yield picture.resize(half, Image.Resampling.BOX) if max(half) > 700 else picture
    clear = ImageOps.autocontrast(picture, cutoff=1)
    yield clear
    yield clear.filter(ImageFilter.UnsharpMask(radius=2, percent=250, threshold=0))
    larger = clear
    if max(clear.size) <= LONG_SIDE // 2:
        larger = clear.resize((clear.width * 2, clear.height * 2), Image.Resampling.BICUBIC)
        yield larger
        yield larger.filter(ImageFilter.UnsharpMask(radius=3, percent=250, threshold=0))
    for angle in (45, 22, 67):
        turned = larger.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
        yield turned
        yield turned
    yield clear.filter(ImageFilter.MedianFilter(3))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
