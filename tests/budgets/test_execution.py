from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from app.database import Database
from app.kernel.ids import new_id
from app.kernel.vocabulary import Account, EntryKind, OrganisationKind, Role
from app.models import Pool
from app.services.budgets.execution import ExecutionRow, Standing, total_of
from app.services.budgets.execution_sheet import write_execution
from app.services.ledger.entries import Cause, JournalEntry, Movement
from app.services.ledger.journal import post
from app.sql import now
from tests.world import CIXI, HANGZHOU, NINGBO, World, counter, ok, problem, rules_body

YUAN = 100
AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def row_of(standing: Standing, **changes: Any) -> ExecutionRow:
    names = {
        "region_code": HANGZHOU,
        "programme_id": "prg",
        "programme_title": "AI算力券",
        "document_no": "杭经信〔2026〕1号",
        "fiscal_year": 2026,
        "fund_source": "local",
        "county_code": None,
        "pool_id": "pol",
        "closed_at": None,
    }
    return ExecutionRow(**names | changes, standing=standing)  # type: ignore[arg-type]


def cells_of(data: bytes) -> list[list[Any]]:
    with CalamineWorkbook.from_filelike(BytesIO(data)) as workbook:
        cells: list[list[Any]] = workbook.get_sheet_by_index(0).to_python()
    return cells


@pytest.mark.parametrize(
    ("disbursed_fen", "appropriation_fen", "rate"),
    [
        (1_040_000 * YUAN, 10_000_000 * YUAN, "0.1040"),
        (0, 1, "0.0000"),
        (1, 1, "1.0000"),
        (1, 3, "0.3333"),
        (2, 3, "0.6667"),
        (5, 100_000, "0.0001"),
        (49, 1_000_000, "0.0000"),
        (0, 0, None),
    ],
)
def test_the_execution_rate_is_disbursed_over_appropriation(
    disbursed_fen: int, appropriation_fen: int, rate: str | None
) -> None:
    standing = Standing(appropriation_fen=appropriation_fen, disbursed_fen=disbursed_fen)
    assert standing.execution_rate == rate


def test_the_budget_arithmetic_of_the_rule_book(world: World) -> None:
    """Appropriation 10,000,000; issue 6,000,000; redeem 2,000,000; expire 500,000; payment order 1,200,000, of which
    100,000 bounce; recovery of the same year 60,000."""
    city = world.city()
    programme_id = city.programme(appropriation_fen=10_000_000 * YUAN)
    events = [
        (EntryKind.ISSUE, Account.AVAILABLE, Account.COMMITTED, 6_000_000),
        (EntryKind.REDEEM, Account.COMMITTED, Account.OBLIGATED, 2_000_000),
        (EntryKind.EXPIRE, Account.COMMITTED, Account.AVAILABLE, 500_000),
        (EntryKind.ORDER_PAYMENT, Account.OBLIGATED, Account.IN_PAYMENT, 1_200_000),
        (EntryKind.BOUNCE, Account.IN_PAYMENT, Account.OBLIGATED, 100_000),
        (EntryKind.CONFIRM_PAYMENT, Account.IN_PAYMENT, Account.DISBURSED, 1_100_000),
        (EntryKind.RECOVER, Account.DISBURSED, Account.AVAILABLE, 60_000),
    ]
    for kind, source, destination, yuan in events:
        move(world.database, programme_id, kind, source, destination, yuan * YUAN)
    (pool,) = ok(city.finance.get("/v1/reports/execution", programme_id=programme_id))["pools"]
    assert {name: pool[name] for name in pool if name.endswith(("_fen", "_rate"))} == {
        "appropriation_fen": 10_000_000 * YUAN,
        "available_fen": 4_560_000 * YUAN,
        "committed_fen": 3_500_000 * YUAN,
        "held_fen": 0,
        "obligated_fen": 900_000 * YUAN,
        "in_payment_fen": 0,
        "disbursed_fen": 1_040_000 * YUAN,
        "lapsed_fen": 0,
        "execution_rate": "0.1040",
    }


def move(
    database: Database, programme_id: str, kind: EntryKind, source: Account, destination: Account, amount_fen: int
) -> None:
    """Post one movement of the programme's only pool, without vouchers."""

    def work(tx: Any) -> None:
        pool = tx.execute(select(Pool).where(Pool.programme_id == programme_id)).one()
        entry = JournalEntry(
            region_code=pool.region_code,
            id=new_id("ent", pool.region_code),
            kind=kind,
            at=now(tx),
            programme_id=programme_id,
            subject_id="test",
            cause=Cause("usr_a", "org_a", "req", maker_id="usr_a", checker_id="usr_b", approval_id="apv"),
            movements=(Movement(pool.id, source, destination, amount_fen),),
        )
        post(tx, [entry])

    database.transact(work)


