"""Two cities with one of everything: each a tenant whose every id and every word can be told from the other's.

Whatever the builder writes down in a free text bears a mark that says whose it is, so that a search through the bytes
of an answer finds it wherever it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from app.kernel.vocabulary import OrganisationKind, Role
from app.services.identity import outside
from app.services.identity.outside import Vouched
from tests.allocation.rounds import announced
from tests.applications.papers import pdf
from tests.bank_lists.files import HEADINGS as BANK_HEADINGS
from tests.bank_lists.files import line
from tests.identity.authenticator import PASSWORD, enrol, with_password
from tests.matrix.browsers import session_of
from tests.redemption.invoicing import bill_of, digital_number, on_invoice
from tests.statements.books import HEADINGS as STATEMENT_HEADINGS
from tests.statements.books import today
from tests.statements.files import as_csv
from tests.world import Actor, City, World, line_body, ok, programme_body, redemption_body, rules_body, uscc_of

OFFICE, FIRM, FIRM_2, PROVIDER, PROVIDER_2 = "office", "firm", "firm2", "provider", "provider2"
MARK = re.compile(r"秘(\d{6})([a-z]+2?)密")
COUNTIES = {"330100": "330106", "330200": "330282"}

_numbers = count(1)


def mark(region_code: str, owner: str) -> str:
    """The word that says whose a text is."""
    return f"秘{region_code}{owner}密"


@dataclass
class Tenant:
    """A city: who acts in it, by name, and what there is, by the name of its id."""

    world: World
    region_code: str
    city: City
    people: dict[str, Actor]
    ids: dict[str, Any] = field(default_factory=dict)
    bodies: dict[str, Any] = field(default_factory=dict)
    day: str = field(default_factory=today)
    """The day its lists are about: its requests stay right when a run goes on past midnight."""

    @property
    def county_code(self) -> str:
        return COUNTIES[self.region_code]

    def mark(self, owner: str = OFFICE) -> str:
        return mark(self.region_code, owner)

    # -- acts of its people -------------------------------------------------------------------------------------------

    def approve(self, answer: Any, by: str = "checker") -> Any:
        body = answer.get("approval") or answer
        approval_id = body.get("approval_id") or body["id"]
        return ok(self.people[by].post(f"/v1/approvals/{approval_id}/approve"))

    def post(self, by: str, path: str, body: Any = None, **extra: Any) -> Any:
        return ok(self.people[by].post(path, body, **extra))

    def programme(self, title: str, *, fund_fen: int = 100_000_000, **rules: Any) -> str:
        """A published and funded one."""
        programme_id = self.draft(title, **rules)
        self.approve(self.post("maker", f"/v1/programmes/{programme_id}/submit"))
        body = {"document_no": f"财字{self.mark()}", "amount_fen": fund_fen, "reason": self.mark()}
        self.approve(self.post("finance", f"/v1/programmes/{programme_id}/appropriations", body), by="finance_2")
        return programme_id

    def draft(self, title: str, **rules: Any) -> str:
        changes = {"title": f"{title}{self.mark()}", "document_no": f"文{self.mark()}", "rules": rules_body(**rules)}
        made: str = self.post("maker", "/v1/programmes", programme_body(self.city, **changes))["id"]
        return made

    def admit(self, programme_id: str, provider: str) -> None:
        path = f"/v1/programmes/{programme_id}/providers/{self.ids[f'{provider}_id']}"
        self.approve(ok(self.people["maker"].http.put(path, json={"categories": ["training"]})))

    def batch(self, *firms: str, programme: str = "programme_id", fen: int = 1_000_000) -> dict[str, Any]:
        rows = [
            {
                "reference_no": f"R{next(_numbers)}",
                "firm_id": self.ids[f"{firm}_id"],
                "face_value_fen": fen,
                "note": self.mark(firm),
            }
            for firm in firms
        ]
        return {
            "programme_id": self.ids[programme],
            "declared_count": len(rows),
            "declared_total_fen": fen * len(rows),
            "rows": rows,
        }

    def voucher(self, firm: str, programme: str = "programme_id") -> Any:
        self.approve(self.post("maker", "/v1/issuance-batches", self.batch(firm, programme=programme)))
        asked = {"programme_id": self.ids[programme], "firm_id": self.ids[f"{firm}_id"], "limit": 1}
        return ok(self.people["maker"].get("/v1/vouchers", **asked))["data"][0]

    def mandate(self, voucher_id: str, provider: str, by: str = FIRM) -> str:
        body = {"provider_id": self.ids[f"{provider}_id"], "limit_fen": 900_000, "note": self.mark(by)}
        granted: str = self.post(by, f"/v1/vouchers/{voucher_id}/mandates", body)["id"]
        return granted

    def redeem(self, fen: int = 10_000, *, by: str = "machine", code: str = "voucher_code", **changes: Any) -> Any:
        return self.post(by, "/v1/redemptions", redemption_body(self.ids[code], fen, **changes))

    def paid(self) -> tuple[str, str]:
        """A redemption that was paid, and its order."""
        redemption_id = self.redeem()["id"]
        order_id = self.ordered(redemption_id)
        self.post("finance", f"/v1/payment-orders/{order_id}/confirm", {"bank_reference": self.reference()})
        return redemption_id, order_id

    def ordered(self, redemption_id: str) -> str:
        proposed = self.post("maker", "/v1/payment-orders", {"redemption_ids": [redemption_id]})
        self.approve(proposed, by="finance")
        order_id: str = proposed["payment_order"]["id"]
        return order_id

    def reference(self) -> str:
        return f"HD{self.region_code}{next(_numbers)}"

    def application(self, *acts: str, firm: str = FIRM, programme: str = "programme_id", draft: bool = False) -> str:
        body = {"programme_id": self.ids[programme], "amount_fen": 500_000, "purpose": self.mark(firm), "draft": draft}
        made: str = self.post(firm, "/v1/applications", body)["id"]
        for act in acts:
            said = {"assess": {"assessed_fen": 500_000, "reason": self.mark(firm)}}.get(act)
            self.post("maker", f"/v1/applications/{made}/{act}", said)
        return made

    def pending(self) -> str:
        """An approval that waits for the checker."""
        waits: str = self.post("maker", "/v1/issuance-batches", self.batch(FIRM))["approval_id"]
        return waits

    def user(self, owner: str, *roles: str) -> str:
        wanted = [{"role": role, "region_code": self.region_code} for role in roles]
        body = {
            "login": f"u{next(_numbers)}.{self.region_code}",
            "name": self.mark(owner),
            "organisation_id": self.ids[f"{owner}_id"],
            "roles": wanted,
        }
        made = self.post("registrar", "/v1/users", body)
        if roles:
            self.approve(made, by="security_admin")
        return str(made["user"]["id"])

    def machine(self) -> str:
        roles = [{"role": "provider", "region_code": self.region_code}]
        body = {"name": self.mark(PROVIDER), "organisation_id": self.ids["provider_id"], "roles": roles}
        made = self.post("registrar", "/v1/clients", body | {"jwk": public_jwk(f"k{next(_numbers)}")})
        self.approve(made, by="security_admin")
        return str(made["client"]["id"])

    def shown(self, *, publish: bool) -> tuple[str, str]:
        """A notice of a batch, and the batch."""
        batch_id = self.post("maker", "/v1/issuance-batches", self.batch(FIRM))["batch_id"]
        body = {
            "programme_id": self.ids["programme_id"],
            "subject": {"kind": "batch", "batch_id": batch_id},
            "title": f"公示{self.mark()}",
            "document_no": "文号",
            "contact": self.mark(),
        }
        made = self.post("maker", "/v1/public-notices", body)
        if publish:
            self.approve(self.post("maker", f"/v1/public-notices/{made['id']}/submit"))
        return made["id"], batch_id

    def candidates(self, fen: int) -> list[dict[str, Any]]:
        return [
            {"reference_no": f"C{next(_numbers)}", "firm_id": self.ids[f"{firm}_id"], "asked_fen": fen}
            for firm in (FIRM_2, FIRM)
        ]

    def objected(self) -> str:
        body = {"item_no": 1, "text": f"请核查{self.mark()}", "name": self.mark(), "contact": self.mark()}
        path = f"/v1/public-notices/{self.ids['notice_id']}/objections"
        made: str = ok(self.world.anonymous().post(path, json=body))["objection_id"]
        return made


def public_jwk(kid: str) -> dict[str, Any]:
    return {**OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True), "kid": kid}


def founded(world: World, region_code: str) -> Tenant:
    """A city with one of everything."""
    tenant = _with_people(world, region_code)
    for step in STEPS:
        step(tenant)
    return tenant


def _with_people(world: World, region_code: str) -> Tenant:
    def organisation(kind: OrganisationKind, owner: str = OFFICE) -> str:
        return world.organisation(kind, region_code, name=f"机构{mark(region_code, owner)}")

    authority, second = organisation(OrganisationKind.AUTHORITY), organisation(OrganisationKind.AUTHORITY)
    bureau, registry = organisation(OrganisationKind.FINANCE), organisation(OrganisationKind.REGISTRY)
    ids = {
        "region_code": region_code,
        "authority_id": authority,
        "bureau_id": bureau,
        "firm_id": organisation(OrganisationKind.FIRM, FIRM),
        "firm2_id": organisation(OrganisationKind.FIRM, FIRM_2),
        "provider_id": organisation(OrganisationKind.PROVIDER, PROVIDER),
        "provider2_id": organisation(OrganisationKind.PROVIDER, PROVIDER_2),
    }
    people = {
        "registrar": world.person(Role.REGISTRAR, registry, region_code),
        "maker": world.person(Role.MAKER, authority, region_code),
        "maker_2": world.person(Role.MAKER, second, region_code),
        "checker": world.person(Role.CHECKER, authority, region_code),
        "checker_2": world.person(Role.CHECKER, second, region_code),
        "finance": world.person(Role.FINANCE, bureau, region_code),
        "finance_2": world.person(Role.FINANCE, bureau, region_code),
        "auditor": world.person(Role.AUDITOR, organisation(OrganisationKind.AUDIT), region_code),
        "system_admin": world.person(Role.SYSTEM_ADMIN, registry, region_code),
        "security_admin": world.person(Role.SECURITY_ADMIN, registry, region_code),
        "audit_admin": world.person(Role.AUDIT_ADMIN, registry, region_code),
        "firm": world.person(Role.FIRM, ids["firm_id"], region_code),
        "firm2": world.person(Role.FIRM, ids["firm2_id"], region_code),
        "provider": world.person(Role.PROVIDER, ids["provider_id"], region_code),
        "machine": world.machine(ids["provider_id"], region_code),
        "provider2": world.person(Role.PROVIDER, ids["provider2_id"], region_code),
        "machine2": world.machine(ids["provider2_id"], region_code),
    }
    ids |= {f"{name}_user_id": people[name].id for name in ("finance", "maker", "checker")}
    city = City(
        world,
        region_code,
        authority,
        people["maker"],
        people["checker"],
        people["finance"],
        people["finance_2"],
        people["auditor"],
    )
    return Tenant(world, region_code, city, people, ids)


def _programmes(t: Tenant) -> None:
    t.ids["programme_id"] = t.programme("专项", applying={"at_once": 100})
    t.ids["paused_id"], t.ids["closing_id"] = t.programme("暂停"), t.programme("结束")
    t.ids["closed_year_id"] = t.programme("结转")
    t.ids["draft_id"], t.ids["submitting_id"] = t.draft("草案"), t.draft("待报")
    for provider in (PROVIDER, PROVIDER_2):
        t.admit(t.ids["programme_id"], provider)
    t.admit(t.ids["closing_id"], PROVIDER)
    t.post("maker", f"/v1/programmes/{t.ids['paused_id']}/pause")
    later = {"effective_on": "2125-01-01", "rules": rules_body(rate="0.25")}
    versions = f"/v1/programmes/{t.ids['programme_id']}/rule-versions"
    t.ids["version_id"] = t.post("maker", versions, later)["version"]["id"]
    read = ok(t.people["maker"].get(versions))
    t.ids["first_version_id"] = next(one["id"] for one in read if one["id"] != t.ids["version_id"])
    t.ids["draft_version_id"] = ok(t.people["maker"].get(f"/v1/programmes/{t.ids['draft_id']}/rule-versions"))[0]["id"]
    shared = {"county_code": t.county_code, "amount_fen": 5_000_000, "document_no": t.mark(), "reason": t.mark()}
    t.approve(t.post("maker", f"/v1/programmes/{t.ids['programme_id']}/quotas", shared), by="finance")
    year = {"programme_id": t.ids["closed_year_id"], "fiscal_year": 2026, "document_no": t.mark()}
    body = year | {"carries_promises": True, "reason": t.mark()}
    t.approve(t.post("finance", "/v1/year-closes", body), by="finance_2")
    closes = ok(t.people["finance"].get("/v1/year-closes", programme_id=t.ids["closed_year_id"]))
    t.ids["year_close_id"] = closes["data"][0]["id"]


def _vouchers(t: Tenant) -> None:
    for name in ("voucher", "frozen", "surrendered", "given_back", "voided", "extended"):
        found = t.voucher(FIRM)
        t.ids[f"{name}_id"], t.ids[f"{name}_code"] = found["id"], found["code"]
    t.approve(t.post("maker", f"/v1/vouchers/{t.ids['frozen_id']}/freeze", {"reason": t.mark(FIRM)}))
    longer = {"reason": t.mark(FIRM), "days": 3, "exception_document_no": t.mark(FIRM)}
    t.approve(t.post("maker", f"/v1/vouchers/{t.ids['extended_id']}/extend", longer))
    theirs = t.voucher(FIRM_2)
    t.ids["voucher2_id"], t.ids["voucher2_code"] = theirs["id"], theirs["code"]
    t.ids["mandate_id"] = t.mandate(t.ids["voucher_id"], PROVIDER)
    t.ids["spare_mandate_id"] = t.mandate(t.ids["extended_id"], PROVIDER)
    t.ids["mandate2_id"] = t.mandate(t.ids["voucher2_id"], PROVIDER_2, by=FIRM_2)
    code = {"provider_id": t.ids["provider_id"], "limit_fen": 1_000, "minutes": 30}
    path = f"/v1/vouchers/{t.ids['voucher_id']}/payment-codes"
    t.ids["code_id"] = t.post(FIRM, path, code)["id"]
    t.ids["payment_code"] = t.post(FIRM, path, code)["token"]


def _redemptions(t: Tenant) -> None:
    t.ids["order_no"] = f"ORDER{t.region_code}"
    redeemed = t.redeem(20_000, order_no=t.ids["order_no"])
    t.ids["redemption_id"], t.ids["entry_id"] = redeemed["id"], redeemed["entry_id"]
    t.ids["reversed_entry_id"] = t.redeem()["entry_id"]
    t.ids["unpaid_id"], t.ids["refunding_id"] = t.redeem()["id"], t.redeem()["id"]
    t.ids["redemption2_id"] = t.redeem(by="machine2", code="voucher2_code")["id"]
    bill = bill_of(on_invoice(10_000, digital_number(), whole_fen=10_000))
    t.ids["invoiced_id"] = t.redeem(bill=bill)["id"]
    back = {"amount_fen": 2_000, "reason": t.mark(PROVIDER)}
    refund = t.post("machine", f"/v1/redemptions/{t.ids['invoiced_id']}/refunds", back)["refund"]
    t.ids["refund_id"] = refund["id"]
    for name in ("hold", "released"):
        body = {
            "voucher_code": t.ids["voucher_code"],
            "hold_no": f"H{next(_numbers)}",
            "bill": bill_of(line_body(5_000)),
        }
        t.ids[f"{name}_id"] = t.post("machine", "/v1/holds", body)["id"]


def _payments(t: Tenant) -> None:
    account = {
        "region_code": t.region_code,
        "authority_id": t.ids["authority_id"],
        "payee_id": t.ids["provider2_id"],
        "account_name": f"机构{t.mark(PROVIDER_2)}",
        "bank_name": t.mark(PROVIDER_2),
        "cnaps": "102331000016",
        "account_no": f"1202026209{t.region_code}123",
    }
    t.bodies["payee_account"] = account
    listed = t.post("maker", "/v1/payee-accounts", account)
    t.approve(listed)
    t.ids["account_id"], t.ids["account_no"] = listed["account"]["id"], account["account_no"]
    paid, t.ids["paid_order_id"] = t.paid()
    again, _ = t.paid()
    for name, redemption_id in (("recovery", paid), ("recovery_b", again)):
        back = {"amount_fen": 5_000, "reason": t.mark(PROVIDER)}
        made = t.post("machine", f"/v1/redemptions/{redemption_id}/refunds", back)["refund"]
        t.ids[f"{name}_id"] = made["recovery"]["id"]
    t.ids["order_id"], t.ids["bounced_id"] = t.ordered(t.redeem()["id"]), t.ordered(t.redeem()["id"])


def _reports(t: Tenant) -> None:
    form = {"region_code": t.region_code, "period_from": t.day, "period_until": t.day}
    missing = [f"X{t.region_code}", "", t.day, "", "", "7.00", ""]
    theirs = as_csv([STATEMENT_HEADINGS, missing])
    t.bodies["statement"] = theirs
    files = {"file": (f"{t.mark(PROVIDER)}.csv", theirs)}
    t.ids["statement_id"] = ok(t.people["machine"].http.post("/v1/statements", data=form, files=files))["statement_id"]
    paid = as_csv([BANK_HEADINGS, line(t.ids["paid_order_id"], 3_001, "已支付", f"HD{t.region_code}", on=t.day)])
    t.bodies["bank_list"] = paid
    files = {"file": (f"{t.mark()}.csv", paid)}
    sent = ok(t.people["finance"].http.post("/v1/bank-lists", data=form, files=files))
    t.ids["bank_list_id"] = sent["bank_list_id"]
    days = {"period_from": t.day, "period_until": t.day}
    made = t.post("finance", "/v1/reconciliations", {"region_code": t.region_code, **days})
    t.ids["reconciliation_id"] = made["id"]
    found = ok(t.people["finance"].get("/v1/reconciliation-cases", limit=200))["data"]
    t.ids["case_id"] = next(case["id"] for case in found if case["party_id"] == t.ids["provider_id"])
    note = {"words": t.mark(PROVIDER)}
    t.post("finance", f"/v1/reconciliation-cases/{t.ids['case_id']}/notes", note)


def _allocation(t: Tenant) -> None:
    t.ids["waiting_programme_id"] = t.programme("轮候", fund_fen=100, allocation={"on_exhaustion": "waitlist"})
    t.ids["lottery_programme_id"] = t.programme("摇号", fund_fen=100, allocation={"method": "lottery"})
    t.ids["round_programme_id"], t.ids["free_programme_id"] = t.programme("分配"), t.programme("未分")
    waiting = f"/v1/programmes/{t.ids['waiting_programme_id']}/allocation-rounds"
    first = t.post("maker", waiting, {"title": t.mark(), "rows": t.candidates(100)})["id"]
    t.approve(t.post("maker", f"/v1/allocation-rounds/{first}/submit"))
    more = {"document_no": "财字", "amount_fen": 100}
    t.approve(t.post("finance", f"/v1/programmes/{t.ids['waiting_programme_id']}/appropriations", more), by="finance_2")
    t.ids["round_id"] = first
    path = f"/v1/programmes/{t.ids['round_programme_id']}/allocation-rounds"
    t.ids["submitting_round_id"] = t.post("maker", path, {"title": t.mark(), "rows": t.candidates(10)})["id"]
    path = f"/v1/programmes/{t.ids['lottery_programme_id']}/allocation-rounds"
    draw = announced(1)
    body = {"title": t.mark(), "rows": t.candidates(10), "draw": draw}
    t.ids["lottery_id"] = t.post("maker", path, body)["id"]
    t.bodies["draws_at"] = draw["draws_at"]


def _applications(t: Tenant) -> None:
    documents = {"region_code": t.region_code}
    files = {"file": (f"{t.mark(FIRM)}.pdf", pdf(t.mark(FIRM)))}
    t.ids["upload_id"] = ok(t.people["firm"].http.post("/v1/uploads", data=documents, files=files))["id"]
    for name in ("drafted", "page_drafted"):
        t.ids[f"{name}_id"] = t.application(draft=True)
    for name in ("application", "withdrawn", "page_withdrawn"):
        t.ids[f"{name}_id"] = t.application()
    for name in ("returning", "reviewing", "assessing", "rejecting", "acting"):
        t.ids[f"{name}_id"] = t.application("accept")
    for name in ("granting", "granting_b", "waiting"):
        t.ids[f"{name}_id"] = t.application("accept", "assess")


def _registry(t: Tenant) -> None:
    for name in ("user", "leaving_user", "inviting_user", "invited_user"):
        t.ids[f"{name}_id"] = t.user(FIRM, "firm")
    t.ids["twin_id"] = t.user(FIRM)
    t.ids["reset_id"] = t.user("bureau", "finance")
    for name in ("client", "leaving_client"):
        t.ids[f"{name}_id"] = t.machine()
    for kid in ("kept", "retired"):
        t.post("registrar", f"/v1/clients/{t.ids['client_id']}/keys", {"jwk": public_jwk(kid)})
    related = {
        "kind": "same_controller",
        "other": {"type": "uscc", "value": uscc_of(800_000 + next(_numbers))},
        "other_name": t.mark(FIRM),
        "from_on": "2026-01-01",
        "evidence": t.mark(FIRM),
    }
    t.bodies["relation"] = related
    path = f"/v1/organisations/{t.ids['firm_id']}/relations"
    t.ids["relation_id"] = t.post("registrar", path, related)["id"]
    entry = {
        "identifier": {"type": "uscc", "value": uscc_of(810_000 + next(_numbers))},
        "name": t.mark(),
        "reason": t.mark(),
        "document_no": t.mark(),
        "from_on": "2026-01-01",
        "until_on": "2126-12-31",
    }
    t.bodies["debarment"] = entry
    of = {"region_code": t.region_code, "authority_id": t.ids["authority_id"]}
    t.approve(t.post("maker", "/v1/debarments", of | {"entries": [entry]}))
    t.ids["debarment_id"] = ok(t.people["maker"].get("/v1/debarments"))["data"][0]["id"]
    lent = {
        "role": "checker",
        "region_code": t.region_code,
        "delegate_id": t.world.person(Role.REGISTRAR, t.ids["authority_id"], t.region_code).id,
        "ends_at": (datetime.now(UTC) + timedelta(hours=5)).isoformat(),
        "reason": t.mark(),
    }
    t.bodies["delegation"] = lent
    t.approve(t.post("checker", "/v1/delegations", lent), by="security_admin")
    t.ids["delegation_id"] = ok(t.people["checker"].get("/v1/delegations"))["data"][0]["id"]
    bands = of | {
        "kind": "void_voucher",
        "bands": [{"up_to_fen": None, "steps": ["checker"]}],
        "effective_on": today(),
        "reason": t.mark(),
    }
    asked = t.post("maker", "/v1/approval-bands", bands)
    t.approve(asked)
    t.approve(asked, by="finance")


def _signing_in(t: Tenant) -> None:
    """One who may lose his second factor, one who signs in elsewhere, and a token of the firm's manager."""
    t.ids["losing_user_id"], t.ids["linked_user_id"] = t.user(FIRM, "firm"), t.user(FIRM, "firm")
    http = t.world.anonymous()
    losing = Actor(t.ids["losing_user_id"], t.ids["firm_id"], http)
    enrol(http, with_password(t.world, losing))
    invited = t.post("registrar", f"/v1/users/{t.ids['linked_user_id']}/invitations")
    vouched = Vouched("city", "https://id.example", t.region_code, second_factor=False, signed_in_at=datetime.now(UTC))
    t.world.database.transact(
        lambda tx: outside.link(tx, secret=invited["secret"], vouched=vouched, request_id="matrix", source="127.0.0.1")
    )
    links = ok(t.people["registrar"].get(f"/v1/users/{t.ids['linked_user_id']}/outside-identities"))
    t.ids["identity_id"] = links["data"][0]["id"]
    mine = {"login": with_password(t.world, t.people["firm"]), "password": PASSWORD}
    t.ids["token_id"] = ok(http.post("/v1/personal-tokens", json=mine))["id"]
    session = session_of(t.world, t.people["firm"])
    assert session is not None
    t.ids["session_id"], t.bodies["login"] = session.id, mine["login"]
    invited = t.post("registrar", f"/v1/users/{t.ids['invited_user_id']}/invitations")
    t.ids["invitation"] = invited["secret"]


