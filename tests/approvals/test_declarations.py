"""Every route that changes something says whether it takes two persons, or why one suffices.

A new route without a line here fails: whoever adds it decides which it is, and writes down why.
"""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute

from app.kernel.vocabulary import ApprovalKind as Kind
from app.main import ROUTERS
from app.services.approvals.acts import ACTS

CHANGES = {"POST", "PUT", "PATCH", "DELETE"}

TWO_PERSONS: dict[str, Kind | tuple[Kind, ...]] = {
    "POST /v1/users": Kind.GRANT_ROLES,
    "POST /v1/users/{user_id}/roles": Kind.GRANT_ROLES,
    "POST /v1/users/{user_id}/password-resets": Kind.RESET_PASSWORD,
    "POST /v1/users/{user_id}/second-factor-resets": Kind.RESET_SECOND_FACTOR,
    "POST /v1/users/{user_id}/invitations": Kind.RESET_PASSWORD,
    "POST /v1/clients": Kind.GRANT_ROLES,
    "POST /v1/clients/{client_id}/roles": Kind.GRANT_ROLES,
    "POST /v1/programmes/{programme_id}/submit": Kind.PUBLISH_PROGRAMME,
    "POST /v1/programmes/{programme_id}/resume": Kind.RESUME_PROGRAMME,
    "PUT /v1/programmes/{programme_id}/providers/{provider_id}": Kind.ADMIT_PROVIDER,
    "POST /v1/programmes/{programme_id}/appropriations": Kind.APPROPRIATE,
    "POST /v1/programmes/{programme_id}/rule-versions/{version}/submit": Kind.PUBLISH_RULE_VERSION,
    "POST /v1/approval-bands": Kind.SET_APPROVAL_BANDS,
    "POST /v1/delegations": Kind.DELEGATE_POWER,
    "POST /v1/payee-accounts": Kind.CHANGE_PAYEE_ACCOUNT,
    "POST /v1/issuance-batches": Kind.ISSUE_BATCH,
    "POST /v1/vouchers": Kind.ISSUE_BATCH,
    "POST /v1/vouchers/{voucher_id}/freeze": Kind.FREEZE_VOUCHER,
    "POST /v1/vouchers/{voucher_id}/unfreeze": Kind.UNFREEZE_VOUCHER,
    "POST /v1/vouchers/{voucher_id}/void": Kind.VOID_VOUCHER,
    "POST /v1/vouchers/{voucher_id}/extend": Kind.EXTEND_VOUCHER,
    "POST /v1/programmes/{programme_id}/close": Kind.CLOSE_PROGRAMME,
    "POST /v1/programmes/{programme_id}/quotas": Kind.MOVE_QUOTA,
    "POST /v1/voucher-acts": (Kind.FREEZE_VOUCHER, Kind.UNFREEZE_VOUCHER, Kind.VOID_VOUCHER, Kind.EXTEND_VOUCHER),
    "POST /v1/programmes/{programme_id}/providers/{provider_id}/{step}": (
        Kind.SUSPEND_PROVIDER,
        Kind.RESUME_PROVIDER,
        Kind.DELIST_PROVIDER,
    ),
    "POST /v1/payment-orders": Kind.ORDER_PAYMENT,
    "POST /v1/ledger/entries/{entry_id}/reverse": Kind.REVERSE_ENTRY,
    "POST /v1/year-closes": Kind.CLOSE_YEAR,
    "POST /v1/applications/{application_id}/approve": Kind.GRANT_APPLICATIONS,
    "POST /v1/applications/grants": Kind.GRANT_APPLICATIONS,
    "POST /v1/applications/{application_id}/reject": Kind.REJECT_APPLICATION,
    "POST /v1/applications/{application_id}/waitlist": Kind.WAITLIST_APPLICATION,
    "POST /v1/application-acts": (Kind.REJECT_APPLICATION, Kind.WAITLIST_APPLICATION),
    "POST /v1/allocation-rounds/{round_id}/submit": Kind.ALLOCATE,
    "POST /v1/allocation-rounds/{round_id}/cancel": Kind.CANCEL_ALLOCATION,
    "POST /v1/programmes/{programme_id}/waitlist/promote": Kind.PROMOTE_WAITING,
    "POST /v1/programmes/{programme_id}/waitlist/end": Kind.END_WAITING,
    "POST /v1/public-notices/{notice_id}/submit": Kind.PUBLISH_NOTICE,
    "POST /v1/public-notices/{notice_id}/withdraw": Kind.WITHDRAW_NOTICE,
    "POST /v1/public-notices/{notice_id}/objections/{objection_id}/decide": Kind.DECIDE_OBJECTION,
    "POST /v1/debarments": Kind.DEBAR,
    "POST /v1/debarment-lists": Kind.DEBAR,
    "POST /v1/debarments/{debarment_id}/lift": Kind.LIFT_DEBARMENT,
}
"""The route asks; what it asks for is done by the last approval of another person."""

