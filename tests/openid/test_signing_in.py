"""People sign in at a real provider: what lets them in, and what does not. Over real HTTP, without a browser's help."""

from __future__ import annotations

import base64
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from app.kernel.vocabulary import OrganisationKind, Role
from app.models import AuditEvent, OutsideIdentity
from tests.identity.over_http import PROVINCE
from tests.openid.conftest import Desk, changed
from tests.portal.manager import invitation
from tests.world import Actor


def events(desk: Desk, action: str, actor: Actor) -> list[tuple[str, str]]:
    query = select(AuditEvent.result, AuditEvent.details).where(
        AuditEvent.action == action, AuditEvent.object_id == actor.id
    )
    return [tuple(row) for row in desk.world.database.transact(lambda tx: tx.execute(query).all())]  # type: ignore[misc]


def test_a_linked_person_signs_in_and_it_is_written_down(desk: Desk) -> None:
    manager = desk.linked("alice")
    browser = desk.browser()
    answer = browser.sign_in("alice")
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/vouchers")
    assert browser.has_session
    assert browser.http.get("/portal/vouchers").status_code == 200
    done = events(desk, "user.signed_in", manager)
    assert len(done) == 1 and '"provider":"zwfw"' in str(done[0][1]).replace(" ", "").replace("'", '"')
    assert len(events(desk, "user.identity_linked", manager)) == 1


def test_the_way_there_says_what_the_standards_ask(desk: Desk) -> None:
    address = desk.browser(language="zh").sent_off()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["response_type"] == "code"
    assert asked["client_id"] == "compute-vouchers"
    assert asked["redirect_uri"] == f"{desk.world.base_url}/portal/openid/zwfw/callback"
    assert (asked["scope"], asked["code_challenge_method"], asked["ui_locales"]) == ("openid", "S256", "zh-CN")
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert all(len(asked[name]) == 43 for name in ("state", "nonce", "code_challenge"))
    again = parse_qs(urlsplit(desk.browser().sent_off()).query)
    assert again["state"] != [asked["state"]] and again["nonce"] != [asked["nonce"]]


def test_the_secret_goes_to_the_provider_alone_and_form_encoded(desk: Desk) -> None:
    desk.linked("anton")
    assert base64.b64decode(desk.between.authorizations[-1].removeprefix("Basic ")) == (
        b"compute-vouchers:a+secret%3A+with+%25marks"
    )
    form = desk.between.forms[-1]
    assert form["redirect_uri"] == [f"{desk.world.base_url}/portal/openid/zwfw/callback"]
    assert "client_secret" not in form


def test_nobody_is_let_in_by_a_name_or_an_address(desk: Desk) -> None:
    manager = desk.manager()
    desk.claims("stranger", email=f"{manager.id}@example.com", email_verified=True, preferred_username=manager.id)
    browser = desk.browser()
    answer = browser.sign_in("stranger")
    assert answer.status_code == 403 and not browser.has_session
    assert "Ask your registrar for an invitation" in answer.text
    in_chinese = desk.browser(language="zh").sign_in("stranger")
    assert "请联系登记员获取邀请链接" in in_chinese.text


def test_an_official_whose_provider_asked_for_a_second_factor_is_in(desk: Desk) -> None:
    city = desk.world.city()
    desk.linked("official", city.maker)
    desk.claims("official", acr="urn:example:two")
    browser = desk.browser()
    answer = browser.sign_in("official")
    assert (answer.status_code, answer.headers["location"]) == (303, "/portal/account")
    assert browser.http.get("/portal/account").status_code == 200
    shown = browser.http.get("/portal/vouchers")
    assert shown.status_code == 403 and "voucher login" in shown.text


def test_an_official_without_one_has_to_set_one_up_first(desk: Desk) -> None:
    city = desk.world.city()
    desk.linked("official-1", city.checker)
    for claims in ({}, {"acr": "urn:example:one"}, {"amr": ["pwd"]}):
        desk.claims("official-1", **claims)
        browser = desk.browser()
        answer = browser.sign_in("official-1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/portal/account/second-factor")
        assert browser.http.get("/portal/account").headers["location"] == "/portal/account/second-factor"


