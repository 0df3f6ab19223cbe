"""Public notices over HTTP: who makes them, how long they run, what an objection does to its item and to no other."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import openpyxl  # type: ignore[import-untyped]  # ships no type information
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.kernel.clock import end_of_day, rfc3339
from app.kernel.masking import mask_numbers, masked
from app.kernel.vocabulary import Role
from app.services.calendars import load_calendar
from app.services.notices.blocks import blocking
from app.services.notices.masking import shown_identifier, shown_name
from app.services.notices.notices import WORKING_DAYS
from app.services.notices.pace import MOST, Pace
from tests.notices.showing import Showing, load_years, showing, today
from tests.world import NINGBO, World, counter, ok


@pytest.fixture(scope="module")
def desk(shared_world: World) -> Showing:
    return showing(shared_world)


def problem(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def days() -> dict[str, str]:
    return {"first": today().isoformat(), "last": today().isoformat()}


def test_a_notice_is_published_by_two_persons_and_runs_to_the_end_of_its_last_working_day(desk: Showing) -> None:
    batch_id, approval_id = desk.submitted_batch(100_00, 250_50)
    draft = ok(desk.draw_up({"kind": "batch", "batch_id": batch_id}, working_days=7, retention_days=3))
    path = f"/v1/public-notices/{draft['id']}"
    anybody = desk.world.anonymous()
    assert (draft["status"], draft["item_count"], draft["total_fen"]) == ("draft", 2, 350_50)
    assert problem(anybody.get(f"/v1/notices/{draft['id']}")) == (404, "not_found")

    submitted = ok(desk.city.maker.http.post(f"{path}/submit"))
    effect = submitted["approval"]["effect"]
    assert (effect["count"], effect["total_fen"], effect["working_days"]) == (2, 350_50, 7)
    same = desk.city.maker.post(f"/v1/approvals/{submitted['approval']['id']}/approve")
    assert same.status_code == 403
    ok(desk.city.approve(desk.city.maker.http.get(f"/v1/approvals/{submitted['approval']['id']}")))

    ends_on = desk.world.database.transact(load_calendar).add_working_days(today(), 7)
    notice = ok(desk.city.auditor.get(path))
    assert (notice["status"], notice["ends_on"]) == ("published", ends_on.isoformat())
    assert notice["ends_at"] == rfc3339(end_of_day(ends_on))
    assert notice["shown_until"] == rfc3339(end_of_day(ends_on + timedelta(days=3)))
    shown = ok(anybody.get(f"/v1/notices/{draft['id']}"))
    assert shown["ends_on"] == ends_on.isoformat() and "created_by" not in shown
    assert draft["id"] in [one["id"] for one in ok(anybody.get("/v1/notices?region_code=330000"))["data"]]
    lines = ok(anybody.get(f"/v1/notices/{draft['id']}/items"))["data"]
    assert [(line["name"], line["amount_fen"]) for line in lines] == [("杭州1号公司", 100_00), ("杭州2号公司", 250_50)]

    waits = desk.city.checker.post(f"/v1/approvals/{approval_id}/approve")
    assert problem(waits) == (409, "notice_running") and waits.json()["notice_id"] == draft["id"]
    desk.end(draft["id"], shown=True)
    assert ok(desk.city.maker.get(path))["status"] == "ended"
    assert ok(anybody.get(f"/v1/notices/{draft['id']}"))["status"] == "ended"
    assert problem(desk.object_to(draft["id"], 1)) == (409, "notice_over")
    ok(desk.city.checker.post(f"/v1/approvals/{approval_id}/approve"))


def test_after_its_time_nobody_but_officials_sees_it(desk: Showing) -> None:
    batch_id, _ = desk.submitted_batch(100_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    desk.end(notice_id)
    anybody = desk.world.anonymous()
    for path in ("", "/items", "/sheet"):
        gone = anybody.get(f"/v1/notices/{notice_id}{path}")
        assert problem(gone) == (410, "notice_removed") and "不再对外展示" in gone.json()["detail"]
    assert notice_id not in [one["id"] for one in ok(anybody.get("/v1/notices?limit=200"))["data"]]
    assert problem(desk.object_to(notice_id, 1)) == (410, "notice_removed")
    for reader in (desk.city.maker, desk.city.checker, desk.city.finance, desk.city.auditor):
        assert len(ok(reader.get(f"/v1/public-notices/{notice_id}/items"))["data"]) == 1


def test_an_objection_keeps_its_row_from_being_issued_and_no_other(desk: Showing) -> None:
    batch_id, approval_id = desk.submitted_batch(100_00, 200_00, 300_00, 400_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    upheld, dismissed, undecided = (ok(desk.object_to(notice_id, item_no))["objection_id"] for item_no in (1, 2, 3))
    path = f"/v1/public-notices/{notice_id}"
    assert [item["status"] for item in ok(desk.city.maker.get(f"{path}/items"))["data"]] == ["frozen"] * 3 + ["listed"]
    assert problem(desk.city.maker.http.post(f"{path}/withdraw", json={"reason": "有误"})) == (409, "objections_open")
    ok(desk.decide(notice_id, upheld, "upheld"))
    ok(desk.decide(notice_id, dismissed, "dismissed"))
    assert [item["status"] for item in ok(desk.city.maker.get(f"{path}/items"))["data"]] == [
        "removed",
        "listed",
        "frozen",
        "listed",
    ]
    shown = ok(desk.world.anonymous().get(f"/v1/notices/{notice_id}/items"))["data"]
    assert [item["item_no"] for item in shown] == [2, 3, 4]
    notice = ok(desk.city.maker.get(path))
    assert [notice[name] for name in ("open_objections", "item_count", "removed_count", "removed_fen")] == [
        1,
        4,
        1,
        100_00,
    ]
    public = ok(desk.world.anonymous().get(f"/v1/notices/{notice_id}"))
    assert (public["item_count"], public["total_fen"]) == (3, 900_00)

    desk.end(notice_id)
    ok(desk.city.checker.post(f"/v1/approvals/{approval_id}/approve"))
    rows = ok(desk.city.maker.get(f"/v1/issuance-batches/{batch_id}/rows"))["data"]
    assert [bool(row["voucher_id"]) for row in rows] == [False, True, False, True]
    assert desk.world.differences() == []
    # What was left out may be submitted at once, and issued once the objection is dismissed.
    again = {name: rows[2][name] for name in ("reference_no", "firm_id", "face_value_fen")}
    body = {"programme_id": desk.programme_id, "declared_count": 1, "declared_total_fen": 300_00, "rows": [again]}
    asked = desk.city.maker.post("/v1/issuance-batches", body)
    assert problem(desk.city.approve(asked)) == (409, "under_objection")
    ok(desk.decide(notice_id, undecided, "dismissed"))
    ok(desk.city.approve(asked))


def test_a_batch_of_which_nothing_is_left_is_not_issued(desk: Showing) -> None:
    batch_id, approval_id = desk.submitted_batch(100_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    ok(desk.object_to(notice_id, 1))
    desk.end(notice_id)
    refused = desk.city.checker.post(f"/v1/approvals/{approval_id}/approve")
    assert problem(refused) == (409, "under_objection") and refused.json()["item_no"] == 1


def test_a_voucher_under_objection_is_not_drawn_on_until_the_answer(world: World) -> None:
    first = counter(world.city())
    second = first.second_voucher(1_000_000)
    desk = Showing(first.city, first.programme_id)

    load_years(world)
    notice_id = desk.publish({"kind": "vouchers", **days()})
    items = ok(desk.city.maker.get(f"/v1/public-notices/{notice_id}/items"))["data"]
    by_voucher = {item["subject_id"]: item["item_no"] for item in items}
    ours = by_voucher[first.voucher["id"]]
    objection = ok(desk.object_to(notice_id, ours))["objection_id"]
    other = ok(desk.object_to(notice_id, ours, text="另有一项异议。"))["objection_id"]
    assert problem(first.redeem(10_000)) == (409, "voucher_frozen")
    ok(second.redeem(10_000))

    unfreeze = f"/v1/vouchers/{first.voucher['id']}/unfreeze"
    asked = desk.city.maker.post(unfreeze, {"reason": "不等答复"})
    approval_id = ok(asked)["id"]
    assert problem(desk.city.checker.post(f"/v1/approvals/{approval_id}/approve")) == (409, "under_objection")
    ok(desk.decide(notice_id, objection, "dismissed"))
    assert problem(first.redeem(10_000)) == (409, "voucher_frozen")
    ok(desk.decide(notice_id, other, "dismissed"))
    ok(first.redeem(10_000))

    third = ok(desk.object_to(notice_id, ours, text="第三项异议。"))["objection_id"]
    ok(desk.decide(notice_id, third, "upheld"))
    assert ok(desk.city.maker.get(f"/v1/vouchers/{first.voucher['id']}"))["status"] == "voided"
    assert problem(desk.object_to(notice_id, ours, text="第四项异议。")) == (404, "not_found")
    assert world.differences() == []


@pytest.mark.parametrize("first", [0, 1])
def test_a_voucher_that_two_notices_show_is_unfrozen_by_the_last_answer(shared_world: World, first: int) -> None:
    load_years(shared_world)
    counter_ = counter(shared_world.city())
    desk = Showing(counter_.city, counter_.programme_id)
    days = {"kind": "vouchers", "first": today().isoformat(), "last": today().isoformat()}
    notices = [desk.publish(days), desk.publish(days)]
    objections = [(one, ok(desk.object_to(one))["objection_id"]) for one in notices]
    ok(desk.decide(*objections[first], "dismissed"))
    assert problem(counter_.redeem(10_000)) == (409, "voucher_frozen")
    ok(desk.decide(*objections[1 - first], "dismissed"))
    ok(counter_.redeem(10_000))
    assert shared_world.differences() == []


def test_a_dismissed_objection_gives_back_the_time_for_which_the_validity_stood(world: World) -> None:
    """Its answer is what lifts the freeze, so it is what the extension was approved by."""
    first = counter(world.city(), while_frozen="stands")
    desk = Showing(first.city, first.programme_id)
    load_years(world)
    notice_id = desk.publish({"kind": "vouchers", **days()})
    objection = ok(desk.object_to(notice_id))["objection_id"]
    ok(desk.decide(notice_id, objection, "dismissed"))
    (extension,) = ok(first.manager.get(f"/v1/vouchers/{first.voucher['id']}/extensions"))
    assert extension["ground"] == "freeze"
    ok(first.redeem(10_000))
    assert world.differences() == []


def test_redemptions_that_are_shown_are_paid_after_the_period_without_those_under_objection(world: World) -> None:
    counter_ = counter(world.city())
    desk = Showing(counter_.city, counter_.programme_id)

    load_years(world)
    ids = [ok(counter_.redeem(10_000))["id"] for _ in range(2)]
    notice_id = desk.publish({"kind": "redemptions", **days()})
    items = ok(desk.city.maker.get(f"/v1/public-notices/{notice_id}/items"))["data"]
    assert [(item["subject_id"], item["amount_fen"]) for item in items] == [(one, 3_000) for one in sorted(ids)]
    objected = items[0]["subject_id"]
    ok(desk.object_to(notice_id, 1))

    def pay(*redemptions: str) -> Any:
        return desk.city.maker.post("/v1/payment-orders", {"redemption_ids": list(redemptions)})

    assert problem(pay(items[1]["subject_id"])) == (409, "notice_running")
    desk.end(notice_id)
    refused = pay(*ids)
    assert problem(refused) == (409, "under_objection") and refused.json()["subject_id"] == objected
    ok(desk.city.approve(pay(items[1]["subject_id"]), by=desk.city.finance))
    assert world.differences() == []


def test_an_admission_waits_for_its_notice(desk: Showing) -> None:
    providers = [desk.world.provider() for _ in range(2)]
    asked = []
    for provider_id in providers:
        path = f"/v1/programmes/{desk.programme_id}/providers/{provider_id}"
        asked.append(ok(desk.city.maker.http.put(path, json={"categories": ["training"]}))["approval"]["id"])
    notice_id = desk.publish({"kind": "admissions"})
    items = ok(desk.city.maker.get(f"/v1/public-notices/{notice_id}/items"))["data"]
    assert [(item["amount_fen"], item["note"]) for item in items] == [(None, "training")] * 2
    first = next(item for item in items if item["subject_id"].endswith(providers[0]))
    ok(desk.object_to(notice_id, first["item_no"]))
    approve = [lambda one=one: desk.city.checker.post(f"/v1/approvals/{one}/approve") for one in asked]
    assert problem(approve[1]()) == (409, "notice_running")
    desk.end(notice_id)
    assert problem(approve[0]()) == (409, "under_objection")
    ok(approve[1]())


def test_who_objects_is_masked_read_on_record_and_erased(desk: Showing) -> None:
    batch_id, _ = desk.submitted_batch(100_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    sent = desk.object_to(notice_id, 1, name="张三丰", contact="13800138000")
    received = ok(sent)
    assert ok(desk.object_to(notice_id, 1))["objection_id"] == received["objection_id"]
    assert sorted(received) == ["decided_at", "item_no", "objection_id", "reason", "received_at", "status"]
    path = f"/v1/public-notices/{notice_id}/objections"
    (listed,) = ok(desk.city.auditor.get(path))["data"]
    assert (listed["sender"], listed["contact"]) == ("张**", "13*******00")
    one = f"{path}/{received['objection_id']}"
    assert desk.city.auditor.get(f"{one}/sender", purpose="核实异议").status_code == 403
    assert ok(desk.city.maker.get(f"{one}/sender", purpose="核实异议")) == {"name": "张三丰", "contact": "13800138000"}
    assert problem(desk.city.maker.http.delete(f"{one}/sender")) == (409, "wrong_state")
    told = desk.world.anonymous().get(f"/v1/notices/{notice_id}/objections/{received['objection_id']}")
    assert ok(told)["status"] == "open"
    ok(desk.decide(notice_id, received["objection_id"], "dismissed"))
    assert desk.city.maker.http.delete(f"{one}/sender").status_code == 204
    assert problem(desk.city.maker.get(f"{one}/sender", purpose="核实异议")) == (404, "not_found")
    told = ok(desk.world.anonymous().get(f"/v1/notices/{notice_id}/objections/{received['objection_id']}"))
    assert (told["status"], told["reason"]) == ("dismissed", "经核查，予以答复。")

    def events(tx: Any) -> list[tuple[str, str]]:
        query = "SELECT action, details FROM audit_events WHERE object_id = :id ORDER BY id"
        return [tuple(row) for row in tx.execute(text(query), {"id": received["objection_id"]})]

    recorded = desk.world.database.transact(events)
    assert [action for action, _ in recorded] == [
        "objection.received",
        "objection.sender_read",
        "decide_objection.requested",
        "decide_objection.approved",
        "objection.sender_erased",
    ]
    assert not any("张" in details or "138" in details for _, details in recorded)
    sources = "SELECT DISTINCT source FROM audit_events WHERE action = 'objection.received'"
    assert desk.world.database.transact(lambda tx: tx.execute(text(sources)).scalars().all()) == ["public"]


def test_a_notice_is_refused_to_others_and_where_there_is_nothing_to_show(desk: Showing) -> None:
    batch_id, approval_id = desk.submitted_batch(100_00)
    batch = {"kind": "batch", "batch_id": batch_id}
    foreign = desk.world.city(NINGBO)
    stranger = Showing(foreign, desk.programme_id)
    assert problem(stranger.draw_up(batch)) == (404, "not_found")
    notice_id = ok(desk.draw_up(batch))["id"]
    path = f"/v1/public-notices/{notice_id}"
    for actor in (foreign.maker, foreign.auditor):
        assert problem(actor.get(path)) == (404, "not_found")
    assert problem(foreign.maker.http.post(f"{path}/submit")) == (404, "not_found")
    assert desk.city.finance.http.post(f"{path}/submit").status_code == 403
    assert desk.world.anonymous().get(path).status_code == 401
    firm = desk.world.person(Role.FIRM, desk.world.firm())
    assert firm.get(path).status_code == 403
    assert problem(desk.object_to(notice_id, 1)) == (404, "not_found")

    assert problem(desk.draw_up({"kind": "batch"})) == (422, "validation_failed")
    assert problem(desk.draw_up({**batch, **days()})) == (422, "validation_failed")
    assert problem(desk.draw_up({"kind": "vouchers", "first": "2020-01-01", "last": "2020-01-02"})) == (
        422,
        "nothing_to_show",
    )
    ok(desk.city.checker.post(f"/v1/approvals/{approval_id}/approve"))
    assert problem(desk.draw_up(batch)) == (409, "wrong_state")
    # It was decided between submission and approval: what is shown as planned must not have happened.
    submitted = ok(desk.city.maker.http.post(f"{path}/submit"))["approval"]["id"]
    assert problem(desk.city.checker.post(f"/v1/approvals/{submitted}/approve")) == (409, "wrong_state")
    ok(desk.city.checker.post(f"/v1/approvals/{submitted}/reject", {"reason": "已发放"}))
    assert ok(desk.city.maker.get(path))["status"] == "draft"
    given_up = desk.city.maker.http.post(f"{path}/withdraw", json={"reason": "已发放"})
    assert (given_up.status_code, ok(given_up)["notice"]["status"]) == (200, "withdrawn")


def test_a_notice_is_withdrawn_by_two_persons(desk: Showing) -> None:
    batch_id, approval_id = desk.submitted_batch(100_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    path = f"/v1/public-notices/{notice_id}"
    ok(desk.city.approve(desk.city.maker.http.post(f"{path}/withdraw", json={"reason": "名单有误"})))
    notice = ok(desk.city.maker.get(path))
    assert (notice["status"], notice["withdrawal_reason"]) == ("withdrawn", "名单有误")
    assert problem(desk.world.anonymous().get(f"/v1/notices/{notice_id}")) == (410, "notice_removed")
    ok(desk.city.checker.post(f"/v1/approvals/{approval_id}/approve"))
    change = "UPDATE public_notices SET withdrawal_reason = '无' WHERE state = 'withdrawn'"
    with pytest.raises(DBAPIError, match="is refused"):
        desk.world.database.transact(lambda tx: tx.execute(text(change)))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "短"}, "validation_failed"),
        ({"text": "字" * 2_001}, "validation_failed"),
        ({"text": "有控制字符\x07的异议"}, "validation_failed"),
        ({"text": "从右到左\u202e的文字"}, "validation_failed"),
        ({"name": "甲\n乙"}, "validation_failed"),
        ({"item_no": 0}, "validation_failed"),
        ({"item_no": 7}, "not_found"),
        ({"phone": "13800138000"}, "validation_failed"),
    ],
)
def test_an_objection_that_cannot_be_taken_freezes_nothing(desk: Showing, changes: dict[str, Any], code: str) -> None:
    batch_id, _ = desk.submitted_batch(100_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    assert desk.object_to(notice_id, **changes).json()["code"] == code
    (item,) = ok(desk.city.maker.get(f"/v1/public-notices/{notice_id}/items"))["data"]
    assert item["status"] == "listed"


def test_an_objection_may_be_written_with_full_width_spaces(desk: Showing) -> None:
    batch_id, _ = desk.submitted_batch(1_000)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id}, title="拟发放名单　公示")
    text = "一、该企业已注销。\n　　二、附\u00a0件另寄。"
    ok(desk.object_to(notice_id, text=text, name="张　三"))
    [objection] = ok(desk.city.maker.get(f"/v1/public-notices/{notice_id}/objections"))["data"]
    assert objection["text"] == text


def test_objections_from_one_address_are_bounded() -> None:
    clock = [0.0]
    pace = Pace(timer=lambda: clock[0])
    for _ in range(MOST):
        pace.take("10.0.0.1")
    with pytest.raises(Exception, match="too_many_objections"):
        pace.take("10.0.0.1")
    pace.take("10.0.0.2")
    clock[0] = 601.0
    pace.take("10.0.0.1")


def test_the_sheet_has_the_official_layout_and_text_stays_text(desk: Showing) -> None:
    rows = [
        {
            "reference_no": "S1",
            "firm_id": desk.world.firm(name='=HYPERLINK("http://x","杭州")'),
            "face_value_fen": 100_00,
        },
        {"reference_no": "S2", "firm_id": desk.world.firm(name="杭州乙公司"), "face_value_fen": 250_50},
    ]
    body = {"programme_id": desk.programme_id, "declared_count": 2, "declared_total_fen": 350_50, "rows": rows}
    batch_id = ok(desk.city.maker.post("/v1/issuance-batches", body))["batch_id"]
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id}, title="=1+1 公示", basis="依据管理办法第十条。")
    content = desk.world.anonymous().get(f"/v1/notices/{notice_id}/sheet").content
    sheet = openpyxl.load_workbook(BytesIO(content)).active
    values = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert values[0][0] == "=1+1 公示" and sheet["A1"].data_type == "s"
    assert "A1:F1" in {str(merged) for merged in sheet.merged_cells.ranges}
    assert values[3] == ["序号", "企业名称", "统一社会信用代码", "项目", "金额（元）", "备注"]
    assert values[4][:2] == [1, '=HYPERLINK("http://x","杭州")'] and sheet["B5"].data_type == "s"
    assert values[4][4] == 100 and values[5][4] == 250.5 and values[6][4] == 350.5
    assert len(values[4][2]) == 18 and sheet["C5"].data_type == "s"
    assert values[-1][0] == f"{today().year}年{today().month}月{today().day}日"
    assert values[-2][0].startswith("测试机构")


def test_numbers_of_people_are_masked_and_codes_of_firms_are_not() -> None:
    assert shown_identifier("uscc", "91330106000000017H") == "91330106000000017H"
    assert shown_identifier("maker", "330102199001011234") == "3301**********1234"
    assert shown_identifier("maker", "C1") == "**"
    assert shown_name("uscc", "杭州1234567科技") == "杭州1234567科技"
    assert shown_name("maker", "张三 138-0013-8000") == "张三 138*******000"
    assert mask_numbers("账号 6222 0212 3456 7890 123") == "账号 6222*************** 123"
    assert mask_numbers("金额 123456 元，2026 年") == "金额 123456 元，2026 年"
    assert masked("") == ""


def test_what_blocks_is_what_is_frozen_anywhere_or_was_removed_from_the_latest() -> None:
    class Line:
        def __init__(self, notice_id: str, subject_id: str, status: str) -> None:
            self.notice_id, self.subject_id, self.status, self.item_no = notice_id, subject_id, status, 1

    old, new = "ntc_1", "ntc_2"
    lines = [
        Line(old, "a", "frozen"),
        Line(new, "a", "listed"),
        Line(old, "b", "removed"),
        Line(new, "b", "listed"),
        Line(old, "c", "listed"),
        Line(new, "c", "removed"),
        Line(new, "d", "listed"),
    ]
    assert [(line.notice_id, line.subject_id) for line in blocking(lines)] == [(old, "a"), (new, "c")]
    assert WORKING_DAYS == 5
