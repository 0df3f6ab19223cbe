"""A manager applies in the portal: draft, papers, submission, correction, withdrawal; also without scripts."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.applications import papers
from tests.applications.desk import Desk
from tests.portal.manager import Manager, form_token, manager_of
from tests.world import City, World, counter, ok, rules_body

EVIDENCE = [
    {"document": "contract", "checkpoints": ["apply"], "zh": "已签订的服务合同", "en": "The signed contract"},
    {"document": "licence", "checkpoints": ["apply"], "mandatory": False, "zh": "营业执照", "en": "Business licence"},
]
LOCAL = {
    "name": "local",
    "when": {"kind": "in_region", "fact": "holder.region_code", "regions": ["330100"]},
    "zh": "注册地在杭州市",
    "en": "Registered in Hangzhou",
}


def programme(city: City, title: str) -> str:
    caps = [{"scope": "voucher", "name": "per_voucher", "limit_fen": 50_000_000}]
    rules = rules_body(evidence=EVIDENCE, requirements=[LOCAL], caps=caps)
    return city.programme(title=title, rules=rules)


def picture(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look at the pages."""
    if folder := os.environ.get("PORTAL_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_a_manager_applies_corrects_and_is_granted(page: Page, manager: Manager, city: City, tmp_path: Path) -> None:
    programme_id = programme(city, "杭州市算力券申领")
    contract = tmp_path / "服务合同.pdf"
    contract.write_bytes(papers.pdf())
    manager.sign_in(page)
    page.get_by_role("link", name="我的申领").click()
    picture(page, "applications-empty")
    page.get_by_role("link", name="申领：杭州市算力券申领").click()
    expect(page.get_by_text("已签订的服务合同")).to_be_visible()
    page.get_by_role("button", name="保存草稿").click()
    expect(page.get_by_text("请填写用途，2 至 2000 个字符。")).to_be_visible()
    picture(page, "application-errors")
    page.get_by_label("申领金额（元）").fill("一万")
    page.get_by_label("用途").fill("训练行业大模型\n租用国产算力")
    page.get_by_role("button", name="保存草稿").click()
    expect(page.get_by_label("申领金额（元）")).to_have_value("一万")
    page.get_by_label("申领金额（元）").fill("１０，０００")
    page.get_by_role("button", name="保存草稿").click()
    expect(page.get_by_role("status").filter(has_text="已保存。")).to_be_visible()
    expect(page.get_by_text("还缺以下材料：")).to_be_visible()
    picture(page, "application-draft")

    page.get_by_role("button", name="提交申领").click()
    expect(page.get_by_role("alert")).to_contain_text("缺少规则要求的 1 份材料")
    expect(page.get_by_role("alert")).to_contain_text("已签订的服务合同")
    page.get_by_label("文件", exact=True).set_input_files(contract)
    page.get_by_role("button", name="上传", exact=True).click()
    expect(page.get_by_role("link", name="服务合同.pdf")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="服务合同.pdf").click()
    assert download.value.path().read_bytes() == papers.pdf()
    page.get_by_role("button", name="提交申领").click()
    expect(page.get_by_role("status").filter(has_text="已提交")).to_be_visible()
    expect(page.get_by_text("注册地在杭州市")).to_be_visible()
    expect(page.get_by_role("button", name="提交申领")).to_have_count(0)
    picture(page, "application-submitted")

    application_id = page.url.rsplit("/", 1)[1]
    path = f"/v1/applications/{application_id}"
    ok(city.maker.post(f"{path}/return", {"reason": "合同缺页", "items": ["合同第 3 页", "加盖公章的承诺书"]}))
    page.reload()
    expect(page.get_by_text("加盖公章的承诺书")).to_be_visible()
    picture(page, "application-correction")
    page.set_viewport_size({"width": 375, "height": 800})
    assert fits(page)
    picture(page, "application-correction-375")
    page.get_by_label("用途").fill("训练行业大模型，补充说明")
    page.get_by_role("button", name="提交补正").click()
    expect(page.get_by_text("训练行业大模型，补充说明")).to_be_visible()
    expect(page.locator(".badge-application-submitted").first).to_be_visible()
    ok(city.maker.post(f"{path}/accept"))
    ok(city.maker.post(f"{path}/assess", {"assessed_fen": 800_000, "reason": "按合同核定"}))
    ok(city.approve(city.maker.post(f"{path}/approve")))
    page.reload()
    page.get_by_role("link", name="已发放，面值 8,000.00 元，查看此券").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("杭州市算力券申领")
    page.goto("/portal/applications")
    assert fits(page)
    picture(page, "applications-375")
    page.goto(f"/portal/applications/new?programme={programme_id}")
    assert fits(page)
    picture(page, "application-new-375")


def test_a_manager_takes_an_application_back_and_reads_it_in_english(page: Page, manager: Manager, city: City) -> None:
    programme(city, "English pages")
    manager.sign_in(page)
    page.get_by_role("link", name="English", exact=True).click()
    page.goto("/portal/applications")
    page.get_by_role("link", name="Apply to English pages").click()
    page.get_by_label("Amount applied for (yuan)").fill("100")
    page.get_by_label("Purpose").fill("To train")
    page.get_by_role("button", name="Save draft").click()
    page.get_by_role("link", name="Withdraw application").click()
    page.get_by_role("button", name="Withdraw", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Give a reason of 2 to 500 characters.")
    page.get_by_label("Reason").fill("No longer needed")
    page.get_by_role("button", name="Withdraw", exact=True).click()
    expect(page.get_by_text("Reason: No longer needed")).to_be_visible()
    picture(page, "application-withdrawn-en")


def test_everything_works_without_scripts(browser: Browser, world: World, manager: Manager, city: City) -> None:
    programme(city, "无脚本申领")
    context = browser.new_context(base_url=world.base_url, locale="zh-CN", java_script_enabled=False)
    page = context.new_page()
    manager.sign_in(page)
    page.goto("/portal/applications")
    page.get_by_role("link", name="申领：无脚本申领").click()
    page.get_by_label("申领金额（元）").fill("100")
    page.get_by_label("用途").fill("推理")
    page.get_by_role("button", name="保存草稿").click()
    file = {"name": "图.png", "mimeType": "image/png", "buffer": b"<html></html>"}
    page.get_by_label("文件", exact=True).set_input_files(file)  # type: ignore[arg-type]  # a dict is a FilePayload
    page.get_by_role("button", name="上传", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("不是可接受的类型")
    file["buffer"] = papers.png()
    page.get_by_label("文件", exact=True).set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="上传", exact=True).click()
    page.get_by_role("button", name="移除 图.png").click()
    expect(page.get_by_text("尚未上传材料。")).to_be_visible()
    context.close()


def test_the_door_is_shut_to_strange_forms_and_strange_firms(manager: Manager, city: City, world: World) -> None:
    programme_id = programme(city, "门")
    client = manager.http()
    origin = {"Origin": world.base_url}
    token = form_token(client.get(f"/portal/applications/new?programme={programme_id}").text)
    form = {"programme": programme_id, "amount": "100", "purpose": "推理", "form_token": token}
    assert client.post("/portal/applications", data=form).status_code == 403, "no origin"
    assert client.post("/portal/applications", data=form | {"form_token": ""}, headers=origin).status_code == 403
    saved = client.post("/portal/applications", data=form, headers=origin)
    assert saved.status_code == 303
    path = saved.headers["location"]

    def upload(content: bytes, name: str = "a.pdf") -> httpx.Response:
        files = {"file": (name, content)}
        return client.post(f"{path}/documents", data={"form_token": token}, files=files, headers=origin)

    assert upload(b"").status_code == 422
    assert upload(b"MZ").status_code == 415
    assert upload(papers.pdf() + b" " * (20 * 1024 * 1024)).status_code == 413
    assert upload(papers.pdf()).status_code == 303
    assert client.post(f"{path}/documents", data={"form_token": token}, headers=origin).status_code == 422
    assert manager_of(counter(city)).http().get(path).status_code == 404
    for odd in ("apl_330100_x", "..%2fvouchers", "apl_330100_01m8ayz11vewda3234qkjd8dn9"):
        assert client.get(f"/portal/applications/{odd}").status_code == 404
    assert client.get("/portal/applications/new?programme=prg_x").status_code == 404


@pytest.mark.parametrize(
    ("on_exhaustion", "told"),
    [
        ("partial", "已发放，面值 50.00 元，查看此券"),
        ("waitlist", "候补第 1 位，待发 100.00 元；排在前面的待发合计 0.00 元。"),
    ],
)
def test_who_gets_less_or_waits_reads_how_much_and_where(
    manager: Manager, city: City, on_exhaustion: str, told: str
) -> None:
    desk = Desk(city)
    programme_id = desk.programme(
        appropriation_fen=25_000, allocation={"method": "first_come", "on_exhaustion": on_exhaustion}
    )
    desk.reviewed(programme_id, fen=20_000)
    own = desk.reviewed(programme_id, manager.actor, fen=10_000)
    path = f"/v1/programmes/{programme_id}/allocation-rounds"
    round_id = ok(city.maker.post(path, {"title": "第一轮", "applications": {}}))["id"]
    ok(city.approve(city.maker.post(f"/v1/allocation-rounds/{round_id}/submit")))
    page = manager.http().get(f"/portal/applications/{own}", headers={"Accept-Language": "zh-CN"})
    assert told in page.text


@pytest.mark.parametrize("path", ["/portal/applications", "/portal/applications/new"])
def test_nobody_is_shown_anything_before_signing_in(world: World, path: str) -> None:
    answer = world.anonymous().get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/sign-in")
