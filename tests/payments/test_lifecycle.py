"""The life of a payment: every pair of state and action, and that no order of events lowers a state."""

from __future__ import annotations

import itertools

import pytest

from portal.payments.lifecycle import PAYMENT, PaymentAction, PaymentState
from portal.states import NotAllowed

S, A = PaymentState, PaymentAction

ALLOWED = {
    (S.CREATED, A.PROCESS): S.PROCESSING,
    (S.CREATED, A.FAIL): S.FAILED,
    (S.CREATED, A.CANCEL): S.CANCELLED,
    (S.CREATED, A.SUCCEED): S.SUCCEEDED,
    (S.PROCESSING, A.FAIL): S.FAILED,
    (S.PROCESSING, A.CANCEL): S.CANCELLED,
    (S.PROCESSING, A.SUCCEED): S.SUCCEEDED,
    (S.FAILED, A.CANCEL): S.CANCELLED,
    (S.FAILED, A.SUCCEED): S.SUCCEEDED,
    (S.CANCELLED, A.SUCCEED): S.SUCCEEDED,
    (S.SUCCEEDED, A.POST): S.POSTED,
}
#: What refunds and disputes took leads from each of these to each other.
RETURNS = {
    A.RESTORE: S.POSTED,
    A.REFUND_PART: S.PART_REFUND,
    A.REFUND: S.REFUNDED,
    A.DISPUTE: S.DISPUTED,
}
ALLOWED |= {
    (state, action): after
    for state in RETURNS.values()
    for action, after in RETURNS.items()
    if state is not after
}


@pytest.mark.parametrize(("state", "action"), list(itertools.product(S, A)))
def test_each_pair_is_allowed_or_refused(state: PaymentState, action: PaymentAction) -> None:
    if (state, action) in ALLOWED:
        assert PAYMENT.after(state, action) is ALLOWED[state, action]
    else:
        with pytest.raises(NotAllowed):
            PAYMENT.after(state, action)


def test_every_order_of_words_ends_in_the_same_state() -> None:
    told = [action for action in A if action is not A.POST and action not in RETURNS]
    for words in itertools.chain.from_iterable(itertools.combinations(told, count) for count in range(1, 5)):
        ends = set()
        for order in itertools.permutations(words):
            state = S.CREATED
            for word in order:
                state = PAYMENT.after(state, word) if PAYMENT.allows(state, word) else state
            ends.add(state)
        assert len(ends) == 1, words
