"""Signing in with a code on the portal, and one's own account: as in service, where officials need a second factor."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select

from app.embedded import databases
from app.embedded.server import Server
from app.kernel.vocabulary import Role
from app.models import AuditEvent, PortalSession
from tests.conftest import standing
from tests.identity.authenticator import PASSWORD, Authenticator, enrol, with_password
from tests.portal.manager import form_token
from tests.world import Actor, World

SECRET = re.compile(r'aria-labelledby="factor-secret">([A-Z2-7 ]+)<')
SESSION = "voucher_session"


@pytest.fixture(scope="module")
def world(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("account")
    with standing(server, template, folder, database=folder.name, staff_second_factor=True) as shared:
        yield shared
    databases.drop(server, database=folder.name)


@pytest.fixture
def manager(world: World) -> tuple[Actor, str]:
    actor = world.person(Role.FIRM, world.firm())
    return actor, with_password(world, actor)


@pytest.fixture
def maker(world: World) -> tuple[Actor, str]:
    actor = world.city().maker
    return actor, with_password(world, actor)


def send(client: httpx.Client, world: World, page: str, to: str | None = None, **fields: str) -> httpx.Response:
    """Fill in the first form of a page."""
    form = fields | {"form_token": form_token(client.get(page).text)}
    return client.post(to or page, data=form, headers={"Origin": world.base_url})


def sign_in(client: httpx.Client, world: World, login: str) -> httpx.Response:
    return send(client, world, "/portal/sign-in", login=login, password=PASSWORD)


def test_before_the_code_a_session_opens_nothing_and_after_it_there_is_another(
    world: World, manager: tuple[Actor, str]
) -> None:
    actor, login = manager
    authenticator, _ = enrol(world.anonymous(), login)
    client = world.anonymous()
    answer = sign_in(client, world, login)
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/sign-in/code")
    before = client.cookies[SESSION]
    for path in ("/portal/vouchers", "/portal/account"):
        sent_on = client.get(path)
        assert (sent_on.status_code, sent_on.headers["location"]) == (303, "/portal/sign-in/code"), path
    for path in ("/portal/account/second-factor", "/portal/account/second-factor/confirm"):
        refused = send(client, world, "/portal/sign-in/code", path, code="000000")
        assert (refused.status_code, refused.headers["location"]) == (303, "/portal/sign-in/code"), path
    wrong = send(client, world, "/portal/sign-in/code", code="000000")
    assert wrong.status_code == 401
    assert "动态码有误" in wrong.text
    code = authenticator.code()
    entered = send(client, world, "/portal/sign-in/code", code=code)
    assert (entered.status_code, entered.headers["location"]) == (303, "/portal/vouchers")
    assert client.cookies[SESSION] != before
    assert client.get("/portal/vouchers").status_code == 200
    thief = world.anonymous()
    thief.cookies.set(SESSION, before)
    assert thief.get("/portal/vouchers").headers["location"] == "/portal/sign-in", "the one from before is over"
    other = world.anonymous()
    sign_in(other, world, login)
    replayed = send(other, world, "/portal/sign-in/code", code=code)
    assert replayed.status_code == 401
    told = select(AuditEvent.action, AuditEvent.result).where(AuditEvent.object_id == actor.id)
    events = [tuple(row) for row in world.database.transact(lambda tx: tx.execute(told).all())]
    assert events.count(("user.signed_in", "done")) == 3, "twice to set it up, and once here"
    assert events.count(("user.signed_in", "refused")) == 2


def test_an_official_without_a_second_factor_may_do_nothing_but_set_one_up(
    world: World, maker: tuple[Actor, str]
) -> None:
    client = world.anonymous()
    answer = sign_in(client, world, maker[1])
    factor = "/portal/account/second-factor"
    assert (answer.status_code, answer.headers["location"]) == (303, factor)
    assert client.get("/portal/account").headers["location"] == factor
    scan = send(client, world, factor)
    found = SECRET.search(scan.text)
    assert found is not None, scan.text
    assert 'class="qr-modules"' in scan.text
    authenticator = Authenticator(found[1].replace(" ", ""))
    wrong = send(client, world, factor, f"{factor}/confirm", code="000000")
    assert wrong.status_code == 401
    assert authenticator.secret not in wrong.text.replace(" ", ""), "it is shown once"
    done = send(client, world, factor, f"{factor}/confirm", code=authenticator.code())
    assert done.status_code == 200
    codes = re.findall(r'<li class="number">([0-9a-z-]{19})</li>', done.text)
    assert len(set(codes)) == 10
    assert client.get("/portal/account").status_code == 200
    removed = send(client, world, "/portal/account", f"{factor}/remove", code=authenticator.code())
    assert removed.status_code == 403, "an official keeps it"


def test_one_session_is_signed_out_from_another_and_everywhere_means_all(
    world: World, manager: tuple[Actor, str]
) -> None:
    actor, login = manager
    here, there = world.anonymous(), world.anonymous()
    for client in (here, there):
        sign_in(client, world, login)
    listed = re.findall(r"/portal/account/sessions/(ses_[0-9a-z]+)/end", here.get("/portal/account").text)
    assert len(listed) == 1, "one's own is not among those to end"
    ended = send(here, world, "/portal/account", f"/portal/account/sessions/{listed[0]}/end")
    assert ended.status_code == 303
    assert there.get("/portal/vouchers").headers["location"] == "/portal/sign-in"
    stranger = world.person(Role.FIRM, world.firm())
    foreign = world.anonymous()
    sign_in(foreign, world, with_password(world, stranger))
    mine = select(PortalSession.id).where(PortalSession.user_id == actor.id, PortalSession.ended_at.is_(None))
    [session_id] = world.database.transact(lambda tx: tx.execute(mine).scalars().all())
    send(foreign, world, "/portal/account", f"/portal/account/sessions/{session_id}/end")
    assert here.get("/portal/vouchers").status_code == 200, "nobody ends another's"
    token = world.anonymous().post("/v1/personal-tokens", json={"login": login, "password": PASSWORD}).json()["token"]
    assert send(here, world, "/portal/account", "/portal/account/sign-out-everywhere").status_code == 303
    assert here.get("/portal/vouchers").headers["location"] == "/portal/sign-in"
    time.sleep(1.1)
    bearer = {"Authorization": f"Bearer {token}"}
    assert world.anonymous().get("/v1/vouchers", headers=bearer).status_code == 401


def test_a_firms_person_turns_it_off_for_a_code_and_not_without(world: World, manager: tuple[Actor, str]) -> None:
    _, login = manager
    authenticator, _ = enrol(world.anonymous(), login)
    client = world.anonymous()
    sign_in(client, world, login)
    send(client, world, "/portal/sign-in/code", code=authenticator.code())
    remove = "/portal/account/second-factor/remove"
    assert send(client, world, "/portal/account", remove, code="000000").status_code == 401
    assert send(client, world, "/portal/account", remove, code=authenticator.code()).status_code == 303
    assert sign_in(world.anonymous(), world, login).headers["location"] == "/portal/vouchers"


def test_setting_it_up_fits_a_phone(world: World, browser: Browser, maker: tuple[Actor, str]) -> None:
    complaints: list[str] = []
    context = browser.new_context(base_url=world.base_url, locale="zh-CN", viewport={"width": 375, "height": 700})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.goto("/portal/sign-in")
    page.get_by_label("登录名").fill(maker[1])
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("button", name="显示二维码").click()
    expect(page.get_by_role("img", name="身份验证器二维码")).to_be_visible()
    secret = page.locator("[aria-labelledby=factor-secret]").inner_text().replace(" ", "")
    page.get_by_label("身份验证器显示的 6 位动态码").fill(Authenticator(secret).code())
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("button", name="确认启用").click()
    expect(page.get_by_role("heading", name="请保存恢复码")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("link", name="我已保存").click()
    expect(page.get_by_role("heading", name="账号安全")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    context.close()
    assert complaints == []
