"""Every route × every role × own, other firm, other provider, other authority, other city, county, province, nobody.

What each is answered stands in `permissions.txt`. A route that is not in it fails: what nobody declared, nobody may.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api import portal
from app.embedded.server import Server
from app.kernel.vocabulary import Role
from app.main import ROUTERS, create_app, openapi_document
from app.settings import Settings
from tests.matrix.across import with_cursor
from tests.matrix.asking import (
    EMPTY,
    MAY,
    MISSING,
    OWN,
    REFUSED,
    STRANGERS,
    UNASKED,
    UNKNOWN,
    Line,
    api_routes,
    changes,
    columns,
    read_table,
    routes,
    written,
)
from tests.matrix.going import ACROSS, BY_OTHER_MEANS, PUBLIC, Asked, ask_everything, standing_province
from tests.matrix.pages import PAGES, page_routes
from tests.matrix.requests import REQUESTS

TABLE = read_table()

NEVER_SUCCEEDS = {
    "POST /oauth/token": "tests/identity signs in; here nobody has a secret.",
    "POST /oauth/revoke": "tests/identity revokes; here nobody has a secret.",
    "POST /v1/personal-tokens": "tests/identity signs in; here nobody has a password.",
    "POST /v1/personal-tokens/by-code": "tests/openid signs in elsewhere; here nobody has a code.",
    "POST /v1/second-factors": "tests/identity sets one up; here nobody says who he is.",
    "POST /v1/second-factors/confirm": "tests/identity sets one up; here nobody has begun.",
    "POST /v1/applications/{application_id}/first-review": "The programme has one stage, and is asked for the second.",
    "POST /v1/applications/{application_id}/waitlist": "The programme's money suffices.",
    "DELETE /v1/public-notices/{notice_id}/objections/{objection_id}/sender": "The objection is not decided yet.",
    "POST /portal/sign-in/code": "tests/portal/test_account.py signs in in two steps; here everybody is in.",
    "POST /portal/account/second-factor/confirm": "tests/portal/test_account.py sets one up; here the code is wrong.",
    "POST /portal/account/second-factor/recovery-codes": "Nobody has a second factor here.",
    "POST /portal/account/second-factor/remove": "Nobody has a second factor here.",
}
"""Whose right request is refused by the state of the tenant's things, past the door."""


ABOUT_ONESELF = {
    "DELETE /v1/personal-tokens/current",
    "DELETE /v1/personal-tokens/all",
    "POST /v1/personal-tokens/step-up",
    "POST /portal/sign-out",
    "POST /portal/account/sign-out-everywhere",
    "POST /portal/account/second-factor",
    "POST /portal/account/second-factor/confirm",
    "POST /portal/account/second-factor/recovery-codes",
    "POST /portal/account/second-factor/remove",
}
OBJECTING = {"POST /v1/public-notices/{notice_id}/objections", "POST /notices/{notice_id}/objections"}
SEARCHES = {
    "POST /v1/payee-accounts/search",
    "POST /v1/public-notices/objections/search",
    "POST /portal/applications/{application_id}/documents/remove",
}
"""Change nothing, and find nothing of another tenant: what is looked for, or taken out, is not there."""

NO_PROVIDER = {route for route in PAGES if "/portal/openid/" in route}
"""No outside provider is known here; `tests/openid` asks these pages where there is one."""
NO_PAGE = NO_PROVIDER | {"GET /portal/{path:path}"}

OPEN_PAGES = {
    "GET /portal",
    "GET /portal/",
    "GET /portal/sign-in",
    "POST /portal/sign-in",
    "GET /portal/invitations/{secret}",
    "POST /portal/invitations/{secret}",
    "GET /portal/language/{language}",
    *(route for route in PAGES if "/notices" in route),
}
"""Pages and forms for people who have not signed in."""

NO_CURSOR = {"GET /v1/statements/{statement_id}/lines", "GET /v1/notices/{notice_id}/items", "GET /v1/events"}
"""Lists whose cursor is the number of a line in a thing that is refused already, or to which nothing was told yet."""

BY_ROWS = "POST /v1/redemptions:batch"
"""Answered 200 with what became of each row; that the other tenant's books stand as they were says he was refused."""


