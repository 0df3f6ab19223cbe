"""Tables of holidays over HTTP and from the shell."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]  # ships no type information
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.cli.client import Refused
from app.cli.output import Failure
from app.kernel.problems import AppError
from app.kernel.vocabulary import OrganisationKind, Role
from app.services.calendar_files import read_calendar_file
from app.services.calendars import load_calendar
from tests.cli.test_officials import home, sign_in, voucher
from tests.world import Actor, World, ok

__all__ = ["home"]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "calendars"


def registrar(world: World) -> Actor:
    return world.person(Role.REGISTRAR, world.organisation(OrganisationKind.REGISTRY, "330000"), "330000")


def table_2031(**changes: object) -> dict[str, object]:
    days = [{"day": f"2031-{on}", "kind": "holiday", "name": "节"} for on in ("01-01", "05-01", "10-01", "10-02")]
    return {"document_no": "国办发明电〔2030〕1号", "days": days} | changes


def test_the_published_tables_are_there_from_the_first_day(shared_world: World) -> None:
    anybody = shared_world.city().auditor
    tables = {table["year"]: table for table in ok(anybody.get("/v1/calendars"))["data"]}
    for year, document_no in (
        (2024, "国办发明电〔2023〕7号"),
        (2025, "国办发明电〔2024〕12号"),
        (2026, "国办发明电〔2025〕7号"),
    ):
        shipped = read_calendar_file((EXAMPLES / f"{year}.csv").read_bytes())
        assert shipped.document_no == tables[year]["document_no"] == document_no
        days = [(day["day"], day["kind"], day["name"]) for day in tables[year]["days"]]
        assert days == sorted((day.day.isoformat(), str(day.kind), day.name) for day in shipped.days)
    calendar = shared_world.database.transact(load_calendar)
    assert calendar.add_working_days(date(2026, 9, 28), 5) == date(2026, 10, 10)


def test_a_year_is_loaded_once_replaced_by_who_has_read_it_and_its_history_stays(world: World) -> None:
    keeper, path = registrar(world), "/v1/calendars/2031"
    assert keeper.get(path).status_code == 404
    first = keeper.http.put(path, json=table_2031())
    assert (first.status_code, ok(first)["version"], first.headers["ETag"]) == (201, 1, '"1"')
    again = keeper.http.put(path, json=table_2031())
    assert (again.status_code, ok(again)["version"]) == (200, 1)

    more = [*table_2031()["days"], {"day": "2031-09-28", "kind": "make_up_day", "name": "国庆节"}]  # type: ignore[misc]
    assert keeper.http.put(path, json=table_2031(days=more)).json()["code"] == "etag_missing"
    stale = keeper.http.put(path, json=table_2031(days=more), headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "etag_stale")
    assert ok(keeper.http.put(path, json=table_2031(days=more), headers={"If-Match": '"1"'}))["version"] == 2

    assert len(ok(keeper.get(path))["days"]) == 5
    assert len(ok(keeper.get(path, version=1))["days"]) == 4
    assert [old["version"] for old in ok(keeper.get(f"{path}/versions"))["data"]] == [2, 1]
    calendar = world.database.transact(load_calendar)
    assert calendar.is_working_day(date(2031, 9, 28)) and not calendar.is_working_day(date(2031, 10, 2))

    def events(tx: object) -> list[str]:
        rows = tx.execute(  # type: ignore[attr-defined]
            text("SELECT details FROM audit_events WHERE action = 'calendar.loaded' ORDER BY at")
        )
        return [details for (details,) in rows]

    told = world.database.transact(events)
    assert len(told) == 2 and '"version":2' in told[1] and "2031-09-28 make_up_day" in told[1]
    with pytest.raises(DBAPIError, match="permission denied"):
        world.database.transact(lambda tx: tx.execute(text("UPDATE calendar_days SET name = ''")))


def test_only_a_registrar_loads_and_every_wrong_day_is_named(shared_world: World) -> None:
    city, keeper = shared_world.city(), registrar(shared_world)
    for actor in (city.maker, city.finance, city.auditor):
        assert actor.http.put("/v1/calendars/2032", json=table_2031()).status_code == 403
    assert shared_world.anonymous().get("/v1/calendars").status_code == 401
    wrong = table_2031(
        days=[
            {"day": "2032-05-01", "kind": "holiday", "name": "节"},
            {"day": "2032-05-01", "kind": "holiday", "name": "节"},
            {"day": "2031-11-30", "kind": "holiday", "name": "节"},
            {"day": "2031-12-31", "kind": "holiday", "name": "元旦"},
            {"day": "2032-05-10", "kind": "make_up_day", "name": "节"},
        ]
    )
    answer = keeper.http.put("/v1/calendars/2032", json=wrong)
    assert answer.status_code == 422
    told = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert told == [
        ("/days/0/day", "named_twice"),
        ("/days/1/day", "named_twice"),
        ("/days/2/day", "day_of_other_year"),
        ("/days/4/day", "not_a_weekend"),
        ("/days", "holiday_missing"),
        ("/days", "holiday_missing"),
    ]
    assert keeper.http.put("/v1/calendars/1900", json=table_2031()).status_code == 422
    assert keeper.http.put("/v1/calendars/2031", json=table_2031(days=[])).status_code == 422


def test_a_file_is_read_as_people_make_it_or_refused_with_row_and_column() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["2031年节假日安排"])
    sheet.append(["日 期", "类型", "名称"])
    sheet.append([date(2031, 1, 1), "放假", "元旦"])
    sheet.append(["2031年10月1日至2031年10月7日", "放假", "国庆节"])
    sheet.append(["2031/9/28", "调休上班", "国庆节"])
    sheet.append([None, None])
    saved = BytesIO()
    book.save(saved)
    read = read_calendar_file(saved.getvalue())
    assert (read.year, read.document_no, len(read.days)) == (2031, None, 9)

    bad = "日期,类型,名称,文号\n10月1日,放假,国庆节,一号\n2031-10-08,也许,国庆节,二号\n".encode("gb18030")
    with pytest.raises(AppError) as refused:
        read_calendar_file(bad)
    told = [(error.row, error.column, error.code) for error in refused.value.errors]
    assert told == [(2, "A 日期", "date_unreadable"), (3, "B 类型", "kind_unknown"), (3, "D 文号", "documents_differ")]
    with pytest.raises(AppError, match="file_unreadable"):
        read_calendar_file("甲,乙\n1,2\n".encode())


def test_a_registrar_loads_a_file_from_the_shell(world: World, tmp_path: Path) -> None:
    sign_in(world, registrar(world))
    assert "此前已导入" in voucher("calendar", "load", str(EXAMPLES / "2026.csv"))
    file = tmp_path / "2031.csv"
    rows = ["日期,类型,名称", "2031-01-01,放假,元旦", "2031-05-01,放假,劳动节", "2031-10-01至2031-10-03,放假,国庆节"]
    file.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(Failure, match="--document"):
        voucher("calendar", "load", str(file))
    loaded = voucher("calendar", "load", str(file), "--document", "国办发明电〔2030〕1号")
    assert "第 1 版" in loaded and "放假 5 天" in loaded
    file.write_text("\n".join([*rows, "2031-09-28,上班,国庆节"]), encoding="utf-8")
    with pytest.raises(Failure, match="--replace"):
        voucher("calendar", "load", str(file), "--document", "国办发明电〔2030〕1号")
    assert "第 2 版" in voucher("calendar", "load", str(file), "--document", "国办发明电〔2030〕1号", "--replace")
    assert "2031-09-28" in voucher("calendar", "show", "2031")

    sign_in(world, world.city().maker)
    with pytest.raises(Refused, match="403"):
        voucher("calendar", "load", str(file), "--document", "国办发明电〔2030〕2号", "--replace")


def test_one_citys_registrar_does_not_move_the_deadlines_of_another(world: World) -> None:
    world.city()
    own = world.person(Role.REGISTRAR, world.organisation(OrganisationKind.REGISTRY), "330100")
    assert own.http.put("/v1/calendars/2031", json=table_2031()).status_code == 201
    world.city("330200")
    refused = own.http.put("/v1/calendars/2031", json=table_2031(document_no="另文"), headers={"If-Match": '"1"'})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "registrar 330200" in refused.json()["detail"]
    by_province = registrar(world).http
    again = by_province.put("/v1/calendars/2031", json=table_2031(document_no="另文"), headers={"If-Match": '"1"'})
    assert ok(again)["version"] == 2
