"""Which lines posted here the bank's core has posted itself: the core names ours in `external_ref`, by the
line's own reference, the payment's, the plan's that forgave, or the number of the transfer the money came with.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, exists, or_, select, union
from sqlalchemy.orm import Session, aliased

from portal.accounts.balance import FORGIVING
from portal.accounts.models import LedgerLine
from portal.accounts.reconcile_core import PostedBack
from portal.payments.models import IncomingTransfer, Payment


def named_by_core() -> Select[Any]:
    """(our line, the core's line that names it, its day) of every line of ours that the core has posted.

    A line's own reference is enough wherever the core posted it. A payment's reference, or a transfer's,
    means the payment's line on the loan the core names; its only line where the core chose another loan.
    """
    ours, core = aliased(LedgerLine, name="ours"), aliased(LedgerLine, name="core")
    head = select(ours.id, core.line_ref, core.posted_on).where(
        ours.source == "portal", core.source == "core"
    )
    other = aliased(LedgerLine)
    its_only_line = ~exists().where(
        other.payment_id == ours.payment_id, other.kind == "payment", other.loan_id != ours.loan_id
    )
    of_payment = (
        ours.kind == "payment",
        core.kind == "payment",
        or_(core.loan_id == ours.loan_id, its_only_line),
    )
    parts = union(
        head.where(core.external_ref == ours.line_ref),
        # what an agreement forgave carries its plan's reference
        head.where(
            core.external_ref == ours.memo,
            core.loan_id == ours.loan_id,
            core.kind == "waiver",
            ours.kind.in_(FORGIVING),
        ),
        head.join(Payment, Payment.id == ours.payment_id).where(
            core.external_ref == Payment.reference, *of_payment
        ),
        head.join(IncomingTransfer, IncomingTransfer.payment_id == ours.payment_id).where(
            core.external_ref == IncomingTransfer.transfer_ref, *of_payment
        ),
    ).subquery()
    return select(*parts.c)


def posted_back(session: Session | Connection) -> list[PostedBack]:
    """The lines that have to give way now: named by the core and not undone yet, each once."""
    named = named_by_core().subquery()
    undone = exists().where(LedgerLine.reverses_id == named.c[0])
    found: dict[int, PostedBack] = {}
    for line_id, core_ref, day in session.execute(select(*named.c).where(~undone).order_by(*named.c)):
        found.setdefault(line_id, PostedBack(line_id, core_ref, day))
    return list(found.values())
