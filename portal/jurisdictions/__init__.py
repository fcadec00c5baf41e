"""Jurisdiction packs: what the law and practice of a place say, as data with its sources; `pack(code)`."""

from __future__ import annotations

from portal.jurisdictions.cn import CN
from portal.jurisdictions.gb import GB
from portal.jurisdictions.shape import (
    AgreementContents,
    AllocationRule,
    ContactHours,
    ContactLimit,
    Fact,
    HelpNumber,
    Jurisdiction,
    ThirdParties,
)
from portal.jurisdictions.us import US

__all__ = [
    "AgreementContents",
    "AllocationRule",
    "ContactHours",
    "ContactLimit",
    "Fact",
    "HelpNumber",
    "Jurisdiction",
    "ThirdParties",
    "UnknownJurisdiction",
    "pack",
]

_PACKS = {"cn": CN, "gb": GB, "us": US}


class UnknownJurisdiction(LookupError):
    """A code for which there is no pack."""


def pack(code: str) -> Jurisdiction:
    """The pack of `code` (``cn``, ``gb``, ``us``); UnknownJurisdiction otherwise."""
    try:
        return _PACKS[code]
    except KeyError:
        raise UnknownJurisdiction(code) from None
