"""From every figure of the execution report down to its entries, and back up to the figure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from app.services.budgets.execution import ACCOUNTS
from tests.budgets.closes import close
from tests.world import CIXI, NINGBO, Actor, World, bill_body, counter, ok, problem, rules_body

PATH = "/v1/reports/execution"
TWO_SOURCES: Any = {"fund_sources": [{"source": "province", "share": 1}, {"source": "city", "share": 2}]}


def entries_at(reader: Actor, link: str) -> Iterator[dict[str, Any]]:
    """Every entry that a link lists, page by page."""
    cursor: str | None = None
    while True:
        page = ok(reader.http.get(link + "&limit=3" + (f"&cursor={cursor}" if cursor else "")))
        yield from page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def figure_behind(reader: Actor, link: str, account: str, pool_ids: set[str]) -> int:
    """What the entries behind a link bring to the account on these pools; of a source, what they took from it."""
    sum_fen = 0
    for entry in entries_at(reader, link):
        touching = [
            posting
            for posting in entry["postings"]
            if posting["pool_id"] in pool_ids and account in (posting["source"], posting["destination"])
        ]
        assert touching, f"{entry['id']} has nothing to do with {account}"
        sum_fen += sum(
            posting["amount_fen"] if posting["destination"] == account else -posting["amount_fen"]
            for posting in touching
        )
    return -sum_fen if account == "appropriation" else sum_fen


def assert_every_link_adds_up(reader: Actor, report: dict[str, Any]) -> None:
    figures = [(pool, {pool["pool_id"]}) for pool in report["pools"]]
    figures += [(group, set(group["pool_ids"])) for group in report["groups"]]
    for figure, pool_ids in figures:
        for account, name in ACCOUNTS.items():
            assert figure_behind(reader, figure["links"][name], account, pool_ids) == figure[name], (figure, name)


def test_every_figure_is_the_sum_of_the_entries_behind_its_link(world: World) -> None:
    """A city and its county, two sources, holds, a refund, a void, a close with all that is carried."""
    ningbo, cixi = world.city(NINGBO), world.city(CIXI)
    desk = counter(ningbo, face_value_fen=90_001, rate="1.00", **TWO_SOURCES)
    first = ok(desk.redeem(10_000))
    ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", {"amount_fen": 4_000, "reason": "退货"}))
    held = {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_body(5_000)}
    ok(desk.machine.post("/v1/holds", held))
    county = counter(cixi, face_value_fen=7_000, rate="0.50")
    ok(county.redeem(2_000))
    ok(cixi.approve(cixi.maker.post(f"/v1/vouchers/{county.voucher['id']}/void", {"reason": "注销"})))
    early = ok(ningbo.auditor.get(PATH))["at"]
    close(ningbo, desk.programme_id)

    by = ["city", "county", "fund_source", "fiscal_year"]
    report = ok(ningbo.auditor.get(PATH, group_by=by))
    assert_every_link_adds_up(ningbo.auditor, report)
    assert [group["key"] | {"n": len(group["pool_ids"])} for group in report["groups"]] == [
        {"city_code": NINGBO, "county_code": NINGBO, "fund_source": "city", "fiscal_year": "2026", "n": 1},
        {"city_code": NINGBO, "county_code": NINGBO, "fund_source": "city", "fiscal_year": "2027", "n": 1},
        {"city_code": NINGBO, "county_code": NINGBO, "fund_source": "province", "fiscal_year": "2026", "n": 1},
        {"city_code": NINGBO, "county_code": NINGBO, "fund_source": "province", "fiscal_year": "2027", "n": 1},
        {"city_code": NINGBO, "county_code": CIXI, "fund_source": "local", "fiscal_year": "2026", "n": 1},
    ]
    cities = ok(ningbo.auditor.get(PATH, group_by="city", fiscal_year=2026))
    (whole,) = cities["groups"]
    assert (whole["key"], whole["appropriation_fen"]) == ({"city_code": NINGBO}, cities["total"]["appropriation_fen"])
    # 200,000,000 and 100,000,000 were granted; the 90,001 that were promised on the first went to 2027.
    assert whole["appropriation_fen"] == 300_000_000 - 90_001
    assert_every_link_adds_up(ningbo.auditor, cities)

    before = ok(ningbo.auditor.get(PATH, as_of=early, group_by="programme"))
    assert {(pool["fiscal_year"], pool["lapsed_fen"]) for pool in before["pools"]} == {(2026, 0)}
    assert {pool["closed_at"] for pool in before["pools"]} == {None}, "it was closed later"
    assert sum(pool["closed_at"] is not None for pool in report["pools"]) == 2
    after = ok(ningbo.auditor.get(PATH, as_of=report["at"]))
    assert [pool["closed_at"] for pool in after["pools"]] == [pool["closed_at"] for pool in report["pools"]]
    assert before["total"]["held_fen"] == 5_000
    assert_every_link_adds_up(ningbo.auditor, before)


def test_as_of_an_instant_the_report_tells_what_stood_then(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=1_000)
    then = ok(city.finance.get(PATH))["at"]
    city.fund(programme_id, 234)
    assert ok(city.finance.get(PATH, as_of=then))["total"]["appropriation_fen"] == 1_000
    assert ok(city.finance.get(PATH))["total"]["appropriation_fen"] == 1_234
    assert ok(city.finance.get(PATH, as_of="2020-01-01T00:00:00+08:00"))["pools"] == []
    future = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    refused = problem(city.finance.get(PATH, as_of=future), 422, "validation_failed")
    assert refused["errors"][0]["pointer"] == "/as_of"
    problem(city.finance.get(PATH, as_of="2026-01-01T00:00:00"), 422, "validation_failed")


def test_who_reads_no_entries_gets_no_links(world: World) -> None:
    city = world.city()
    city.programme(appropriation_fen=1_000)
    report = ok(city.maker.get(PATH, group_by="fund_source"))
    assert [figure["links"] for figure in (*report["pools"], *report["groups"])] == [None, None]
    (pool,) = ok(city.finance.get(PATH))["pools"]
    assert set(pool["links"]) == set(ACCOUNTS.values())


def test_groups_stand_on_a_sheet_of_their_own(world: World) -> None:
    city = world.city()
    city.programme(appropriation_fen=12_345, rules=rules_body())
    data = ok_bytes(city.finance, group_by=["city", "fiscal_year"], format="xlsx")
    with CalamineWorkbook.from_filelike(BytesIO(data)) as workbook:
        cells = workbook.get_sheet_by_name("分组汇总").to_python()
    assert cells[0][:3] == ["市", "预算年度", "预算指标"]
    assert cells[1][:4] == ["杭州市", "2026", 123.45, 123.45]


def ok_bytes(reader: Actor, **parameters: Any) -> bytes:
    response = reader.get(PATH, **parameters)
    assert response.is_success, response.text
    return response.content


@pytest.mark.parametrize("wrong", [{"group_by": "firm"}, {"fiscal_year": 1999}, {"as_of": "yesterday"}])
def test_what_makes_no_sense_is_refused(world: World, wrong: dict[str, Any]) -> None:
    problem(world.city().finance.get(PATH, **wrong), 422, "validation_failed")
