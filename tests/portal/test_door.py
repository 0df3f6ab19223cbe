"""Who gets in, and what is refused at the door: without a browser, so that nothing is sent by itself."""

from __future__ import annotations

import re

import httpx
import pytest
from sqlalchemy import select

from app.kernel.vocabulary import Role
from app.models import AuditEvent, Mandate
from app.settings import Settings
from tests.conftest import serving
from tests.portal.manager import PASSWORD, Manager, form_token, invitation, login_of, manager_of
from tests.world import City, World, counter, ok

MISSING = "没有找到该页面"


def test_every_answer_carries_the_headers(manager: Manager) -> None:
    client = manager.http()
    paths = ("/portal/sign-in", "/portal/vouchers", manager.voucher_path, "/portal/nowhere", "/portal/invitations/x")
    for path in paths:
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


def test_whoever_asks_for_the_service_itself_is_led_to_the_portal(world: World) -> None:
    answer = world.anonymous().get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/portal")


def test_a_sessions_cookie_is_out_of_reach_for_scripts_and_other_sites(manager: Manager) -> None:
    client = manager.world.anonymous()
    answer = _sign_in(client, manager.login, PASSWORD, origin=manager.world.base_url)
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("voucher_session="))
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}


def test_behind_https_cookies_stay_on_https_and_the_public_origin_counts(settings: Settings) -> None:
    public = settings.model_copy(update={"public_url": "https://voucher.example"})
    with serving(public) as base_url, httpx.Client(base_url=base_url, trust_env=False) as client:
        page = client.get("/portal/sign-in")
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-voucher_stranger=")
        assert {"secure", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        assert "domain=" not in cookie.lower()
        form = {"login": "nobody", "password": "wrong", "form_token": form_token(page.text)}
        headers = {"Cookie": cookie.partition(";")[0]}
        for origin, status in {"https://voucher.example": 401, "http://voucher.example": 403}.items():
            assert client.post("/portal/sign-in", data=form, headers=headers | {"Origin": origin}).status_code == status


def test_every_failure_to_sign_in_looks_the_same_and_is_written_down(manager: Manager) -> None:
    client = manager.world.anonymous()
    wrong = _sign_in(client, manager.login, "wrong", origin=manager.world.base_url)
    unknown = _sign_in(client, "nobody", "wrong", origin=manager.world.base_url)
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.text.replace(manager.login, "…") == unknown.text.replace("nobody", "…")
    assert "voucher_session" not in client.cookies
    tried = select(AuditEvent.result).where(
        AuditEvent.action == "user.signed_in", AuditEvent.object_id == manager.actor.id
    )
    assert manager.world.database.transact(lambda tx: tx.execute(tried).scalars().all()) == ["refused"]


def test_an_official_comes_to_his_own_account_and_to_no_firms_page(world: World, city: City) -> None:
    maker = world.person(Role.MAKER, city.authority_id, city.region_code)
    client = world.anonymous()
    path = f"/portal/invitations/{invitation(world, maker)}"
    form = {"password": PASSWORD, "repeat": PASSWORD, "form_token": form_token(client.get(path).text)}
    assert client.post(path, data=form, headers={"Origin": world.base_url}).status_code == 303
    answer = _sign_in(client, login_of(world, maker), PASSWORD, origin=world.base_url)
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/account")
    assert "voucher login" in client.get("/portal/account").text
    for path in ("/portal/vouchers", "/portal/applications", "/portal/calculator"):
        refused = client.get(path)
        assert refused.status_code == 403
        assert "本门户仅供企业使用" in refused.text


def test_a_weak_password_is_refused_and_the_invitation_stays_good(world: World, city: City) -> None:
    manager = counter(city).manager
    client = world.anonymous()
    path = f"/portal/invitations/{invitation(world, manager)}"
    form = {"password": "short", "repeat": "short", "form_token": form_token(client.get(path).text)}
    weak = client.post(path, data=form, headers={"Origin": world.base_url})
    assert weak.status_code == 422
    assert 'id="password-error"' in weak.text
    assert "short" not in re.findall(r'value="([^"]*)"', weak.text)
    form |= {"password": PASSWORD, "repeat": PASSWORD}
    assert client.post(path, data=form, headers={"Origin": world.base_url}).status_code == 303
    used = client.get(path)
    assert used.status_code == 409
    assert "该链接已使用、已过期或已被替换" in used.text


def test_what_is_foreign_and_what_does_not_exist_are_the_same_friendly_404(manager: Manager) -> None:
    foreign = manager_of(counter(manager.counter.city))
    bill = ok(foreign.counter.redeem(10_000))["id"]
    ours = ok(manager.counter.redeem(10_000))["id"]
    client = manager.http()
    unknown = manager.voucher_path[:-4] + "zzzz"
    for path in (
        foreign.voucher_path,
        unknown,
        "/portal/vouchers/%00",
        "/portal/vouchers/' OR 1=1",
        f"{foreign.voucher_path}/bills",
        f"{foreign.voucher_path}/movements",
        f"{foreign.voucher_path}/bills/{bill}",
        f"{manager.voucher_path}/bills/{bill}",
        f"{manager.voucher_path}/bills/nothing",
        f"{foreign.mandate_path}/withdraw",
        f"{manager.voucher_path}/mandates/{foreign.counter.mandate['id']}/withdraw",
        "/portal/nowhere",
    ):
        answer = client.get(path)
        assert (answer.status_code, MISSING in answer.text) == (404, True), path
    assert client.get(f"{manager.voucher_path}/bills/{ours}").status_code == 200


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("", {"Origin": "own"}),
        ("0" * 64, {"Origin": "own"}),
        ("own", {"Origin": "https://evil.example"}),
        ("own", {"Origin": "null"}),
        ("own", {"Referer": "https://evil.example/portal/vouchers"}),
        ("own", {}),
        ("strangers", {"Origin": "own"}),
    ],
)
def test_a_form_that_is_not_ours_changes_nothing(manager: Manager, token: str, headers: dict[str, str]) -> None:
    client = manager.http()
    own_token = form_token(client.get(manager.voucher_path).text)
    strangers = form_token(manager.world.anonymous().get("/portal/sign-in").text)
    sent = {"own": own_token, "strangers": strangers}.get(token, token)
    named = {name: manager.world.base_url if value == "own" else value for name, value in headers.items()}
    for path in (f"{manager.mandate_path}/withdraw", "/portal/sign-out", f"{manager.voucher_path}/mandates"):
        assert client.post(path, data={"form_token": sent}, headers=named).status_code == 403
    assert _revoked(manager) == [None]
    assert client.get("/portal/vouchers").status_code == 200


