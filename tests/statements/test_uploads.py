"""Statements over HTTP: who may send one, what is stored, what a repetition does."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.embedded.databases import Urls
from tests.statements.books import HEADINGS, row_of, today, upload
from tests.statements.files import as_csv, as_xlsx
from tests.world import NINGBO, Counter, World, counter, ok, problem


@pytest.fixture
def desk(world: World) -> Counter:
    return counter(world.city())


def test_a_provider_sends_its_statement_once_however_often(world: World, desk: Counter) -> None:
    redemption = ok(desk.redeem(10_000, order_no="A-1"))
    data = as_xlsx([HEADINGS, row_of(desk, redemption)])
    first = upload(desk.machine, data, name="对账单.xlsx", declared_count="1", declared_total_fen="3000")
    assert first.status_code == 201
    sent = ok(first)
    assert (sent["line_count"], sent["subsidy_total_fen"], sent["repeated"]) == (1, 3_000, False)
    again = upload(desk.machine, data)
    assert (again.status_code, ok(again)) == (200, sent | {"repeated": True})
    (kept,) = ok(desk.machine.get("/v1/statements"))["data"]
    assert (kept["id"], kept["file_name"]) == (sent["statement_id"], "对账单.xlsx")
    (line,) = ok(desk.city.finance.get(f"/v1/statements/{kept['id']}/lines"))["data"]
    assert line == {
        "row_no": 2,
        "order_no": "A-1",
        "redemption_id": redemption["id"],
        "redeemed_on": today(),
        "bill_total_fen": 10_000,
        "subsidy_fen": 3_000,
        "refunded_fen": 0,
        "voucher_code": desk.voucher["code"].replace("-", ""),
    }
    with world.database.engine.connect() as tx:
        actions = tx.execute(text("SELECT object_id FROM audit_events WHERE action = 'statement.uploaded'")).scalars()
        assert list(actions) == [kept["id"]]


def test_a_dry_run_and_a_refusal_store_nothing(world: World, desk: Counter) -> None:
    good = as_csv([("订单号", "补贴金额"), ("A-1", "1")])
    report = ok(upload(desk.machine, good, dry_run="true"))
    assert (report["statement_id"], report["line_count"]) == (None, 1)
    bad = as_csv([("订单号", "补贴金额"), ("A-1", "1"), ("A-1", "1.001")], "gb18030")
    refused = problem(upload(desk.machine, bad), 422, "sheet_invalid")
    assert [(error["row"], error["column"], error["code"]) for error in refused["errors"]] == [
        (3, "B 补贴金额", "amount_decimals"),
        (3, "A 订单号", "duplicate"),
    ]
    with world.database.engine.connect() as tx:
        assert tx.execute(text("SELECT count(*) FROM statements")).scalar_one() == 0
        assert tx.execute(text("SELECT count(*) FROM statement_lines")).scalar_one() == 0


def test_a_later_file_of_the_same_period_replaces_and_another_period_must_not_overlap(desk: Counter) -> None:
    first = ok(upload(desk.machine, as_csv([("订单号", "补贴金额"), ("A-1", "1")])))
    second = ok(upload(desk.machine, as_csv([("订单号", "补贴金额"), ("A-1", "2")])))
    assert second["replaces_id"] == first["statement_id"]
    old = ok(desk.machine.get(f"/v1/statements/{first['statement_id']}"))
    assert old["replaced_by_id"] == second["statement_id"]
    wider = upload(desk.machine, as_csv([("订单号", "补贴金额"), ("A-9", "1")]), period_from="2026-01-01")
    assert problem(wider, 409, "statement_overlaps")["statement_id"] == second["statement_id"]


def test_an_earlier_file_sent_again_counts_again(desk: Counter) -> None:
    """A wrong correction is taken back with the file that was right; `repeated` would leave the wrong one live."""
    right, wrong = (as_csv([("订单号", "补贴金额"), ("A-1", yuan)]) for yuan in ("1", "2"))
    first, second = (ok(upload(desk.machine, data)) for data in (right, wrong))
    third = upload(desk.machine, right)
    assert (third.status_code, ok(third)["repeated"], ok(third)["replaces_id"]) == (201, False, second["statement_id"])
    assert ok(upload(desk.machine, right)) == ok(third) | {"repeated": True, "replaces_id": None}
    live = [row for row in ok(desk.machine.get("/v1/statements"))["data"] if row["replaced_by_id"] is None]
    assert [row["id"] for row in live] == [ok(third)["statement_id"]]
    assert first["statement_id"] != ok(third)["statement_id"]


def test_finance_sends_for_a_provider_and_nobody_else_for_another(world: World, desk: Counter) -> None:
    data = as_csv([("订单号", "补贴金额"), ("A-1", "1")])
    provider_id = desk.machine.organisation_id
    other = world.machine(world.provider())
    problem(upload(other, data, provider_id=provider_id), 404, "not_found")
    problem(upload(desk.city.finance, data), 404, "not_found")  # a finance bureau is no provider
    problem(upload(desk.city.maker, data, provider_id=provider_id), 403, "forbidden")
    problem(upload(world.city(NINGBO).finance, data, provider_id=provider_id), 404, "not_found")
    sent = ok(upload(desk.city.finance, data, provider_id=provider_id))
    assert sent["provider_id"] == provider_id
    problem(other.get(f"/v1/statements/{sent['statement_id']}"), 404, "not_found")
    assert ok(desk.city.auditor.get(f"/v1/statements/{sent['statement_id']}"))["provider_id"] == provider_id


def test_a_redemption_of_another_provider_is_refused_and_an_unknown_one_is_a_difference(desk: Counter) -> None:
    redemption = ok(desk.redeem(10_000, order_no="A-1"))
    other = desk.city.world.machine(desk.city.world.provider())
    unknown = redemption["id"][:-4] + "0000"
    data = as_csv([("核销编号", "补贴金额"), (redemption["id"], "30"), (unknown, "1")])
    refused = problem(upload(other, data), 422, "sheet_invalid")
    assert [(error["row"], error["code"]) for error in refused["errors"]] == [(2, "row_of_another_provider")]
    assert ok(upload(desk.machine, data))["line_count"] == 2


def test_a_form_that_cannot_be_right_is_refused(desk: Counter) -> None:
    data = as_csv([("订单号", "补贴金额"), ("A-1", "1")])
    for fields, code in (
        ({"period_until": "2999-01-01", "period_from": "2999-01-01"}, "period_ends_in_future"),
        ({"period_from": "2020-01-01"}, "validation_failed"),
        ({"period_from": "gestern"}, "validation_failed"),
        ({"typo": "1"}, "validation_failed"),
        ({"declared_count": "2"}, "sheet_invalid"),
        ({"declared_total_fen": "101"}, "sheet_invalid"),
    ):
        problem(upload(desk.machine, data, **fields), 422, code)
    problem(upload(desk.machine, b"%PDF-1.7"), 422, "file_unreadable")
    problem(upload(desk.machine, bytes(20 * 1024 * 1024 + 1)), 413, "body_too_large")
    problem(desk.machine.post("/v1/statements", {}), 415, "unsupported_media_type")
    assert desk.machine.get("/v1/statements/template").content.startswith(b"PK")


def test_nobody_rewrites_a_statement(desk: Counter, urls: Urls) -> None:
    ok(upload(desk.machine, as_csv([("订单号", "补贴金额"), ("A-1", "1")])))
    lines = ("UPDATE statement_lines SET subsidy_fen = 1", "DELETE FROM statement_lines", "DELETE FROM statements")
    of_the_service = (
        "UPDATE statements SET line_count = 2",
        "UPDATE case_notes SET words = ''",
        "DELETE FROM case_notes",
    )
    for url, changes in ((urls.app_url, (*lines, *of_the_service)), (urls.owner_url, lines)):
        engine = create_engine(url)
        for change in changes:
            with engine.connect() as tx, pytest.raises(DBAPIError) as refused:
                tx.execute(text(change))
            assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege), change
        engine.dispose()