def _auditing(t: Tenant) -> None:
    kept = {"region_code": t.region_code, "kind": "objection_contacts", "keep_days": 60, "reason": t.mark()}
    ok(t.people["audit_admin"].http.put("/v1/retention-settings", json=kept))
    found = ok(t.people["auditor"].get("/v1/audit-events", organisation_id=t.ids["authority_id"]))["data"]
    t.ids["event_id"] = found[0]["id"]


def _waiting(t: Tenant) -> None:
    t.ids["drafted_notice_id"], _ = t.shown(publish=False)
    t.ids["withdrawing_id"], _ = t.shown(publish=True)
    t.ids["notice_id"], _ = t.shown(publish=True)
    t.ids["objection_id"], t.ids["deciding_id"] = t.objected(), t.objected()
    t.ids["noticed_batch_id"] = t.post("maker", "/v1/issuance-batches", t.batch(FIRM))["batch_id"]
    waiting = t.post("maker", "/v1/issuance-batches", t.batch(FIRM))
    t.ids["batch_id"], t.ids["approval_id"] = waiting["batch_id"], waiting["approval_id"]
    t.ids["rejecting_approval_id"], t.ids["withdrawing_approval_id"] = t.pending(), t.pending()
    body = t.batch(FIRM)
    accepted = t.people["maker"].post("/v1/issuance-batches", body, headers={"Prefer": "respond-async"})
    t.ids["job_id"] = ok(accepted)["id"]


def _etags(t: Tenant) -> None:
    for name, by, path in (
        ("firm", "registrar", f"/v1/organisations/{t.ids['firm_id']}"),
        ("draft", "maker", f"/v1/programmes/{t.ids['draft_id']}"),
        ("drafted", "firm", f"/v1/applications/{t.ids['drafted_id']}"),
    ):
        read = t.people[by].get(path)
        ok(read)
        t.ids[f"{name}_etag"] = read.headers["ETag"]


STEPS = (
    _programmes,
    _vouchers,
    _redemptions,
    _payments,
    _reports,
    _allocation,
    _applications,
    _registry,
    _signing_in,
    _auditing,
    _waiting,
    _etags,
)
