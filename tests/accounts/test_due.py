"""The quick figures of what is due are those of the instalments, one by one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.balance import METHODS, LoanTerms, days_overdue, instalments, principal_due
from portal.accounts.due import due_of, due_on

TERMS = st.builds(
    LoanTerms,
    principal_minor=st.integers(1, 10**12) | st.integers(1, 500),
    annual_rate=st.sampled_from(["0", "0.0000", "0.036", "0.088", "0.1740", "0.2399", "1.5", "9.99"]).map(
        Decimal
    ),
    method=st.sampled_from(METHODS),
    pay_day=st.integers(1, 31),
    term_count=st.integers(1, 72),
    matures_on=st.dates(date(2020, 1, 1), date(2032, 12, 31)),
)


@given(terms=TERMS, as_of=st.dates(date(2015, 1, 1), date(2033, 12, 31)), paid=st.integers(-5, 1005))
def test_what_is_due_is_what_the_instalments_say(terms: LoanTerms, as_of: date, paid: int) -> None:
    settled = terms.principal_minor * paid // 1000

    found = due_of(terms, settled=settled, as_of=as_of)

    assert found.principal == principal_due(terms, settled=settled, as_of=as_of)
    assert found.days_overdue == days_overdue(terms, settled=settled, as_of=as_of)


@given(terms=TERMS)
def test_an_instalment_falls_due_when_the_contract_says(terms: LoanTerms) -> None:
    dates = [part.due_on for part in instalments(terms)]

    assert [due_on(terms, index) for index in range(len(dates))] == dates