def test_signing_in_from_another_site_is_refused(manager: Manager) -> None:
    client = manager.world.anonymous()
    assert _sign_in(client, manager.login, PASSWORD, origin="https://evil.example").status_code == 403
    without_cookie = {"login": manager.login, "password": PASSWORD, "form_token": "0" * 64}
    fresh = manager.world.anonymous()
    answer = fresh.post("/portal/sign-in", data=without_cookie, headers={"Origin": manager.world.base_url})
    assert answer.status_code == 403
    assert "voucher_session" not in {*client.cookies, *fresh.cookies}


@pytest.mark.parametrize("nowhere", ["http://[", "http://[::1", "http://x]/", "http://\xbd.example\xaa"])
def test_what_is_no_address_is_a_foreign_origin(manager: Manager, nowhere: str) -> None:
    client = manager.http()
    form = {"form_token": form_token(client.get(manager.voucher_path).text)}
    named = nowhere.encode("latin-1")
    for header in (b"Origin", b"Referer"):
        answer = client.post(f"{manager.mandate_path}/withdraw", data=form, headers=[(header, named)])
        assert answer.status_code == 403
    assert _revoked(manager) == [None]
    switched = client.get("/portal/language/en", headers=[(b"Referer", named)])
    assert (switched.status_code, switched.headers["location"]) == (303, "/portal/vouchers")


