"""A manager gives a voucher back, and is asked once more before."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.portal.manager import Manager
from tests.world import bill_body, ok


def test_a_manager_gives_a_voucher_back(page: Page, manager: Manager) -> None:
    till = manager.counter
    ok(till.redeem(10_000))
    body = {"voucher_code": till.voucher["code"], "hold_no": "H1", "bill": bill_body(100_000)}
    held = ok(till.machine.post("/v1/holds", body))
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    page.get_by_role("link", name="退回此券").click()
    expect(page.get_by_role("heading", name="确认退回此券？")).to_be_visible()
    expect(page.get_by_text("机构正为在办业务预占其中 300.00 元")).to_be_visible()
    button = page.get_by_role("button", name="确认退回")
    button.click()
    expect(page.get_by_role("alert")).to_have_text("请填写退回原因，2 至 500 个字符。")
    page.get_by_label("退回原因").fill("项目取消")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("请待预占核销或释放后再办理")
    expect(page.get_by_label("退回原因")).to_have_value("项目取消")
    ok(till.machine.post(f"/v1/holds/{held['id']}/release", {}))
    act = f"/v1/vouchers/{till.voucher['id']}"
    ok(till.city.approve(till.city.maker.post(f"{act}/freeze", {"reason": "核查"})))
    button.click()
    expect(page.get_by_role("alert")).to_have_text("此券已被冻结，须待主管部门解冻后才能退回。")
    expect(button).to_have_count(0)
    ok(till.city.approve(till.city.maker.post(f"{act}/unfreeze", {"reason": "查清"})))
    page.goto(f"{manager.voucher_path}/surrender")
    page.get_by_label("退回原因").fill("项目取消")
    button.click()
    expect(page.get_by_role("status").filter(has_text="此券已退回，剩余额度已回到项目资金。")).to_be_visible()
    expect(page.get_by_text("已退回", exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name="退回此券")).to_have_count(0)
    page.goto(f"{manager.voucher_path}/surrender")
    expect(page.get_by_text("此券已经结束。")).to_be_visible()
    expect(button).to_have_count(0)
    assert manager.world.differences() == []