def test_a_subject_is_one_persons_and_the_invitation_stays_good(desk: Desk) -> None:
    desk.linked("bob")
    second = desk.manager()
    secret = invitation(desk.world, second)
    answer = desk.browser().link(secret, "bob")
    assert answer.status_code == 409 and "another account" in answer.text
    assert desk.browser().link(secret, "bob2").status_code == 303


def test_an_invitation_links_once(desk: Desk) -> None:
    manager = desk.manager()
    secret = invitation(desk.world, manager)
    first, second = desk.browser(), desk.browser()
    assert first.link(secret, "carol").status_code == 303
    assert second.http.get(f"/portal/invitations/{secret}").status_code == 409


def test_linking_replaces_an_earlier_subject_and_keeps_no_subject_in_clear(desk: Desk) -> None:
    manager = desk.linked("dora")
    desk.linked("dora-new", manager)
    assert desk.browser().sign_in("dora").status_code == 403
    assert desk.browser().sign_in("dora-new").status_code == 303
    rows = desk.world.database.transact(
        lambda tx: tx.execute(select(OutsideIdentity).where(OutsideIdentity.user_id == manager.id)).all()
    )
    assert len(rows) == 2 and "dora" not in str(rows)


def test_two_racing_answers_open_one_session(desk: Desk) -> None:
    desk.linked("emil")
    browser = desk.browser()
    back = browser.signed_in_there(browser.sent_off(), "emil")
    cookie = browser.http.cookies["voucher_openid"]
    assert browser.http.get(back).status_code == 303
    twin = desk.browser()
    twin.http.cookies.set("voucher_openid", cookie, path="/portal")
    answer = twin.http.get(back)
    assert answer.status_code == 400 and not twin.has_session
    assert "used before" in answer.text


def test_an_answer_to_another_browser_is_none_to_this_one(desk: Desk) -> None:
    """Login CSRF: the attacker's own answer, given to the victim's browser."""
    desk.linked("mallory")
    attacker = desk.browser()
    back = attacker.signed_in_there(attacker.sent_off(), "mallory")
    victim = desk.browser()
    assert victim.http.get(back).status_code == 400 and not victim.has_session
    own = victim.sent_off()
    assert victim.http.get(back).status_code == 400 and not victim.has_session
    desk.linked("victor")
    assert victim.http.get(victim.signed_in_there(own, "victor")).status_code == 303, "the victim's own try goes on"


def test_a_stolen_code_is_of_no_use_in_another_try(desk: Desk) -> None:
    """Code injection: the victim's code with the attacker's own state."""
    desk.linked("nora")
    victim, attacker = desk.browser(), desk.browser()
    stolen = parse_qs(urlsplit(victim.signed_in_there(victim.sent_off(), "nora")).query)["code"][0]
    back = attacker.signed_in_there(attacker.sent_off(), "thief")
    assert attacker.http.get(changed(back, code=stolen)).status_code == 400
    assert not attacker.has_session


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "x" * 43},
        {"state": None},
        {"code": None},
        {"code": "x" * 3000},
        {"code": "never-given"},
        {"iss": "https://evil.example"},
        {"state": "\ud7ff"},
    ],
)
def test_an_answer_that_was_changed_lets_nobody_in(desk: Desk, fields: dict[str, str | None]) -> None:
    desk.linked(subject := f"changed-{sorted(fields.items())!r}"[:40])
    browser = desk.browser()
    back = browser.signed_in_there(browser.sent_off(), subject)
    answer = browser.http.get(changed(back, **fields))
    assert answer.status_code == 400 and not browser.has_session


