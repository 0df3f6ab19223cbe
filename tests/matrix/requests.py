"""One right request for every route, made of a tenant's own ids.

Right for whoever may: the same bytes sent by everybody else are the matrix. A route that is not here fails.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import select

from app.models import Organisation
from tests.allocation.test_lottery import SEED
from tests.applications.papers import pdf
from tests.identity.authenticator import PASSWORD
from tests.issuance.sheets import workbook
from tests.matrix.forms import CHANGES, PAGES_BEGIN, Form, Sent
from tests.matrix.pages import PAGES
from tests.matrix.tenants import FIRM, PROVIDER, Tenant, public_jwk
from tests.redemption.invoicing import digital_number
from tests.registry_lists.lists import FIRM_HEADINGS
from tests.statements.books import today
from tests.world import THIS_YEAR, bill_body, programme_body, redemption_body, rules_body, uscc_of

_numbers = count(1)
_QUIET = httpx.Client(trust_env=False, verify=False)  # noqa: S501 - only encodes bodies, never connects


def request_of(route: str, tenant: Tenant) -> Sent:
    """The route's request, of this tenant's things; bodies of changing routes are new every time."""
    method, template = route.split(" ", 1)
    form, is_page = (REQUESTS | PAGES)[route], template.startswith(PAGES_BEGIN)
    path = template
    for part in [part for part in template.split("/") if part.startswith("{")]:
        name = part.strip("{}").removesuffix(":path")
        path = path.replace(part, str(_value(tenant, form.ids.get(name, name))))
    if form.query:
        path += "?" + urlencode(form.query(tenant))
    body = form.fields(tenant, of_page=is_page and method in CHANGES)
    headers = {"Idempotency-Key": f"matrix-{next(_numbers)}"} if method in CHANGES and not is_page else {}
    if form.file:
        built = _QUIET.build_request(method, "http://x", data=body or {}, files={"file": form.file(tenant)})
    elif form.form:
        built = _QUIET.build_request(method, "http://x", data=body)
    else:
        built = (
            _QUIET.build_request(method, "http://x", json=body)
            if body is not None
            else httpx.Request("GET", "http://x")
        )
    if built.headers.get("Content-Type"):
        headers["Content-Type"] = built.headers["Content-Type"]
    if form.match:
        headers["If-Match"] = tenant.ids[form.match]
    return Sent(method, path, headers, built.read())


def _value(tenant: Tenant, name: str) -> Any:
    return name[1:] if name.startswith("=") else tenant.ids[name]


def why(t: Tenant) -> dict[str, str]:
    return {"reason": t.mark()}


def nothing(_: Tenant) -> dict[str, Any]:
    return {}


def of_authority(t: Tenant) -> dict[str, str]:
    return {"region_code": t.region_code, "authority_id": t.ids["authority_id"]}


def roles(role: str) -> Callable[[Tenant], dict[str, Any]]:
    return lambda t: {"roles": [{"role": role, "region_code": t.region_code}]}


def revoked(role: str) -> Callable[[Tenant], dict[str, Any]]:
    return lambda t: roles(role)(t) | why(t)


def organisation(t: Tenant) -> dict[str, Any]:
    number = next(_numbers)
    value = {"type": "uscc", "value": uscc_of(600_000 + number)}
    return {"kind": "firm", "identifier": value, "name": t.mark(FIRM), "region_code": t.region_code}


def firms(t: Tenant) -> tuple[str, bytes]:
    row = dict(zip(FIRM_HEADINGS, [uscc_of(650_000 + next(_numbers)), t.mark(FIRM), t.county_code], strict=False))
    return "名单.xlsx", workbook([row], headings=FIRM_HEADINGS[:3])


def debarred(t: Tenant) -> dict[str, Any]:
    other = {"identifier": {"type": "uscc", "value": uscc_of(660_000 + next(_numbers))}}
    return of_authority(t) | {"entries": [t.bodies["debarment"] | other]}


def debarment_list(t: Tenant) -> tuple[str, bytes]:
    headings = ["统一社会信用代码", "名称", "列入原因", "决定文号", "列入日期", "截止日期"]
    row = [uscc_of(670_000 + next(_numbers)), "失信企业", "骗补", "文号", "2026-01-01", "2126-12-31"]
    return "名单.xlsx", workbook([dict(zip(headings, row, strict=True))], headings=headings)


def relation(t: Tenant) -> dict[str, Any]:
    related: dict[str, Any] = t.bodies["relation"]
    return related | {"other": {"type": "uscc", "value": uscc_of(680_000 + next(_numbers))}}


def user(t: Tenant) -> dict[str, Any]:
    return {"login": f"m{next(_numbers)}.{t.region_code}", "name": "某人", "organisation_id": t.ids["firm_id"]} | roles(
        "firm"
    )(t)


def client(t: Tenant) -> dict[str, Any]:
    body = {"name": "系统", "organisation_id": t.ids["provider_id"], "jwk": public_jwk("k")}
    return body | roles("provider")(t)


def programme(t: Tenant) -> dict[str, Any]:
    return programme_body(t.city, title=f"新{t.mark()}", document_no=f"新{next(_numbers)}")


def quoted(t: Tenant) -> dict[str, Any]:
    return {"bill": bill_body(1_000), "voucher_code": t.ids["voucher_code"]}


def simulated(t: Tenant) -> dict[str, Any]:
    bill = {"lines": [{"category": "training", "amount_fen": 1}], "at": "2026-06-01T00:00:00+08:00", "firm": "甲"}
    return {"versions": [t.ids["first_version_id"]], "bills": [bill]}


def later_version(_: Tenant) -> dict[str, Any]:
    return {"effective_on": "2125-06-01", "rules": rules_body(rate="0.26")}


def calendar(_: Tenant) -> dict[str, Any]:
    days = [{"day": f"{THIS_YEAR + 2}-{on}", "kind": "holiday", "name": "节"} for on in ("01-01", "05-01", "10-01")]
    return {"document_no": f"测试{next(_numbers)}", "days": days}


def notice(t: Tenant) -> dict[str, Any]:
    subject = {"kind": "batch", "batch_id": t.ids["noticed_batch_id"]}
    return {
        "programme_id": t.ids["programme_id"],
        "subject": subject,
        "title": f"公示{t.mark()}",
        "document_no": "文号",
        "contact": t.mark(),
    }


def bands(t: Tenant) -> dict[str, Any]:
    kinds = {"kind": "freeze_voucher", "bands": [{"up_to_fen": None, "steps": ["checker"]}], "effective_on": today()}
    return of_authority(t) | kinds


def voucher(t: Tenant) -> dict[str, Any]:
    row: dict[str, Any] = t.batch(FIRM, fen=100)["rows"][0]
    return row | {"programme_id": t.ids["programme_id"]}


def batch_form(t: Tenant) -> dict[str, Any]:
    return {"programme_id": t.ids["programme_id"], "declared_count": 1, "declared_total_fen": 100_000}


def batch_file(_: Tenant) -> tuple[str, bytes]:
    return "清单.xlsx", workbook([])


def a_round(t: Tenant) -> dict[str, Any]:
    return {"title": t.mark(), "rows": t.candidates(5), "dry_run": True}


def list_form(t: Tenant) -> dict[str, Any]:
    return {"title": t.mark(), "declared_count": 1, "declared_total_fen": 100, "dry_run": "true"}


def list_file(t: Tenant) -> tuple[str, bytes]:
    of_firm = select(Organisation.identifier_value, Organisation.name).where(Organisation.id == t.ids["firm2_id"])
    uscc, name = t.world.database.transact(lambda tx: tx.execute(of_firm).one())
    headings = ["申领编号", "统一社会信用代码", "企业名称", "申请金额（元）"]
    row = [f"L{next(_numbers)}", uscc, name, "1.00"]
    return "名单.xlsx", workbook([dict(zip(headings, row, strict=True))], headings=headings)


def application(t: Tenant) -> dict[str, Any]:
    return {"programme_id": t.ids["programme_id"], "amount_fen": 400_000, "purpose": t.mark(FIRM)}


def assessed(t: Tenant) -> dict[str, Any]:
    return {"assessed_fen": 300_000, "reason": t.mark(FIRM)}


def regional(t: Tenant) -> dict[str, Any]:
    return {"region_code": t.region_code}


def period(t: Tenant) -> dict[str, Any]:
    return regional(t) | {"period_from": t.day, "period_until": t.day}


def to_provider(t: Tenant) -> dict[str, Any]:
    return {"provider_id": t.ids["provider_id"], "limit_fen": 1_000}


def redemption(t: Tenant) -> dict[str, Any]:
    return redemption_body(t.ids["voucher_code"], 1_000)


def together(t: Tenant) -> dict[str, Any]:
    """A batch whose every row is of this tenant, by code, payment code and hold."""
    held = {"hold_id": t.ids["hold_id"], "order_no": f"M{next(_numbers)}", "bill": bill_body(100)}
    shown = redemption(t) | {"payment_code": t.ids["payment_code"]}
    return {"redemptions": [redemption(t), held, shown]}


def hold(t: Tenant) -> dict[str, Any]:
    return {"voucher_code": t.ids["voucher_code"], "hold_no": f"M{next(_numbers)}", "bill": bill_body(100)}


def reference(t: Tenant) -> dict[str, Any]:
    return {"bank_reference": t.reference()}


def words(t: Tenant) -> dict[str, Any]:
    return {"words": t.mark(PROVIDER)}


def year_close(t: Tenant) -> dict[str, Any]:
    year = {"programme_id": t.ids["programme_id"], "fiscal_year": 2026, "document_no": t.mark()}
    return year | {"carries_promises": True, "dry_run": True}


def one_programme(t: Tenant) -> dict[str, Any]:
    return {"programme_id": t.ids["programme_id"]}


def filtered_entries(t: Tenant) -> dict[str, Any]:
    return one_programme(t) | {"voucher_id": t.ids["voucher_id"]}


def inside(t: Tenant) -> dict[str, Any]:
    return {"region_code": t.region_code}


def events(t: Tenant) -> dict[str, Any]:
    return inside(t) | {"organisation_id": t.ids["authority_id"]}


P, V, R, A, N, C = "/v1/programmes", "/v1/vouchers", "/v1/redemptions", "/v1/applications", "/v1/public-notices", "/v1"
PLAIN = Form()
WHY = Form(why)

REQUESTS: dict[str, Form] = {
    "POST /oauth/token": Form(
        lambda t: {"grant_type": "client_credentials", "client_id": t.ids["client_id"], "client_secret": "x" * 43},
        form=True,
    ),
    "POST /oauth/revoke": Form(lambda _: {"token": "x"}, form=True),
    "GET /.well-known/jwks.json": PLAIN,
    "GET /.well-known/oauth-authorization-server": PLAIN,
    "POST /v1/organisations": Form(organisation),
    "GET /v1/organisations": Form(query=inside),
    "GET /v1/organisations/{organisation_id}": Form(ids={"organisation_id": "firm_id"}),
    "PATCH /v1/organisations/{organisation_id}": Form(
        lambda t: {"name": f"新{t.mark(FIRM)}"}, {"organisation_id": "firm_id"}, match="firm_etag"
    ),
    "POST /v1/organisation-lists": Form(lambda t: {"kind": "firms", "region_code": t.region_code}, file=firms),
    "GET /v1/organisation-lists/template": Form(query=lambda _: {"kind": "firms"}),
    "GET /v1/organisation-lists/tags": PLAIN,
    "POST /v1/debarment-lists": Form(of_authority, file=debarment_list),
    "POST /v1/organisations/{organisation_id}/relations": Form(relation, {"organisation_id": "firm_id"}),
    "GET /v1/organisations/{organisation_id}/relations": Form(ids={"organisation_id": "firm_id"}),
    "POST /v1/organisations/{organisation_id}/relations/{relation_id}/end": Form(
        lambda t: {"ended_on": "2026-06-01"} | why(t), {"organisation_id": "firm_id"}
    ),
    "POST /v1/debarments": Form(debarred),
    "GET /v1/debarments": PLAIN,
    "GET /v1/debarments/{debarment_id}": PLAIN,
    "POST /v1/debarments/{debarment_id}/lift": Form(lambda t: {"document_no": "文号"} | why(t)),
    "POST /v1/users": Form(user),
    "GET /v1/users": Form(query=lambda t: {"organisation_id": t.ids["firm_id"]}),
    "GET /v1/users/{user_id}": PLAIN,
    "POST /v1/users/{user_id}/roles": Form(roles("firm"), {"user_id": "twin_id"}),
    "POST /v1/users/{user_id}/roles/revoke": Form(revoked("firm")),
    "POST /v1/users/{user_id}/disable": Form(why, {"user_id": "leaving_user_id"}),
    "POST /v1/users/{user_id}/same-person": Form(lambda t: {"user_id": t.ids["twin_id"]}),
    "POST /v1/users/{user_id}/password-resets": Form(why, {"user_id": "reset_id"}),
    "POST /v1/users/{user_id}/second-factor-resets": Form(why, {"user_id": "losing_user_id"}),
    "POST /v1/users/{user_id}/invitations": Form(ids={"user_id": "inviting_user_id"}),
    "GET /v1/users/{user_id}/outside-identities": Form(ids={"user_id": "linked_user_id"}),
    "POST /v1/users/{user_id}/outside-identities/{identity_id}/unlink": Form(why, {"user_id": "linked_user_id"}),
    "POST /v1/clients": Form(client),
    "GET /v1/clients": Form(query=lambda t: {"organisation_id": t.ids["provider_id"]}),
    "GET /v1/clients/{client_id}": PLAIN,
    "POST /v1/clients/{client_id}/roles": Form(roles("provider")),
    "POST /v1/clients/{client_id}/roles/revoke": Form(revoked("provider"), {"client_id": "leaving_client_id"}),
    "POST /v1/clients/{client_id}/disable": Form(why, {"client_id": "leaving_client_id"}),
    "POST /v1/clients/{client_id}/dpop": Form(lambda _: {"required": True}),
    "POST /v1/clients/{client_id}/keys": Form(lambda _: {"jwk": public_jwk(f"m{next(_numbers)}")}),
    "GET /v1/clients/{client_id}/keys": PLAIN,
    "POST /v1/clients/{client_id}/keys/{kid}/retire": Form(ids={"kid": "=retired"}),
    "POST /v1/clients/{client_id}/secret": Form(lambda _: {"overlap_s": 0}),
    "DELETE /v1/clients/{client_id}/secret": PLAIN,
    "POST /v1/personal-tokens": Form(lambda _: {"login": "nobody", "password": "no such password"}),
    "DELETE /v1/personal-tokens/current": PLAIN,
    "GET /v1/personal-tokens": PLAIN,
    "POST /v1/personal-tokens/by-code": Form(lambda _: {"code": "x" * 43, "verifier": "x" * 43}),
    "POST /v1/personal-tokens/step-up": Form(lambda _: {"password": PASSWORD}),
    "DELETE /v1/personal-tokens/all": PLAIN,
    "DELETE /v1/personal-tokens/{token_id}": PLAIN,
    "POST /v1/second-factors": Form(lambda _: {"login": "nobody", "password": "no such password"}),
    "POST /v1/second-factors/confirm": Form(
        lambda _: {"login": "nobody", "password": "no such password", "first_code": "000000"}
    ),
    "POST /v1/programmes": Form(programme),
    "GET /v1/programmes": Form(query=inside),
    "GET /v1/programmes/{programme_id}": PLAIN,
    "PATCH /v1/programmes/{programme_id}": Form(programme, {"programme_id": "draft_id"}, match="draft_etag"),
    "POST /v1/programmes/{programme_id}/submit": Form(ids={"programme_id": "submitting_id"}),
    "POST /v1/programmes/{programme_id}/pause": Form(ids={"programme_id": "closing_id"}),
    "POST /v1/programmes/{programme_id}/resume": Form(ids={"programme_id": "paused_id"}),
    "POST /v1/programmes/{programme_id}/close": Form(why, {"programme_id": "waiting_programme_id"}),
    "POST /v1/programmes/{programme_id}/providers/{provider_id}/{step}": Form(
        why, {"step": "=suspend", "provider_id": "provider2_id"}
    ),
    "PUT /v1/programmes/{programme_id}/providers/{provider_id}": Form(
        lambda _: {"categories": ["training"]}, {"programme_id": "round_programme_id"}
    ),
    "GET /v1/programmes/{programme_id}/providers/{provider_id}": PLAIN,
    "GET /v1/programmes/{programme_id}/providers": PLAIN,
    "GET /v1/programmes/{programme_id}/budget": PLAIN,
    "POST /v1/programmes/{programme_id}/appropriations": Form(lambda _: {"document_no": "财字", "amount_fen": 7}),
    "POST /v1/programmes/{programme_id}/quotas": Form(
        lambda t: {"county_code": t.county_code, "amount_fen": 7, "document_no": "财字"}
    ),
    "GET /v1/programmes/{programme_id}/rule-versions": Form(ids={"programme_id": "draft_id"}),
    "POST /v1/programmes/{programme_id}/rule-versions": Form(later_version, {"programme_id": "lottery_programme_id"}),
    "GET /v1/programmes/{programme_id}/rule-versions/{version}": Form(ids={"version": "version_id"}),
    "PUT /v1/programmes/{programme_id}/rule-versions/{version}": Form(later_version, {"version": "version_id"}),
    "POST /v1/programmes/{programme_id}/rule-versions/{version}/submit": Form(ids={"version": "version_id"}),
    "GET /v1/programmes/{programme_id}/rule-versions/{before}/diff/{after}": Form(ids={"before": "=1", "after": "=2"}),
    "GET /v1/rules/schema": PLAIN,
    "POST /v1/rules/check": Form(lambda _: {"rules": rules_body()}),
    "POST /v1/programmes/{programme_id}/simulations": Form(simulated),
    "POST /v1/programmes/{programme_id}/quotes": Form(quoted),
    "GET /v1/accelerators": PLAIN,
    "GET /v1/units": PLAIN,
    "GET /v1/approvals": Form(query=lambda t: {"authority_id": t.ids["authority_id"]}),
    "GET /v1/approvals/{approval_id}": PLAIN,
    "POST /v1/approvals/{approval_id}/approve": PLAIN,
    "POST /v1/approvals/{approval_id}/reject": Form(why, {"approval_id": "rejecting_approval_id"}),
    "POST /v1/approvals/{approval_id}/withdraw": Form(ids={"approval_id": "withdrawing_approval_id"}),
    "GET /v1/calendars": PLAIN,
    "GET /v1/calendars/{year}": Form(ids={"year": f"={THIS_YEAR}"}),
    "PUT /v1/calendars/{year}": Form(calendar, {"year": f"={THIS_YEAR + 2}"}),
    "GET /v1/calendars/{year}/versions": Form(ids={"year": f"={THIS_YEAR}"}),
    "POST /v1/public-notices": Form(notice),
    "GET /v1/public-notices": Form(query=one_programme),
    "GET /v1/public-notices/{notice_id}": Form(ids={"notice_id": "drafted_notice_id"}),
    "GET /v1/public-notices/{notice_id}/items": PLAIN,
    "GET /v1/public-notices/{notice_id}/sheet": PLAIN,
    "POST /v1/public-notices/{notice_id}/submit": Form(ids={"notice_id": "drafted_notice_id"}),
    "POST /v1/public-notices/{notice_id}/withdraw": Form(why, {"notice_id": "withdrawing_id"}),
    "POST /v1/public-notices/{notice_id}/objections": Form(
        lambda _: {"item_no": 1, "text": "该企业与申报条件不符，请核查。"}
    ),
    "GET /v1/public-notices/{notice_id}/objections": PLAIN,
    "POST /v1/public-notices/objections/search": Form(lambda t: {"contact": t.mark(), "purpose": "本人查询"}),
    "GET /v1/public-notices/{notice_id}/objections/{objection_id}/sender": Form(
        query=lambda _: {"purpose": "核实异议"}
    ),
    "DELETE /v1/public-notices/{notice_id}/objections/{objection_id}/sender": PLAIN,
    "POST /v1/public-notices/{notice_id}/objections/{objection_id}/decide": Form(
        lambda t: {"outcome": "dismissed"} | why(t), {"objection_id": "deciding_id"}
    ),
    "GET /v1/notices": PLAIN,
    "GET /v1/notices/{notice_id}": PLAIN,
    "GET /v1/notices/{notice_id}/items": PLAIN,
    "GET /v1/notices/{notice_id}/sheet": PLAIN,
    "GET /v1/notices/{notice_id}/objections/{objection_id}": PLAIN,
    "POST /v1/approval-bands": Form(bands),
    "GET /v1/approval-bands": PLAIN,
    "POST /v1/delegations": Form(lambda t: t.bodies["delegation"]),
    "GET /v1/delegations": PLAIN,
    "POST /v1/delegations/{delegation_id}/revoke": PLAIN,
    "POST /v1/issuance-batches": Form(lambda t: t.batch(FIRM, fen=100)),
    "GET /v1/issuance-batches": Form(query=one_programme),
    "POST /v1/issuance-batches/annotated-sheet": Form(batch_form, file=batch_file),
    "POST /v1/vouchers": Form(voucher),
    "GET /v1/vouchers": Form(query=lambda t: one_programme(t) | {"firm_id": t.ids["firm_id"]}),
    "GET /v1/issuance-batches/template": PLAIN,
    "GET /v1/issuance-batches/{batch_id}": PLAIN,
    "GET /v1/issuance-batches/{batch_id}/rows": PLAIN,
    "POST /v1/programmes/{programme_id}/allocation-rounds": Form(a_round, {"programme_id": "free_programme_id"}),
    "POST /v1/programmes/{programme_id}/allocation-lists": Form(
        list_form, {"programme_id": "free_programme_id"}, file=list_file
    ),
    "POST /v1/programmes/{programme_id}/allocation-lists/annotated-sheet": Form(
        list_form, {"programme_id": "free_programme_id"}, file=list_file
    ),
    "GET /v1/programmes/{programme_id}/allocation-lists/template": Form(ids={"programme_id": "free_programme_id"}),
    "GET /v1/allocation-rounds": Form(query=lambda t: {"programme_id": t.ids["waiting_programme_id"]}),
    "GET /v1/allocation-rounds/{round_id}": PLAIN,
    "GET /v1/allocation-rounds/{round_id}/candidates": PLAIN,
    "GET /v1/allocation-rounds/{round_id}/record": PLAIN,
    "POST /v1/allocation-rounds/{round_id}/draw": Form(lambda _: {"seed": SEED}, {"round_id": "lottery_id"}),
    "POST /v1/allocation-rounds/{round_id}/submit": Form(ids={"round_id": "submitting_round_id"}),
    "POST /v1/allocation-rounds/{round_id}/cancel": Form(why, {"round_id": "lottery_id"}),
    "GET /v1/programmes/{programme_id}/related-parties": PLAIN,
    "GET /v1/programmes/{programme_id}/waitlist": Form(ids={"programme_id": "waiting_programme_id"}),
    "POST /v1/programmes/{programme_id}/waitlist/promote": Form(
        lambda _: {"dry_run": True}, {"programme_id": "waiting_programme_id"}
    ),
    "POST /v1/programmes/{programme_id}/waitlist/end": Form(why, {"programme_id": "waiting_programme_id"}),
    "POST /v1/applications": Form(application),
    "GET /v1/applications": Form(query=lambda t: {"programme_id": t.ids["programme_id"], "firm_id": t.ids["firm_id"]}),
    "GET /v1/applications/counts": Form(query=one_programme),
    "GET /v1/applications/export": Form(query=one_programme),
    "POST /v1/applications/grants": Form(lambda t: {"application_ids": [t.ids["granting_b_id"]]}),
    "GET /v1/applications/{application_id}": PLAIN,
    "PUT /v1/applications/{application_id}": Form(application, {"application_id": "drafted_id"}, match="drafted_etag"),
    "GET /v1/applications/{application_id}/events": PLAIN,
    "POST /v1/applications/{application_id}/submit": Form(ids={"application_id": "drafted_id"}),
    "POST /v1/applications/{application_id}/withdraw": Form(why, {"application_id": "withdrawn_id"}),
    "POST /v1/applications/{application_id}/accept": PLAIN,
    "POST /v1/applications/{application_id}/return": Form(
        lambda t: {"items": [t.mark(FIRM)]} | why(t), {"application_id": "returning_id"}
    ),
    "POST /v1/applications/{application_id}/first-review": Form(why, {"application_id": "reviewing_id"}),
    "POST /v1/applications/{application_id}/assess": Form(assessed, {"application_id": "assessing_id"}),
    "POST /v1/applications/{application_id}/approve": Form(ids={"application_id": "granting_id"}),
    "POST /v1/applications/{application_id}/reject": Form(why, {"application_id": "rejecting_id"}),
    "POST /v1/applications/{application_id}/waitlist": Form(why, {"application_id": "waiting_id"}),
    "POST /v1/application-acts": Form(
        lambda t: {"act": "reject", "applications": [{"application_id": t.ids["acting_id"]}]} | why(t)
    ),
    "POST /v1/uploads": Form(regional, file=lambda t: ("合同.pdf", pdf(f"{t.mark(FIRM)}{next(_numbers)}"))),
    "GET /v1/uploads/{upload_id}": PLAIN,
    "GET /v1/uploads/{upload_id}/content": PLAIN,
    "GET /v1/jobs/{job_id}": PLAIN,
    "POST /v1/vouchers/check": Form(lambda t: {"voucher_code": t.ids["voucher_code"]}),
    "GET /v1/vouchers/{voucher_id}": PLAIN,
    "GET /v1/vouchers/{voucher_id}/movements": PLAIN,
    "POST /v1/vouchers/{voucher_id}/freeze": WHY,
    "POST /v1/vouchers/{voucher_id}/unfreeze": Form(why, {"voucher_id": "frozen_id"}),
    "POST /v1/vouchers/{voucher_id}/void": Form(why, {"voucher_id": "voided_id"}),
    "POST /v1/vouchers/{voucher_id}/extend": Form(
        lambda t: why(t) | {"days": 2, "exception_document_no": "文号"}, {"voucher_id": "extended_id"}
    ),
    "GET /v1/vouchers/{voucher_id}/extensions": Form(ids={"voucher_id": "extended_id"}),
    "POST /v1/vouchers/{voucher_id}/surrender": Form(why, {"voucher_id": "surrendered_id"}),
    "POST /v1/vouchers/{voucher_id}/mandates": Form(to_provider, {"voucher_id": "voided_id"}),
    "GET /v1/vouchers/{voucher_id}/mandates": PLAIN,
    "DELETE /v1/vouchers/{voucher_id}/mandates/{mandate_id}": Form(
        ids={"voucher_id": "extended_id", "mandate_id": "spare_mandate_id"}
    ),
    "POST /v1/voucher-acts": Form(
        lambda t: {"act": "freeze", "voucher_ids": [t.ids["extended_id"], t.ids["voucher2_id"]]} | why(t)
    ),
    "POST /v1/vouchers/{voucher_id}/payment-codes": Form(lambda t: to_provider(t) | {"minutes": 5}),
    "GET /v1/vouchers/{voucher_id}/payment-codes": PLAIN,
    "DELETE /v1/vouchers/{voucher_id}/payment-codes/{code_id}": PLAIN,
    "POST /v1/redemptions": Form(redemption),
    "GET /v1/redemptions": Form(query=lambda t: {"voucher_id": t.ids["voucher_id"]}),
    "GET /v1/redemptions/{redemption_id}": PLAIN,
    "GET /v1/redemptions/{subject_id}/assessment": Form(ids={"subject_id": "redemption_id"}),
    "POST /v1/redemptions/{redemption_id}/refunds": Form(
        lambda t: {"amount_fen": 10, "reason": t.mark(PROVIDER)}, {"redemption_id": "refunding_id"}
    ),
    "GET /v1/redemptions/{redemption_id}/refunds": Form(ids={"redemption_id": "invoiced_id"}),
    "POST /v1/redemptions/{redemption_id}/refunds/{refund_id}/red-letter": Form(
        lambda _: {"number": digital_number()}, {"redemption_id": "invoiced_id"}
    ),
    "POST /v1/holds": Form(hold),
    "GET /v1/holds": Form(query=lambda t: {"voucher_id": t.ids["voucher_id"]}),
    "GET /v1/holds/{hold_id}": PLAIN,
    "POST /v1/holds/{hold_id}/release": Form(ids={"hold_id": "released_id"}),
    "POST /v1/holds/{hold_id}/extend": Form(nothing),
    "GET /v1/events": PLAIN,
    "POST /v1/redemptions:batch": Form(together),
    "POST /v1/payee-accounts": Form(
        lambda t: t.bodies["payee_account"] | {"account_no": f"62{next(_numbers):012d}"} | why(t)
    ),
    "GET /v1/payee-accounts": Form(query=lambda t: {"payee_id": t.ids["provider2_id"]}),
    "GET /v1/payee-accounts/{account_id}/number": Form(query=lambda _: {"purpose": "核对账号"}),
    "POST /v1/payee-accounts/search": Form(lambda t: {"account_no": t.ids["account_no"], "purpose": "核对账号"}),
    "POST /v1/payment-orders": Form(lambda t: {"redemption_ids": [t.ids["unpaid_id"]]}),
    "GET /v1/payment-orders": Form(query=lambda t: {"payee_id": t.ids["provider_id"]}),
    "GET /v1/payment-orders/{order_id}": PLAIN,
    "POST /v1/payment-orders/{order_id}/confirm": Form(reference),
    "POST /v1/payment-orders/{order_id}/bounce": Form(lambda t: reference(t) | why(t), {"order_id": "bounced_id"}),
    "GET /v1/recoveries": PLAIN,
    "GET /v1/recoveries/{recovery_id}": PLAIN,
    "POST /v1/recoveries/{recovery_id}/receive": Form(reference),
    "POST /v1/recoveries:receive": Form(
        lambda t: reference(t) | {"recovery_ids": [t.ids["recovery_b_id"]], "amount_fen": 1_500}
    ),
    "GET /v1/ledger/entries": Form(query=filtered_entries),
    "GET /v1/ledger/entries/{entry_id}": PLAIN,
    "POST /v1/ledger/entries/{entry_id}/reverse": Form(why, {"entry_id": "reversed_entry_id"}),
    "GET /v1/ledger/accounts": Form(query=one_programme),
    "GET /v1/ledger/payees/{payee_id}/accounts": Form(ids={"payee_id": "provider_id"}, query=inside),
    "GET /v1/ledger/export": Form(query=lambda t: inside(t) | {"purpose": "审计"}),
    "GET /v1/ledger/movements": Form(query=lambda t: {"voucher_id": t.ids["voucher_id"]}),
    "GET /v1/ledger/proofs/inclusion": Form(query=lambda t: {"entry_id": t.ids["entry_id"]}),
    "GET /v1/ledger/proofs/consistency": Form(query=lambda t: inside(t) | {"from": 1}),
    "GET /v1/logs/{region_code}/checkpoint": PLAIN,
    "GET /v1/logs/{region_code}/keys": PLAIN,
    "GET /v1/logs/{region_code}/tile/entries/{path:path}": Form(ids={"path": "tile"}),
    "GET /v1/logs/{region_code}/tile/{level}/{path:path}": Form(ids={"level": "=0", "path": "tile"}),
    "POST /v1/statements": Form(period, file=lambda t: ("对账单.csv", t.bodies["statement"])),
    "GET /v1/statements": Form(query=lambda t: inside(t) | {"provider_id": t.ids["provider_id"]}),
    "GET /v1/statements/template": PLAIN,
    "GET /v1/statements/{statement_id}": PLAIN,
    "GET /v1/statements/{statement_id}/lines": PLAIN,
    "POST /v1/bank-lists": Form(period, file=lambda t: ("支付结果.csv", t.bodies["bank_list"])),
    "GET /v1/bank-lists": Form(query=inside),
    "GET /v1/bank-lists/template": PLAIN,
    "GET /v1/bank-lists/{bank_list_id}": PLAIN,
    "GET /v1/bank-lists/{bank_list_id}/lines": PLAIN,
    "POST /v1/reconciliations": Form(regional),
    "GET /v1/reconciliations": PLAIN,
    "GET /v1/reconciliations/{reconciliation_id}": PLAIN,
    "GET /v1/reconciliation-cases": Form(query=lambda t: {"party_id": t.ids["provider_id"]}),
    "GET /v1/reconciliation-cases/{case_id}": PLAIN,
    "POST /v1/reconciliation-cases/{case_id}/assign": Form(lambda t: {"owner_id": t.ids["finance_user_id"]}),
    "POST /v1/reconciliation-cases/{case_id}/notes": Form(words),
    "POST /v1/reconciliation-cases/{case_id}/explain": Form(words),
    "POST /v1/reconciliation-cases/{case_id}/resolve": Form(lambda t: words(t) | {"entry_id": t.ids["entry_id"]}),
    "GET /v1/reports/execution": Form(query=one_programme),
    "GET /v1/reports/disclosure": Form(query=inside),
    "POST /v1/year-closes": Form(year_close),
    "GET /v1/year-closes": Form(query=lambda t: {"programme_id": t.ids["closed_year_id"]}),
    "GET /v1/year-closes/{year_close_id}": PLAIN,
    "GET /v1/audit-events": Form(query=events),
    "GET /v1/audit-events/export": Form(query=lambda t: events(t) | {"purpose": "审计", "format": "csv"}),
    "GET /v1/audit-events/{event_id}": PLAIN,
    "GET /v1/retention-settings": PLAIN,
    "PUT /v1/retention-settings": Form(
        lambda t: regional(t) | {"kind": "objection_contacts", "keep_days": 90} | why(t)
    ),
    "GET /v1/system": PLAIN,
    "POST /v1/system/token-keys": PLAIN,
    "GET /healthz": PLAIN,
    "GET /readyz": PLAIN,
    "GET /metrics": PLAIN,
}
