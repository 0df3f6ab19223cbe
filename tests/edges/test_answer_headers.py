"""Every answer of every route has the headers, refusals and bugs included; there is no CORS."""

from __future__ import annotations

import re

import httpx
import pytest

from app.api.edges.answer_headers import NAMES, PAGE_POLICY
from app.database import Database
from app.kernel.vocabulary import Role
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.conftest import serving
from tests.edges.routes import all_routes
from tests.world import World

ALWAYS = ("x-content-type-options", "referrer-policy", "permissions-policy", "cross-origin-opener-policy")
MAY_BE_KEPT = ("/portal/static/", "/static-offline-docs/", "/docs/start.js")
"""Files whose content nobody has to himself."""


def addresses() -> list[tuple[str, str]]:
    """Every route, with some id in each place."""
    some_id = "vch_330100_01m85r7edwejb9kg3szhzhwwdp"
    return [(method, re.sub(r"\{(\w+)(:\w+)?\}", some_id, path)) for method, path in all_routes()]


@pytest.mark.parametrize("who", ["nobody", "maker"])
def test_every_answer_of_every_route_has_the_headers(shared_world: World, who: str) -> None:
    maker = shared_world.city().maker
    client = shared_world.anonymous() if who == "nobody" else maker.http
    seen = 0
    for method, path in addresses():
        answer = client.request(method, path, headers={"Origin": "https://evil.example"})
        assert_safe(answer, path)
        seen += 1
    assert seen > 250


def assert_safe(answer: httpx.Response, path: str) -> None:
    for name in ALWAYS:
        assert answer.headers[name] == NAMES[name], (path, name)
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action"):
        assert part in policy, (path, policy)
    assert "unsafe" not in policy and "*" not in policy
    if not path.startswith(MAY_BE_KEPT):
        assert answer.headers["cache-control"].startswith("no-store"), (path, answer.headers["cache-control"])
    assert not [name for name in answer.headers if name.startswith("access-control-")], path
    assert "server" not in answer.headers
    assert answer.status_code < 500, (path, answer.text)


def test_pages_may_use_their_own_files_and_data_may_use_nothing(shared_world: World) -> None:
    http = shared_world.anonymous()
    for path in ("/portal/sign-in", "/portal/nowhere", "/notices", "/docs"):
        assert http.get(path).headers["content-security-policy"] == PAGE_POLICY.decode()
    assert http.get("/v1/units").headers["content-security-policy"].endswith("sandbox")
    assert "immutable" in http.get("/portal/static/portal.css").headers["cache-control"]


def test_a_preflight_of_another_site_is_told_nothing(shared_world: World) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = shared_world.anonymous().options("/v1/redemptions", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_by_https_browsers_are_told_to_stay_there(settings: Settings, database: Database) -> None:
    for update, forwarded, told in (
        ({"public_url": "https://vouchers.example.gov.cn"}, {}, True),
        ({"proxies": "127.0.0.1"}, {"X-Forwarded-Proto": "https"}, True),
        ({"proxies": "127.0.0.1"}, {}, False),
        ({}, {"X-Forwarded-Proto": "https"}, False),  # nobody named this proxy
    ):
        with serving(settings.model_copy(update=update)) as base_url:
            world = World(base_url, database, Tokens.from_settings(settings))
            answer = world.anonymous().get("/portal/sign-in", headers=forwarded)
            assert ("strict-transport-security" in answer.headers) is told, (update, forwarded)
            world.close()


def test_only_a_named_proxy_says_where_a_request_comes_from(settings: Settings, database: Database) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4"}
    for proxies, counted in (("", "127.0.0.1"), ("10.0.0.0/8", "127.0.0.1"), ("127.0.0.0/8", "198.51.100.4")):
        update = {"proxies": proxies, "limit_source": "3/3600"}
        with serving(settings.model_copy(update=update)) as base_url:
            world = World(base_url, database, Tokens.from_settings(settings))
            statuses = [world.anonymous().get("/v1/units", headers=forged).status_code for _ in range(4)]
            fresh = world.anonymous().get("/v1/units", headers={"X-Forwarded-For": "198.51.100.99"}).status_code
            used = 0 if counted not in _used else 3
            assert statuses == [200] * (3 - used) + [429] * (1 + used), (proxies, statuses)
            assert fresh == (429 if counted == "127.0.0.1" else 200)
            _used.add(counted)
            world.close()


_used: set[str] = set()


def test_a_form_from_another_site_is_refused_though_its_token_is_right(shared_world: World) -> None:
    http = shared_world.anonymous()
    page = http.get("/portal/sign-in")
    token = re.search(r'name="form_token" value="([0-9a-f]{64})"', page.text)
    assert token is not None
    form = {"login": "nobody", "password": "wrong wrong wrong", "form_token": token[1]}
    own = {"Origin": shared_world.base_url}
    assert http.post("/portal/sign-in", data=form, headers=own).status_code != 403
    for forged in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
        own | {"Sec-Fetch-Site": "cross-site"},
        own | {"Sec-Fetch-Site": "same-site"},
    ):
        assert http.post("/portal/sign-in", data=form, headers=forged).status_code == 403, forged
    assert http.post("/portal/sign-in", data=form | {"form_token": "0" * 64}, headers=own).status_code == 403
    assert shared_world.person(Role.FIRM, shared_world.firm()).http.get("/portal/vouchers").status_code == 303