def test_a_redemption_shows_up_as_obligated(world: World) -> None:
    city = world.city()
    at_counter = counter(city, face_value_fen=1_000_000, rate="0.30")
    ok(at_counter.redeem(100_000))
    report = ok(city.auditor.get("/v1/reports/execution"))
    (pool,) = report["pools"]
    assert (pool["available_fen"], pool["committed_fen"], pool["obligated_fen"]) == (99_000_000, 970_000, 30_000)
    assert report["total"]["appropriation_fen"] == 100_000_000
    assert world.differences() == []


def test_every_source_has_its_row_and_the_sum_is_their_sum(world: World) -> None:
    city = world.city()
    shares = [{"source": "province", "share": 1}, {"source": "city", "share": 1}]
    programme_id = city.programme(appropriation_fen=None, rules=rules_body(fund_sources=shares))
    city.fund(programme_id, 500, "province")
    city.fund(programme_id, 700, "city")
    city.fund(programme_id, -200, "city")
    city.programme(appropriation_fen=None)  # without a pool it has no row
    report = ok(city.maker.get("/v1/reports/execution"))
    assert [(pool["fund_source"], pool["appropriation_fen"], pool["available_fen"]) for pool in report["pools"]] == [
        ("province", 500, 500),
        ("city", 500, 500),
    ]
    assert report["total"]["available_fen"] == 1_000
    assert report["total"]["execution_rate"] == "0.0000"


def test_the_report_reaches_as_far_as_the_role(world: World) -> None:
    hangzhou, ningbo, cixi = world.city(), world.city(NINGBO), world.city(CIXI)
    ids = {city.region_code: city.programme(appropriation_fen=100) for city in (hangzhou, ningbo, cixi)}
    neighbour = world.person(Role.MAKER, world.organisation(OrganisationKind.AUTHORITY))
    province = world.person(Role.AUDITOR, world.organisation(OrganisationKind.AUDIT, "330000"), "330000")

    def seen(actor: Any, **params: Any) -> set[str]:
        return {pool["programme_id"] for pool in ok(actor.get("/v1/reports/execution", **params))["pools"]}

    assert seen(province) == set(ids.values())
    assert seen(province, programme_id=ids[CIXI]) == {ids[CIXI]}
    assert seen(province, fiscal_year=2025) == set()
    assert seen(ningbo.auditor) == {ids[NINGBO], ids[CIXI]}
    assert seen(ningbo.finance) == {ids[NINGBO]}
    assert seen(hangzhou.checker) == {ids[HANGZHOU]}
    assert seen(neighbour) == set()
    problem(world.machine(world.provider()).get("/v1/reports/execution"), 403, "forbidden")
    problem(world.person(Role.FIRM, world.firm()).get("/v1/reports/execution"), 403, "forbidden")


def test_the_report_as_a_sheet_by_accept_header_or_by_name(world: World) -> None:
    city = world.city()
    city.programme(appropriation_fen=12_345, title="=1+1")
    by_header = city.finance.http.get("/v1/reports/execution", headers={"Accept": XLSX})
    by_name = city.finance.get("/v1/reports/execution", format="xlsx")
    for response in (by_header, by_name):
        assert response.headers["content-type"] == XLSX
        assert cells_of(response.content)[1][1] == "=1+1"
    forced = city.finance.http.get("/v1/reports/execution", params={"format": "json"}, headers={"Accept": XLSX})
    assert ok(forced)["total"]["appropriation_fen"] == 12_345


def test_the_sheet_is_in_yuan_with_chinese_headings_and_a_sum() -> None:
    standing = Standing(appropriation_fen=10_000, available_fen=7_655, disbursed_fen=2_345)
    cells = cells_of(write_execution([row_of(standing), row_of(standing, fund_source="province")], at=AT))
    assert cells[0] == [
        *("地区", "项目", "文号", "预算年度", "资金来源"),
        *("预算指标", "可用额度", "已发放占用", "预扣", "应付", "支付中", "已拨付", "指标收回", "预算执行率"),
    ]
    assert cells[1] == [
        *("杭州市", "AI算力券", "杭经信〔2026〕1号", "2026", "local"),
        *(100.0, 76.55, 0.0, 0.0, 0.0, 0.0, 23.45, 0.0, 0.2345),
    ]
    assert cells[3][0] == "合计"
    assert cells[3][5:] == [200.0, 153.1, 0.0, 0.0, 0.0, 0.0, 46.9, 0.0, 0.2345]
    assert "2026-11-24 10:00（北京时间）" in cells[5][0]


@pytest.mark.parametrize("sign", ["=1+1", "+1", "-1", "@SUM(A1)", "{=1}", "https://example.org", "123"])
def test_text_stays_text_in_the_sheet(sign: str) -> None:
    cells = cells_of(write_execution([row_of(Standing(), programme_title=sign)], at=AT))
    assert cells[1][1] == sign


@given(st.integers(0, 10**15))
def test_an_amount_stands_in_the_sheet_to_the_fen(fen: int) -> None:
    cells = cells_of(write_execution([row_of(Standing(appropriation_fen=fen))], at=AT))
    assert round(cells[1][5] * 100) == fen


def test_no_pools_add_up_to_nothing() -> None:
    assert total_of([]) == Standing()
    assert total_of([]).execution_rate is None
