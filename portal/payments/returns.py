"""What of a payment's money went back, as the ledger has it: always what its refunds and disputes say.

Refunds and disputes only say how much left and when. From them follows one stack of takings, in the order
in which the money left; the ledger's lines are brought to it from the top: lines that no longer hold are
reversed, missing ones are posted. So every order in which a provider tells its events ends in the same
lines standing (M10), and what is taken back is the last that was placed: a payment of 300.00 of which
100.00 went back stands as a payment of 200.00 would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from portal.accounts.balance import COMPONENTS
from portal.accounts.corrections import (
    GAVE_WAY,
    PLACES,
    answers_ours,
    post_charge_back,
    post_refund,
    post_reversal,
)
from portal.accounts.models import LedgerLine
from portal.accounts.operations import UnableToPost, hold_balance, post_payment
from portal.money import Money
from portal.payments.books import Books, alarm
from portal.payments.lifecycle import CREDITED_STATES, PAYMENT, PaymentAction, RefundState
from portal.payments.models import Dispute, Payment, Refund
from portal.payments.operations import move
from portal.plans.receipts import recount

#: Whether anything of a payment was ever asked back or disputed: nearly always not, and then nothing is to do.
_EVER_LEFT = select(
    or_(*(exists().where(kind.payment_id == bindparam("payment_id")) for kind in (Refund, Dispute)))
)
_POSTS = {"refund": post_refund, "charge_back": post_charge_back}


@dataclass(frozen=True, slots=True)
class Taking:
    """Money that left because of one refund or dispute (`source`, its reference), minor units."""

    source: str
    kind: str
    minor: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part of the payment was put: a component (or suspense) of a line, minor units."""

    line_id: int
    loan_id: int
    component: str
    minor: int


def settle(session: Session, payment: Payment, books: Books) -> None:
    """Bring ledger, plan and state of a locked payment to what its refunds and disputes say.

    What the ledger cannot take back (the money was moved on by hand since) is an alarm, and the rest is
    booked all the same.
    """
    if payment.state not in CREDITED_STATES or not session.scalar(_EVER_LEFT, {"payment_id": payment.id}):
        return
    lines = _lines(session, payment.id)
    wanted = _wanted(session, payment, _paid(lines))
    standing = _standing(session, lines)
    kept = _common(wanted, [taking for taking, _ in standing])
    for taking, line_ids in reversed(standing[kept:]):
        _undo(session, payment, taking, line_ids, books)
    taken = wanted[:kept] + [one for one in wanted[kept:] if _take(session, payment, one, books)]
    net = _paid(lines) - sum(one.minor for one in taken)
    if lines:
        recount(session, payment_id=payment.id, net=Money(net, payment.currency), now=books.now)
    _raise_state(session, payment, books)


def gone_minor(session: Session, payment_id: int) -> int:
    """What of a payment's money left and did not come back, by the provider's word; minor units."""
    return sum(taking.minor for taking in _left(session, payment_id))


def _lines(session: Session, payment_id: int) -> list[LedgerLine]:
    """The payment's own lines that stand: not undone, or only to make room for the bank's own line of it, so
    long as the bank has not undone that one by itself: what it took back cannot go back again here."""
    undoing, core, undone = aliased(LedgerLine), aliased(LedgerLine), aliased(LedgerLine)
    bank_took_it = (
        exists()
        .where(
            core.loan_id == undoing.loan_id,
            core.source == "core",
            core.line_ref == undoing.external_ref,
            undone.reverses_id == core.id,
            ~answers_ours(undone),
        )
        .correlate(undoing)
    )
    return list(
        session.scalars(
            select(LedgerLine)
            .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
            .where(
                LedgerLine.payment_id == payment_id,
                LedgerLine.kind == "payment",
                or_(undoing.id.is_(None), undoing.line_ref.startswith(GAVE_WAY) & ~bank_took_it),
            )
            .order_by(LedgerLine.id)
        )
    )


def _paid(lines: Sequence[LedgerLine]) -> int:
    return -sum(_minor(line, place) for line in lines for place in PLACES)


def _minor(line: LedgerLine, place: str) -> int:
    minor: int = getattr(line, f"{place}_minor")
    return minor


