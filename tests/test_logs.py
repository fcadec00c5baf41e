"""Nothing personal reaches a log line, not even through an exception."""

from __future__ import annotations

import json

import pytest
import structlog

from portal import logs

CANARIES = ("13900000034", "林晓", "7KQF-3MWD-Q2XJ5", "482913")


def test_only_listed_keys_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=True)
    structlog.get_logger().warning("sign_in_refused", reason="wrong", phone=CANARIES[0], code=CANARIES[3])

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "sign_in_refused"
    assert line["reason"] == "wrong"
    assert set(line) <= logs.ALLOWED


def test_an_exceptions_values_stay_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=True)
    try:
        raise ValueError(f"INSERT failed for {CANARIES}")
    except ValueError:
        structlog.get_logger().error("unexpected_error", exc_info=True)

    written = capsys.readouterr().err
    assert json.loads(written)["exception"] == "ValueError"
    assert not any(canary in written for canary in CANARIES)
