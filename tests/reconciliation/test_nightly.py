"""Every night each region is reconciled once, whoever looks, however often and however late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time

import pytest
from pydantic import ValidationError

from app.kernel.clock import SHANGHAI
from app.services.reconciliation.comparing import Period
from app.services.reconciliation.nightly import last_due, nightly_period, run_due
from app.settings import Settings
from tests.statements.books import upload
from tests.statements.files import as_csv
from tests.world import NINGBO, World, counter, ok

NIGHT = time(2, 30)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        (datetime(2026, 11, 25, 2, 30, tzinfo=SHANGHAI), datetime(2026, 11, 25, 2, 30, tzinfo=SHANGHAI)),
        (datetime(2026, 11, 25, 2, 29, tzinfo=SHANGHAI), datetime(2026, 11, 24, 2, 30, tzinfo=SHANGHAI)),
        (datetime(2026, 11, 25, 23, 59, tzinfo=SHANGHAI), datetime(2026, 11, 25, 2, 30, tzinfo=SHANGHAI)),
    ],
)
def test_what_is_due_late_is_due_still(at: datetime, due: datetime) -> None:
    assert last_due(at, NIGHT) == due


def test_the_night_looks_at_this_month_and_the_one_before() -> None:
    assert nightly_period(date(2026, 11, 25)) == Period(date(2026, 10, 1), date(2026, 11, 24))
    assert nightly_period(date(2026, 1, 1)) == Period(date(2025, 12, 1), date(2025, 12, 31))


def test_the_hour_is_a_setting_and_empty_is_never() -> None:
    assert Settings(database_url="-").reconcile_at == NIGHT
    assert Settings(database_url="-", reconcile_at="").reconcile_at is None  # type: ignore[arg-type]
    assert Settings(database_url="-", reconcile_at="23:15").reconcile_at == time(23, 15)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Settings(database_url="-", reconcile_at="nachts")  # type: ignore[arg-type]


def test_each_region_is_reconciled_once_a_night_by_one_process(world: World) -> None:
    hangzhou, ningbo = world.city(), world.city(NINGBO)
    desk = counter(hangzhou)
    ningbo.programme()
    redemption = ok(desk.redeem(10_000))
    ok(upload(desk.machine, as_csv([("订单号", "补贴金额"), [redemption["order_no"], "1"]])))
    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda _: run_due(world.database, time(0, 0)), range(2)))
    assert sorted(counts) == [0, 2]
    assert run_due(world.database, time(0, 0)) == 0
    for city in (hangzhou, ningbo):
        (report,) = ok(city.finance.get("/v1/reconciliations"))["data"]
        assert (report["region_code"], report["run_by"], report["difference_count"]) == (city.region_code, "clock", 0)
        assert report["comparisons"][0]["tallies"] == []  # it looks back from yesterday


def test_only_one_has_the_work_while_it_is_done(world: World) -> None:
    with world.database.alone("work") as first, world.database.alone("work") as second:
        assert (first, second) == (True, False)
    with world.database.alone("work") as again:
        assert again
