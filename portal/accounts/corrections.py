"""Correcting lines: money taken back or moved on, debts written down, and the undoing of any line.

Nothing is rewritten: each correction is a dated line of its own that points at the line it corrects.
Amounts are minor units of the loan's currency, never negative in a call. What is taken back of a payment
never exceeds it, component by component: counted under the lock of the balance row, and refused by the
database itself (`models.taken_sql`, the checks of `loan_balance`) whatever code posts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from portal.accounts.balance import COMPONENTS, TAKINGS
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import (
    Posted,
    UnableToPost,
    add_line,
    check_left,
    check_parts,
    forgive,
    hold_balance,
    insert_line,
    line_of_ref,
    line_values,
    rebalance,
    repeated_line,
)

#: What a line can hold: the components and money that none of them could take.
PLACES = (*COMPONENTS, "suspense")
#: The longest reference of a transfer: its two lines add "-out" and "-in".
LONGEST_STEM = 44
#: How the reference of a line begins by which ours gives way to the bank's own (`reconcile_core`).
GAVE_WAY = "back-"


def post_charge_back(
    session: Session,
    *,
    line_id: int,
    parts: Mapping[str, int],
    suspense_minor: int,
    posted_on: date,
    line_ref: str,
    memo: str,
    now: datetime,
) -> Posted:
    """The provider or a bank took money of payment line `line_id` back: paid falls, left rises.

    Where the loan's unplaced money was moved on since, the latest moves are undone first: the money is
    gone whether or not it was moved. The same `line_ref` again is the first answer. Raises UnableToPost:
    line, negative, nothing, component, reversed, taken, moved, line_ref.
    """
    values = {"posted_on": posted_on, "line_ref": line_ref, "memo": memo, "now": now}
    return _take_back(session, "charge_back", line_id, {**parts, "suspense": suspense_minor}, values)


def post_refund(
    session: Session,
    *,
    line_id: int,
    parts: Mapping[str, int],
    suspense_minor: int,
    posted_on: date,
    line_ref: str,
    memo: str,
    now: datetime,
) -> Posted:
    """We gave money of payment line `line_id` back: paid falls, left rises. Money that was moved on
    since is not given back (``moved``).

    The same `line_ref` again is the first answer. Raises UnableToPost as `post_charge_back`.
    """
    values = {"posted_on": posted_on, "line_ref": line_ref, "memo": memo, "now": now}
    return _take_back(session, "refund", line_id, {**parts, "suspense": suspense_minor}, values)


def post_write_down(
    session: Session,
    *,
    loan_id: int,
    parts: Mapping[str, int],
    posted_on: date,
    line_ref: str,
    memo: str,
    now: datetime,
) -> Posted:
    """Forgive `parts` because the bank lowered its claim; to the figures it is what a waiver is.

    The same `line_ref` again changes nothing. Raises UnableToPost as `post_waiver`.
    """
    return forgive(session, line_values(loan_id, "write_down", parts, posted_on, line_ref, memo, now), parts)


def post_transfer(
    session: Session,
    *,
    from_loan_id: int,
    to_loan_id: int,
    take: Mapping[str, int],
    give: Mapping[str, int],
    posted_on: date,
    line_ref: str,
    memo: str,
    now: datetime,
) -> Posted:
    """Move paid money between loans of one currency, or within one: from `take` to `give`, each a mapping
    of components and ``suspense`` with the same sum. Two lines, `line_ref` with "-out" and "-in"; the
    answer is the first of them, and the second points at it.

    The same `line_ref` again is the first answer. Raises UnableToPost: component, negative, nothing, sum,
    loan, currency, line_ref, moved (less was paid there), overpaid (less is left there).
    """
    _check_move(take, give, line_ref)
    held = {one: hold_balance(session, one) for one in sorted({from_loan_id, to_loan_id})}
    known = line_of_ref(session, f"{line_ref}-out")
    if known is not None:
        return repeated_line(known, loan_id=from_loan_id, kind="transfer")
    _check_currency(session, held)
    _check_paid(held[from_loan_id], take)
    _check_room(held[to_loan_id], give, take if from_loan_id == to_loan_id else {})
    pair = transfer_values(from_loan_id, to_loan_id, take, give, posted_on, line_ref, memo, now)
    first = insert_pair(session, pair)
    rebalance(session, loan_ids=set(held), as_of=posted_on, now=now)
    return Posted(first, repeated=False)


def post_reversal(
    session: Session, *, line_id: int, posted_on: date, line_ref: str, memo: str, now: datetime
) -> Posted:
    """Undo a line with its opposite, in full: what was before stands again. A line is reversed once; a
    second call gives the first answer (M8). Of a transfer both lines are undone.

    Undoing a charge-back or a refund credits the money again; what its components can no longer take goes
    to suspense. Raises UnableToPost: line, reversed, overpaid (undoing a charge already paid), taken
    (undoing a payment of which something was taken back), moved (its money was moved on).
    """
    lines = _with_its_pair(session, line_id)
    held = {one: hold_balance(session, one) for one in sorted({line.loan_id for line in lines})}
    known = session.scalar(select(LedgerLine).where(LedgerLine.reverses_id == line_id))
    if known is not None:
        return Posted(known.id, repeated=True)
    excess = _check_undoing(session, lines, held)
    refs = (line_ref, f"{line_ref[:LONGEST_STEM]}-2")
    made = [
        insert_line(session, opposite_of(line, ref, memo, posted_on=posted_on, now=now))
        for line, ref in zip(lines, refs, strict=False)
    ]
    if any(excess.values()):
        loan_id, rest = lines[0].loan_id, {"suspense": sum(excess.values())}
        insert_pair(
            session,
            transfer_values(loan_id, loan_id, excess, rest, posted_on, line_ref[:LONGEST_STEM], "", now),
        )
    rebalance(session, loan_ids=set(held), as_of=posted_on, now=now)
    return Posted(made[0], repeated=False)


def taken_of(session: Session, line_id: int) -> dict[str, int]:
    """What was taken back of a payment line and not restored since: components and suspense, minor units.

    What gave way to the bank's own line of it (which the undoing names) stays taken: the bank took it.
    """
    undoing = aliased(LedgerLine)
    statement = (
        select(*(func.coalesce(func.sum(getattr(LedgerLine, f"{name}_minor")), 0) for name in PLACES))
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .where(
            LedgerLine.of_line_id == line_id,
            LedgerLine.kind.in_(TAKINGS),
            or_(undoing.id.is_(None), undoing.line_ref.startswith(GAVE_WAY) & (undoing.external_ref != "")),
        )
    )
    return {name: int(minor) for name, minor in zip(PLACES, session.execute(statement).one(), strict=True)}


def answers_ours(line: Any) -> ColumnElement[bool]:
    """Lines of the bank to which one of ours gave way: the bank has done what was done here, and no more."""
    gave_way = aliased(LedgerLine)
    return exists().where(
        gave_way.external_ref == line.line_ref,
        gave_way.loan_id == line.loan_id,
        gave_way.source == "portal",
        gave_way.line_ref.startswith(GAVE_WAY),
    )


def transfer_values(
    from_loan_id: int,
    to_loan_id: int,
    take: Mapping[str, int],
    give: Mapping[str, int],
    posted_on: date,
    stem: str,
    memo: str,
    now: datetime,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of a transfer's two lines; the second still has to point at the first."""
    out = line_values(from_loan_id, "transfer", _negated(take), posted_on, f"{stem}-out", memo, now)
    into = line_values(to_loan_id, "transfer", give, posted_on, f"{stem}-in", memo, now)
    return (
        {**out, "suspense_minor": take.get("suspense", 0)},
        {**into, "suspense_minor": -give.get("suspense", 0)},
    )


