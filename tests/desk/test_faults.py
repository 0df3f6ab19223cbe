"""What goes wrong is answered, says nothing of itself, and stops nobody else."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
from sqlalchemy import create_engine, text

from app import logs
from app.embedded.databases import Urls
from tests.world import Counter, World, counter, ok, problem, redemption_body


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city())


def test_a_bug_is_answered_with_its_request_id_and_says_nothing(urls: Urls, desk: Counter) -> None:
    engine = create_engine(urls.owner_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE redemptions RENAME TO lost"))
    engine.dispose()
    read = desk.machine.get("/v1/redemptions")
    drawn = desk.redeem(1_000)
    for refused in (read, drawn):
        body = problem(refused, 500, "internal_error")
        assert refused.headers["X-Request-Id"] == body["request_id"]
        assert "redemptions" not in body["detail"] and "SELECT" not in refused.text


def test_a_failure_is_logged_by_type_and_place_without_its_values() -> None:
    written = io.StringIO()
    logs.configure()
    log = structlog.wrap_logger(structlog.WriteLogger(written))
    secret = "p4ssw0rd"
    with pytest.raises(ValueError, match=secret) as failed:
        int(secret)
    log.error("request.failed", exc_info=failed.value)
    line = written.getvalue()
    structlog.reset_defaults()
    assert "builtins.ValueError at " in line and "test_faults.py" in line
    assert secret not in line


def test_a_failure_that_is_being_handled_is_told_as_well() -> None:
    """What the sweeper logs: `exc_info=True`."""
    written = io.StringIO()
    logs.configure()
    log = structlog.wrap_logger(structlog.WriteLogger(written))
    try:
        int("p4ssw0rd")
    except ValueError:
        log.warning("sweep.failed", exc_info=True)
    structlog.reset_defaults()
    assert "builtins.ValueError at " in written.getvalue()


def test_a_key_held_elsewhere_delays_only_its_own_command(world: World, desk: Counter) -> None:
    body = redemption_body(desk.voucher["code"], 1_000)
    answers: dict[str, int] = {}
    with _key_claimed_elsewhere(world, desk, "K"):
        stuck = threading.Thread(
            target=lambda: answers.update(K=desk.machine.post("/v1/redemptions", body, key="K").status_code)
        )
        stuck.start()
        for n in range(5):
            answers[f"n{n}"] = desk.redeem(1_000, key=f"n{n}").status_code
        stuck.join()
    assert answers == {"K": 409, "n0": 201, "n1": 201, "n2": 201, "n3": 201, "n4": 201}
    ok(desk.machine.post("/v1/redemptions", body, key="K"))
    assert world.differences() == []


@contextmanager
def _key_claimed_elsewhere(world: World, desk: Counter, key: str) -> Iterator[None]:
    claim = text(
        "INSERT INTO idempotency_keys (region_code, principal_id, route, key, fingerprint, created_at)"
        " VALUES ('330100', :principal, 'POST /v1/redemptions', :key, '', now())"
    )
    with world.database.engine.connect() as connection:
        connection.execute(claim, {"principal": desk.machine.id, "key": key})
        yield
        connection.rollback()
