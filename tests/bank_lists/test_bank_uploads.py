"""Bank lists over HTTP: who may send one, what is stored, what a repetition does."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.embedded.databases import Urls
from tests.bank_lists.files import HEADINGS, ORDER, line, send, upload
from tests.statements.books import today
from tests.statements.files import as_csv, as_xlsx
from tests.world import NINGBO, City, World, ok, problem


@pytest.fixture
def city(world: World) -> City:
    return world.city()


def test_finance_sends_a_list_once_however_often_and_a_later_one_replaces_it(world: World, city: City) -> None:
    row = (ORDER, "某算力中心", "6222001234561234", "30.00", "已支付", "HD-1", today())
    data = as_xlsx([HEADINGS, row])
    first = upload(city.finance, data, name="支付结果.xlsx", declared_count="1", declared_total_fen="3000")
    assert first.status_code == 201
    sent = ok(first)
    assert (sent["line_count"], sent["total_fen"], sent["repeated"]) == (1, 3_000, False)
    again = upload(city.second_finance, data)
    assert (again.status_code, ok(again)) == (200, sent | {"repeated": True})
    (shown,) = ok(city.auditor.get(f"/v1/bank-lists/{sent['bank_list_id']}/lines"))["data"]
    assert shown == {
        "row_no": 2,
        "status": "paid",
        "bank_reference": "HD-1",
        "order_id": ORDER,
        "amount_fen": 3_000,
        "settled_on": today(),
        "payee_name": "某算力中心",
        "account_tail": "1234",
    }
    second = send(city.finance, line(ORDER, 2_900, "退票", "HD-2"))
    assert second["replaces_id"] == sent["bank_list_id"]
    live = [row for row in ok(city.finance.get("/v1/bank-lists"))["data"] if row["replaced_by_id"] is None]
    assert [row["id"] for row in live] == [second["bank_list_id"]]
    wider = upload(city.finance, data, period_from="2026-01-01")
    assert problem(wider, 409, "bank_list_overlaps")["bank_list_id"] == second["bank_list_id"]
    with world.database.engine.connect() as tx:
        stored = tx.execute(text("SELECT count(*), count(*) FILTER (WHERE account_tail = '1234') FROM bank_list_lines"))
        assert stored.one() == (2, 1)
        events = tx.execute(text("SELECT object_id FROM audit_events WHERE action = 'bank_list.uploaded' ORDER BY at"))
        assert list(events.scalars()) == [sent["bank_list_id"], second["bank_list_id"]]


def test_a_dry_run_and_a_refusal_store_nothing(world: World, city: City) -> None:
    good = as_csv([HEADINGS, line(ORDER, 3_000, "已支付", "HD-1")])
    assert ok(upload(city.finance, good, dry_run="true"))["bank_list_id"] is None
    bad = as_csv([HEADINGS, line("pyo_330200_01kay0000000000000000000ab", 0, "处理中", "HD-1")], "gb18030")
    refused = problem(upload(city.finance, bad), 422, "sheet_invalid")
    assert [(error["row"], error["column"], error["code"]) for error in refused["errors"]] == [
        (2, "A 支付单号", "order_id_unfit"),
        (2, "D 金额（元）", "amount_zero"),
        (2, "E 结果", "status_unknown"),
    ]
    for fields, code in (
        ({"period_until": "2999-01-01", "period_from": "2999-01-01"}, "period_ends_in_future"),
        ({"period_from": "2020-01-01"}, "validation_failed"),
        ({"provider_id": "x"}, "validation_failed"),
        ({"declared_count": "2"}, "sheet_invalid"),
    ):
        problem(upload(city.finance, good, **fields), 422, code)
    with world.database.engine.connect() as tx:
        assert tx.execute(text("SELECT count(*) FROM bank_lists")).scalar_one() == 0


def test_nobody_but_finance_of_the_region_sends_one_and_nobody_outside_reads_it(world: World, city: City) -> None:
    data = as_csv([HEADINGS, line(ORDER, 3_000, "已支付", "HD-1")])
    machine = world.machine(world.provider())
    other = world.city(NINGBO)
    for actor in (machine, city.maker, city.auditor):
        problem(upload(actor, data), 403, "forbidden")
    problem(upload(other.finance, data), 404, "not_found")
    sent = ok(upload(city.finance, data))
    for actor, status, code in ((machine, 403, "forbidden"), (other.finance, 404, "not_found")):
        problem(actor.get(f"/v1/bank-lists/{sent['bank_list_id']}"), status, code)
    assert ok(other.auditor.get("/v1/bank-lists"))["data"] == []
    assert city.finance.get("/v1/bank-lists/template").content.startswith(b"PK")


def test_nobody_rewrites_a_list(city: City, urls: Urls) -> None:
    send(city.finance, line(ORDER, 3_000, "已支付", "HD-1"))
    lines = ("UPDATE bank_list_lines SET amount_fen = 1", "DELETE FROM bank_list_lines", "DELETE FROM bank_lists")
    of_the_service = ("UPDATE bank_lists SET total_fen = 2",)
    for url, changes in ((urls.app_url, (*lines, *of_the_service)), (urls.owner_url, lines)):
        engine = create_engine(url)
        for change in changes:
            with engine.connect() as tx, pytest.raises(DBAPIError) as refused:
                tx.execute(text(change))
            assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege), change
        engine.dispose()
