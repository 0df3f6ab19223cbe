"""Every page works under a policy that allows no inline script or style, and every form comes from our own page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.kernel.vocabulary import Role
from app.main import openapi_document
from tests.edges.routes import all_routes
from tests.notices.showing import showing
from tests.portal.manager import Manager, form_token, invitation
from tests.world import World, ok

HEAR = """addEventListener('securitypolicyviolation', event => {
  const told = `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`;
  sessionStorage.setItem('breaches', (sessionStorage.getItem('breaches') || '') + told + '\\n');
});"""
PAGES = ("/portal", "/notices", "/docs")
FILES = {"/docs/start.js", "/portal/static/nothing.js"}
"""What is no page. An uploaded paper is saved and never shown; the documentation has a window of its own below."""


@pytest.fixture(scope="module")
def values(world: World, city: object) -> dict[str, str]:
    """What stands in the places of the addresses. A page with another place has to be given a value here."""
    desk = showing(world)
    batch_id, _ = desk.submitted_batch(100_000)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    return {
        "language": "zh",
        "path": "no/such/page",
        "secret": invitation(world, world.person(Role.FIRM, world.firm())),
        "notice_id": notice_id,
        "objection_id": ok(desk.object_to(notice_id))["objection_id"],
    }


def values_of(manager: Manager) -> dict[str, str]:
    voucher_id, programme_id = manager.counter.voucher["id"], manager.counter.programme_id
    code = {"provider_id": manager.counter.mandate["provider_id"], "limit_fen": 10_000}
    form = {"programme_id": programme_id, "amount_fen": 100_000, "purpose": "大模型训练"}
    return {
        "voucher_id": voucher_id,
        "mandate_id": manager.counter.mandate["id"],
        "redemption_id": ok(manager.counter.redeem(10_000))["id"],
        "code_id": ok(manager.actor.post(f"/v1/vouchers/{voucher_id}/payment-codes", code))["id"],
        "application_id": ok(manager.actor.post("/v1/applications", form))["id"],
        "upload_id": "upl_330100_01m85r7edwejb9kg3szhzhwwdp",
        "provider_id": "nobody",
        "session_id": "ses_01m8be5sr9exzvm0a21gbepwkc",
        "challenge": "A" * 43,
    }


def filled(template: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda place: values[place[1]], template)


def short_document() -> dict[str, Any]:
    document = openapi_document()
    path = "/v1/redemptions"
    return document | {"paths": {path: document["paths"][path]}}


def breaches(page: Page) -> str:
    told: str | None = page.evaluate("sessionStorage.getItem('breaches')")
    return told or ""


def test_no_page_breaks_its_content_policy(
    browser: Browser, world: World, manager: Manager, values: dict[str, str]
) -> None:
    known = values | values_of(manager)
    context = browser.new_context(base_url=world.base_url, locale="zh-CN")
    context.add_init_script(HEAR)
    page, complaints = context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    templates = [path for method, path in all_routes() if method == "GET" and path.startswith(PAGES)]
    shown = 0
    for signed_in in (False, True):
        if signed_in:
            manager.sign_in(page)
        for template in templates:
            if template in FILES or "upload_id" in template or template == "/docs":
                continue
            answer = page.goto(filled(template, known) + f"?programme={manager.counter.programme_id}")
            assert answer is not None and "html" in answer.headers["content-type"], template
            assert not signed_in or answer.status < 400 or "{path" in template or "{provider_id" in template, (
                template,
                answer.status,
            )
            assert breaches(page) == "" and complaints == [], (template, breaches(page), complaints)
            shown += 1
    assert shown >= 40
    page.close()
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    page.route("**/openapi.json", lambda route: route.fulfill(json=short_document()))  # drawing all takes a while
    page.goto("/docs")
    page.locator(".opblock-tag").first.dispatch_event("click")  # what it draws later
    page.locator(".opblock-summary-control").first.dispatch_event("click")
    expect(page.locator(".opblock-body").first).to_be_visible()
    assert breaches(page) == "" and complaints == [], (breaches(page), complaints)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=1><p style=\"color:red\">x</p>')")
    page.wait_for_function("sessionStorage.getItem('breaches')")  # the ear hears
    context.close()


def test_every_form_needs_its_token_and_our_own_origin(world: World, manager: Manager, values: dict[str, str]) -> None:
    known = values | values_of(manager)
    http = manager.http()
    token = form_token(http.get(manager.voucher_path).text)
    forms = [path for method, path in all_routes() if method == "POST" and path.startswith(PAGES)]
    assert len(forms) >= 12
    for template in forms:
        path = filled(template, known)
        for fields, headers in (
            ({"form_token": "0" * 64}, {"Origin": world.base_url}),
            ({}, {"Origin": world.base_url}),
            ({"form_token": token}, {"Origin": "https://evil.example"}),
            ({"form_token": token}, {}),
            ({"form_token": token}, {"Origin": world.base_url, "Sec-Fetch-Site": "cross-site"}),
        ):
            answer = http.post(path, data=fields, headers=headers)
            assert answer.status_code == 403, (template, fields, headers, answer.status_code)
