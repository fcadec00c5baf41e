"""What a page at the door shows, for whichever door of ours it is: the visit, who comes, the two words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from flask import Response, abort
from sqlalchemy import Connection

from portal.visits.faces import VisitFace, Visitor, visitors_of
from portal.visits.photos import photo_of
from portal.visits.standing import Standing
from portal.visits.today import words_of
from portal.visits.words import Words
from portal.web.context import portal


@dataclass(frozen=True)
class Door:
    """One visit as the person visited sees it. `words` is None outside its hour and when it is off."""

    face: VisitFace
    visitors: tuple[Visitor, ...]
    standing: Standing
    words: Words | None
    day: date
    now: datetime

    def photo(self, number: int) -> Response:
        """The photograph of visitor `number` (1 is the lead); 404 where there is none."""
        p = portal()
        if not 1 <= number <= len(self.visitors):
            abort(404)
        with p.db.read() as connection:
            picture = photo_of(connection, p.keys, p.store, self.visitors[number - 1].officer_ref)
        if picture is None:
            abort(404)
        return Response(picture, mimetype="image/jpeg")


def door_of(connection: Connection, face: VisitFace) -> Door:
    """The door of one visit now. Somebody who may not visit today gives no words."""
    p = portal()
    now = p.clock.now()
    standing = face.standing(now=now, local=p.clock.local)
    is_valid = standing in (Standing.TODAY, Standing.ANNOUNCED)
    words = words_of(
        p.keys, face.visit_ref, state=face.state, starts_at=face.starts_at, ends_at=face.ends_at, now=now
    )
    return Door(
        face=face,
        visitors=visitors_of(connection, p.keys, face.visit_id),
        standing=standing,
        words=words if is_valid else None,
        day=p.clock.local(face.starts_at).date(),
        now=now,
    )
