"""What a firm's manager sees of an extended validity, and of balances that end soon."""

from __future__ import annotations

from datetime import date, timedelta

from tests.past import end_validity
from tests.portal.manager import Manager
from tests.world import ok


def test_a_manager_sees_until_when_and_that_it_was_extended(manager: Manager) -> None:
    desk = manager.counter
    until = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))["valid_until"][:10]
    body = {"reason": "项目延期", "days": 30, "exception_document_no": "杭经信函〔2026〕8号"}
    ok(desk.city.approve(desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/extend", body)))
    client = manager.http()
    shown = client.get(manager.voucher_path).text
    for day in (until, (date.fromisoformat(until) + timedelta(days=30)).isoformat()):
        assert f"{day}（含当日）" in shown
    assert "主管部门按例外事项延期：" in shown
    client.get("/portal/language/en")
    assert "By the authority, as an exception:" in client.get(manager.voucher_path).text


def test_balances_that_end_soon_stand_above_the_list(manager: Manager) -> None:
    desk = manager.counter
    soon = "clock_timestamp() + interval '9 days'"
    end_validity(manager.world.database, f"valid_until = {soon}, redeemable_until = {soon}", desk.voucher["id"])
    shown = manager.http().get("/portal/vouchers").text
    assert "以下券的余额即将到期。" in shown
    assert "余额 10,000.00 元，有效期至" in shown
