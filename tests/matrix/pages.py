"""A right request for every page and form of the portal. A route that is not here fails."""

from __future__ import annotations

from itertools import count
from typing import Any

from fastapi.routing import APIRoute

from app.api import portal
from tests.applications.papers import pdf
from tests.identity.authenticator import PASSWORD
from tests.matrix.forms import Form
from tests.matrix.tenants import FIRM, Tenant
from tests.world import THIS_YEAR

V, A = "/portal/vouchers/{voucher_id}", "/portal/applications"

_numbers = count(1)


def page_routes() -> list[str]:
    """All routes of pages: where a new one is mounted, it is here."""
    return [
        f"{method} {route.path}"
        for router in portal.ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def by(name: str) -> Any:
    """The query of a list that goes on behind something of the tenant's."""
    return lambda t: {"before": t.ids[name]}


def mandate(t: Tenant) -> dict[str, str]:
    return {"provider": t.ids["provider_id"], "limit": "10.00", "until": f"{THIS_YEAR}-12-31"}


def payment_code(t: Tenant) -> dict[str, str]:
    return {"provider": t.ids["provider_id"], "limit": "10.00", "minutes": "5"}


def reason(t: Tenant) -> dict[str, str]:
    return {"reason": t.mark(FIRM)}


def bill(t: Tenant) -> dict[str, str]:
    of = {"programme": t.ids["programme_id"], "voucher": t.ids["voucher_id"], "provider": t.ids["provider_id"]}
    return of | {"category-1": "training", "amount-1": "10.00"}


def application(_: Tenant) -> dict[str, str]:
    return {
        "amount": f"{4_000 + next(_numbers)}.00",
        "purpose": "算力训练",
        "plan_category": "training",
        "plan_amount": "1,000.00",
    }


def document(t: Tenant) -> tuple[str, bytes]:
    return "合同.pdf", pdf(f"{t.mark(FIRM)}{next(_numbers)}")


PLAIN = Form()
CITY = {"provider_id": "=city"}
"""An outside provider, of which this service knows none: `tests/openid` asks these pages where there is one."""

PAGES: dict[str, Form] = {
    "GET /portal/sign-in": PLAIN,
    "POST /portal/sign-in": Form(
        lambda t: {"login": t.bodies["login"], "password": PASSWORD}, form=True, stranger=True
    ),
    "GET /portal/sign-in/code": PLAIN,
    "POST /portal/sign-in/code": Form(lambda _: {"code": "000000"}, form=True),
    "POST /portal/sign-out": Form(form=True),
    "GET /portal/invitations/{secret}": Form(ids={"secret": "invitation"}),
    "POST /portal/invitations/{secret}": Form(
        lambda _: {"password": PASSWORD, "repeat": PASSWORD}, {"secret": "invitation"}, form=True, stranger=True
    ),
    "GET /portal/language/{language}": Form(ids={"language": "=en"}),
    "GET /portal/openid/{provider_id}": Form(ids=CITY),
    "GET /portal/openid/{provider_id}/token/{challenge}": Form(ids=CITY | {"challenge": f"={'c' * 43}"}),
    "POST /portal/openid/{provider_id}/invitations/{secret}": Form(
        ids=CITY | {"secret": "invitation"}, form=True, stranger=True
    ),
    "GET /portal/openid/{provider_id}/callback": Form(ids=CITY),
    "GET /portal/openid/{provider_id}/sign-out": Form(ids=CITY),
    "GET /portal/account": PLAIN,
    "GET /portal/account/second-factor": PLAIN,
    "POST /portal/account/second-factor": Form(form=True),
    "POST /portal/account/second-factor/confirm": Form(lambda _: {"code": "000000"}, form=True),
    "POST /portal/account/second-factor/recovery-codes": Form(lambda _: {"code": "000000"}, form=True),
    "POST /portal/account/second-factor/remove": Form(lambda _: {"code": "000000"}, form=True),
    "POST /portal/account/sessions/{session_id}/end": Form(form=True),
    "POST /portal/account/sign-out-everywhere": Form(form=True),
    f"GET {V}/mandates": PLAIN,
    f"POST {V}/mandates": Form(mandate, {"voucher_id": "given_back_id"}, form=True),
    f"GET {V}/mandates/{{mandate_id}}/withdraw": PLAIN,
    f"POST {V}/mandates/{{mandate_id}}/withdraw": Form(
        ids={"voucher_id": "extended_id", "mandate_id": "spare_mandate_id"}, form=True
    ),
    f"GET {V}/payment-codes": PLAIN,
    f"POST {V}/payment-codes": Form(payment_code, form=True),
    f"GET {V}/payment-codes/{{code_id}}": PLAIN,
    f"POST {V}/payment-codes/{{code_id}}/withdraw": Form(form=True),
    f"GET {V}/surrender": PLAIN,
    f"POST {V}/surrender": Form(reason, {"voucher_id": "given_back_id"}, form=True),
    "GET /portal": PLAIN,
    "GET /portal/": PLAIN,
    "GET /portal/vouchers": Form(query=by("given_back_id")),
    f"GET {V}": PLAIN,
    f"GET {V}/holds": Form(query=lambda t: {"open_before": t.ids["hold_id"], "ended_before": t.ids["released_id"]}),
    f"GET {V}/bills": Form(query=by("unpaid_id")),
    f"GET {V}/bills/{{redemption_id}}": PLAIN,
    f"GET {V}/movements": PLAIN,
    "GET /portal/calculator": Form(
        query=lambda t: {"programme": t.ids["programme_id"], "voucher": t.ids["voucher_id"]}
    ),
    "POST /portal/calculator": Form(bill, form=True),
    "GET /notices": Form(query=by("notice_id")),
    "GET /notices/{notice_id}": PLAIN,
    "POST /notices/{notice_id}/objections": Form(
        lambda _: {"item_no": "1", "text": "该企业与申报条件不符，请核查。"}, form=True, stranger=True
    ),
    "GET /notices/{notice_id}/objections/{objection_id}": PLAIN,
    f"GET {A}": Form(query=by("waiting_id")),
    f"GET {A}/new": Form(query=lambda t: {"programme": t.ids["programme_id"]}),
    f"POST {A}": Form(lambda t: application(t) | {"programme": t.ids["programme_id"]}, form=True),
    f"GET {A}/{{application_id}}": PLAIN,
    f"POST {A}/{{application_id}}": Form(application, {"application_id": "page_drafted_id"}, form=True),
    f"POST {A}/{{application_id}}/documents": Form(ids={"application_id": "page_drafted_id"}, file=document),
    f"POST {A}/{{application_id}}/documents/remove": Form(
        lambda t: {"document": "contract", "upload": t.ids["upload_id"]},
        {"application_id": "page_drafted_id"},
        form=True,
    ),
    f"GET {A}/{{application_id}}/documents/{{upload_id}}": PLAIN,
    f"GET {A}/{{application_id}}/withdraw": PLAIN,
    f"POST {A}/{{application_id}}/withdraw": Form(reason, {"application_id": "page_withdrawn_id"}, form=True),
    "GET /portal/{path:path}": Form(ids={"path": "=none"}),
}