def test_what_nobody_can_have_typed_is_refused_and_not_a_fault_of_ours(manager: Manager) -> None:
    client, own = manager.http(), {"Origin": manager.world.base_url}
    token = form_token(client.get(manager.voucher_path).text)
    surrogates = {"Content-Type": "multipart/form-data; boundary=x; charset=raw_unicode_escape"}
    grant = f"{manager.voucher_path}/mandates"
    for field in ("provider", "limit", "until"):
        fields = {"form_token": token, field: "\\ud800"}
        body = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
        )
        answer = client.post(grant, content=f"{body}--x--\r\n", headers=own | surrogates)
        assert answer.status_code == 400, field
        long = client.post(grant, data={"form_token": token, field: "1" * 5000}, headers=own)
        assert long.status_code == 400, field
    stranger = manager.world.anonymous()
    for login, password in (("x" * 65, PASSWORD), (manager.login, "x" * 513)):
        assert _sign_in(stranger, login, password, origin=manager.world.base_url).status_code == 400


def test_the_referrer_serves_where_a_browser_sends_no_origin(manager: Manager) -> None:
    client = manager.http()
    form = {"form_token": form_token(client.get(manager.voucher_path).text)}
    headers = {"Referer": f"{manager.world.base_url}{manager.voucher_path}"}
    assert client.post(f"{manager.mandate_path}/withdraw", data=form, headers=headers).status_code == 303
    assert _revoked(manager) != [None]


def test_a_session_ends_for_good_when_its_person_signs_out(manager: Manager) -> None:
    client = manager.http()
    session = client.cookies["voucher_session"]
    form = {"form_token": form_token(client.get("/portal/vouchers").text)}
    assert client.post("/portal/sign-out", data=form, headers={"Origin": manager.world.base_url}).status_code == 303
    thief = manager.world.anonymous()
    thief.cookies.set("voucher_session", session)
    answer = thief.get(manager.voucher_path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/sign-in")
    part = thief.get(f"{manager.voucher_path}/movements", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (200, "/portal/sign-in")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "zh-CN"), ("fr", "zh-CN"), ("en-GB,en;q=0.9", "en"), ("zh-TW,en;q=0.8", "zh-CN"), ("en;q=0.1,zh", "zh-CN")],
)
def test_the_first_visit_is_in_the_browsers_language(world: World, accepted: str, language: str) -> None:
    page = world.anonymous().get("/portal/sign-in", headers={"Accept-Language": accepted})
    assert f'<html lang="{language}">' in page.text


def test_the_switch_leads_back_to_where_it_was_made_and_nowhere_else(world: World) -> None:
    client = world.anonymous()
    back = {
        f"{world.base_url}/portal/sign-in?a=1": "/portal/sign-in?a=1",
        "https://evil.example/portal/sign-in": "/portal/vouchers",
        f"{world.base_url}//evil.example/": "/portal/vouchers",
        "": "/portal/vouchers",
    }
    for referrer, location in back.items():
        answer = client.get("/portal/language/en", headers={"Referer": referrer})
        assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert '<html lang="en">' in client.get("/portal/sign-in", headers={"Accept-Language": "zh"}).text
    assert client.get("/portal/language/xx").status_code == 404


def test_files_are_kept_by_browsers_under_an_address_that_changes_with_them(world: World) -> None:
    client = world.anonymous()
    files = re.findall(r'(?:href|src)="(/portal/static/[^"]+)"', client.get("/portal/sign-in").text)
    assert {path.rpartition("/")[2].partition("?")[0] for path in files} == {"portal.css", "htmx.min.js", "seal.svg"}
    for path in files:
        answer = client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def _sign_in(client: httpx.Client, login: str, password: str, *, origin: str) -> httpx.Response:
    form = {"login": login, "password": password, "form_token": form_token(client.get("/portal/sign-in").text)}
    return client.post("/portal/sign-in", data=form, headers={"Origin": origin})


def _revoked(manager: Manager) -> list[object]:
    revoked = select(Mandate.revoked_at).where(Mandate.id == manager.counter.mandate["id"])
    return list(manager.world.database.transact(lambda tx: tx.execute(revoked).scalars().all()))