DRAFT = "A draft: nothing follows from it before two persons have published it."
OWN = "A firm's or provider's own act about what is its own; the rules and its consent judge it, no official does."
RECORDS = "Records what the bank did, under its reference, which counts once and is held against the bank's own list."
NOTHING = "Works something out and changes nothing."
REPORT = "Takes in or compares evidence; moves nothing."
CASE = "Work on a difference: notes and states of a case; moves nothing, and is an audit event."

REVIEW = "A step of the review, an event of the application's history; what grants money is proposed and approved."
OWN_SIGN_IN = "A person's own second factor; taking an official's away takes two persons."
SIGNING_IN = "How a machine signs in, by itself or its registrar: its roles took two persons."
TAKES_AWAY = "Only takes powers away; it must work at once, and the way back takes two persons."
REGISTRY = "The registry, with evidence and history; whoever it rules out is told, and money still takes two persons."

ONE_PERSON: dict[str, str] = {
    "POST /oauth/revoke": "A machine gives back its own token.",
    "DELETE /v1/personal-tokens/current": "A person gives back his own token.",
    "DELETE /v1/personal-tokens/{token_id}": "A person gives back a token of his own.",
    "POST /v1/personal-tokens/by-code": "Signing in.",
    "POST /v1/users/{user_id}/outside-identities/{identity_id}/unlink": TAKES_AWAY,
    "POST /v1/clients/{client_id}/dpop": "Asks more of a machine than before; only its registrar takes that back.",
    "DELETE /v1/personal-tokens/all": "A person signs himself out everywhere.",
    "POST /v1/personal-tokens/step-up": "A person proves again who he is.",
    "POST /v1/second-factors": OWN_SIGN_IN,
    "POST /v1/second-factors/confirm": OWN_SIGN_IN,
    "POST /v1/clients/{client_id}/keys": SIGNING_IN,
    "POST /v1/clients/{client_id}/keys/{kid}/retire": TAKES_AWAY,
    "POST /v1/clients/{client_id}/secret": SIGNING_IN,
    "DELETE /v1/clients/{client_id}/secret": TAKES_AWAY,
    "POST /v1/clients/{client_id}/roles/revoke": TAKES_AWAY,
    "POST /v1/clients/{client_id}/disable": TAKES_AWAY,
    "POST /v1/users/{user_id}/roles/revoke": TAKES_AWAY,
    "POST /v1/users/{user_id}/disable": TAKES_AWAY,
    "POST /v1/organisation-lists": REGISTRY,
    "POST /v1/organisations/{organisation_id}/relations": REGISTRY,
    "POST /v1/organisations/{organisation_id}/relations/{relation_id}/end": REGISTRY,
    "PUT /v1/calendars/{year}": "A table of the State Council; every version stays, and no deadline moves.",
    "POST /v1/uploads": OWN,
    "POST /v1/applications": OWN,
    "PUT /v1/applications/{application_id}": OWN,
    "POST /v1/applications/{application_id}/submit": OWN,
    "POST /v1/applications/{application_id}/withdraw": OWN,
    "POST /v1/applications/{application_id}/accept": REVIEW,
    "POST /v1/applications/{application_id}/return": REVIEW,
    "POST /v1/applications/{application_id}/first-review": REVIEW,
    "POST /v1/applications/{application_id}/assess": REVIEW,
    "POST /v1/programmes/{programme_id}/allocation-rounds": "Freezes and hashes a list; nothing is granted by it.",
    "POST /v1/programmes/{programme_id}/allocation-lists": "Freezes and hashes a list; nothing is granted by it.",
    "POST /v1/programmes/{programme_id}/allocation-lists/annotated-sheet": NOTHING,
    "POST /v1/allocation-rounds/{round_id}/draw": "Records the number announced beforehand; anybody can check it.",
    "POST /v1/public-notices": DRAFT,
    "POST /v1/public-notices/{notice_id}/objections": "The public's; it freezes one item until two answer.",
    "POST /v1/payee-accounts/search": "Changes nothing.",
    "PUT /v1/retention-settings": "Moves no money; the audit administrator's own act, recorded.",
    "POST /v1/system/token-keys": "Moves no money; adds a key, and the old ones go on verifying.",
    "POST /v1/public-notices/objections/search": "Changes nothing.",
    "DELETE /v1/public-notices/{notice_id}/objections/{objection_id}/sender": "Erases who it was.",
    "POST /v1/redemptions/{redemption_id}/refunds/{refund_id}/red-letter": OWN,
    "POST /oauth/token": "Signing in.",
    "POST /v1/personal-tokens": "A person's own token, no longer than a day.",
    "POST /v1/organisations": "The registry: nothing goes to anybody until two persons admit him or issue to him.",
    "PATCH /v1/organisations/{organisation_id}": "The registry, an audit event; payments check the payee's name anew.",
    "POST /v1/users/{user_id}/same-person": "Only takes powers away, and cannot be undone.",
    "POST /v1/programmes": DRAFT,
    "PATCH /v1/programmes/{programme_id}": DRAFT,
    "POST /v1/programmes/{programme_id}/rule-versions": DRAFT,
    "PUT /v1/programmes/{programme_id}/rule-versions/{version}": DRAFT,
    "POST /v1/programmes/{programme_id}/pause": "A brake: it stops and moves nothing, and waiting for a second person"
    " would cost money. Going on again takes two.",
    "POST /v1/programmes/{programme_id}/simulations": NOTHING,
    "POST /v1/programmes/{programme_id}/quotes": NOTHING,
    "POST /v1/rules/check": NOTHING,
    "POST /v1/issuance-batches/annotated-sheet": NOTHING,
    "POST /v1/vouchers/check": NOTHING,
    "POST /v1/approvals/{approval_id}/approve": "It is the second person, or the third.",
    "POST /v1/approvals/{approval_id}/reject": "It is the second person; nothing is done.",
    "POST /v1/approvals/{approval_id}/withdraw": "The maker takes back what nobody has agreed to; nothing is done.",
    "POST /v1/delegations/{delegation_id}/revoke": "Only takes a power away; it must work at once.",
    "POST /v1/vouchers/{voucher_id}/surrender": OWN,
    "POST /v1/vouchers/{voucher_id}/mandates": OWN,
    "DELETE /v1/vouchers/{voucher_id}/mandates/{mandate_id}": OWN,
    "POST /v1/vouchers/{voucher_id}/payment-codes": OWN,
    "DELETE /v1/vouchers/{voucher_id}/payment-codes/{code_id}": OWN,
    "POST /v1/redemptions": OWN,
    "POST /v1/redemptions:batch": OWN,
    "POST /v1/redemptions/{redemption_id}/refunds": OWN,
    "POST /v1/holds": OWN,
    "POST /v1/holds/{hold_id}/release": OWN,
    "POST /v1/holds/{hold_id}/extend": OWN,
    "POST /v1/payment-orders/{order_id}/confirm": RECORDS,
    "POST /v1/payment-orders/{order_id}/bounce": RECORDS,
    "POST /v1/recoveries/{recovery_id}/receive": RECORDS,
    "POST /v1/recoveries:receive": RECORDS,
    "POST /v1/statements": REPORT,
    "POST /v1/bank-lists": REPORT,
    "POST /v1/reconciliations": REPORT,
    "POST /v1/reconciliation-cases/{case_id}/assign": CASE,
    "POST /v1/reconciliation-cases/{case_id}/notes": CASE,
    "POST /v1/reconciliation-cases/{case_id}/explain": CASE,
    "POST /v1/reconciliation-cases/{case_id}/resolve": CASE,
}
"""Why one person suffices."""


def _changing() -> list[str]:
    """All routes of the API that may change something. The portal has none of its own: it calls the same services."""
    return sorted(
        f"{method} {route.path}"
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in (route.methods or set()) & CHANGES
    )


@pytest.mark.parametrize("route", _changing())
def test_a_route_that_changes_something_says_how_many_persons_it_takes(route: str) -> None:
    assert (route in TWO_PERSONS) != (route in ONE_PERSON), f"{route}: two persons, or why does one suffice?"


def test_no_route_is_declared_that_is_not_there() -> None:
    assert sorted({*TWO_PERSONS, *ONE_PERSON} - set(_changing())) == []


def test_every_kind_of_act_is_asked_for_by_a_route_and_can_be_executed() -> None:
    asked_for = {kind for kinds in TWO_PERSONS.values() for kind in (kinds if isinstance(kinds, tuple) else (kinds,))}
    assert asked_for == set(Kind) == set(ACTS)
