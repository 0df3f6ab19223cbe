"""Extensions as officials ask for them: four eyes, what is refused, what firms see, and that the log knows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.database import Database
from app.kernel.clock import civil_date, utc_now
from app.services.export.export import Request, export
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.services.vouchers.expiry import expire_vouchers, find_expired
from app.settings import Settings
from app.verifier.report import Report
from app.verifier.verify import Options, verify
from tests.past import end_validity, superuser_url
from tests.world import HANGZHOU, NINGBO, Counter, World, counter, ok, problem

TODAY = civil_date(utc_now())
WHY = "项目延期，企业申请"
TWICE = {"times": 2, "days": 400, "past_year_end": True}


def extend(desk: Counter, **wanted: Any) -> httpx.Response:
    return desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/extend", {"reason": WHY} | wanted)


def last_day(desk: Counter) -> date:
    shown = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    assert shown["valid_until"].endswith("T16:00:00.000000Z")
    return date.fromisoformat(shown["valid_until"][:10])


def test_an_extension_is_asked_for_approved_and_drawn_on(world: World) -> None:
    desk = counter(world.city(), extension=TWICE, grace_days=5)
    before = last_day(desk)
    asked = extend(desk, days=30)
    approval = ok(asked)
    assert (asked.status_code, approval["kind"], approval["amount_fen"]) == (202, "extend_voucher", 1_000_000)
    assert approval["effect"] | {"firm": ""} == {
        "act": "extend",
        "firm": "",
        "status": "active",
        "balance_fen": 1_000_000,
        "held_fen": 0,
        "released_fen": 0,
        "ground": "rules",
        "days": 30,
        "last_day_before": before.isoformat(),
        "last_day": (before + timedelta(days=30)).isoformat(),
        "valid_until": f"{before + timedelta(days=30)}T16:00:00.000000Z",
        "redeemable_until": f"{before + timedelta(days=35)}T16:00:00.000000Z",
    }
    assert last_day(desk) == before
    problem(desk.city.maker.post(f"/v1/approvals/{approval['id']}/approve"), 403, "forbidden")
    ok(desk.city.approve(asked))
    assert last_day(desk) == before + timedelta(days=30)
    ok(desk.redeem(10_000))
    ok(desk.city.approve(extend(desk, last_day=(before + timedelta(days=60)).isoformat())))
    first, second = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}/extensions"))
    assert (first["number"], first["ground"], first["document_no"]) == (1, "rules", None)
    assert second["valid_until_before"] == first["valid_until"]
    problem(extend(desk, days=1), 422, "extension_beyond_rules")
    assert world.differences() == []


def test_beyond_the_rules_a_document_is_needed(world: World) -> None:
    desk = counter(world.city())
    refused = problem(extend(desk, days=5), 422, "extension_beyond_rules")
    assert "exception_document_no" in refused["detail"]
    asked = extend(desk, days=5, exception_document_no="杭财函〔2026〕12号")
    assert ok(asked)["command"]["exception_document_no"] == "杭财函〔2026〕12号"
    ok(desk.city.approve(asked))
    (one,) = ok(desk.city.auditor.get(f"/v1/vouchers/{desk.voucher['id']}/extensions"))
    assert (one["ground"], one["document_no"]) == ("exception", "杭财函〔2026〕12号")
    assert world.differences() == []


def test_who_may_not_ask_and_what_is_no_extension(world: World) -> None:
    desk = counter(world.city(), extension=TWICE)
    path, body = f"/v1/vouchers/{desk.voucher['id']}/extend", {"reason": WHY, "days": 1}
    problem(desk.manager.post(path, body), 403, "forbidden")
    problem(world.city(NINGBO).maker.post(path, body), 404, "voucher_not_found")
    problem(extend(desk, last_day=last_day(desk).isoformat()), 422, "extension_not_later")
    for wrong in ({}, {"days": 1, "last_day": "2027-01-01"}, {"days": 0}, {"days": True}):
        problem(extend(desk, **wrong), 422, "validation_failed")
    problem(world.city(NINGBO).maker.get(f"/v1/vouchers/{desk.voucher['id']}/extensions"), 404, "voucher_not_found")


def test_an_expired_voucher_stays_so_whether_or_not_its_money_has_moved(world: World) -> None:
    desk = counter(world.city(), extension=TWICE)
    waiting = extend(desk, days=10)
    end_validity(world.database)
    problem(extend(desk, days=10), 409, "wrong_state")
    problem(desk.city.approve(waiting), 409, "wrong_state")
    assert sweep(world.database) == 1
    problem(desk.city.approve(waiting), 409, "wrong_state")
    assert sweep(world.database) == 0
    assert world.differences() == []


def test_in_its_grace_a_voucher_may_be_extended(world: World) -> None:
    desk = counter(world.city(), extension=TWICE)
    yesterday = "valid_from = valid_from - interval '9 days', valid_until = clock_timestamp() - interval '1 second'"
    end_validity(world.database, f"{yesterday}, redeemable_until = clock_timestamp() + interval '9 days'")
    problem(desk.redeem(10_000), 409, "voucher_expired")
    ok(desk.city.approve(extend(desk, last_day=(TODAY + timedelta(days=20)).isoformat())))
    ok(desk.redeem(10_000))
    assert world.differences() == []


def test_extended_or_expired_never_both(world: World) -> None:
    """The approval races the sweep at the very end: money that has gone back is not promised again."""
    city = world.city()
    desks = [counter(city, extension=TWICE) for _ in range(6)]
    waiting = [extend(desk, days=10) for desk in desks]
    end_validity(
        world.database,
        "valid_until = clock_timestamp() + interval '150 milliseconds',"
        " redeemable_until = clock_timestamp() + interval '150 milliseconds'",
    )
    with ThreadPoolExecutor(8) as pool:
        sweeps = [pool.submit(lambda: [sweep(world.database) for _ in range(15)]) for _ in range(2)]
        answers = list(pool.map(lambda asked: city.approve(asked).status_code, waiting))
        for one in sweeps:
            one.result()
    while sweep(world.database):
        pass
    shown = [ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}")) for desk in desks]
    for status, voucher in zip(answers, shown, strict=True):
        assert (status, voucher["status"], voucher["balance_fen"]) in {
            (200, "active", 1_000_000),
            (409, "expired", 0),
        }
    assert world.differences() == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE vouchers SET redeemable_until = redeemable_until + interval '1 day'",
        "UPDATE vouchers SET valid_until = valid_until - interval '1 day'",
        "UPDATE extensions SET valid_until = valid_until + interval '1 day'",
        "DELETE FROM extensions",
    ],
)
def test_below_the_code_validity_changes_by_an_extension_only(world: World, change: str) -> None:
    desk = counter(world.city(), extension=TWICE)
    ok(desk.city.approve(extend(desk, days=10)))
    with pytest.raises(DBAPIError, match=r"extension|refused|permission denied"):
        world.database.transact(lambda tx: tx.execute(text(change)))


def sweep(database: Database) -> int:
    return database.transact(lambda tx: expire_vouchers(tx, find_expired(tx, most=100)))


# -- what auditors find ------------------------------------------------------------------------------------------------


@pytest.fixture
def extended(world: World, sealing: Database, settings: Settings) -> Counter:
    """A voucher drawn on, extended and drawn on again, sealed."""
    desk = counter(world.city(), extension=TWICE)
    ok(desk.redeem(10_000))
    ok(desk.city.approve(extend(desk, days=30)))
    ok(desk.redeem(10_000))
    keys = LogKeys.from_settings(settings)
    while sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys)):
        pass
    return desk


def judged(world: World, settings: Settings, folder: Path) -> Report:
    signers = LogKeys.from_settings(settings).signers
    vkeys = lambda origin: [one.verifier.vkey for one in signers(origin)]  # noqa: E731
    export(world.database, Request(folder, vkeys=vkeys))
    return verify(folder, Options())


def tamper(world: World, *statements: str) -> None:
    name = world.database.engine.url.database
    assert name is not None
    engine = create_engine(superuser_url(name))
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0
    engine.dispose()


def test_an_extension_is_part_of_the_sealed_books(
    world: World, extended: Counter, settings: Settings, tmp_path: Path
) -> None:
    report = judged(world, settings, tmp_path / "pack")
    assert report.is_right, report.to_text()
    assert world.differences() == []


LONGER = "valid_until = valid_until + interval '1 day', redeemable_until = redeemable_until + interval '1 day'"


@pytest.mark.parametrize(
    "statements",
    [
        [f"UPDATE vouchers SET {LONGER}"],
        [f"UPDATE vouchers SET {LONGER}", f"UPDATE extensions SET {LONGER}"],
        ["UPDATE vouchers SET valid_from = valid_from - interval '1 day'"],
        [
            "DELETE FROM extensions",
            f"UPDATE vouchers SET {LONGER.replace('+', '-').replace('1 day', '30 days')}",
        ],
    ],
    ids=["voucher", "voucher and extension", "beginning", "extension taken away"],
)
def test_an_edited_validity_is_found_by_reconciliation_and_by_the_verifier(
    world: World, extended: Counter, settings: Settings, tmp_path: Path, statements: list[str]
) -> None:
    tamper(world, *statements)
    assert any(one.startswith("8 sealed_validity: ") for one in world.differences())
    checks = judged(world, settings, tmp_path / "pack").findings.counts
    assert "validity_stored" in checks


def test_an_edited_event_is_found_too(world: World, extended: Counter, settings: Settings, tmp_path: Path) -> None:
    end = "to_char((details::jsonb ->> 'valid_until')::timestamptz AT TIME ZONE 'UTC'"
    tamper(
        world,
        f"UPDATE vouchers SET {LONGER}",
        f"UPDATE extensions SET {LONGER}",
        "UPDATE audit_events SET details = replace(details, details::jsonb ->> 'valid_until',"
        f" {end} + interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')) WHERE action = 'voucher.extended'",
    )
    assert any(one.startswith("10 columns: ") for one in world.differences())
    assert "text_hash" in judged(world, settings, tmp_path / "pack").findings.counts


def test_what_was_drawn_before_an_extension_and_after_the_end_is_found(world: World, extended: Counter) -> None:
    tamper(world, "UPDATE extensions SET valid_until_before = (SELECT min(redeemed_at) FROM redemptions)")
    found = world.differences()
    assert any("before extension 1" in one for one in found), found
