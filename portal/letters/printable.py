"""What a letter or visit notice is printed from, as long as its code has not been handed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, exists, or_, select

from portal.access import codes
from portal.accounts.queries import LoanView
from portal.borrowers.models import Borrower
from portal.contacts.models import Agency, Hold
from portal.contacts.queries import rests_all
from portal.interest.as_of import balances_as_of
from portal.keys import Keys
from portal.money import Money
from portal.notices.models import Notice, NoticeLoan
from portal.notices.operations import MintedCode, open_code

#: What comes on paper.
CHANNELS = ("letter", "visit", "lawyer_letter")


class NotPrintable(Exception):
    """Why a notice is not printed. `reason`: "unknown", "channel", "no_code", "handed_over", "withdrawn",
    "expired", "held", "visit_off"."""

    def __init__(self, reason: str, notice_ref: str = "") -> None:
        super().__init__(reason)
        self.reason, self.notice_ref = reason, notice_ref


@dataclass(frozen=True, slots=True)
class LoanRow:
    """What is due and unpaid on one loan on the day of the letter: parts that make the total."""

    product: str
    product_class: str
    loan_ref: str
    days_overdue: int
    principal: Money
    interest: Money
    charges: Money
    total: Money


@dataclass(frozen=True, slots=True)
class Printable:
    """A notice with all that its paper says. `loans` is empty where the book of that day does not give the
    amount that the bank states: then the amount stands alone."""

    notice_id: int
    notice_ref: str
    channel: str
    issued_at: datetime
    expires_on: date
    stated_on: date
    stated: Money
    payee_account: str
    body: str
    minted: MintedCode
    minted_at: datetime
    name: str
    address: str
    language: str
    agency_name: str
    agency_kind: str
    agency_phone: str
    loans: tuple[LoanRow, ...]


def waiting_for_paper(connection: Connection, channel: str, *, today: date, now: datetime) -> tuple[str, ...]:
    """The notices of `channel` to be printed: live, in force, their code not handed over, no hold."""
    held = exists(select(Hold.id).where(Hold.borrower_id == Notice.borrower_id, rests_all(now)))
    rows = connection.scalars(
        select(Notice.notice_ref)
        .where(
            Notice.channel == channel,
            Notice.status == "live",
            Notice.expires_on >= today,
            Notice.code_sealed.is_not(None),
            ~held,
        )
        .order_by(Notice.id)
    )
    return tuple(rows)


def printable(connection: Connection, keys: Keys, asked: str, *, today: date, now: datetime) -> Printable:
    """The notice with the code or the number `asked`. Raises NotPrintable."""
    row = connection.execute(_notice(keys, asked)).first()
    if row is None:
        raise NotPrintable("unknown", asked)
    _refuse(connection, row, today, now)
    stated = Money(row.stated_minor, row.currency)
    return Printable(
        notice_id=row.id,
        notice_ref=row.notice_ref,
        channel=row.channel,
        issued_at=row.issued_at,
        expires_on=row.expires_on,
        stated_on=row.stated_on,
        stated=stated,
        payee_account=row.payee_account,
        body=row.body,
        minted=open_code(keys, row.code_sealed),
        minted_at=row.minted_at,
        name=keys.unseal("borrower.name", row.name_sealed),
        address=keys.unseal("borrower.address", row.address_sealed),
        language=row.language,
        agency_name=row.name,
        agency_kind=row.kind,
        agency_phone=row.phone,
        loans=_loans(connection, row.id, row.borrower_id, row.stated_on, stated),
    )


def _notice(keys: Keys, asked: str) -> Any:
    """By number or code: a number may look like a code of another kind, and is then still a number."""
    named = Notice.notice_ref == asked.strip()
    plain = codes.normalise(asked)
    if codes.kind_of(plain) == "code":
        named = or_(named, Notice.code_digest == codes.digest_of(keys, plain))
    return (
        select(
            Notice.id,
            Notice.notice_ref,
            Notice.borrower_id,
            Notice.channel,
            Notice.issued_at,
            Notice.expires_on,
            Notice.status,
            Notice.stated_on,
            Notice.stated_minor,
            Notice.currency,
            Notice.payee_account,
            Notice.body,
            Notice.code_digest,
            Notice.code_sealed,
            Notice.minted_at,
            Borrower.name_sealed,
            Borrower.address_sealed,
            Borrower.language,
            Agency.name,
            Agency.kind,
            Agency.phone,
        )
        .join(Borrower, Borrower.id == Notice.borrower_id)
        .join(Agency, Agency.id == Notice.agency_id)
        .where(named)
    )


def _refuse(connection: Connection, row: Any, today: date, now: datetime) -> None:
    """Raise NotPrintable with the first thing that stands against it."""
    held = exists().where(Hold.borrower_id == row.borrower_id, rests_all(now))
    reasons = {
        "channel": row.channel not in CHANNELS,
        "no_code": row.code_digest is None,
        "handed_over": row.code_digest is not None and row.code_sealed is None,
        "withdrawn": row.status != "live",
        "expired": row.expires_on < today,
        "held": bool(connection.scalar(select(held))),
    }
    for reason, is_so in reasons.items():
        if is_so:
            raise NotPrintable(reason, row.notice_ref)


def _loans(
    connection: Connection, notice_id: int, borrower_id: int, on: date, stated: Money
) -> tuple[LoanRow, ...]:
    named = set(connection.scalars(select(NoticeLoan.loan_id).where(NoticeLoan.notice_id == notice_id)))
    balance = balances_as_of(connection, borrower_id, on=on)
    rows = [_loan(loan) for loan in balance.loans if loan.loan_id in named]
    if any(row is None or row.total.currency != stated.currency for row in rows):
        return ()
    made = tuple(row for row in rows if row is not None)
    return made if sum(row.total.minor for row in made) == stated.minor else ()


def _loan(loan: LoanView) -> LoanRow | None:
    """The loan's row, or nothing where its parts do not make what is due."""
    left = {name: part.left.minor for name, part in loan.components.items()}
    interest = left.get("interest", 0)
    charges = sum(left.get(name, 0) for name in ("penalty_interest", "fee", "cost"))
    if loan.principal_due.minor + interest + charges != loan.due_now.minor:
        return None
    return LoanRow(
        product=loan.product,
        product_class=loan.product_class,
        loan_ref=loan.loan_ref,
        days_overdue=loan.days_overdue,
        principal=loan.principal_due,
        interest=Money(interest, loan.currency),
        charges=Money(charges, loan.currency),
        total=loan.due_now,
    )
