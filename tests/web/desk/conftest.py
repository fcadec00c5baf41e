"""The desk's tests share the payments' shop."""

from __future__ import annotations

from tests.payments.conftest import shop as shop
