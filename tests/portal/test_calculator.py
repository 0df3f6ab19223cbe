"""The calculator in a real browser and over bare HTTP: eligible or not, how much, why not more."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.portal.manager import Manager, form_token, manager_of
from tests.portal.test_visit import NAMELESS
from tests.world import City, counter

SIGNED = {
    "name": "signed_in_time",
    "when": {"kind": "date", "fact": "claim.contract_signed_on", "from_on": "2023-09-01"},
    "zh": "合同于2023年9月1日及以后签订",
    "en": "The contract was signed on or after 1 September 2023",
}
EVIDENCE = [{"document": "contract"}, {"document": "payment_proof", "mandatory": False, "zh": "银行回单"}]


@pytest.fixture
def buyer(city: City) -> Manager:
    """A manager with a voucher of 500.00 元 at 30 %, at most 300.00 元 a bill, for contracts signed in time."""
    till = counter(
        city,
        face_value_fen=50_000,
        excluded_categories=["storage"],
        requirements=[SIGNED],
        evidence=EVIDENCE,
        cap={"kind": "bill", "limit_fen": 30_000},
    )
    return manager_of(till)


def test_a_manager_learns_how_much_and_why_not_more(page: Page, buyer: Manager) -> None:
    buyer.sign_in(page)
    page.goto(buyer.voucher_path)
    page.get_by_role("link", name="测算一笔账单可抵扣的金额").click()
    expect(page.get_by_label("使用的券")).to_have_value(buyer.counter.voucher["id"])
    page.get_by_label("合同签订日").fill("2026-03-01")
    page.get_by_label("服务机构").select_option(label=buyer.counter.mandate["provider_name"])
    page.get_by_label("金额（元，含税）").fill("１，２００")
    page.get_by_role("button", name="再加一项").click()
    second = page.get_by_role("group", name="第 2 项")
    second.get_by_label("服务类别").select_option("storage")
    second.get_by_label("金额（元，含税）").fill("50")
    page.get_by_role("button", name="测算").click()

    answer = page.get_by_role("region", name="可以享受补贴，但有核减")
    expect(answer.get_by_role("heading", name="可以享受补贴，但有核减")).to_be_focused()
    expect(answer).to_contain_text("账单共 1,250.00 元，其中 1,200.00 元在补贴范围内")
    expect(answer).to_contain_text("1,200.00 × 30% = 360.00 元")
    expect(answer).to_contain_text("单笔账单最高补贴 300.00 元，因此少补 60.00 元。")
    expect(answer.get_by_role("row", name="券抵扣")).to_contain_text("300.00")
    expect(answer.get_by_role("row", name="企业自付")).to_contain_text("950.00")
    expect(answer).to_contain_text("上限由规则确定，超出部分由贵单位承担，不结转。")
    expect(answer).to_contain_text("合同 必交（核销时）")
    expect(answer).to_contain_text("规则第 1 版，杭经信〔2026〕1号")

    # Another day of the contract, and nothing is granted; what was typed is still there.
    page.get_by_label("合同签订日").fill("2023-08-31")
    page.get_by_role("button", name="测算").click()
    refused = page.get_by_role("region", name="按所填信息，不能享受补贴")
    expect(refused).to_contain_text("不符合条件“合同于2023年9月1日及以后签订”，不予补贴。")
    expect(second.get_by_label("金额（元，含税）")).to_have_value("50")

    # Nothing was reserved.
    assert buyer.counter.balance_fen() == 50_000


def test_a_balance_that_does_not_reach_is_told_before_the_bill_comes(page: Page, buyer: Manager) -> None:
    other = manager_of(counter(buyer.counter.city, face_value_fen=10_000))
    other.sign_in(page)
    page.goto(f"/portal/calculator?voucher={other.counter.voucher['id']}")
    page.get_by_label("金额（元，含税）").fill("1000")
    page.get_by_role("button", name="测算").click()
    expect(page.get_by_text("券内现有余额 100.00 元，不足以全额抵扣，将少抵 200.00 元。")).to_be_visible()


def test_a_programme_is_changed_and_its_own_questions_appear(page: Page, buyer: Manager) -> None:
    plain = buyer.counter.city.programme(title="没有条件的项目")
    buyer.sign_in(page)
    page.goto("/portal/calculator")
    expect(page.get_by_label("合同签订日")).to_have_count(1)
    page.get_by_label("选择项目").select_option(plain)
    page.get_by_role("button", name="切换项目").click()
    expect(page.get_by_text("没有条件的项目").last).to_be_visible()
    expect(page.get_by_label("合同签订日")).to_have_count(0)
    page.get_by_label("金额（元，含税）").fill("100")
    page.get_by_role("button", name="测算").click()
    expect(page.get_by_text("预计可补贴 30.00 元，其余 70.00 元由贵单位支付。")).to_be_visible()


def test_what_cannot_be_read_is_marked_and_stays_typed(page: Page, buyer: Manager) -> None:
    buyer.sign_in(page)
    page.goto("/portal/language/en")
    page.goto("/portal/calculator")
    page.get_by_label("Amount (yuan, VAT included)").fill("12,34")
    page.get_by_role("button", name="Calculate").click()
    amount = page.get_by_label("Amount (yuan, VAT included)")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(amount).to_have_accessible_description(
        "Give an amount above 0, such as 10000 or 10000.50, with at most two decimals."
    )
    expect(amount).to_have_value("12,34")


def test_the_calculator_works_without_scripts(browser: Browser, buyer: Manager) -> None:
    with browser.new_context(base_url=buyer.world.base_url, locale="zh-CN", java_script_enabled=False) as context:
        page = context.new_page()
        buyer.sign_in(page)
        page.get_by_role("link", name="补贴测算").click()
        page.get_by_label("合同签订日").fill("2026-03-01")
        page.get_by_role("button", name="再加一项").click()
        page.get_by_role("group", name="第 2 项").get_by_label("金额（元，含税）").fill("10")
        page.get_by_role("group", name="第 1 项").get_by_label("金额（元，含税）").fill("90")
        page.get_by_label("金额（元，含税）").first.press("Enter")
        expect(page.get_by_text("预计可补贴 30.00 元")).to_be_visible()
        assert page.url.endswith("#answer")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_answer_fits_a_telephone_and_every_field_has_a_name(page: Page, buyer: Manager, language: str) -> None:
    buyer.sign_in(page)
    page.set_viewport_size({"width": 375, "height": 812})
    page.goto(f"/portal/language/{language}")
    page.goto(f"/portal/calculator?voucher={buyer.counter.voucher['id']}")
    page.locator("#claim-contract_signed_on").fill("2026-03-01")
    page.locator("#amount-1").fill("99,999,999,999.99")
    page.locator("button[value=calculate]").click()
    expect(page.locator("#answer")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate(NAMELESS) == []


def test_the_form_counts_only_with_its_token_and_from_its_own_page(buyer: Manager) -> None:
    client = buyer.http()
    token = form_token(client.get("/portal/calculator").text)
    fields = {"category-1": "training", "amount-1": "1", "claim-contract_signed_on": "2026-03-01", "act": "calculate"}
    own = {"Origin": buyer.world.base_url}
    assert client.post("/portal/calculator", data=fields, headers=own).status_code == 403
    elsewhere = {"Origin": "https://elsewhere.example"}
    sent = fields | {"form_token": token}
    assert client.post("/portal/calculator", data=sent, headers=elsewhere).status_code == 403
    assert client.post("/portal/calculator", data=sent, headers=own).status_code == 200
    overlong = client.post("/portal/calculator", data=sent | {"claim-contract_no": "x" * 5000}, headers=own)
    assert overlong.status_code == 400


def test_another_firms_voucher_and_a_provider_not_admitted_are_refused_at_their_fields(buyer: Manager) -> None:
    other = counter(buyer.counter.city)
    client = buyer.http()
    form = {
        "form_token": form_token(client.get("/portal/calculator").text),
        "programme": buyer.counter.programme_id,
        "category-1": "training",
        "amount-1": "1",
        "claim-contract_signed_on": "2026-03-01",
    }
    own = {"Origin": buyer.world.base_url}
    strange = client.post("/portal/calculator", data=form | {"voucher": other.voucher["id"]}, headers=own)
    assert "请选择贵单位在该项目中的券。" in strange.text
    unlisted = client.post("/portal/calculator", data=form | {"provider": buyer.world.provider()}, headers=own)
    assert "该机构目前不在入围名单中，请重新选择。" in unlisted.text
    assert client.get("/portal/calculator", params={"programme": "prg_nowhere"}).status_code == 404


def test_a_frozen_voucher_is_told_with_what_the_rules_would_give(buyer: Manager) -> None:
    city, voucher = buyer.counter.city, buyer.counter.voucher
    city.approve(city.maker.post(f"/v1/vouchers/{voucher['id']}/freeze", {"reason": "核查"}))
    client = buyer.http()
    form = {
        "form_token": form_token(client.get("/portal/calculator").text),
        "programme": buyer.counter.programme_id,
        "voucher": voucher["id"],
        "category-1": "training",
        "amount-1": "100",
        "claim-contract_signed_on": "2026-03-01",
    }
    page = client.post("/portal/calculator", data=form, headers={"Origin": buyer.world.base_url}).text
    assert "按所填信息，不能享受补贴" in page
    assert "冻结" in page
    assert "不考虑上述情况，按规则计算如下" in page
