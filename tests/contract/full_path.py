"""The whole path as city, compute centre, firm and auditor go it: each call becomes an example of the contract.

`python -m tests.contract.record` goes it once and writes `app/api/examples.json`; the test goes it again by sending
the very examples, with the ids of its own run in the place of the recorded ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.kernel.vocabulary import OrganisationKind, Role
from tests.world import HANGZHOU, Actor, World, uscc_of

TRAINING = {
    "category": "training",
    "quantity": "250",
    "unit": "card_hour",
    "unit_price": "38.50",
    "amount_fen": 962_500,
    "used_from": "2026-11-20T00:00:00Z",
    "used_until": "2026-11-21T07:15:00Z",
    "usage_ref": "job-7741",
}

Call = Callable[..., Any]
"""`call(operation, actor, method, path, body)` → the JSON of the answer."""


def people(world: World) -> dict[str, Actor]:
    """Those who are there before the first call."""
    authority = world.organisation(OrganisationKind.AUTHORITY, name="杭州市经济和信息化局（示例）")
    bureau = world.organisation(OrganisationKind.FINANCE, name="杭州市财政局（示例）")
    return {
        "registrar": world.person(Role.REGISTRAR, authority, "330000"),
        "security_admin": world.person(Role.SECURITY_ADMIN, authority, "330000"),
        "maker": world.person(Role.MAKER, authority),
        "checker": world.person(Role.CHECKER, authority),
        "finance": world.person(Role.FINANCE, bureau),
        "second_finance": world.person(Role.FINANCE, bureau),
        "auditor": world.person(Role.AUDITOR, bureau),
        "firm": world.person(Role.FIRM, world.firm(name="杭州示例智能科技有限公司")),
        "provider": world.machine(world.provider()),
    }


def go(call: Call, actors: dict[str, Actor]) -> None:
    """Fund, issue, redeem, refund, reconcile; then freeze and void."""
    authority = actors["maker"].organisation_id
    firm, provider = actors["firm"].organisation_id, actors["provider"].organisation_id
    registered = call(
        "register_organisation",
        "registrar",
        "POST",
        "/v1/organisations",
        {
            "kind": "firm",
            "identifier": {"type": "uscc", "value": uscc_of(12_345)},
            "name": "杭州样例机器人有限公司",
            "region_code": "330106",
        },
    )
    call("read_one_organisation", "registrar", "GET", f"/v1/organisations/{registered['id']}")
    user = call(
        "create_user",
        "registrar",
        "POST",
        "/v1/users",
        {
            "login": "zhang.wei",
            "name": "张伟",
            "organisation_id": registered["id"],
            "roles": [{"role": "firm", "region_code": HANGZHOU}],
        },
    )
    call("approve_one", "security_admin", "POST", f"/v1/approvals/{user['approval_id']}/approve")
    call("create_client", "registrar", "POST", "/v1/clients", {"name": "计费系统", "organisation_id": provider})

    rules = {
        "categories": ["training", "inference"],
        "rate": {"kind": "flat", "rate": "0.30"},
        "caps": [
            {"scope": "claim", "name": "per_bill", "limit_fen": 5_000_000},
            {"scope": "firm", "name": "firm_year", "limit_fen": 800_000_000},
        ],
        "validity": {"kind": "days", "days": 365},
    }
    call("check_rules", "maker", "POST", "/v1/rules/check", {"rules": rules})
    programme = call(
        "create_programme",
        "maker",
        "POST",
        "/v1/programmes",
        {
            "region_code": HANGZHOU,
            "authority_id": authority,
            "title": "杭州市2026年度AI算力券",
            "voucher_kind": "compute",
            "fiscal_year": 2026,
            "opens_at": "2026-01-01T00:00:00+08:00",
            "closes_at": "2099-12-31T23:00:00+08:00",
            "document_no": "杭经信联〔2026〕1号",
            "rules": rules,
        },
    )
    path = f"/v1/programmes/{programme['id']}"
    submitted = call("submit_programme", "maker", "POST", f"{path}/submit")
    call("read_approvals", "checker", "GET", "/v1/approvals?status=pending")
    call("approve_one", "checker", "POST", f"/v1/approvals/{submitted['approval']['id']}/approve")
    granted = call(
        "create_appropriation",
        "finance",
        "POST",
        f"{path}/appropriations",
        {"document_no": "杭财企〔2026〕8号", "amount_fen": 1_000_000_000},
    )
    call("approve_one", "second_finance", "POST", f"/v1/approvals/{granted['id']}/approve")
    shared = {"county_code": "330106", "amount_fen": 50_000_000, "document_no": "杭财企〔2026〕9号"}
    moved = call("move_quota", "maker", "POST", f"{path}/quotas", shared)
    call("approve_one", "finance", "POST", f"/v1/approvals/{moved['id']}/approve")
    admitted = call("admit_provider", "maker", "PUT", f"{path}/providers/{provider}", {"categories": ["training"]})
    call("approve_one", "checker", "POST", f"/v1/approvals/{admitted['approval']['id']}/approve")

    batch = call(
        "create_batch",
        "maker",
        "POST",
        "/v1/issuance-batches",
        {
            "programme_id": programme["id"],
            "declared_count": 1,
            "declared_total_fen": 30_000_000,
            "rows": [{"reference_no": "HZ-2026-0001", "firm_id": firm, "face_value_fen": 30_000_000}],
        },
    )
    call("approve_one", "checker", "POST", f"/v1/approvals/{batch['approval_id']}/approve")
    voucher = call("read_vouchers", "firm", "GET", "/v1/vouchers")["data"][0]
    voucher_path = f"/v1/vouchers/{voucher['id']}"
    call("read_one_voucher", "firm", "GET", voucher_path)
    call(
        "grant_mandate",
        "firm",
        "POST",
        f"{voucher_path}/mandates",
        {"provider_id": provider, "limit_fen": 20_000_000},
    )

    call("check_voucher", "provider", "POST", "/v1/vouchers/check", {"voucher_code": voucher["code"]})
    quoted = {"total_fen": 962_500, "lines": [TRAINING]}
    body = {"voucher_code": voucher["code"], "bill": quoted}
    call("create_quote", "provider", "POST", f"{path}/quotes", body)
    redemption = call(
        "create_redemption",
        "provider",
        "POST",
        "/v1/redemptions",
        {
            "voucher_code": voucher["code"],
            "order_no": "HZ-JOB-20261124-0001",
            "bill": {
                "total_fen": 963_750,
                "tax_rate": "0.06",
                "lines": [
                    TRAINING,
                    {
                        "category": "storage",
                        "quantity": "50",
                        "unit": "gigabyte_month",
                        "unit_price": "0.25",
                        "amount_fen": 1_250,
                    },
                ],
            },
        },
    )
    call(
        "create_redemptions",
        "provider",
        "POST",
        "/v1/redemptions:batch",
        {
            "redemptions": [
                {"voucher_code": voucher["code"], "order_no": "HZ-JOB-20261124-0002", "bill": quoted},
                {
                    "voucher_code": voucher["code"],
                    "order_no": "HZ-JOB-20261124-0003",
                    "bill": {"total_fen": 962_500, "lines": [TRAINING | {"category": "storage"}]},
                },
            ]
        },
    )
    call("read_redemptions", "provider", "GET", "/v1/redemptions?order_no=HZ-JOB-20261124-0001")
    expected = {"voucher_code": voucher["code"], "hold_no": "HZ-RUN-7", "bill": {**quoted, "lines": [TRAINING]}}
    hold = call("create_hold", "provider", "POST", "/v1/holds", expected)
    call("read_holds", "firm", "GET", "/v1/holds?status=open")
    call("extend_hold", "provider", "POST", f"/v1/holds/{hold['id']}/extend", {})
    day = {**TRAINING, "quantity": "200", "amount_fen": 770_000}
    first = {"hold_id": hold["id"], "order_no": "HZ-RUN-7-DAY-1", "bill": {"total_fen": 770_000, "lines": [day]}}
    call("create_redemption", "provider", "POST", "/v1/redemptions", first)
    call("read_events", "provider", "GET", "/v1/events")
    call("release_hold", "provider", "POST", f"/v1/holds/{hold['id']}/release")
    call("read_one_hold", "provider", "GET", f"/v1/holds/{hold['id']}")
    call(
        "create_refund",
        "provider",
        "POST",
        f"/v1/redemptions/{redemption['id']}/refunds",
        {"lines": [{"line": 1, "amount_fen": 192_500}], "reason": "任务提前结束，退还50卡时"},
    )
    call("read_one_redemption", "firm", "GET", f"/v1/redemptions/{redemption['id']}")
    call("read_stored_assessment", "auditor", "GET", f"/v1/redemptions/{redemption['id']}/assessment")

    stricter = {"effective_on": "2098-01-01", "rules": rules | {"rate": {"kind": "flat", "rate": "0.25"}}}
    version = call("write_rule_version", "maker", "POST", f"{path}/rule-versions", stricter)["version"]
    call("compare_rule_versions", "checker", "GET", f"{path}/rule-versions/1/diff/2")
    asked = call("submit_rule_version", "maker", "POST", f"{path}/rule-versions/{version['id']}/submit")
    call("approve_one", "checker", "POST", f"/v1/approvals/{asked['approval']['id']}/approve")
    call("read_one_rule_version", "provider", "GET", f"{path}/rule-versions/2")
    call("read_movements", "firm", "GET", f"{voucher_path}/movements")
    call("read_budget", "finance", "GET", f"{path}/budget")
    call("read_execution", "auditor", "GET", "/v1/reports/execution")
    call("read_one_entry", "auditor", "GET", f"/v1/ledger/entries/{redemption['entry_id']}")
    call("read_accounts", "auditor", "GET", "/v1/ledger/accounts")

    frozen = call("freeze", "maker", "POST", f"{voucher_path}/freeze", {"reason": "核查账单"})
    call("approve_one", "checker", "POST", f"/v1/approvals/{frozen['id']}/approve")
    thawed = call("unfreeze", "maker", "POST", f"{voucher_path}/unfreeze", {"reason": "核查无误"})
    call("approve_one", "checker", "POST", f"/v1/approvals/{thawed['id']}/approve")
    longer = {"reason": "项目延期", "days": 30, "exception_document_no": "杭经信函〔2026〕8号"}
    extended = call("extend", "maker", "POST", f"{voucher_path}/extend", longer)
    call("approve_one", "checker", "POST", f"/v1/approvals/{extended['id']}/approve")
    call("read_extensions", "firm", "GET", f"{voucher_path}/extensions")
    many = {"act": "freeze", "voucher_ids": [voucher["id"]], "reason": "年度抽查"}
    asked = call("ask_for_acts", "maker", "POST", "/v1/voucher-acts", many)
    call("reject_one", "checker", "POST", f"/v1/approvals/{asked['id']}/reject", {"reason": "已抽查"})
    place = f"{path}/providers/{provider}"
    suspended = call("change_admission", "maker", "POST", f"{place}/suspend", {"reason": "举报核查"})
    call("approve_one", "checker", "POST", f"/v1/approvals/{suspended['id']}/approve")
    ended = call("void", "maker", "POST", f"{voucher_path}/void", {"reason": "企业注销"})
    call("approve_one", "checker", "POST", f"/v1/approvals/{ended['id']}/approve")
    closed = call("close_programme", "maker", "POST", f"{path}/close", {"reason": "年度任务已完成"})
    call("approve_one", "checker", "POST", f"/v1/approvals/{closed['id']}/approve")
    checked = call("create_reconciliation", "auditor", "POST", "/v1/reconciliations", {"region_code": HANGZHOU})
    assert checked["difference_count"] == 0
