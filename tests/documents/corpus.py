"""Files that people and attackers send, made here: good ones, broken ones, bombs and disguises."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, String
from PIL import Image

HEIC = (Path(__file__).parent / "files/photo.heic").read_bytes()
MARK = (200, 30, 30)


def picture(size: tuple[int, int] = (640, 480), kind: str = "JPEG", **options: object) -> bytes:
    """A white picture with a red corner at the top left."""
    made = Image.new("RGB", size, "white")
    made.paste(MARK, (0, 0, size[0] // 8, size[1] // 8))
    return saved(made, kind, **options)


def saved(made: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    made.save(buffer, kind, **options)
    return buffer.getvalue()


def photo_with_everything() -> bytes:
    """A JPEG as a phone writes it: turned, with the place it was taken, a comment and a profile."""
    made = Image.new("RGB", (400, 300), "white")
    made.paste(MARK, (0, 0, 60, 60))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "CANARY-MAKER"
    exif.get_ifd(0x8825).update({1: "N", 2: (31.0, 14.0, 7.0), 3: "E", 4: (121.0, 28.0, 9.0)})
    return saved(
        made,
        "JPEG",
        exif=exif.tobytes(),
        comment=b"CANARY-COMMENT",
        icc_profile=b"CANARY-PROFILE" * 8,
        xmp=b"<x>CANARY-XMP</x>",
        dpi=(72, 72),
    )


def pdf(pages: int = 1, size: tuple[float, float] = (595, 842), **save: object) -> bytes:
    """A PDF whose pages are black squares."""
    made = pikepdf.new()
    for _ in range(pages):
        made.add_blank_page(page_size=size)
        made.pages[-1].Contents = made.make_stream(b"0 0 0 rg 50 50 200 200 re f")
    return written(made, **save)


def written(made: pikepdf.Pdf, **save: object) -> bytes:
    """A PDF as a file."""
    buffer = io.BytesIO()
    made.save(buffer, **save)
    return buffer.getvalue()


def encrypted_pdf() -> bytes:
    """A PDF that asks for a password before it opens."""
    return pdf(encryption=pikepdf.Encryption(user="secret", owner="secret"))


def pdf_locked_against_printing() -> bytes:
    """A PDF as banks make them: it opens without a password, only changing it is locked."""
    return pdf(encryption=pikepdf.Encryption(user="", owner="bank"))


def pdf_with_form_field(text: str) -> bytes:
    """A filled-in form field without an appearance of its own."""
    made = pikepdf.new()
    made.add_blank_page(page_size=(595, 842))
    font = made.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    field = made.make_indirect(
        Dictionary(
            Type=Name.Annot,
            Subtype=Name.Widget,
            FT=Name.Tx,
            T=String("amount"),
            V=String(text),
            DA=String("/Helv 40 Tf 0 g"),
            Rect=Array([50, 500, 550, 600]),
            P=made.pages[0].obj,
            F=4,
        )
    )
    made.pages[0].Annots = Array([field])
    resources = Dictionary(Font=Dictionary(Helv=font))
    made.Root.AcroForm = made.make_indirect(
        Dictionary(Fields=Array([field]), DR=resources, DA=String("/Helv 40 Tf 0 g"), NeedAppearances=True)
    )
    return written(made)


def active_pdf(action: str) -> bytes:
    """A PDF that wants to do something when it is opened, or carries something."""
    made = pikepdf.open(io.BytesIO(pdf()))
    if action == "javascript":
        made.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=String("app.alert('x')"))
    elif action == "launch":
        made.Root.OpenAction = Dictionary(S=Name.Launch, F=String("cmd.exe"))
    elif action == "uri":
        made.Root.OpenAction = Dictionary(S=Name.URI, URI=String("http://127.0.0.1:9/x"))
    elif action == "embedded":
        made.attachments["evil.exe"] = pikepdf.AttachedFileSpec(made, b"MZ" * 100, filename="evil.exe")
    elif action == "named":
        script = Dictionary(S=Name.JavaScript, JS=String("app.alert('x')"))
        made.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), script])))
    return written(made)


def flate_bomb() -> bytes:
    """A page content of 300 MiB in two layers of Flate: about a kilobyte as sent."""
    inner = zlib.compressobj(9)
    layer = b"".join(inner.compress(b"\0" * 2**20) for _ in range(300)) + inner.flush()
    stream = zlib.compress(layer, 9)
    head = (
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>endobj\n"
    )
    body = b"4 0 obj<</Filter[/FlateDecode/FlateDecode]/Length %d>>stream\n" % len(stream)
    return head + body + stream + b"\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def page_tree_loop() -> bytes:
    """A page tree that contains itself."""
    return (
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    )


def image_bomb() -> bytes:
    """144 megapixels in a few kilobytes."""
    return saved(Image.new("1", (12_000, 12_000)), "PNG")


def office() -> bytes:
    """The beginning of a Word document."""
    return zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w:document/>"})


def zipped(files: dict[str, bytes]) -> bytes:
    """A ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


#: The antivirus test file, in two halves so that no scanner stumbles over this source.
EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*").encode()

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
GIF_SCRIPT = b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//"

#: name -> (bytes, the reason it is refused for)
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "svg": (SVG, "web"),
    "html": (HTML, "web"),
    "html after spaces and a BOM": (b"\xef\xbb\xbf \r\n" + HTML, "web"),
    "office": (office(), "office"),
    "old office": (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "office"),
    "zip": (zipped({"a.txt": b"x"}), "archive"),
    "gif and script": (GIF_SCRIPT, "gif"),
    "eicar": (EICAR, "other"),
    "text": (b"hello", "other"),
    "program": (b"MZ" + b"\0" * 100, "other"),
    "pdf after html": (HTML + pdf(), "web"),
    "film": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "other"),
    "avif": (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", "other"),
    "jpeg with a byte before": (b"\0" + picture(), "other"),
}

#: Names that want to leave the folder, lie about the type, or break a header.
NAMES = [
    "../../../../etc/passwd",
    "..\\..\\windows\\system32\\x.pdf",
    "slip.pdf.exe",
    "photo\u202egpj.exe",
    "nul\0byte.jpg",
    "CON",
    "aux.jpg",
    "-rf",
    "a" * 300 + ".jpg",
    "证" * 300 + ".pdf",
    "x\r\nSet-Cookie: a=b.jpg",
    '"><script>alert(1)</script>.jpg',
    "%00.jpg",
    "e\u0301.jpg",
    ";ls.jpg",
    "😀.jpg",
    ".",
    "..",
    "/",
    "\u200b\u200e",
]
