"""The photograph on an officer's card: sealed in the store, shown only where the officer is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.gateways.storage import NotStored, Storage
from portal.keys import Keys
from portal.visits.models import Officer
from portal.visits.officers import NoSuchOfficer

_PURPOSE = "officer.photo"


def sealed_photo(keys: Keys, jpeg: bytes) -> bytes:
    """The picture as the store keeps it; `jpeg` is of our own rendering."""
    return keys.seal_bytes(_PURPOSE, jpeg)


def set_photo(
    session: Session, *, officer_ref: str, photo_ref: str, actor: Actor, now: datetime
) -> str | None:
    """Note where the officer's picture lies; where the earlier one lay, for its removal. Raises NoSuchOfficer."""
    row = session.execute(
        select(Officer.id, Officer.photo_ref).where(Officer.officer_ref == officer_ref).with_for_update()
    ).one_or_none()
    if row is None:
        raise NoSuchOfficer(officer_ref)
    session.execute(
        update(Officer)
        .where(Officer.id == row.id)
        .values(photo_ref=photo_ref)
        .execution_options(synchronize_session=False)
    )
    audit.record(
        session,
        actor=actor,
        event="visits.photo_set",
        subject_kind="officer",
        subject_ref=officer_ref,
        now=now,
        facts={},
    )
    before: str | None = row.photo_ref
    return before


def photo_of(connection: Connection, keys: Keys, storage: Storage, officer_ref: str) -> bytes | None:
    """The picture's JPEG; None where there is none, or the store has lost it."""
    photo_ref = connection.scalar(select(Officer.photo_ref).where(Officer.officer_ref == officer_ref))
    if photo_ref is None:
        return None
    try:
        return keys.unseal_bytes(_PURPOSE, storage.get(photo_ref))
    except NotStored:
        return None


def photo_refs(connection: Connection | Session) -> set[str]:
    """Where all pictures in use lie, for the sweeper of the store."""
    return set(connection.scalars(select(Officer.photo_ref).where(Officer.photo_ref.is_not(None))))
