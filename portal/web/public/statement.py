"""Is a statement that somebody shows one of ours? For anybody: no name, no figure, nothing is counted.

A reference tells that a statement was issued and when; the fingerprint, whether it is the same one.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, request, url_for

from portal.access.codes import reference_from
from portal.statements import faces
from portal.web.context import portal
from portal.web.locale import day_text
from portal.web.public import still

blueprint = Blueprint("statement", __name__)

#: A reference is 11 characters and a fingerprint 64; what is longer than this nobody copied from paper.
LONGEST_TYPED = 200


@blueprint.get("/statement")
def page() -> Any:
    """The page that takes a reference and a fingerprint; with a reference, its answer."""
    typed = request.args.get("reference", "")[:LONGEST_TYPED]
    if not typed.strip():
        return still.page("public/statement/page.html", shown={"reference": "", "digest": ""})
    digest = request.args.get("digest", "")[:LONGEST_TYPED] or None
    reference = reference_from(typed) or "".join(c for c in typed if c.isalnum() or c == "-") or "0"
    return redirect(url_for("public.statement.verdict", reference=reference, digest=digest), 303)


@blueprint.get("/statement/<reference>")
def verdict(reference: str) -> str:
    """What we can say of one reference, and of the fingerprint that came with it."""
    typed = request.args.get("digest", "")[:LONGEST_TYPED]
    plain = reference_from(reference[:LONGEST_TYPED])
    face = None
    if plain:
        with portal().db.read() as connection:
            face = faces.face_of(connection, plain)
    shown = {"reference": plain or reference[:LONGEST_TYPED], "digest": typed}
    if face is None:
        return still.page("public/statement/verdict.html", shown=shown, verdict="unknown")
    shown |= {"issued": day_text(face.issued_on), "issued_iso": face.issued_on.isoformat()}
    return still.page("public/statement/verdict.html", shown=shown, verdict=face.compare(typed).value)