def _left(session: Session, payment_id: int) -> Iterator[Taking]:
    """What left, in the order in which the provider began it."""
    refunds = session.execute(
        select(Refund.provider_created, Refund.provider_refund, Refund.reference, Refund.amount_minor).where(
            Refund.payment_id == payment_id, Refund.state == RefundState.SUCCEEDED
        )
    )
    disputes = session.execute(
        select(
            Dispute.provider_created, Dispute.provider_dispute, Dispute.reference, Dispute.amount_minor
        ).where(
            Dispute.payment_id == payment_id,
            Dispute.unplaced_id.is_(None),
            Dispute.withdrawn,
            Dispute.reinstated.is_(False),
        )
    )
    found = [(row[0] or 0, row[1] or "", Taking(row[2], "refund", row[3])) for row in refunds]
    found += [(row[0], row[1], Taking(row[2], "charge_back", row[3])) for row in disputes]
    return (taking for _, _, taking in sorted(found, key=lambda one: one[:2]))


def _wanted(session: Session, payment: Payment, received: int) -> list[Taking]:
    """The takings as the ledger shall hold them: together never more than was received (M11)."""
    made, rest = [], received
    for taking in _left(session, payment.id):
        minor = min(taking.minor, rest)
        rest -= minor
        if minor:
            made.append(Taking(taking.source, taking.kind, minor))
    return made


def _standing(session: Session, lines: Sequence[LedgerLine]) -> list[tuple[Taking, list[int]]]:
    """The takings the ledger holds now, the earliest first, each with its lines."""
    undoing = aliased(LedgerLine)
    rows = session.scalars(
        select(LedgerLine)
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .where(
            LedgerLine.of_line_id.in_([line.id for line in lines]),
            LedgerLine.kind.in_(_POSTS),
            # what stayed of one that gave way in part is counted with the whole
            ~LedgerLine.line_ref.startswith(GAVE_WAY),
            _holds(undoing),
        )
        .order_by(LedgerLine.id)
    ).all()
    restored = _restored(session, rows)
    groups: dict[str, tuple[str, list[LedgerLine]]] = {}
    for line in rows:
        if line.id in restored:
            continue
        groups.setdefault(line.line_ref.partition(":")[0], (line.kind, []))[1].append(line)
    return [
        (
            Taking(source, kind, sum(_minor(line, place) for line in found for place in PLACES)),
            [line.id for line in found],
        )
        for source, (kind, found) in groups.items()
    ]


def _common(wanted: Sequence[Taking], standing: Sequence[Taking]) -> int:
    count = 0
    for one, other in zip(wanted, standing, strict=False):
        if one != other:
            break
        count += 1
    return count


def _undo(session: Session, payment: Payment, taking: Taking, line_ids: Sequence[int], books: Books) -> None:
    """Credit the money of one taking again: its line is undone, or what stays of it. Where the bank's own
    line took its place, the money is a credit of its own until the bank has posted that too."""
    for line_id in reversed(line_ids):
        undone_by = _gave_way(session, line_id)
        if undone_by is not None and undone_by.external_ref:
            _credit_again(session, payment, taking, line_id, books)
            continue
        stays = line_id if undone_by is None else _rest_of(session, undone_by)
        if stays is None:
            continue
        post_reversal(
            session,
            line_id=stays,
            posted_on=books.today,
            line_ref=_again(taking.source, line_id),
            memo=payment.reference,
            now=books.now,
        )


def _credit_again(session: Session, payment: Payment, taking: Taking, line_id: int, books: Books) -> None:
    line = session.get_one(LedgerLine, line_id)
    held = hold_balance(session, line.loan_id)
    parts = {name: min(_minor(line, name), held.left_of(name)) for name in COMPONENTS}
    whole = sum(_minor(line, place) for place in PLACES)
    post_payment(
        session,
        loan_id=line.loan_id,
        parts={name: minor for name, minor in parts.items() if minor},
        suspense_minor=whole - sum(parts.values()),
        posted_on=books.today,
        payment_id=None,
        line_ref=_again(taking.source, line_id),
        memo=payment.reference,
        now=books.now,
    )


def _again(source: str, line_id: int) -> str:
    """The reference of the line by which a taking is undone or its money credited again."""
    return f"{source}:back:{line_id}"


def _holds(undoing: type[LedgerLine]) -> ColumnElement[bool]:
    """Takings that hold: not undone, or only to make room for the bank's own line of it."""
    return or_(undoing.id.is_(None), undoing.line_ref.startswith(GAVE_WAY))


def _gave_way(session: Session, line_id: int) -> LedgerLine | None:
    """The line by which a taking gave way: to the bank's own, which it names, or because the bank has counted
    less of the payment."""
    return session.scalar(
        select(LedgerLine).where(LedgerLine.reverses_id == line_id, LedgerLine.line_ref.startswith(GAVE_WAY))
    )


def _rest_of(session: Session, undone_by: LedgerLine) -> int | None:
    """What stays of a taking that gave way in part."""
    ref = LedgerLine.line_ref == f"{undone_by.line_ref}-rest"
    return session.scalar(select(LedgerLine.id).where(LedgerLine.source == "portal", ref))


