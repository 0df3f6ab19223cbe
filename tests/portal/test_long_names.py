"""Names as long as they come: nothing is cut off, breaks a button or runs over the edge, in either language."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from app.kernel.vocabulary import OrganisationKind, Role
from tests.applications.desk import application_body
from tests.notices.showing import Showing, load_years
from tests.portal.manager import Manager, manager_of
from tests.world import City, Counter, World, ok

FIRM = "浙江省之江跨境人工智能算力资源统筹调度与普惠服务（集团）股份有限公司杭州未来科技城第三分公司"
PROVIDER = "Zhejiang-Interprovincial-High-Performance-Artificial-Intelligence-Computing-Holdings-Co.,Ltd."
TITLE = "2026年度杭州市中小企业人工智能算力券（含训练、推理及模型微调服务）第三批专项资金发放项目"
FACE_FEN = 9_999_999_999

FAULTS = """() => {
    const edge = document.documentElement.clientWidth;
    const box = element => element.getBoundingClientRect();
    const all = selector => [...document.querySelectorAll(selector)];
    const texts = all('main *, header *').filter(element => element.children.length === 0
        && element.textContent.trim() && !element.closest('.visually-hidden, thead, svg'));
    const [language, brand] = ['.language', '.brand'].map(name => box(document.querySelector(name)));
    const isBelow = edge < 400 && language.top > brand.bottom;
    return [
        ...texts.filter(text => box(text).width && box(text).right > edge - 8).map(text => `edge: ${text.textContent}`),
        ...all('table').filter(table => table.scrollWidth > table.clientWidth + 1)
            .map(table => `wide: ${table.className}`),
        ...all('.action .button, header button').filter(button => box(button).height > 50)
            .map(button => `broken: ${button.textContent}`),
        ...(isBelow ? ['the other language is not beside the name'] : []),
    ];
}"""


@pytest.fixture(scope="module")
def pages(world: World, city: City) -> tuple[Manager, list[str]]:
    """A firm, its provider, programme and amounts, all of them long, and where they are shown."""
    load_years(world)
    programme_id = city.programme(appropriation_fen=10 * FACE_FEN, title=TITLE)
    provider_id = world.organisation(OrganisationKind.PROVIDER, city.region_code, name=PROVIDER)
    firm_id = world.firm(city.region_code, name=FIRM)
    city.admit(programme_id, provider_id)
    voucher = city.issue(programme_id, firm_id, FACE_FEN)
    person = world.person(Role.FIRM, firm_id, city.region_code)
    path = f"/v1/vouchers/{voucher['id']}"
    mandate = ok(person.post(f"{path}/mandates", {"provider_id": provider_id, "limit_fen": FACE_FEN}))
    code = ok(person.post(f"{path}/payment-codes", {"provider_id": provider_id, "limit_fen": FACE_FEN}))
    till = Counter(city, programme_id, voucher, person, world.machine(provider_id, city.region_code), mandate)
    bill = ok(till.redeem(120_000, order_no="A-LONG-ORDER-NUMBER-2026-11-24-000000000000001"))
    manager = manager_of(till)
    applied = ok(person.post("/v1/applications", application_body(programme_id)))
    ok(city.maker.post(f"/v1/applications/{applied['id']}/return", {"reason": FIRM, "items": [FIRM]}))
    notice = Showing(city, programme_id)
    batch_id, _ = notice.submitted_batch(FACE_FEN)
    notice_id = notice.publish({"kind": "batch", "batch_id": batch_id}, title=f"{TITLE}拟发放名单公示")
    shown = [
        "/portal/vouchers",
        manager.voucher_path,
        f"{manager.voucher_path}/bills/{bill['id']}",
        f"{manager.voucher_path}/payment-codes/{code['id']}",
        f"{manager.mandate_path}/withdraw",
        f"{manager.voucher_path}/surrender",
        f"/portal/calculator?voucher={voucher['id']}",
        "/portal/applications",
        f"/portal/applications/{applied['id']}",
        "/notices",
        f"/notices/{notice_id}",
    ]
    return manager, shown


@pytest.mark.parametrize(("language", "width"), [("zh", 375), ("en", 375), ("zh", 1280)])
def test_long_names_and_amounts_break_nothing(
    page: Page, pages: tuple[Manager, list[str]], language: str, width: int
) -> None:
    manager, shown = pages
    manager.sign_in(page)
    page.goto(f"/portal/language/{language}")
    page.set_viewport_size({"width": width, "height": 900})
    found = {}
    for path in shown:
        page.goto(f"{path}?lang={language}" if path.startswith("/notices") else path)
        if faults := page.evaluate(FAULTS):
            found[path] = faults
    assert found == {}


def test_paper_has_no_places_to_click(page: Page, pages: tuple[Manager, list[str]]) -> None:
    manager, _ = pages
    manager.sign_in(page)
    page.goto(manager.voucher_path)
    page.emulate_media(media="print")
    assert [link.inner_text() for link in page.locator("header a:visible").all()] == ["惠企券企业门户"]
