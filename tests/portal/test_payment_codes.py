"""Payment codes on the portal: made, shown, read by a scanner's rules, used or withdrawn before one's eyes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from app.api.portal.qr import QUIET, qr_of
from app.kernel.payment_digits import parse_digits
from app.services.redemption.payment_codes import claim_payment_codes, find_payment_codes, read_given
from app.services.vouchers.payment_secrets import PaymentSecrets
from tests.portal.manager import Manager, form_token, manager_of
from tests.world import HANGZHOU, counter, ok


def make(page: Page, manager: Manager, limit: str = "500.00") -> None:
    page.goto(manager.voucher_path)
    page.get_by_label("收款机构").select_option(label=manager.counter.mandate["provider_name"])
    page.get_by_label("最高金额（元）").fill(limit)
    page.get_by_role("button", name="生成付款码").click()
    expect(page.get_by_role("heading", name="付款码")).to_be_visible()


def test_a_manager_makes_a_code_shows_it_and_withdraws_it(page: Page, manager: Manager) -> None:
    manager.sign_in(page)
    make(page, manager)
    provider = manager.counter.mandate["provider_name"]
    expect(page.get_by_text(f"请仅向 {provider} 出示或告知。")).to_be_visible()
    expect(page.get_by_role("img", name="付款码二维码")).to_be_visible()
    shown = page.locator(".digits").inner_text()
    assert re.fullmatch(r"[0-9]{3} [0-9]{3} [0-9]{3}", shown)
    assert len(parse_digits(shown)) == 9
    expect(page.get_by_text("未使用", exact=True)).to_be_visible()
    expect(page.locator(".terms")).to_contain_text("500.00")
    expect(page.locator(".terms")).to_contain_text(re.compile(r"有效至（北京时间）\s*20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"))

    page.reload()
    expect(page.locator(".digits")).to_have_text(shown)
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Payment code")).to_be_visible()
    expect(page.locator(".digits")).to_have_text(shown)
    page.get_by_role("link", name="中文").click()

    page.get_by_role("button", name="撤回此付款码").click()
    expect(page.get_by_role("status").filter(has_text="该付款码已撤回，不能再使用。")).to_be_visible()
    expect(page.get_by_role("img", name="付款码二维码")).to_have_count(0)
    expect(page.locator(".digits")).to_have_count(0)
    page.get_by_role("link", name="返回此券").click()
    table = page.get_by_role("table", name="最近的付款码")
    expect(table.get_by_role("row", name=provider)).to_contain_text("已撤回")


def test_the_page_tells_that_the_code_was_used_and_hides_it(page: Page, manager: Manager) -> None:
    """It asks every five seconds, of which the browser's clock makes none."""
    page.clock.install()
    manager.sign_in(page)
    make(page, manager)
    code_id = page.url.rpartition("/")[2]
    button = page.get_by_role("button", name="撤回此付款码")
    button.focus()
    with page.expect_response(lambda answer: answer.status == 204):  # the page has asked, and nothing was new
        page.clock.fast_forward(5_000)
    expect(button).to_be_focused()
    redemption = ok(manager.counter.redeem(10_000))["id"]
    manager.world.database.transact(lambda tx: claim_payment_codes(tx, {redemption: (HANGZHOU, code_id)}))
    page.clock.fast_forward(5_000)
    expect(page.get_by_text("该付款码已使用。")).to_be_visible()
    expect(page.locator(".terms")).to_contain_text(redemption)
    expect(page.locator(".digits")).to_have_count(0)
    expect(button).to_have_count(0)


def test_what_is_read_out_finds_the_code(page: Page, manager: Manager) -> None:
    manager.sign_in(page)
    make(page, manager)
    machine, voucher = manager.counter.machine, manager.counter.voucher
    keys = manager.world.tokens._keys
    secrets = PaymentSecrets(keys, issuer=manager.world.tokens.issuer)
    given = read_given(
        page.locator(".digits").inner_text(),
        secrets,
        voucher_code=voucher["code"].replace("-", ""),
        provider_id=machine.organisation_id,
    )
    found = manager.world.database.transact(
        lambda tx: find_payment_codes(tx, {"use": (HANGZHOU, machine.organisation_id, given)})
    )
    assert found == {"use": (HANGZHOU, page.url.rpartition("/")[2])}


