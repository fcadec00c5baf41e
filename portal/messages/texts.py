"""The words of what is sent, in the reader's language. Pure but for the catalogues on disk.

No text names a debt or an amount: whoever sees the phone's screen learns that there is a message, no
more. The signature in front is put there when a text is handed over.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from babel.support import NullTranslations, Translations

TRANSLATIONS = Path(__file__).parents[2] / "translations"


def N_(text: str) -> str:
    """`text` itself: marks it for the catalogue."""
    return text


#: kind (and purpose of a one-time code) -> the English text. The last line of a code's text binds it
#: to our host, so that phones fill it in on our page only.
TEXTS: Mapping[str, str] = {
    "one_time_code.sign_in": N_(
        "%(code)s is your code for signing in at %(host)s. It works for %(minutes)s minutes. "
        "Nobody from the bank will ever ask you for it.\n\n@%(host)s #%(code)s"
    ),
    "one_time_code.accept": N_(
        "%(code)s is your code for confirming your answer at %(host)s. It works for %(minutes)s minutes. "
        "Nobody from the bank will ever ask you for it.\n\n@%(host)s #%(code)s"
    ),
    "decision": N_("There is an answer to what you sent us. To read it, type %(host)s and sign in."),
    "agreement": N_(
        "We have your confirmation. Your reference is %(reference)s. "
        "To read it again, type %(host)s and sign in."
    ),
    "receipt": N_(
        "We have received what you sent. Your reference is %(reference)s. "
        "To see it, type %(host)s and sign in."
    ),
    "payment_news": N_(
        "There is news about your reference %(reference)s. To read it, type %(host)s and sign in."
    ),
    "news": N_("There is news about your reference %(reference)s. To read it, type %(host)s and sign in."),
    "code_replaced": N_(
        "The code of our message of %(day)s no longer counts; another one replaces it. "
        "Whoever still uses the old one is not from us. Check every message at %(host)s, or call %(phone)s."
    ),
    "charge_ahead": N_(
        "On %(day)s we carry out what you agreed to. To see or change it, type %(host)s and sign in."
    ),
    "charge_failed": N_(
        "Something you agreed to could not be carried out. Your reference is %(reference)s. "
        "To see what you can do, type %(host)s and sign in."
    ),
}
#: every kind `queue` takes; a notice carries the bank's own text
KINDS = (
    "notice",
    "one_time_code",
    "decision",
    "agreement",
    "receipt",
    "payment_news",
    "news",
    "code_replaced",
    "charge_ahead",
    "charge_failed",
)


def text_for(kind: str, language: str, params: Mapping[str, str]) -> str:
    """The text of one message. Raises KeyError for an unknown kind or a missing parameter.

    Parameters: notice: text; one_time_code: code, host, minutes, purpose ("sign_in" or "accept");
    decision: host; agreement, receipt, news, payment_news and charge_failed: host, reference; charge_ahead: host, day;
    code_replaced: day, host, phone.
    """
    if kind == "notice":
        return params["text"]
    name = f"{kind}.{params['purpose']}" if kind == "one_time_code" else kind
    return catalogue(language).gettext(TEXTS[name]) % params


@functools.cache
def catalogue(language: str) -> NullTranslations:
    """The catalogue of a language; English is the source and needs none."""
    return Translations.load(str(TRANSLATIONS), [language])


def signed(text: str, signature: str) -> str:
    """`text` with the registered signature in front, unless the bank's own text already has one."""
    return text if text.startswith("【") else f"【{signature}】{text}"