def insert_pair(session: Session, pair: tuple[dict[str, Any], dict[str, Any]]) -> int:
    """Add both lines of a transfer; the id of the first."""
    first = insert_line(session, pair[0])
    insert_line(session, {**pair[1], "of_line_id": first})
    return first


def _take_back(
    session: Session, kind: str, line_id: int, take: Mapping[str, int], said: Mapping[str, Any]
) -> Posted:
    check_parts({name: minor for name, minor in take.items() if name != "suspense"}, take["suspense"])
    payment = session.get(LedgerLine, line_id)
    if payment is None or payment.kind != "payment":
        raise UnableToPost("line")
    held = hold_balance(session, payment.loan_id)
    known = line_of_ref(session, said["line_ref"])
    if known is not None:
        return repeated_line(known, loan_id=payment.loan_id, kind=kind)
    _check_standing(session, payment)
    before = taken_of(session, line_id)
    for name, minor in take.items():
        if minor > -_of(payment, name) - before[name]:
            raise UnableToPost("taken", name)
    if kind == "charge_back":
        held = _bring_back(session, held, take["suspense"], said)
    _check_paid(held, take)
    values = line_values(payment.loan_id, kind, _negated(take), **said)
    return add_line(session, values | {"suspense_minor": take["suspense"], "of_line_id": line_id})


def _check_standing(session: Session, payment: LedgerLine) -> None:
    """A payment that was undone has nothing to take back; one whose place the bank's own line took has."""
    undoing = session.scalar(select(LedgerLine.line_ref).where(LedgerLine.reverses_id == payment.id))
    if undoing is not None and not undoing.startswith(GAVE_WAY):
        raise UnableToPost("reversed")


