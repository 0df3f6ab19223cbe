"""What a firm's manager sees of holds: on the voucher's page, on their bills, among the movements."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from app.kernel.vocabulary import Role
from app.services.identity.principals import Caller, Grant, Principal
from app.services.redemption.holds.ending import sweep
from app.services.vouchers.reads import provider_names
from tests.portal.manager import Manager, manager_of
from tests.redemption.test_holds import hold, let_expire, redeem
from tests.world import City, World, bill_body, counter, ok


@pytest.fixture
def bracketed(city: City) -> Manager:
    """A manager with a voucher of 10,000.00 元: nothing below 500 元 of base, at most 300 元 a bill."""
    floors = [{"of": "base", "at_least_fen": 50_000}]
    return manager_of(counter(city, floors=floors, caps=[{"scope": "claim", "name": "per_bill", "limit_fen": 30_000}]))


def figures(shown: Locator) -> Locator:
    return shown.locator("dl > div")


def held(manager: Manager, total_fen: int, hold_no: str) -> dict[str, Any]:
    made: dict[str, Any] = ok(hold(manager.counter, total_fen, hold_no=hold_no))
    return made


def release(manager: Manager, made: dict[str, Any]) -> None:
    ok(manager.counter.machine.post(f"/v1/holds/{made['id']}/release", {}))


def test_a_manager_follows_a_hold_from_start_to_end(page: Page, world: World, bracketed: Manager) -> None:
    desk = bracketed.counter
    provider = desk.mandate["provider_name"]
    bracketed.sign_in(page)
    page.goto(bracketed.voucher_path)
    expect(page.get_by_role("region", name="机构预占")).to_have_count(0)  # nothing is said of what there is not

    made = held(bracketed, 110_000, "YZ-2026-001")
    page.reload()
    holds = page.get_by_role("region", name="机构预占")
    hold_shown = holds.get_by_role("listitem")
    expect(hold_shown).to_contain_text(f"{provider} 预占中 预占号 YZ-2026-001 有效至")
    expect(figures(hold_shown)).to_have_text(["预占金额300.00", "已抵扣0.00", "仍在预占300.00"])
    expect(page.get_by_role("row", name="机构预占 300.00")).to_be_visible()
    movements = page.get_by_role("table", name="此券的全部资金变动")
    expect(movements.get_by_role("row", name="机构预占")).to_contain_text("−300.00")
    expect(movements.get_by_role("row", name="机构预占")).to_contain_text(provider)

    # The first bill is too small alone, the second makes up for it, the last one gives the rest back.
    ok(redeem(desk, made, 20_000, "P1"))
    ok(redeem(desk, made, 40_000, "P2"))
    page.reload()
    expect(figures(hold_shown)).to_have_text(["预占金额300.00", "已抵扣180.00", "仍在预占120.00"])
    bills = page.get_by_role("article")
    expect(bills.nth(0)).to_contain_text("预占的第 2 笔")
    bills.nth(0).get_by_text("金额计算说明").click()
    expect(bills.nth(0)).to_contain_text("是该预占的第 2 笔账单，与此前的账单合并按一笔计算。")
    expect(bills.nth(0)).to_contain_text("连同该预占此前的账单，合计 600.00 元")
    bills.nth(1).get_by_text("金额计算说明").click()
    expect(bills.nth(1)).to_contain_text("本账单未从券中抵扣，200.00 元全部由贵单位支付。")
    last = ok(redeem(desk, made, 10_000, "P3", final=True))
    page.reload()
    expect(holds.get_by_role("listitem")).to_contain_text("预占 300.00，抵扣 210.00，退回 90.00")
    expect(holds.get_by_role("listitem")).to_contain_text("已核销")
    ending = movements.get_by_role("row").nth(1)
    expect(ending).to_contain_text("从预占中抵扣 30.00")
    expect(ending).to_contain_text("预占剩余退回 90.00")
    expect(ending).to_contain_text("+90.00")
    expect(ending).to_contain_text("9,790.00")
    expect(movements.get_by_role("row").nth(2)).to_contain_text("余额不变")
    ending.get_by_role("link", name="查看账单").click()
    expect(page.get_by_text("YZ-2026-001 预占的第 3 笔")).to_be_visible()
    assert page.url.endswith(last["id"])
    assert world.differences() == []


def test_a_refund_tells_what_it_took_from_which_bill_of_the_hold(page: Page, bracketed: Manager) -> None:
    desk = bracketed.counter
    made = held(bracketed, 100_000, "H")
    first = ok(redeem(desk, made, 30_000, "P1"))
    second = ok(redeem(desk, made, 30_000, "P2"))
    ok(desk.machine.post(f"/v1/redemptions/{first['id']}/refunds", {"amount_fen": 30_000, "reason": "未运行"}))
    bracketed.sign_in(page)
    page.goto(f"{bracketed.voucher_path}/bills/{first['id']}")
    expect(page.locator("main")).to_contain_text(
        "账单核减 300.00 元（未运行）。该预占的全部账单按剩余部分合并重新计算，应补 0.00 元，原已抵扣 180.00 元，"
        "共退回补贴 180.00 元，其中本账单退回 0.00 元。"
    )
    page.goto(f"{bracketed.voucher_path}/bills/{second['id']}")
    expect(page.locator("main")).to_contain_text("该预占的另一笔账单核减（未运行）。")
    expect(page.locator("main")).to_contain_text("共退回补贴 180.00 元，其中本账单退回 180.00 元。")
    page.goto(bracketed.voucher_path)
    newest = page.get_by_role("article").first
    newest.get_by_text("金额计算说明").click()
    expect(newest).to_contain_text("其后该预占的另一笔账单核减，本账单已退回补贴 180.00 元")


def test_open_holds_come_first_and_the_rest_is_one_click_away(page: Page, manager: Manager) -> None:
    made = [held(manager, 1_000 + number, f"N{number:02}") for number in range(24)]
    for one in made[12:]:
        release(manager, one)
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    numbers = page.get_by_role("region", name="机构预占").locator(".number")
    newest_first = [f"N{number:02}" for number in [*range(11, -1, -1), *range(23, 11, -1)]]
    expect(numbers).to_have_text(newest_first[:10])
    page.get_by_role("link", name="更多预占").click()
    expect(numbers).to_have_text(newest_first[:20])
    page.get_by_role("link", name="更多预占").click()
    expect(numbers).to_have_text(newest_first)
    expect(page.get_by_role("link", name="更多预占")).to_have_count(0)


def test_the_rest_of_the_holds_is_a_page_without_scripts(manager: Manager) -> None:
    made = [held(manager, 1_000 + number, f"N{number:02}") for number in range(11)]
    client = manager.http()
    page = client.get(f"{manager.voucher_path}/holds", params={"open_before": made[1]["id"]}).text
    assert "N00" in page
    assert "N01" not in page
    assert "<h1>" in page
    assert "N10" in client.get(f"{manager.voucher_path}/holds", params={"open_before": "nonsense"}).text


def test_another_firms_holds_are_not_there(manager: Manager, bracketed: Manager) -> None:
    held(manager, 1_000, "H")
    assert bracketed.http().get(f"{manager.voucher_path}/holds").status_code == 404


def test_a_freeze_says_that_the_clock_stands(page: Page, manager: Manager) -> None:
    held(manager, 1_000, "H")
    city, voucher_id = manager.counter.city, manager.counter.voucher["id"]
    ok(city.approve(city.maker.post(f"/v1/vouchers/{voucher_id}/freeze", {"reason": "核查"})))
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    holds = page.get_by_role("region", name="机构预占")
    expect(holds).to_contain_text("券已冻结：预占的期限暂停计算，解冻后接着计算。")
    expect(holds.get_by_role("listitem")).to_contain_text("期限暂停，解冻后顺延")
    expect(holds.get_by_role("listitem")).not_to_contain_text("有效至")


def test_an_expired_hold_is_told_before_and_after_its_money_went_back(
    page: Page, world: World, manager: Manager
) -> None:
    let_expire(world, held(manager, 100_000, "H"))
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    holds = page.get_by_role("region", name="机构预占")
    expect(holds.get_by_role("listitem")).to_contain_text("已到期")
    expect(holds.get_by_role("listitem")).to_contain_text("退回 0.00、300.00 正在退回")
    world.database.transact(lambda tx: sweep(tx, most=100))
    page.reload()
    expect(holds.get_by_role("listitem")).to_contain_text("预占 300.00，抵扣 0.00，退回 300.00")
    expect(holds.get_by_role("listitem")).not_to_contain_text("正在退回")
    row = page.get_by_role("table", name="此券的全部资金变动").get_by_role("row", name="预占结束")
    expect(row).to_contain_text("+300.00")
    expect(row).to_contain_text(manager.counter.mandate["provider_name"])


def test_every_provider_of_a_voucher_is_known_by_name(world: World, city: City) -> None:
    """One who only drew, one who only holds; nothing for another firm."""
    desk = counter(city)
    ok(desk.redeem(10_000))
    second = world.provider(city.region_code)
    city.admit(desk.programme_id, second)
    url = f"/v1/vouchers/{desk.voucher['id']}/mandates"
    mandate = ok(desk.manager.post(url, {"provider_id": second, "limit_fen": 100_000}))
    machine = world.machine(second, city.region_code)
    ok(machine.post("/v1/holds", {"voucher_code": desk.voucher["code"], "hold_no": "H", "bill": bill_body(1_000)}))

    def names_for(organisation_id: str) -> dict[str, str]:
        grants = (Grant(Role.FIRM, city.region_code),)
        caller = Caller(Principal("usr_1", organisation_id, city.region_code, grants), "test")
        return world.database.snapshot(lambda tx: provider_names(tx, caller=caller, voucher_id=desk.voucher["id"]))

    assert names_for(desk.voucher["firm_id"]) == {
        desk.machine.organisation_id: desk.mandate["provider_name"],
        second: mandate["provider_name"],
    }
    assert names_for(world.firm(city.region_code)) == {}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_holds_do_not_run_over_the_edge_of_a_telephone(page: Page, manager: Manager, language: str) -> None:
    release(manager, held(manager, 2_000, "RELEASED-HOLD-NUMBER-2026-11-24-0000000000000000000000000000001"))
    made = held(manager, 100_000, "A-LONG-HOLD-NUMBER-2026-11-24-0000000000000000000000000000000002")
    redemption = ok(redeem(manager.counter, made, 10_000, "P1"))
    manager.sign_in(page)
    page.set_viewport_size({"width": 375, "height": 812})
    page.goto(f"/portal/language/{language}")
    for path in ("", "/holds", f"/bills/{redemption['id']}"):
        page.goto(manager.voucher_path + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
