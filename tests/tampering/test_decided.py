"""What two persons decided, and what firms gave: a superuser who edits, adds or removes a row is told by its event."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text

from app.embedded.server import Server
from tests.matrix.going import standing_province
from tests.matrix.tenants import FIRM, PROVIDER, Tenant
from tests.tampering.test_beyond_the_leaves import told
from tests.world import ok, uscc_of

FORGERIES: dict[str, tuple[str, str, str]] = {
    # -- where a provider may redeem --
    "a provider let in by nobody": (
        (
            "INSERT INTO admissions (region_code, programme_id, provider_id, categories, status, version, updated_at,"
            " updated_by) SELECT p.region_code, p.id, o.id, '{training}', 'listed', 1, now(), 'usr_x'"
            " FROM programmes p, organisations o WHERE p.status = 'paused' AND o.kind = 'provider'"
        ),
        "decisions",
        "admission prg_",
    ),
    "for which categories": ("UPDATE admissions SET categories = '{training,storage}'", "decisions", "admission prg_"),
    "at which prices": ("UPDATE admissions SET prices = '[{}]'", "decisions", "admission prg_"),
    "a provider that goes on although it was suspended": (
        "UPDATE admissions SET status = 'listed' WHERE status = 'suspended'",
        "decisions",
        "admission prg_",
    ),
    "a provider that was listed": ("DELETE FROM admissions WHERE status = 'listed'", "decisions", "admission prg_"),
    # -- where money is paid --
    "the name of an account": ("UPDATE payee_accounts SET account_name = 'x'", "decisions", "account pac_"),
    "the bank of an account": ("UPDATE payee_accounts SET bank_name = 'x'", "decisions", "account pac_"),
    "its branch": ("UPDATE payee_accounts SET cnaps = '999999999999'", "decisions", "account pac_"),
    "its number": ("UPDATE payee_accounts SET account_no_masked = '6222****0000'", "decisions", "account pac_"),
    "whose account it is": ("UPDATE payee_accounts SET payee_id = 'org_x'", "decisions", "account pac_"),
    "which account is paid to": (
        "UPDATE payee_accounts SET status = 'rejected' WHERE status = 'listed'",
        "decisions",
        "account pac_",
    ),
    "an account that nobody agreed to": (
        (
            "UPDATE payee_accounts SET status = 'listed', decided_at = now(), decided_by = 'usr_x', payee_id = 'org_x'"
            " WHERE status = 'proposed'"
        ),
        "decisions",
        "account pac_",
    ),
    "an account that is gone": ("DELETE FROM payee_accounts WHERE status = 'replaced'", "decisions", "account pac_"),
    # -- freezes --
    "a freeze that nobody lifted": (
        "UPDATE vouchers SET frozen_at = NULL, stands_still = false WHERE frozen_at IS NOT NULL",
        "decisions",
        "freeze of vch_",
    ),
    "a freeze of nobody": (
        "UPDATE vouchers SET frozen_at = now() WHERE frozen_at IS NULL AND ended_as IS NULL",
        "decisions",
        "freeze of vch_",
    ),
    "since when it is frozen": (
        "UPDATE vouchers SET frozen_at = frozen_at - interval '1 hour' WHERE frozen_at IS NOT NULL",
        "decisions",
        "freeze of vch_",
    ),
    "a validity that stands still": (
        "UPDATE vouchers SET stands_still = true WHERE frozen_at IS NOT NULL",
        "decisions",
        "freeze of vch_",
    ),
    # -- programmes and their rules --
    "a programme that goes on": (
        "UPDATE programmes SET status = 'published' WHERE status = 'paused'",
        "decisions",
        "programme prg_",
    ),
    "a programme that nobody published": (
        "UPDATE programmes SET status = 'published' WHERE status = 'draft'",
        "decisions",
        "programme prg_",
    ),
    "until when it is open": (
        "UPDATE programmes SET closes_at = closes_at + interval '1 day' WHERE status = 'published'",
        "decisions",
        "programme prg_",
    ),
    "whose programme it is": (
        "UPDATE programmes SET authority_id = 'org_x' WHERE status = 'published'",
        "decisions",
        "programme prg_",
    ),
    "rules that were published": ("DELETE FROM rule_versions WHERE status = 'published'", "decisions", "version rul_"),
    "which rules are the later": (
        "UPDATE rule_versions SET number = 12 - number",
        "decisions",
        "number of rul_",
    ),
    # -- the debarment list --
    "a debarment": ("DELETE FROM debarments", "decisions", "debarment "),
    "until when one is debarred": ("UPDATE debarments SET until_on = '2026-01-02'", "decisions", "debarment dbr_"),
    "who is debarred": ("UPDATE debarments SET person = 'uscc:x'", "decisions", "debarment dbr_"),
    "what a debarment stops": ("UPDATE debarments SET checkpoints = '{apply}'", "decisions", "debarment dbr_"),
    "a debarment lifted by nobody": (
        (
            "UPDATE debarments SET lifted_at = now(), lift_approval_id = approval_id, lift_document_no = 'x',"
            " lift_reason = 'x'"
        ),
        "decisions",
        "lifting of dbr_",
    ),
    # -- who decides --
    "how long a power is lent": (
        "UPDATE delegations SET ends_at = ends_at + interval '1 day'",
        "decisions",
        "delegation dlg_",
    ),
    "to whom it is lent": ("UPDATE delegations SET delegate_id = 'usr_x'", "decisions", "delegation dlg_"),
    "that it was taken back": (
        "UPDATE delegations SET revoked_at = NULL, revoked_by = NULL WHERE revoked_at IS NOT NULL",
        "decisions",
        "delegation dlg_",
    ),
    "a power that was lent": ("DELETE FROM delegations", "decisions", "delegation dlg_"),
    "how many steps an amount takes": ("UPDATE approval_bands SET bands = '[]'", "decisions", "bands bnd_"),
    "from when on it does": (
        "UPDATE approval_bands SET effective_from = effective_from + interval '1 year'",
        "decisions",
        "bands bnd_",
    ),
    "a table of bands": ("DELETE FROM approval_bands", "decisions", "bands apv_"),
    # -- years --
    "by which document a year was closed": ("UPDATE year_closes SET document_no = 'x'", "decisions", "close ycl_"),
    "that a year is closed": (
        "UPDATE pools SET closed_at = NULL WHERE closed_at IS NOT NULL",
        "decisions",
        "close of pool pol_",
    ),
    "a decision that closed one": ("DELETE FROM year_closes", "decisions", "close apv_"),
    # -- what firms gave --
    "how much a mandate lets draw": ("UPDATE mandates SET limit_fen = limit_fen + 1", "consents", "grant of mdt_"),
    "for how long": (
        "UPDATE mandates SET valid_until = valid_until + interval '1 day'",
        "consents",
        "grant of mdt_",
    ),
    "whom it lets draw": ("UPDATE mandates SET provider_id = 'org_x'", "consents", "grant of mdt_"),
    "that a mandate was withdrawn": (
        "UPDATE mandates SET revoked_at = NULL, revoked_by = NULL WHERE revoked_at IS NOT NULL",
        "consents",
        "grant of mdt_",
    ),
    "that one was not": (
        "UPDATE mandates SET revoked_at = now(), revoked_by = 'usr_x' WHERE revoked_at IS NULL",
        "consents",
        "grant of mdt_",
    ),
    "a mandate that nobody gave": (
        (
            "INSERT INTO mandates (region_code, id, voucher_id, provider_id, limit_fen, used_fen, valid_until,"
            " granted_at, granted_by) SELECT region_code, 'mdt_330100_x', voucher_id, 'org_x', limit_fen, 0,"
            " valid_until, granted_at, granted_by FROM mandates LIMIT 1"
        ),
        "consents",
        "grant of mdt_330100_x",
    ),
    "a mandate that is gone": ("DELETE FROM mandates WHERE used_fen = 0", "consents", "grant of mdt_"),
    "how much a payment code lets draw": (
        "UPDATE payment_codes SET limit_fen = limit_fen + 1",
        "consents",
        "grant of pay_",
    ),
    "for how many minutes": (
        "UPDATE payment_codes SET valid_until = valid_until + interval '1 minute'",
        "consents",
        "grant of pay_",
    ),
    "that a payment code was withdrawn": (
        "UPDATE payment_codes SET withdrawn_at = NULL, withdrawn_by = NULL WHERE withdrawn_at IS NOT NULL",
        "consents",
        "grant of pay_",
    ),
    "a payment code that is gone": ("DELETE FROM payment_codes", "consents", "grant of pay_"),
    # -- what one person records --
    "a key of a machine": ("UPDATE client_keys SET jwk = '{}'", "registry", "key "),
    "that a key is retired": (
        "UPDATE client_keys SET retired_at = NULL WHERE retired_at IS NOT NULL",
        "registry",
        "key ",
    ),
    "a key that nobody added": (
        (
            "INSERT INTO client_keys (client_id, kid, algorithm, jwk, created_at, created_by)"
            " SELECT client_id, 'x', algorithm, jwk, created_at, created_by FROM client_keys LIMIT 1"
        ),
        "registry",
        "key x of cli_",
    ),
    "a key that is gone": ("DELETE FROM client_keys", "registry", "key "),
    "whose machine it is": (
        "UPDATE clients SET organisation_id = 'org_x' WHERE created_by <> 'test'",
        "registry",
        "machine cli_",
    ),
    "that a machine acts no more": (
        "UPDATE clients SET disabled_at = NULL WHERE disabled_at IS NOT NULL",
        "registry",
        "end of cli_",
    ),
    "that somebody acts no more": (
        "UPDATE users SET disabled_at = NULL WHERE disabled_at IS NOT NULL",
        "registry",
        "end of usr_",
    ),
    "that two accounts are one person's": (
        "UPDATE users SET person_id = NULL WHERE person_id IS NOT NULL",
        "registry",
        "person of usr_",
    ),
    "that a role was taken away": (
        "UPDATE role_grants SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
        "registry",
        "firm ",
    ),
    "a link between two": ("DELETE FROM organisation_relations", "registry", "link rel_"),
    "until when they are linked": (
        "UPDATE organisation_relations SET until_on = '2026-01-02'",
        "registry",
        "link rel_",
    ),
    "who is linked": ("UPDATE organisation_relations SET other_person = 'uscc:x'", "registry", "link rel_"),
    "that a link has ended": (
        "UPDATE organisation_relations SET ended_on = ended_on - 1 WHERE ended_on IS NOT NULL",
        "registry",
        "link rel_",
    ),
    "a link that nobody recorded": (
        (
            "INSERT INTO organisation_relations (id, kind, person, name, other_person, other_name, from_on, evidence,"
            " recorded_at, recorded_by) SELECT 'rel_x', kind, person, name, 'uscc:x', other_name, from_on, evidence,"
            " recorded_at, recorded_by FROM organisation_relations LIMIT 1"
        ),
        "registry",
        "link rel_x",
    ),
    "a day off": (
        "DELETE FROM calendar_days WHERE day = (SELECT max(day) FROM calendar_days)",
        "registry",
        "calendar-",
    ),
    "a year's calendar": ("DELETE FROM calendar_tables", "registry", "calendar-"),
    "by which notice": ("UPDATE calendar_tables SET document_no = 'x'", "registry", "calendar-"),
    # -- how it was decided --
    "how many steps a request takes": (
        "UPDATE approvals SET steps = steps || '{finance}' WHERE status = 'pending'",
        "approvals",
        "request of apv_",
    ),
    "who may not decide": ("UPDATE approvals SET barred_ids = '{usr_x}'", "approvals", "request of apv_"),
    "until when it may be approved": (
        "UPDATE approvals SET expires_at = now() + interval '1 year'",
        "approvals",
        "request of apv_",
    ),
    "when it was asked for": (
        "UPDATE approvals SET made_at = made_at - interval '1 day'",
        "approvals",
        "request of apv_",
    ),
    "when it was decided": (
        "UPDATE approvals SET decided_at = decided_at - interval '1 day' WHERE decided_at IS NOT NULL",
        "approvals",
        "decision of apv_",
    ),
    "who took the first of two steps": (
        (
            "UPDATE approval_decisions SET decided_by = 'usr_x' WHERE step = 1 AND approval_id IN"
            " (SELECT approval_id FROM approval_decisions WHERE step = 2)"
        ),
        "approvals",
        "step 1 of apv_",
    ),
    "who proposed a payment": ("UPDATE payment_orders SET proposed_by = 'usr_x'", "records", "payee of pyo_"),
    # -- beside the entries --
    "of which batch a voucher is": ("UPDATE vouchers SET batch_id = 'bat_330100_x'", "records", "holder of vch_"),
}


def _more(t: Tenant) -> None:
    """What the province has not had yet: acts on acts, undone ones, and some that wait."""
    account = t.bodies["payee_account"] | {"account_no": f"1202026209{t.region_code}456"}
    t.approve(t.post("maker", "/v1/payee-accounts", account))
    t.post("maker", "/v1/payee-accounts", account | {"bank_name": "另一银行"})
    places = f"/v1/programmes/{t.ids['closing_id']}/providers/{t.ids[f'{PROVIDER}_id']}"
    t.approve(t.post("maker", f"{places}/suspend", {"reason": "核查"}))
    t.approve(t.post("maker", f"{places}/resume", {"reason": "核查完毕"}))
    t.approve(t.post("maker", f"{places}/suspend", {"reason": "再次核查"}))
    vouchers = [t.voucher(FIRM)["id"], t.voucher(FIRM)["id"]]
    t.approve(t.post("maker", "/v1/voucher-acts", {"act": "freeze", "voucher_ids": vouchers, "reason": "核查"}))
    t.approve(t.post("maker", f"/v1/vouchers/{vouchers[0]}/unfreeze", {"reason": "核查完毕"}))
    mandate = t.mandate(vouchers[0], PROVIDER)
    firm = t.people[FIRM].http
    ok(firm.delete(f"/v1/vouchers/{vouchers[0]}/mandates/{mandate}"))
    code = {"provider_id": t.ids[f"{PROVIDER}_id"], "limit_fen": 1_000, "minutes": 30}
    made = t.post(FIRM, f"/v1/vouchers/{vouchers[0]}/payment-codes", code)["id"]
    ok(firm.delete(f"/v1/vouchers/{vouchers[0]}/payment-codes/{made}"))
    t.post("checker", f"/v1/delegations/{t.ids['delegation_id']}/revoke")
    gone = {"reason": "离职"}
    for who in ("users", "clients"):
        t.post("registrar", f"/v1/{who}/{t.ids[f'leaving_{who[:-1]}_id']}/disable", gone)
    t.post("registrar", f"/v1/users/{t.ids['twin_id']}/same-person", {"user_id": t.ids["user_id"]})
    held = {"roles": [{"role": "firm", "region_code": t.region_code}], "reason": "换岗"}
    t.post("registrar", f"/v1/users/{t.ids['inviting_user_id']}/roles/revoke", held)
    t.post("registrar", f"/v1/clients/{t.ids['client_id']}/keys/retired/retire")
    link = t.bodies["relation"] | {"other": {"type": "uscc", "value": uscc_of(990_001)}}
    path = f"/v1/organisations/{t.ids['firm_id']}/relations"
    ended = t.post("registrar", path, link)["id"]
    t.post("registrar", f"{path}/{ended}/end", {"ended_on": "2026-01-31", "reason": "已解除"})
    lent = t.bodies["delegation"]
    t.approve(t.post("checker", "/v1/delegations", lent), by="security_admin")


@pytest.fixture(scope="module")
def books(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The superuser's connection to books in which each of these things has happened."""
    with standing_province(server, template, tmp_path_factory.mktemp("decided")) as (one, _):
        _more(one)
        assert one.world.differences() == []
        engine = create_engine(server.url("postgres", server.password, "matrix"))
        yield engine
        engine.dispose()


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_row_is_named(books: Engine, what: str) -> None:
    statement, invariant, subject = FORGERIES[what]
    with books.connect() as connection:
        assert told(connection, invariant) == set()
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        assert connection.execute(text(statement.replace(":", r"\:"))).rowcount > 0
        found = told(connection, invariant)
        connection.rollback()
    assert any(one.startswith(subject) for one in found), found
