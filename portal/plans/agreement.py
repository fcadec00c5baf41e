"""What an agreement says: the items its product class must hold, worded once and kept with its hash.

Pure. The words come from the door, in the borrower's language; what was shown is what is stored,
hashed and signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.jurisdictions import Jurisdiction
from portal.money import Money
from portal.plans.terms import CoveredLoan, Terms

TEXT_VERSION = 1


@dataclass(frozen=True, slots=True)
class WrittenItem:
    """One item as the borrower reads it."""

    code: str
    title: str
    paragraphs: tuple[str, ...]
    #: a table: its head first; empty where the item has none
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class AgreementDraft:
    """One agreement before it has words: the loans of one product class under the plan's terms."""

    product_class: str
    items: tuple[str, ...]
    source: str
    terms: Terms

    @property
    def loans(self) -> tuple[CoveredLoan, ...]:
        """The loans this agreement is about."""
        return tuple(loan for loan in self.terms.loans if loan.product_class == self.product_class)

    @property
    def covered(self) -> Money:
        """What the plan covers of them."""
        return Money.sum((loan.covered for loan in self.loans), self.terms.currency)

    @property
    def waived(self) -> Money:
        """What the bank gives up on them."""
        return Money.sum((loan.waived_total for loan in self.loans), self.terms.currency)


Writer = Callable[[AgreementDraft], tuple[WrittenItem, ...]]


def drafts(terms: Terms, pack: Jurisdiction) -> tuple[AgreementDraft, ...]:
    """One agreement for each product class under the plan, with the items the pack asks of it."""
    return tuple(
        AgreementDraft(
            product_class=product_class,
            items=pack.agreement_contents(product_class).items,
            source=pack.agreement_contents(product_class).source,
            terms=terms,
        )
        for product_class in terms.product_classes
    )


class IncompleteAgreement(ValueError):
    """The words lack an item the product class must hold."""


def content_of(draft: AgreementDraft, items: tuple[WrittenItem, ...], *, language: str) -> dict[str, Any]:
    """The agreement's content; IncompleteAgreement when an item is missing, empty or out of place."""
    if tuple(item.code for item in items) != draft.items or not all(item.paragraphs for item in items):
        raise IncompleteAgreement(draft.product_class)
    return {
        "version": TEXT_VERSION,
        "product_class": draft.product_class,
        "language": language,
        "source": draft.source,
        "terms_hash": draft.terms.digest(),
        "items": [
            {
                "code": item.code,
                "title": item.title,
                "paragraphs": list(item.paragraphs),
                "rows": [list(row) for row in item.rows],
            }
            for item in items
        ],
    }


def content_text(content: dict[str, Any]) -> str:
    """The one text of a content: JSON, sorted keys, no spaces."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def content_hash(text: str) -> str:
    """SHA-256 of the text, 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def signed_facts(reference: str, digest: str) -> dict[str, str]:
    """What the bank's signature under an agreement covers; through the digest, the whole text."""
    return {"kind": "agreement", "reference": reference, "content_hash": digest}


def items_of(text: str) -> tuple[WrittenItem, ...]:
    """The items of a stored text, as they were read."""
    return tuple(
        WrittenItem(
            item["code"],
            item["title"],
            tuple(item["paragraphs"]),
            tuple(tuple(row) for row in item["rows"]),
        )
        for item in json.loads(text)["items"]
    )