def test_what_was_typed_wrongly_is_marked_and_stays(page: Page, manager: Manager) -> None:
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    page.get_by_label("最高金额（元）").fill("10,000.01")
    page.get_by_label("有效分钟数").fill("61")
    page.get_by_role("button", name="生成付款码").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("请选择一家机构。")
    minutes = page.get_by_label("有效分钟数")
    expect(minutes).to_have_value("61")
    expect(minutes).to_have_accessible_description("1 至 60 分钟 请填写 1 至 60 的整数。")
    page.get_by_label("收款机构").select_option(label=manager.counter.mandate["provider_name"])
    minutes.fill("１５")
    page.get_by_role("button", name="生成付款码").click()
    limit = page.get_by_label("最高金额（元）")
    expect(limit).to_have_accessible_description("最多为余额 10,000.00 元，可精确到分 不能超过余额 10,000.00 元。")
    limit.fill("10,000")
    page.get_by_role("button", name="生成付款码").click()
    expect(page.get_by_role("img", name="付款码二维码")).to_be_visible()


def test_a_code_is_made_and_withdrawn_without_scripts(browser: Browser, manager: Manager) -> None:
    with browser.new_context(base_url=manager.world.base_url, locale="zh-CN", java_script_enabled=False) as context:
        page = context.new_page()
        manager.sign_in(page)
        make(page, manager)
        expect(page.get_by_role("img", name="付款码二维码")).to_be_visible()
        page.get_by_role("button", name="撤回此付款码").click()
        expect(page.get_by_text("该付款码已撤回，不能再使用。")).to_be_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [320, 375])
def test_a_telephone_shows_code_and_digits_whole(page: Page, manager: Manager, language: str, width: int) -> None:
    manager.sign_in(page)
    make(page, manager)
    shown = page.url
    page.set_viewport_size({"width": width, "height": 812})
    page.goto(f"/portal/language/{language}")
    page.goto(shown)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("svg.qr").bounding_box()
    assert box is not None
    assert box["width"] == box["height"] >= 250


def test_foreign_and_unknown_codes_are_the_same_friendly_404(manager: Manager) -> None:
    foreign = manager_of(counter(manager.counter.city))
    body = {"provider_id": foreign.counter.machine.organisation_id, "limit_fen": 1_000}
    code = ok(foreign.actor.post(f"/v1/vouchers/{foreign.counter.voucher['id']}/payment-codes", body))["id"]
    client = manager.http()
    token = form_token(client.get(manager.voucher_path).text)
    for path in (
        f"{foreign.voucher_path}/payment-codes/{code}",
        f"{manager.voucher_path}/payment-codes/{code}",
        f"{manager.voucher_path}/payment-codes/nothing",
    ):
        assert client.get(path).status_code == 404
        sent = client.post(f"{path}/withdraw", data={"form_token": token}, headers={"Origin": manager.world.base_url})
        assert sent.status_code == 404
        assert client.post(f"{path}/withdraw", data={"form_token": token}).status_code == 403
    form = {"form_token": token, "provider": body["provider_id"], "limit": "10", "minutes": "10"}
    origin = {"Origin": manager.world.base_url}
    assert client.post(f"{foreign.voucher_path}/payment-codes", data=form, headers=origin).status_code == 404
    assert client.post(f"{manager.voucher_path}/payment-codes", data=form).status_code == 403
    count = text("SELECT count(*) FROM payment_codes WHERE voucher_id = :id")
    made = manager.world.database.transact(
        lambda tx: tx.execute(count, {"id": manager.counter.voucher["id"]}).scalar_one()
    )
    assert made == 0


def test_the_path_draws_the_three_corners_of_a_qr_code_and_leaves_the_quiet_zone_white() -> None:
    drawn = qr_of("eyJ" + "x" * 440)
    black: set[tuple[int, int]] = set()
    for x, y, width, back in re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", drawn.path):
        assert width == back
        black |= {(int(x) + step, int(y)) for step in range(int(width))}
    assert min(min(place) for place in black) == QUIET
    assert max(max(place) for place in black) == drawn.size - QUIET - 1
    far = drawn.size - QUIET - 7
    for left, top in ((QUIET, QUIET), (far, QUIET), (QUIET, far)):
        rows = ["".join("#" if (left + x, top + y) in black else "." for x in range(7)) for y in range(7)]
        assert rows == ["#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######"]
