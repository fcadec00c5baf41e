"""What a QR code says is named for what it is; nothing foreign is ever taken for a link of ours."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.checking.scanned import What, scanned
from portal.keys import Keys
from tests.conftest import MASTER, PEPPER

KEYS = Keys(pepper=PEPPER, master=MASTER)
OURS = "my.harbour.example"
TOKEN = "0123456789ABCDEFGHJKMNPQRS"
HOSTS = st.from_regex(r"[a-z0-9-]{1,12}(\.[a-z0-9-]{1,12}){1,3}", fullmatch=True)


def what(text: str) -> What:
    return scanned(KEYS, text, hosts=(OURS,)).what


@pytest.mark.parametrize(
    ("text", "is_what"),
    [
        (f"https://{OURS}/n/{TOKEN}", What.LINK),
        (f"HTTPS://MY.HARBOUR.EXAMPLE/n/{TOKEN}", What.LINK),
        (f"https://{OURS}/n/{TOKEN}/", What.LINK),
        (f"https://{OURS}:443/n/{TOKEN}?from=qr", What.LINK),
        ("7KQF-3MWD-2A9RB", What.CODE),
        ("7KQF-3MWD-2A9RC", What.OTHER),
        (f"https://{OURS}/", What.OWN_PAGE),
        (f"https://{OURS}/n/{TOKEN}/../../pay", What.OWN_PAGE),
        (f"http://{OURS}/n/{TOKEN}", What.FOREIGN),
        (f"https://{OURS}.evil.example/n/{TOKEN}", What.FOREIGN),
        (f"https://{OURS}@evil.example/n/{TOKEN}", What.FOREIGN),
        (f"https://evil.example/{OURS}/n/{TOKEN}", What.FOREIGN),
        (f"https://{OURS}:8443/n/{TOKEN}", What.FOREIGN),
        (f"https://{OURS}\\@evil.example/n/{TOKEN}", What.FOREIGN),
        (f"https://my.hаrbour.example/n/{TOKEN}", What.FOREIGN),
        ("tel:13912345678", What.FOREIGN),
        ("wxp://f2f0abc", What.PAYMENT),
        ("HTTPS://QR.ALIPAY.COM/fkx123", What.PAYMENT),
        ("https://qr.95516.com/0001", What.PAYMENT),
        ("WIFI:S:home;;", What.FOREIGN),
        ("call 13912345678", What.OTHER),
        ("", What.OTHER),
    ],
)
def test_what_a_code_is(text: str, is_what: What) -> None:
    assert what(text) is is_what


@given(HOSTS, st.sampled_from([f"/n/{TOKEN}", f"/{OURS}/n/{TOKEN}", f"?https://{OURS}/n/{TOKEN}"]))
@example("my-harbour.example", f"/n/{TOKEN}")
def test_no_other_host_leads_to_a_link_of_ours(host: str, rest: str) -> None:
    for text in (f"https://{host}{rest}", f"https://{OURS}.{host}{rest}", f"https://{OURS}@{host}{rest}"):
        assert what(text) not in (What.LINK, What.CODE, What.OWN_PAGE)


@given(st.text(max_size=300))
def test_any_text_has_an_answer(text: str) -> None:
    assert what(text) in set(What) - {What.LINK}