def test_a_field_given_twice_is_no_answer(desk: Desk) -> None:
    browser = desk.browser()
    back = browser.signed_in_there(browser.sent_off(), "twice")
    assert browser.http.get(f"{back}&state=x").status_code == 400


def test_an_answer_of_one_provider_is_none_of_another(desk: Desk) -> None:
    """Mix-up: the browser was sent to one provider and comes back to the other's address."""
    desk.linked("olga")
    browser = desk.browser()
    back = browser.signed_in_there(browser.sent_off(), "olga")
    mixed = back.replace("/portal/openid/zwfw/", "/portal/openid/other/")
    assert browser.http.get(mixed).status_code == 400 and not browser.has_session
    assert desk.other.asked == [], "the other provider was not shown the code"


def test_the_same_subject_of_another_issuer_is_somebody_else(desk: Desk) -> None:
    desk.linked("paul")
    answer = desk.browser().sign_in("paul", "/portal/openid/other")
    assert answer.status_code == 403


def test_whoever_declines_is_told_and_not_let_in(desk: Desk) -> None:
    browser = desk.browser(language="zh")
    back = browser.signed_in_there(browser.sent_off(), "x", action="deny")
    state = parse_qs(urlsplit(browser.sent_off()).query)["state"][0]
    answer = browser.http.get(changed(back, state=state))
    assert answer.status_code == 403 and "政务服务平台未允许登录" in answer.text


def test_the_page_offers_each_provider_in_the_readers_language(desk: Desk) -> None:
    chinese = desk.browser(language="zh").http.get("/portal/sign-in").text
    english = desk.browser().http.get("/portal/sign-in").text
    assert re.findall(r'href="/portal/openid/(\w+)">(.*?)</a>', chinese) == [
        ("zwfw", "使用政务服务平台登录"),
        ("other", "使用园区平台登录"),
    ]
    assert "Sign in with Government services" in english


def test_signing_out_offers_to_sign_out_there(desk: Desk) -> None:
    desk.linked("quinn")
    browser = desk.browser()
    assert browser.sign_in("quinn").status_code == 303
    token = re.search(r'name="form_token" value="(\w+)"', browser.http.get("/portal/vouchers").text)
    assert token is not None
    out = browser.http.post("/portal/sign-out", data={"form_token": token[1]}, headers={"Origin": desk.world.base_url})
    assert out.status_code == 303
    page = browser.http.get("/portal/sign-in").text
    assert "/portal/openid/zwfw/sign-out" in page and "/portal/openid/other/sign-out" not in page
    gone = browser.http.get("/portal/openid/zwfw/sign-out")
    address = urlsplit(gone.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{desk.between.issuer}/oauth2/end_session"
    assert parse_qs(address.query)["post_logout_redirect_uri"] == [f"{desk.world.base_url}/portal/sign-in"]
    assert "sign-out" not in browser.http.get("/portal/sign-in").text


def test_linking_begins_from_our_own_form_alone(desk: Desk) -> None:
    """Otherwise another site could link a visitor's identity to somebody else's account."""
    secret = invitation(desk.world, desk.manager())
    path = f"/portal/openid/zwfw/invitations/{secret}"
    browser = desk.browser()
    browser.http.get("/portal/sign-in")
    assert browser.http.get(path).status_code in {404, 405}
    assert browser.http.post(path, headers={"Origin": "https://evil.example"}).status_code == 403
    assert browser.http.post(path, headers={"Origin": desk.world.base_url}).status_code == 403


def test_a_disabled_person_is_answered_like_a_stranger(desk: Desk) -> None:
    manager = desk.linked("rita")
    registry = desk.world.organisation(OrganisationKind.REGISTRY, PROVINCE)
    registrar = desk.world.person(Role.REGISTRAR, registry, PROVINCE)
    assert registrar.post(f"/v1/users/{manager.id}/disable", {"reason": "left"}).status_code == 200
    answer = desk.browser().sign_in("rita")
    assert answer.status_code == 403 and "no account here is linked" in answer.text
