"""What anybody may fetch and check without asking again: the bank's public keys, and who may contact you, signed."""

from __future__ import annotations

import hashlib
import json

from flask import Blueprint, Response, request

from portal.contacts.published import TYPE, who_may_contact
from portal.contacts.queries import agencies
from portal.signing import canonical
from portal.web.context import portal

blueprint = Blueprint("keys", __name__)

#: Seconds a copy may be kept without asking: a revoked key, a dismissed agency must be seen soon.
KEYS_FOR, WHO_FOR = 600, 300
#: The header with the detached signature of the file (RFC 7515, appendix F).
DETACHED = "Portal-Jws"


@blueprint.get("/.well-known/portal-keys.json")
def page() -> Response:
    """The key set (RFC 7517): the key that signs, earlier ones with their time, revoked ones as such."""
    body = json.dumps(portal().ring.as_jwks(), indent=1).encode()
    return _kept(Response(body, mimetype="application/json"), body, KEYS_FOR)


@blueprint.get("/.well-known/who-may-contact-you.json")
def who() -> Response:
    """The file as it is signed, byte for byte; the signature over it, without its middle, in a header."""
    body = _who()
    header, _payload, signature = portal().signer.jws(body, typ=TYPE).split(".")
    response = Response(body, mimetype="application/json")
    response.headers[DETACHED] = f"{header}..{signature}"
    return _kept(response, body, WHO_FOR)


@blueprint.get("/.well-known/who-may-contact-you.jws")
def who_signed() -> Response:
    """The same as one text that can be kept and passed on: a compact JWS."""
    body = portal().signer.jws(_who(), typ=TYPE).encode()
    return _kept(Response(body, mimetype="application/jose"), body, WHO_FOR)


def _who() -> bytes:
    p = portal()
    today = p.clock.today()
    with p.db.read() as connection:
        everybody = agencies(connection, today=today)
    return canonical(who_may_contact(p.settings.bank, everybody, today=today))


def _kept(response: Response, body: bytes, seconds: int) -> Response:
    """`response`, or 304 where the reader has it; the tag also names the key, which a rotation changes."""
    tagged = portal().signer.key_id.encode() + body
    response.set_etag(hashlib.sha256(tagged).hexdigest()[:32])
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    response.make_conditional(request.environ)
    return response
