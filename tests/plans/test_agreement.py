"""Agreements: one per product class, every item of the pack in its order, kept as it was read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.jurisdictions import pack
from portal.plans.agreement import IncompleteAgreement, content_of, content_text, drafts, items_of
from portal.plans.terms import TermsRequest
from tests.plans.people import written
from tests.plans.scene import PICTURE, ground, yuan

BOTH = (PICTURE[0], replace(PICTURE[1], product_class="loan"))


def test_a_plan_over_both_classes_makes_one_agreement_each() -> None:
    card, loan = drafts(ground(BOTH).terms(TermsRequest(count=60, waive=("fee",))), pack("cn"))

    assert (card.product_class, loan.product_class) == ("card", "loan")
    assert "no_new_card" in card.items
    assert "no_new_card" not in loan.items
    assert card.covered + loan.covered == yuan("64353.87")
    assert (card.waived, loan.waived) == (yuan("350.00"), yuan("100.00"))


@pytest.mark.parametrize("place", ["cn", "gb", "us"])
def test_what_is_kept_is_what_was_read(place: str) -> None:
    draft = drafts(ground().terms(TermsRequest(count=60)), pack(place))[0]
    items = written(draft)

    text = content_text(content_of(draft, items, language="zh"))

    assert items_of(text) == items


def test_an_agreement_that_lacks_an_item_is_not_made() -> None:
    draft = drafts(ground().terms(TermsRequest(count=60)), pack("cn"))[0]
    items = written(draft)

    for short in (items[:-1], items[::-1], (replace(items[0], paragraphs=()), *items[1:])):
        with pytest.raises(IncompleteAgreement):
            content_of(draft, short, language="zh")
