"""A manager's visit in a real browser: in, look, understand, consent, withdraw, out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from app.kernel.clock import SHANGHAI
from tests.portal.manager import PASSWORD, Manager, invitation, login_of, manager_of
from tests.world import City, World, counter, line_body, ok


def test_a_managers_whole_visit(page: Page, world: World, city: City) -> None:
    cap = {"kind": "bill", "limit_fen": 30_000}
    till = counter(city, face_value_fen=1_000_000, limit_fen=500_000, cap=cap)
    lines = [line_body(120_000), line_body(5_000, "storage")]
    ok(till.redeem(0, order_no="LZ-0001", bill={"total_fen": 125_000, "lines": lines}))
    provider = till.mandate["provider_name"]

    # Invited, the manager chooses a password; a slip of the finger is told and costs nothing.
    page.goto(f"/portal/invitations/{invitation(world, till.manager)}")
    expect(page.get_by_label("登录名")).to_have_value(login_of(world, till.manager))
    page.get_by_label("新密码", exact=True).fill(PASSWORD)
    page.get_by_label("再次输入新密码").fill(PASSWORD + "!")
    page.get_by_role("button", name="设置密码").click()
    expect(page.get_by_text("两次输入的密码不一致。")).to_be_visible()
    page.get_by_label("新密码", exact=True).fill(PASSWORD)
    page.get_by_label("再次输入新密码").fill(PASSWORD)
    page.get_by_role("button", name="设置密码").click()
    expect(page.get_by_text("密码已设置，请用新密码登录。")).to_be_visible()

    # A wrong password says nothing more than that it is wrong; the login stays in its field.
    page.get_by_label("登录名").fill(login_of(world, till.manager))
    page.get_by_label("密码").fill("not the password")
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("登录名或密码不正确。")
    expect(page.get_by_label("登录名")).to_have_value(login_of(world, till.manager))
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()

    # One glance: what is left, until when.
    card = page.get_by_role("listitem")
    expect(card).to_contain_text("9,700.00")
    expect(card).to_contain_text("可使用")
    page.get_by_role("link", name="AI算力券").click()
    expect(page.get_by_role("region", name="余额")).to_contain_text("9,700.00")
    expect(page.get_by_role("region", name="余额")).to_contain_text("已核销")
    expect(page.get_by_role("region", name="有效期")).to_contain_text("（含当日）")

    # Why the bill was cut.
    bill = page.get_by_role("article")
    expect(bill.get_by_text("单笔上限", exact=True).first).to_be_visible()
    bill.get_by_text("金额计算说明").click()
    expect(bill).to_contain_text("账单共 1,250.00 元，其中 1,200.00 元在补贴范围内")
    expect(bill).to_contain_text("1,200.00 × 30% = 360.00 元")
    expect(bill).to_contain_text("第 2 行“存储”50.00 元不在补贴范围内")
    expect(bill).to_contain_text("单笔账单最高补贴 300.00 元，因此少补 60.00 元。")
    expect(bill.get_by_role("row", name="券抵扣")).to_contain_text("300.00")
    bill.get_by_role("link", name="单独查看或打印").click()
    expect(page.get_by_role("heading", name="账单 LZ-0001")).to_be_visible()
    expect(page.get_by_role("table", name="账单明细")).to_contain_text("存储")
    page.get_by_role("link", name="返回此券").click()
    movements = page.get_by_role("table", name="此券的全部资金变动")
    expect(movements.get_by_role("row", name="核销抵扣")).to_contain_text("−300.00")
    expect(movements.get_by_role("row", name="发放")).to_contain_text("+10,000.00")

    # Withdraw the mandate, after being asked; then grant another one.
    page.get_by_role("link", name=f"撤回对{provider}的授权").click()
    expect(page.get_by_role("heading", name="确认撤回授权？")).to_be_focused()
    page.get_by_role("button", name="确认撤回").click()
    expect(page.get_by_text("授权已撤回，该机构不能再据此抵扣。")).to_be_visible()
    expect(page.get_by_role("table", name="授权记录")).to_contain_text("已撤回")
    assert till.redeem(10_000).json()["code"] == "consent_missing"
    page.get_by_label("被授权机构").select_option(label=provider)
    page.get_by_label("额度上限（元）").fill("2,000.50")
    page.get_by_role("button", name="授权", exact=True).click()
    expect(page.get_by_text("授权已生效。")).to_be_visible()
    expect(page.get_by_role("row", name=provider).first).to_contain_text("2,000.50")
    ok(till.redeem(10_000))

    # The other language, the same page; then out.
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Mandates")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("link", name="中文").click()
    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_text("您已安全退出。")).to_be_visible()
    page.goto(f"/portal/vouchers/{till.voucher['id']}")
    expect(page.get_by_role("heading", name="企业登录")).to_be_visible()
    assert world.differences() == []


def test_a_limit_above_the_face_value_is_marked_at_its_field_and_stays_typed(page: Page, manager: Manager) -> None:
    manager.second_provider("<b>梅山潮</b>智算中心")
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    page.get_by_label("被授权机构").select_option(label="<b>梅山潮</b>智算中心")
    page.get_by_label("额度上限（元）").fill("10,000.01")
    page.get_by_role("button", name="授权", exact=True).click()
    limit = page.get_by_label("额度上限（元）")
    expect(limit).to_have_attribute("aria-invalid", "true")
    expect(limit).to_have_accessible_description("最多为面值 10,000.00 元，可精确到分 不能超过面值 10,000.00 元。")
    expect(limit).to_have_value("10,000.01")
    expect(page.get_by_role("alert")).to_be_focused()
    limit.fill("10,000")
    page.get_by_role("button", name="授权", exact=True).click()
    expect(page.get_by_text("授权已生效。")).to_be_visible()


def test_a_mandate_that_exists_is_refused_in_words(page: Page, manager: Manager) -> None:
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    page.get_by_label("被授权机构").select_option(label=manager.counter.mandate["provider_name"])
    page.get_by_label("额度上限（元）").fill("1")
    page.get_by_role("button", name="授权", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("该机构已有有效授权")


def test_the_rest_of_a_long_list_is_one_click_away(page: Page, manager: Manager) -> None:
    for number in range(12):
        ok(manager.counter.redeem(1_000 + number, order_no=f"N-{number}"))
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    expect(page.get_by_role("article")).to_have_count(10)
    page.get_by_role("link", name="更早的账单").click()
    expect(page.get_by_role("article")).to_have_count(12)
    expect(page.get_by_role("link", name="更早的账单")).to_have_count(0)
    page.get_by_role("link", name="显示全部 13 笔").click()
    expect(page.get_by_role("table", name="此券的全部资金变动").get_by_role("row")).to_have_count(14)


def test_everything_works_without_scripts(browser: Browser, manager: Manager) -> None:
    with browser.new_context(base_url=manager.world.base_url, locale="zh-CN", java_script_enabled=False) as context:
        page = context.new_page()
        manager.sign_in(page)
        page.goto(manager.voucher_path)
        page.get_by_role("link", name="撤回对").click()
        page.get_by_role("button", name="确认撤回").click()
        expect(page.get_by_text("授权已撤回，该机构不能再据此抵扣。")).to_be_visible()
        assert page.url.endswith("#mandates")
        page.get_by_label("额度上限（元）").fill("abc")
        page.get_by_role("button", name="授权", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("请选择一家机构。")
        expect(page.get_by_label("额度上限（元）")).to_have_value("abc")


def test_a_voucher_that_ends_soon_warns_on_the_list_and_on_its_page(page: Page, city: City) -> None:
    last_day = (datetime.now(SHANGHAI) + timedelta(days=12)).date()
    manager = manager_of(counter(city, validity={"kind": "date", "until": last_day.isoformat()}))
    manager.sign_in(page)
    expect(page.get_by_role("listitem")).to_contain_text(f"{last_day}（含当日） 即将到期，剩余 12 天")
    page.goto(manager.voucher_path)
    expect(page.get_by_text("到期后余额将被收回")).to_be_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_runs_over_the_edge_of_a_telephone(page: Page, manager: Manager, language: str) -> None:
    redemption = ok(manager.counter.redeem(120_000, order_no="A-LONG-ORDER-NUMBER-2026-11-24-000000000000001"))
    manager.sign_in(page)
    page.set_viewport_size({"width": 375, "height": 812})
    page.goto(f"/portal/language/{language}")
    bill = f"{manager.voucher_path}/bills/{redemption['id']}"
    for path in ("/portal/vouchers", manager.voucher_path, bill, f"{manager.mandate_path}/withdraw", "/portal/nowhere"):
        page.goto(path)
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path


def test_every_field_has_a_name_and_every_table_a_caption(page: Page, manager: Manager) -> None:
    ok(manager.counter.redeem(120_000))
    page.goto("/portal/sign-in")
    assert page.evaluate(NAMELESS) == []
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    assert page.evaluate(NAMELESS) == []
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_printed_voucher_shows_the_reasons_although_they_are_folded(page: Page, manager: Manager) -> None:
    ok(manager.counter.redeem(120_000))
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    reason = page.get_by_text("单笔账单最高补贴 300.00 元，因此少补 60.00 元。")
    expect(reason).not_to_be_visible()
    page.emulate_media(media="print")
    expect(reason).to_be_visible()
    expect(page.get_by_role("button", name="授权", exact=True)).not_to_be_visible()


NAMELESS = """() => [
    ...[...document.querySelectorAll('input:not([type=hidden]), select')].filter(field => !field.labels.length),
    ...[...document.querySelectorAll('table')].filter(table => !table.caption?.textContent.trim()),
    ...[...document.querySelectorAll('th')].filter(cell => !cell.scope),
].map(element => element.outerHTML)"""
