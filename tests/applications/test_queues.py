"""Queues: by stage, district, day, firm, amount and lateness, counted and exported."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any

import openpyxl  # type: ignore[import-untyped]  # ships no type information
from sqlalchemy import text

from app.kernel.clock import civil_date, utc_now
from tests.applications.desk import Desk, assessment
from tests.world import Actor, ok, problem


def listed(actor: Actor, programme_id: str, **filters: Any) -> list[str]:
    found = ok(actor.get("/v1/applications", programme_id=programme_id, **filters))
    return [one["id"] for one in found["data"]]


def backdate(desk: Desk, application_id: str, days: int) -> None:
    """As if the officials' time had begun so many days ago."""
    desk.city.world.database.transact(
        lambda tx: tx.execute(
            text("UPDATE applications SET clock_from_on = clock_from_on - :days WHERE id = :id"),
            {"days": days, "id": application_id},
        )
    )


def test_a_queue_is_cut_by_everything_an_official_asks_for(desk: Desk) -> None:
    programme_id = desk.programme()
    small = ok(desk.apply(programme_id, desk.firm("330106", name="甲（杭州）有限公司"), amount_fen=100_000))["id"]
    big = desk.accepted(programme_id, desk.firm("330108", name="乙科技"), amount_fen=900_000)
    failed = desk.accepted(programme_id)
    ok(desk.city.approve(desk.act(failed, "reject", {"reason": "不予支持"})))
    maker, today = desk.city.maker, civil_date(utc_now())
    assert listed(maker, programme_id) == [failed, big, small], "newest first"
    assert listed(maker, programme_id, stage="city") == [big, small]
    assert listed(maker, programme_id, stage="failed") == [failed]
    assert listed(maker, programme_id, status="accepted") == [big]
    assert listed(maker, programme_id, district_code="330106") == [small]
    assert listed(maker, programme_id, firm_name="（杭州）") == [small]
    assert listed(maker, programme_id, firm_name="%") == []
    assert listed(maker, programme_id, least_fen=100_001, stage="city") == [big]
    assert listed(maker, programme_id, most_fen=100_000) == [small]
    assert listed(maker, programme_id, submitted_until=str(today - timedelta(days=1))) == []
    assert listed(maker, programme_id, submitted_from=str(today)) == [failed, big, small]
    page = ok(maker.get("/v1/applications", programme_id=programme_id, limit=2))
    rest = ok(maker.get("/v1/applications", programme_id=programme_id, limit=2, cursor=page["next_cursor"]))
    assert ([one["id"] for one in rest["data"]], rest["next_cursor"]) == ([small], None)
    counts = ok(maker.get("/v1/applications/counts", programme_id=programme_id))
    assert (counts["stages"]["city"], counts["stages"]["failed"], counts["stages"]["passed"]) == (2, 1, 0)
    by_district = {one["district_name"]: one["stages"]["city"] for one in counts["districts"]}
    assert by_district == {"杭州市": 0, "西湖区": 1, "滨江区": 1}
    problem(maker.get("/v1/applications", stage="nowhere"), 422, "validation_failed")


def test_what_is_late_is_flagged_found_and_counted(desk: Desk) -> None:
    programme_id = desk.programme(applying={"accept_working_days": 5})
    late, fresh = ok(desk.apply(programme_id))["id"], ok(desk.apply(programme_id))["id"]
    assert desk.read(late)["overdue"] is False
    backdate(desk, late, 14)
    assert desk.read(late)["overdue"] is True
    maker = desk.city.maker
    assert listed(maker, programme_id, overdue="true") == [late]
    assert listed(maker, programme_id, overdue="false") == [fresh]
    assert ok(maker.get("/v1/applications/counts", programme_id=programme_id))["overdue"] == 1
    ok(desk.act(late, "return", {"reason": "材料不全", "items": ["营业执照"]}))
    assert listed(maker, programme_id, overdue="true") == [], "the clock stands while the firm has it"


def test_a_correction_comes_back_in_time_or_not_at_all(desk: Desk) -> None:
    programme_id, firm = desk.programme(), desk.firm()
    application_id = desk.accepted(programme_id, firm)
    ok(desk.act(application_id, "return", {"reason": "材料不全", "items": ["营业执照"], "working_days": 1}))
    desk.city.world.database.transact(
        lambda tx: tx.execute(
            text("UPDATE applications SET correction_due_on = correction_due_on - 30 WHERE id = :id"),
            {"id": application_id},
        )
    )
    assert desk.read(application_id)["overdue"] is True
    problem(firm.post(f"/v1/applications/{application_id}/submit"), 409, "correction_overdue")
    longer = {"reason": "同意延期", "items": ["营业执照"], "working_days": 3}
    ok(desk.act(application_id, "return", longer))
    assert ok(firm.post(f"/v1/applications/{application_id}/submit"))["status"] == "accepted"


def test_an_export_holds_no_formula_whatever_a_firm_is_called(desk: Desk) -> None:
    programme_id = desk.programme()
    evil = '=HYPERLINK("http://x","点")'
    firm = desk.firm("330106", name=evil)
    ok(desk.apply(programme_id, firm, amount_fen=123_456, purpose="＠SUM(A1)\n第二行"))
    maker = desk.city.maker
    sheet = maker.get("/v1/applications/export", programme_id=programme_id)
    book = openpyxl.load_workbook(BytesIO(sheet.content))
    row = list(book.active[2])
    assert (row[2].value, row[2].data_type, row[6].value, row[13].value) == (evil, "s", 1234.56, "＠SUM(A1)\n第二行")
    text_file = maker.get("/v1/applications/export", programme_id=programme_id, format="csv")
    assert text_file.content.startswith(b"\xef\xbb\xbf")
    (_, line) = csv.reader(StringIO(text_file.content.decode("utf-8-sig")))
    assert (line[2], line[6], line[13]) == ("'" + evil, "1234.56", "'＠SUM(A1)\n第二行")
    assert "attachment" in text_file.headers["content-disposition"]
    problem(maker.get("/v1/applications/export", format="pdf"), 422, "validation_failed")
    assert ok(firm.get("/v1/applications"))["data"][0]["firm_name"] == evil


def test_the_waiting_list_is_served_in_its_order(desk: Desk) -> None:
    programme_id = desk.programme(appropriation_fen=600_000)
    first = desk.reviewed(programme_id, fen=500_000)
    problem(desk.act(first, "waitlist", {"reason": "额度不足"}), 409, "pool_suffices")
    second, third = desk.reviewed(programme_id, fen=500_000), desk.reviewed(programme_id, fen=100_000)
    ok(desk.city.approve(desk.act(first, "approve")))
    ok(desk.city.approve(desk.act(second, "waitlist", {"reason": "额度不足"})))
    waiting = desk.read(second)
    assert (waiting["status"], waiting["stage"], waiting["due_on"]) == ("waitlisted", "waiting", None)
    refused = problem(desk.act(third, "approve"), 409, "waitlist_order")
    assert refused["application_id"] == second
    problem(desk.act(second, "approve"), 409, "budget_exhausted")
    desk.city.fund(programme_id, 500_000)
    both = ok(desk.city.maker.post("/v1/applications/grants", {"application_ids": [third, second]}))
    ok(desk.city.checker.post(f"/v1/approvals/{both['approval_id']}/approve"))
    assert [desk.read(one)["status"] for one in (second, third)] == ["approved", "approved"]
    problem(desk.act(third, "assess", assessment(1)), 409, "wrong_state")
    assert desk.city.world.differences() == []