def _bring_back(session: Session, held: LoanBalance, needed: int, said: Mapping[str, Any]) -> LoanBalance:
    """Undo the latest moves of the loan's unplaced money until `needed` is there again."""
    loan_id = held.loan_id
    for number, line_id in enumerate(_moves_out(session, loan_id) if needed > held.suspense_minor else ()):
        if held.suspense_minor >= needed:
            break
        ref = f"{said['line_ref'][:LONGEST_STEM]}-m{number}"
        post_reversal(
            session, line_id=line_id, posted_on=said["posted_on"], line_ref=ref, memo="", now=said["now"]
        )
        held = hold_balance(session, loan_id)
    return held


def _moves_out(session: Session, loan_id: int) -> Sequence[int]:
    undoing = aliased(LedgerLine)
    return session.scalars(
        select(LedgerLine.id)
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .where(
            LedgerLine.loan_id == loan_id,
            LedgerLine.kind == "transfer",
            LedgerLine.suspense_minor > 0,
            undoing.id.is_(None),
        )
        .order_by(LedgerLine.id.desc())
    ).all()


def _check_move(take: Mapping[str, int], give: Mapping[str, int], line_ref: str) -> None:
    for side in (take, give):
        check_parts(
            {name: minor for name, minor in side.items() if name != "suspense"}, side.get("suspense", 0)
        )
    if sum(take.values()) != sum(give.values()):
        raise UnableToPost("sum")
    if len(line_ref) > LONGEST_STEM:
        raise UnableToPost("line_ref")


def _check_currency(session: Session, loan_ids: Mapping[int, LoanBalance]) -> None:
    if len(set(session.scalars(select(Loan.currency).where(Loan.id.in_(loan_ids))))) != 1:
        raise UnableToPost("currency")


def _check_paid(held: LoanBalance, take: Mapping[str, int]) -> None:
    """Refuse to take more than stands as paid, or as unplaced money, on the loan."""
    for name, minor in take.items():
        if minor > _paid(held, name):
            raise UnableToPost("moved", name)


def _check_room(held: LoanBalance, give: Mapping[str, int], freed: Mapping[str, int]) -> None:
    wanted = {name: minor - freed.get(name, 0) for name, minor in give.items() if name != "suspense"}
    check_left(held, wanted)


def _paid(held: LoanBalance, name: str) -> int:
    paid: int = held.suspense_minor if name == "suspense" else getattr(held, f"{name}_paid_minor")
    return paid


def _with_its_pair(session: Session, line_id: int) -> list[LedgerLine]:
    """The line, and of a transfer the other line too."""
    line = session.get(LedgerLine, line_id)
    if line is None:
        raise UnableToPost("line")
    if line.kind == "reversal":
        raise UnableToPost("reversed")
    if line.kind != "transfer":
        return [line]
    pair = LedgerLine.id == line.of_line_id if line.of_line_id else LedgerLine.of_line_id == line_id
    return [line, session.scalars(select(LedgerLine).where(pair)).one()]


def _check_undoing(
    session: Session, lines: Sequence[LedgerLine], held: Mapping[int, LoanBalance]
) -> dict[str, int]:
    """Refuse what cannot be undone; what a restored payment's components can no longer take is returned."""
    line = lines[0]
    if line.kind == "payment" and any(taken_of(session, line.id).values()):
        raise UnableToPost("taken")
    net = {loan_id: dict.fromkeys(PLACES, 0) for loan_id in held}
    for one in lines:
        for name in PLACES:
            net[one.loan_id][name] += _of(one, name)
    excess = dict.fromkeys(COMPONENTS, 0)
    for loan_id, undone in net.items():
        _check_stands(line.kind, held[loan_id], undone)
        over = {name: undone[name] - held[loan_id].left_of(name) for name in COMPONENTS if undone[name] > 0}
        if line.kind in TAKINGS:
            excess |= {name: minor for name, minor in over.items() if minor > 0}
        elif any(minor > 0 for minor in over.values()):
            raise UnableToPost("overpaid", next(name for name, minor in over.items() if minor > 0))
    return excess


def _check_stands(kind: str, held: LoanBalance, undone: Mapping[str, int]) -> None:
    """Undoing money that came in needs the money to be there still."""
    if kind in ("payment", "transfer"):
        _check_paid(held, {name: -minor for name, minor in undone.items() if minor < 0})


def opposite_of(
    line: LedgerLine, line_ref: str, memo: str, *, posted_on: date, now: datetime
) -> dict[str, Any]:
    """The columns of the line that undoes `line`."""
    undone = {name: _of(line, name) for name in COMPONENTS}
    values = line_values(line.loan_id, "reversal", undone, posted_on, line_ref, memo, now)
    return values | {"suspense_minor": -line.suspense_minor, "reverses_id": line.id}


def _of(line: LedgerLine, name: str) -> int:
    minor: int = getattr(line, f"{name}_minor")
    return minor


def _negated(parts: Mapping[str, int]) -> dict[str, int]:
    return {name: -minor for name, minor in parts.items()}