@pytest.fixture(scope="module")
def asked(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """What everybody was answered, asked once."""
    with standing_province(server, template, tmp_path_factory.mktemp("matrix")) as (one, other):
        yield ask_everything(one, other, TABLE)


# -- deny by default ------------------------------------------------------------------------------------------------


def test_a_route_without_a_declared_permission_fails() -> None:
    assert sorted(set(routes()) - set(TABLE)) == [], "declare in permissions.txt who may, and who may not"
    assert sorted(set(TABLE) - set(routes())) == [], "declared, and not there"
    assert sorted(set(REQUESTS) ^ set(api_routes())) == [], "requests.py has a right request for every route of the API"
    assert sorted(set(PAGES) ^ set(page_routes())) == [], "pages.py has a right request for every page and form"


def test_the_published_document_has_no_route_beside_these() -> None:
    published = {
        f"{method.upper()} {path}"
        for path, operations in openapi_document()["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert published == {route.replace(":path}", "}") for route in api_routes()}


def test_the_application_has_no_route_beside_these() -> None:
    """But files, the pages of the documentation, the way to the portal: the same to all, with no byte of a tenant."""
    app = create_app(Settings(database_url="postgresql+psycopg://nobody@localhost/none"))
    included = [one.original_router for one in app.routes if hasattr(one, "original_router")]
    assert [one for one in included if one not in (*ROUTERS, *portal.ROUTERS)] == []
    others = {getattr(one, "path", "") for one in app.routes if not hasattr(one, "original_router")}
    assert others == {"/", "/openapi.json", "/docs", "/docs/start.js", "/static-offline-docs", "/portal/static"}


def test_what_takes_no_token_is_what_the_document_says_takes_none() -> None:
    """Whoever is nobody is refused as unknown (401) wherever the document asks for a token, and only there."""
    document = openapi_document()["paths"]
    for route in api_routes():
        line = TABLE[route]
        method, path = route.split(" ", 1)
        secured = bool(document[path.replace(":path}", "}")][method.lower()].get("security"))
        if route not in BY_OTHER_MEANS:
            assert (line.signs["nobody.nobody"] == UNKNOWN) is secured, route


def test_whoever_has_not_signed_in_sees_the_pages_for_strangers_and_no_other() -> None:
    for route in page_routes():
        expected = MISSING if route in NO_PAGE else None if route in OPEN_PAGES else UNKNOWN
        sign = TABLE[route].signs["nobody.nobody"]
        assert sign == expected or (expected is None and sign in {MAY, EMPTY}), route


def test_what_a_stranger_is_shown_has_a_reason() -> None:
    for route, line in TABLE.items():
        open_to = {c.split(".")[0] for c, sign in line.signs.items() if sign == MAY and c.split(".")[0] in STRANGERS}
        accounted = set(line.shown)
        assert open_to <= accounted, f"{route}: {open_to} are let in, and {accounted} are accounted for"
        assert open_to == accounted or route in PAGES, f"{route}: only a page shows its form again where it refuses"
        odd = any(sign == REFUSED for sign in line.signs.values())
        assert bool(line.why) >= bool(accounted or odd), f"{route}: why?"


@pytest.mark.parametrize("administrator", ["system_admin", "security_admin", "audit_admin"])
def test_administrators_neither_see_nor_move_money(administrator: str) -> None:
    let_in = {route for route, line in TABLE.items() if line.signs[f"own.{administrator}"] == MAY and changes(route)}
    if administrator == "security_admin":
        let_in -= {f"POST /v1/{of}/roles/revoke" for of in ("users/{user_id}", "clients/{client_id}")}
        let_in -= {f"POST /v1/{of}/disable" for of in ("users/{user_id}", "clients/{client_id}")}
        let_in -= {"POST /v1/delegations/{delegation_id}/revoke"}
        let_in -= {"POST /v1/users/{user_id}/outside-identities/{identity_id}/unlink"}
    if administrator == "system_admin":
        let_in -= {"POST /v1/system/token-keys"}
    if administrator == "audit_admin":
        let_in -= {"PUT /v1/retention-settings"}
    assert let_in <= ABOUT_ONESELF | OBJECTING
    money = {r for r in TABLE if any(word in r for word in ("ledger", "voucher", "redemption", "payment", "budget"))}
    money -= {"GET /v1/ledger/proofs/consistency"}  # hashes of a log
    assert {r for r in money if TABLE[r].signs[f"own.{administrator}"] == MAY} == set()


def test_an_auditor_changes_nothing_of_what_he_audits() -> None:
    let_in = {route for route, line in TABLE.items() if line.signs["own.auditor"] == MAY and changes(route)}
    assert let_in == ABOUT_ONESELF | OBJECTING | {
        "POST /v1/payee-accounts/search",
        "POST /v1/rules/check",
        "POST /v1/reconciliations",
        "POST /v1/reconciliation-cases/{case_id}/notes",
    }


# -- what was answered ----------------------------------------------------------------------------------------------


def test_everybody_is_answered_as_declared(asked: Asked) -> None:
    wrong = [
        f"{route} {column}: declared {TABLE[route].signs[column]}, answered {asked.signs[route][column]}"
        + (f" {asked.answers[route, column].status}" if (route, column) in asked.answers else "")
        for route in routes()
        for column in columns()
        if route in TABLE and asked.signs[route][column] != TABLE[route].signs[column]
    ]
    assert wrong == [], "\n".join(wrong)


def test_nobody_is_shown_a_byte_of_another_tenant_that_is_not_declared(asked: Asked) -> None:
    shown = {
        f"{route} {group}": sorted(kinds - TABLE[route].shown.get(group, frozenset()))
        for route, groups in asked.shown.items()
        for group, kinds in groups.items()
    }
    assert {place: kinds for place, kinds in shown.items() if kinds} == {}


def test_a_secret_is_shown_to_no_stranger(asked: Asked) -> None:
    assert [
        kind for groups in asked.shown.values() for kinds in groups.values() for kind in kinds if "secret" in kind
    ] == []


def test_each_request_is_a_right_one(asked: Asked) -> None:
    """Somebody succeeds with it: so what the others are refused is refused because of who they are."""
    assert set(routes()) - set(asked.succeeded) == set(NEVER_SUCCEEDS) | NO_PAGE


def test_strangers_change_nothing(asked: Asked) -> None:
    assert asked.touched_by_strangers <= {"seal_queue", "log_leaves"}


def test_the_books_are_right_after_all_of_it(asked: Asked) -> None:
    assert asked.differences == ()


def test_an_id_of_another_tenant_is_refused_wherever_it_stands(asked: Asked) -> None:
    """In path, query, body, array and header: it changes nothing, and shows none of his bytes."""
    assert len(asked.swaps) > 300
    wrong = [
        f"{swap.status} {swap.role} {swap.place} {sorted(swap.strange)}"
        for swap in asked.swaps
        if swap.strange - _shown_to_others(swap.route) - PUBLIC.get(swap.place, frozenset())
        or (changes(swap.route) and swap.status < 400 and swap.route not in {BY_ROWS, *SEARCHES})
        or swap.status >= 500
    ]
    assert wrong == [], "\n".join(wrong)
    assert asked.touched_by_swaps <= {"seal_queue", "log_leaves"}


def _shown_to_others(route: str) -> frozenset[str]:
    return TABLE[route].shown.get("other_city", frozenset())


def test_nobody_is_told_what_was_answered_under_anothers_key(asked: Asked) -> None:
    """The same bytes under the same key by somebody of the same role elsewhere: he is answered as without it."""
    replayed = [handed for handed in asked.handed if handed.place.endswith("Idempotency-Key")]
    assert len(replayed) > 80
    wrong = [
        f"{handed.place}: declared {handed.declared}, answered {handed.sign} {handed.status} {sorted(handed.shown)}"
        for handed in replayed
        if handed.shown or (handed.sign != handed.declared and {handed.sign, handed.declared} != {MAY, EMPTY})
    ]
    assert wrong == [], "\n".join(wrong)


def test_a_cursor_of_another_tenant_shows_nothing_of_his(asked: Asked) -> None:
    followed = [handed for handed in asked.handed if handed.place.endswith("cursor")]
    assert {handed.place.rsplit(" ", 2)[0] for handed in followed} >= set(with_cursor()) - NO_CURSOR
    assert sum(handed.status < 400 for handed in followed) > 50
    wrong = [f"{one.place} {one.status} {sorted(one.shown)}" for one in followed if one.shown or one.status >= 500]
    assert wrong == [], "\n".join(wrong)


def test_a_session_opens_no_route_of_the_api_and_a_token_no_page(asked: Asked) -> None:
    """Whoever is let in by the one is nobody to the other: so no other site's form reaches the API by a cookie."""
    assert len(asked.amiss) > 200
    assert {route: sign for route, sign in asked.amiss.items() if sign != UNKNOWN} == {}


def test_what_may_go_across_is_still_there() -> None:
    assert {place.rsplit(" ", 1)[0] for place in (*ACROSS, *PUBLIC)} <= set(routes())


def test_the_file_reads_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "table.txt"
    file.write_text("\n".join(written(TABLE)))
    assert read_table(file) == TABLE


def test_a_line_too_short_is_no_declaration(tmp_path: Path) -> None:
    file = tmp_path / "table.txt"
    file.write_text("GET /v1/x ++++++++++ ~~~~~ ~~~~~~~~~~~ ~~~~ ~~~~~ !\n")
    with pytest.raises(ValueError, match="shorter"):
        read_table(file)


def test_every_role_is_asked() -> None:
    assert {str(role) for role in Role} | {"machine"} == set(OWN)


def test_signs_that_nobody_gives_are_not_in_the_table() -> None:
    for route, line in TABLE.items():
        assert isinstance(line, Line)
        assert set(line.signs.values()) <= set("+~-0x!."), route
        assert (UNASKED in line.signs.values()) is (route in BY_OTHER_MEANS), route
        assert (line.signs["nobody.nobody"] == MISSING) is (route in NO_PAGE), route
