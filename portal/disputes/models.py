"""Records of visits and the answers to them, complaints and what was done about each.

What somebody wrote down stays as it was: records, answers and the steps of a complaint are append-only,
and nothing here deletes them, so that they are there for as long as the law asks and longer.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from portal.db import Row, append_only


class VisitRecord(Row):
    """What an officer wrote down about one visit; a correction is a further version beside the earlier ones."""

    __tablename__ = "visit_record"
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), index=True)
    version: Mapped[int]
    #: record.OUTCOMES
    outcome: Mapped[str] = mapped_column(String(16))
    #: question -> chosen codes (record.QUESTIONS)
    choices: Mapped[dict[str, Any]] = mapped_column(JSON)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    #: written after the bank's day on which the visit was
    is_late: Mapped[bool]
    #: the free words, sealed as one text
    words_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    signature: Mapped[str] = mapped_column(String(100))
    #: keyed digest of the form's key: the same form twice is one record
    form_digest: Mapped[str] = mapped_column(String(64), unique=True)
    __table_args__ = (UniqueConstraint("visit_id", "version"),)


class VisitAnswer(Row):
    """What the borrower says to a record: that it was so, or what was different. A further answer is a
    further version."""

    __tablename__ = "visit_answer"
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    #: the version of the record that was read
    record_id: Mapped[int] = mapped_column(ForeignKey("visit_record.id"), index=True)
    version: Mapped[int]
    #: the record was confirmed as a whole
    confirms: Mapped[bool]
    #: item -> "right", "different" or "unknown" (record.items_of)
    items: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: question of conduct -> answer (record.RATINGS), and "overall" from 1 to 5
    ratings: Mapped[dict[str, Any]] = mapped_column(JSON)
    words_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    signature: Mapped[str] = mapped_column(String(100))
    form_digest: Mapped[str] = mapped_column(String(64), unique=True)
    __table_args__ = (UniqueConstraint("visit_id", "version"),)


class VisitDraft(Row):
    """A record that an officer has begun; it goes when the record is sent."""

    __tablename__ = "visit_draft"
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"))
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), index=True)
    content_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("visit_id", "officer_id"),)


class Complaint(Row):
    """A complaint, or a figure that is disputed, and where it stands (disputes/lifecycle.py)."""

    __tablename__ = "complaint"
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    #: complaints.ABOUT
    about: Mapped[str] = mapped_column(String(16))
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loan.id"), index=True)
    #: the answer to a record that it was made from; one complaint from one answer
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("visit_answer.id"), unique=True)
    #: points of conduct as codes, or what of a figure is disputed
    points: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_conduct: Mapped[bool]
    state: Mapped[str] = mapped_column(String(12))
    #: "simple" or "complex"
    track: Mapped[str] = mapped_column(String(8))
    due_on: Mapped[date] = mapped_column(Date)
    #: raised by every step: who acts names what they saw
    version: Mapped[int]
    #: "" until answered; complaints.OUTCOMES
    outcome: Mapped[str] = mapped_column(String(12))
    #: staff.staff_ref of who looks into it
    taken_by: Mapped[str] = mapped_column(String(32))
    #: staff.human_ref of who asked for more time: somebody else approves
    asked_by: Mapped[str] = mapped_column(String(32))
    form_digest: Mapped[str] = mapped_column(String(64), unique=True)
    __table_args__ = (Index("ix_complaint_queue", "state", "due_on"),)


class ComplaintStep(Row):
    """One thing that was said or done about a complaint, its own words first. Append-only."""

    __tablename__ = "complaint_step"
    complaint_id: Mapped[int] = mapped_column(ForeignKey("complaint.id"))
    #: the version that was acted on: two people at once, one step
    version: Mapped[int]
    action: Mapped[str] = mapped_column(String(12))
    #: staff.staff_ref, "" for the borrower
    staff_ref: Mapped[str] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(String(12))
    #: the last day for the answer from then on
    due_on: Mapped[date] = mapped_column(Date)
    words_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (UniqueConstraint("complaint_id", "version"),)


append_only(VisitRecord.__table__)  # type: ignore[arg-type]
append_only(VisitAnswer.__table__)  # type: ignore[arg-type]
append_only(ComplaintStep.__table__)  # type: ignore[arg-type]
