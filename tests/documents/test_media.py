"""What a file is, is told by its content."""

from __future__ import annotations

import pytest

from portal.documents.media import HEIC, JPEG, PDF, PNG, Refused, media_type_of
from tests.documents import corpus


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (corpus.picture(), JPEG),
        (corpus.picture(kind="PNG"), PNG),
        (corpus.pdf(), PDF),
        (corpus.HEIC, HEIC),
    ],
)
def test_the_four_kinds_are_told_by_content(data: bytes, media_type: str) -> None:
    assert media_type_of(data) == media_type


@pytest.mark.parametrize("name", list(corpus.REFUSED))
def test_everything_else_is_refused_for_its_own_reason(name: str) -> None:
    data, reason = corpus.REFUSED[name]

    with pytest.raises(Refused) as refused:
        media_type_of(data)

    assert refused.value.reason == reason