def _restored(session: Session, takings: Sequence[LedgerLine]) -> set[int]:
    """Which of these takings gave way and were credited again since."""
    refs = {_again(line.line_ref.partition(":")[0], line.id): line.id for line in takings}
    found = session.scalars(
        select(LedgerLine.line_ref).where(LedgerLine.source == "portal", LedgerLine.line_ref.in_(refs))
    )
    return {refs[ref] for ref in found}


def _take(session: Session, payment: Payment, taking: Taking, books: Books) -> bool:
    """Post one taking over the payment's lines, the last that was placed first: all of it, or an alarm and
    False."""
    try:
        with session.begin_nested():
            for line_id, loan_id, parts in _split(session, payment, taking.minor):
                _POSTS[taking.kind](
                    session,
                    line_id=line_id,
                    parts={name: minor for name, minor in parts.items() if name != "suspense"},
                    suspense_minor=parts.get("suspense", 0),
                    posted_on=books.today,
                    line_ref=f"{taking.source}:{loan_id}:{_turn(session, taking.source, loan_id)}",
                    memo=payment.reference,
                    now=books.now,
                )
    except UnableToPost as error:
        facts = {"source": taking.source, "reason": f"not_taken_back:{error}", "amount_minor": taking.minor}
        alarm(session, payment.id, facts, now=books.now)
        return False
    return True


def _turn(session: Session, source: str, loan_id: int) -> int:
    """How often this taking was posted on this loan before."""
    like = LedgerLine.line_ref.startswith(f"{source}:{loan_id}:", autoescape=True)
    return session.scalar(select(func.count()).where(LedgerLine.loan_id == loan_id, like)) or 0


def _split(session: Session, payment: Payment, minor: int) -> Iterator[tuple[int, int, dict[str, int]]]:
    """What `minor` takes of each line: (line, loan, parts). Raises UnableToPost when the lines hold less."""
    lines = _lines(session, payment.id)
    gone = {(line_id, place): taken for line_id, place, taken in _taken(session, [line.id for line in lines])}
    parts: dict[tuple[int, int], dict[str, int]] = {}
    for place in reversed(_places(payment, lines)):
        key = (place.line_id, place.component)
        already = min(gone.get(key, 0), place.minor)
        gone[key] = gone.get(key, 0) - already
        taken = min(minor, place.minor - already)
        if taken:
            minor -= taken
            of_line = parts.setdefault((place.line_id, place.loan_id), {})
            of_line[place.component] = of_line.get(place.component, 0) + taken
    if minor:
        raise UnableToPost("taken")
    return ((line_id, loan_id, found) for (line_id, loan_id), found in parts.items())


def _places(payment: Payment, lines: Sequence[LedgerLine]) -> list[Place]:
    """Where the payment was put, in the order in which it was placed: loan by loan, step by step."""
    by_loan = {line.loan_id: line for line in lines}
    places = []
    for loan in (payment.allocation or {}).get("loans", ()):
        line = by_loan.get(loan["loan_id"])
        if line is None:
            continue
        steps = [(step["component"], step["amount_minor"]) for step in loan["steps"]]
        for component, minor in (*steps, ("suspense", loan["suspense_minor"])):
            places.append(Place(line.id, line.loan_id, component, minor))
    return places


def _taken(session: Session, line_ids: Sequence[int]) -> Iterator[tuple[int, str, int]]:
    undoing = aliased(LedgerLine)
    rows = session.execute(
        select(LedgerLine.of_line_id, *(func.sum(getattr(LedgerLine, f"{name}_minor")) for name in PLACES))
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .where(
            LedgerLine.of_line_id.in_(line_ids),
            LedgerLine.kind.in_(_POSTS),
            # of one that gave way in part, what stays is a line of its own
            or_(undoing.id.is_(None), undoing.line_ref.startswith(GAVE_WAY) & (undoing.external_ref != "")),
        )
        .group_by(LedgerLine.of_line_id)
    )
    return ((row[0], name, int(minor)) for row in rows for name, minor in zip(PLACES, row[1:], strict=True))


def _raise_state(session: Session, payment: Payment, books: Books) -> None:
    """The payment's state as it follows from what left: by a dispute, all of it, part of it, or nothing."""
    left = list(_left(session, payment.id))
    if any(taking.kind == "charge_back" for taking in left):
        action = PaymentAction.DISPUTE
    elif not left:
        action = PaymentAction.RESTORE
    else:
        is_all = sum(taking.minor for taking in left) >= payment.amount_minor
        action = PaymentAction.REFUND if is_all else PaymentAction.REFUND_PART
    if PAYMENT.target(action) != payment.state:
        move(session, payment, action, now=books.now)
