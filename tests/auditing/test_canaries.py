"""Canaries: secrets and personal values go through real workers at their most talkative, and then nothing holds them.

Searched are what the workers wrote, every column of every table as text, an auditor's pack, and every answer but those
few whose whole point is to give the value to the one who asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, TextClause, text

from app.cli.serving import listen
from app.database import Database
from app.embedded.databases import Urls
from app.kernel.vocabulary import OrganisationKind, Role
from app.reach import EVERYWHERE
from app.services.identity.invitations import redeem_invitation
from app.services.identity.passwords import Passwords
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.auditing.accounts import propose
from tests.cli.processes import ROOT, environment
from tests.notices.showing import showing
from tests.world import HANGZHOU, World, counter, ok

NUMBER = "6222021099077777771"
PHONE = "13977777772"
SENDER = "金丝雀三号"
PASSWORD = "canary password 7777774"
WRONG = "canary guess 7777775"
SECRET = "canary-client-secret-7777776"
TOKEN = "eyJhbGciOiJub25lIn0.canary7777777.canary7777777"
START_S = 120

WORKER = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from app.cli.worker import main
main()
"""


@dataclass
class Aviary:
    """A service in a process of its own, and what was said to the world meanwhile."""

    world: World
    urls: Urls
    log: Path
    canaries: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    def heard(self, response: httpx.Response) -> httpx.Response:
        """Keep an answer that must hold no canary."""
        self.answers.append(f"{response.request.method} {response.status_code} {response.headers} {response.text}")
        return response


@pytest.fixture
def aviary(urls: Urls, settings: Settings, tmp_path: Path) -> Iterator[Aviary]:
    log = tmp_path / "worker.log"
    changes = {"VOUCHER_DATABASE_URL": urls.app_url, "VOUCHER_RECONCILE_AT": "", "VOUCHER_PRINCIPAL_CACHE_S": "1"}
    changes["VOUCHER_STAFF_SECOND_FACTOR"] = "false"
    with closing(listen("127.0.0.1", 0)) as listening, log.open("w") as output:
        base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        lifeline, held = os.pipe()
        arguments = [str(listening.fileno()), str(lifeline), "5", "debug"]
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, *arguments],
            env=environment(tmp_path, **changes),
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[listening.fileno(), lifeline],
        )
        database = Database(urls.app_url, pool_size=5, reach=EVERYWHERE)
        try:
            _wait(base_url, worker)
            world = World(base_url, database, Tokens.from_settings(settings))
            yield Aviary(world, urls, log)
            world.close()
        finally:
            database.dispose()
            os.close(held)
            worker.wait(timeout=START_S)
            os.close(lifeline)


def _wait(base_url: str, worker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        assert worker.poll() is None and time.monotonic() < deadline, "the worker did not start"
        try:
            if httpx.get(f"{base_url}/readyz", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)


def test_no_secret_and_no_personal_value_is_heard_of_again(aviary: Aviary) -> None:
    _people_sign_in(aviary)
    _machines_sign_in(aviary)
    _accounts_are_kept(aviary)
    _somebody_objects(aviary)
    _a_firm_consents(aviary)
    _something_breaks(aviary)
    auditor = aviary.world.city().auditor
    aviary.heard(aviary.world.anonymous().get("/metrics"))
    for path in ("/v1/audit-events", "/v1/events", "/v1/approvals", "/v1/ledger/entries"):
        aviary.heard(auditor.get(path, limit=200))
    pack = auditor.get("/v1/ledger/export", purpose="年度审计", region_code=HANGZHOU)
    assert pack.is_success and len(pack.content) > 1000
    time.sleep(1)

    assert len(aviary.canaries) >= 12
    places = {"the log": aviary.log.read_text(), "the pack": pack.content.decode("latin-1")}
    places |= {f"answer {number}: {answer[:200]}": answer for number, answer in enumerate(aviary.answers)}
    places |= dict(_tables(aviary.urls))
    assert "access.refused" in places["table audit_events"] and "oauth.refused" in places["the log"]
    found = [
        f"{name} in {place}"
        for place, words in places.items()
        for name, canary in aviary.canaries.items()
        if canary in words or canary.encode().hex() in words or canary.encode().decode("latin-1") in words
    ]
    assert found == []
    _one_is_let_out(aviary)
    assert any(SENDER in words for _, words in _tables(aviary.urls)), "the search finds what is there"


def _one_is_let_out(aviary: Aviary) -> None:
    """A name that is kept in clear."""
    registrar = aviary.world.person(Role.REGISTRAR, aviary.world.organisation(OrganisationKind.REGISTRY))
    body = {"name": SENDER, "login": "canary", "organisation_id": registrar.organisation_id, "roles": []}
    ok(registrar.post("/v1/users", body))


def _tables(urls: Urls) -> list[tuple[str, str]]:
    """Every row of every table as text; bytes are hexadecimal."""
    owner = Database(urls.owner_url, pool_size=1)
    names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    tables = owner.transact(lambda tx: tx.execute(text(names)).scalars().all())
    queries = {table: text(f'SELECT t::text FROM "{table}" t') for table in tables}
    found = [(f"table {name}", "\n".join(owner.transact(partial(_texts, query)))) for name, query in queries.items()]
    owner.dispose()
    return found


def _texts(query: TextClause, tx: Connection) -> list[str]:
    return [str(row) for row in tx.execute(query).scalars()]


def _people_sign_in(aviary: Aviary) -> None:
    world = aviary.world
    registrar = world.person(Role.REGISTRAR, world.organisation(OrganisationKind.REGISTRY))
    security = world.person(Role.SECURITY_ADMIN, registrar.organisation_id)
    authority = world.organisation(OrganisationKind.AUTHORITY)
    roles = [{"role": "maker", "region_code": HANGZHOU}]
    body = {"login": "maker.new", "name": "新人", "organisation_id": authority, "roles": roles}
    made = ok(registrar.post("/v1/users", body))
    invited = ok(registrar.post(f"/v1/users/{made['user']['id']}/invitations"))
    ok(security.post(f"/v1/approvals/{made['approval_id']}/approve"))
    aviary.canaries |= {"invitation": invited["secret"], "password": PASSWORD, "wrong password": WRONG, "token": TOKEN}
    http = world.anonymous()
    aviary.heard(http.get(f"/portal/invitations/{invited['secret'][:-1]}x"))
    redeem_invitation(
        world.database, Passwords(), secret=invited["secret"], password=PASSWORD, request_id="test", source="test"
    )
    sign_in = {"login": "maker.new", "password": PASSWORD}
    aviary.canaries["personal token"] = ok(http.post("/v1/personal-tokens", json=sign_in))["token"]
    aviary.heard(http.post("/v1/personal-tokens", json=sign_in | {"password": WRONG}))
    aviary.heard(http.post("/v1/personal-tokens", json=sign_in | {"login": "nobody.here"}))
    aviary.heard(http.post("/v1/personal-tokens", json=sign_in | {"more": WRONG}))
    aviary.heard(http.post("/v1/personal-tokens", json={"login": {"password": WRONG}, "password": [PASSWORD]}))
    aviary.heard(http.post("/portal/sign-in", data={"login": "maker.new", "password": WRONG}))
    aviary.heard(http.get("/v1/programmes", headers={"Authorization": f"Bearer {TOKEN}"}))


def _machines_sign_in(aviary: Aviary) -> None:
    world = aviary.world
    registrar = world.person(Role.REGISTRAR, world.organisation(OrganisationKind.REGISTRY))
    security = world.person(Role.SECURITY_ADMIN, registrar.organisation_id)
    body = {
        "name": "计费系统",
        "organisation_id": world.provider(),
        "roles": [{"role": "provider", "region_code": HANGZHOU}],
    }
    made = ok(registrar.post("/v1/clients", body))
    ok(security.post(f"/v1/approvals/{made['approval_id']}/approve"))
    client_id, secret = made["client"]["id"], made["secret"]
    aviary.canaries |= {"client secret": secret, "wrong client secret": SECRET}
    http = world.anonymous()
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    aviary.canaries["access token"] = ok(http.post("/oauth/token", data=form))["access_token"]
    aviary.heard(http.post("/oauth/token", data=form | {"client_secret": SECRET}))
    aviary.heard(http.post("/oauth/token", data=form | {"grant_type": SECRET}))
    aviary.heard(http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(client_id, SECRET)))
    aviary.heard(http.post("/oauth/revoke", data=form | {"token": aviary.canaries["access token"]}))


def _accounts_are_kept(aviary: Aviary) -> None:
    city = aviary.world.city()
    aviary.canaries["account number"] = NUMBER
    account_id = propose(city, NUMBER)
    assert (
        ok(city.finance.get(f"/v1/payee-accounts/{account_id}/number", purpose=f"核对 {NUMBER}"))["account_no"]
        == NUMBER
    )
    search = {"account_no": NUMBER, "purpose": f"查重 {NUMBER}"}
    aviary.heard(city.finance.http.post("/v1/payee-accounts/search", json=search))
    aviary.heard(city.finance.http.post("/v1/payee-accounts/search", json=search | {"account_no": f"{NUMBER}X"}))
    aviary.heard(city.finance.http.post("/v1/payee-accounts/search", json=search | {"number": NUMBER}))
    aviary.heard(city.maker.http.post("/v1/payee-accounts", json={"account_no": [NUMBER]}))
    aviary.heard(city.maker.get("/v1/payee-accounts"))
    aviary.heard(city.checker.get("/v1/approvals"))


def _somebody_objects(aviary: Aviary) -> None:
    desk = showing(aviary.world)
    batch_id, _ = desk.submitted_batch(100_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    aviary.canaries |= {"phone": PHONE, "sender": SENDER}
    aviary.heard(desk.object_to(notice_id, 1, name=SENDER, contact=f"{PHONE}\x07"))
    received = ok(aviary.heard(desk.object_to(notice_id, 1, name=SENDER, contact=PHONE)))
    path = f"/v1/public-notices/{notice_id}/objections"
    sender = desk.city.maker.get(f"{path}/{received['objection_id']}/sender", purpose=f"回复 {PHONE}")
    assert ok(sender) == {"name": SENDER, "contact": PHONE}
    aviary.heard(desk.city.maker.get(path))
    search = {"contact": PHONE, "purpose": "本人查询"}
    found = aviary.heard(desk.city.maker.http.post("/v1/public-notices/objections/search", json=search))
    assert [one["id"] for one in ok(found)] == [received["objection_id"]]


def _a_firm_consents(aviary: Aviary) -> None:
    desk = counter(aviary.world.city())
    voucher_id, provider_id = desk.voucher["id"], desk.machine.organisation_id
    body = {"provider_id": provider_id, "limit_fen": 5_000, "minutes": 10}
    code = ok(desk.manager.post(f"/v1/vouchers/{voucher_id}/payment-codes", body))
    aviary.canaries |= {"payment code": code["token"], "payment digits": code["digits"]}
    aviary.heard(desk.redeem(10_000, payment_code=code["token"]))
    aviary.heard(desk.redeem(10_000, payment_code=code["token"]))
    aviary.heard(desk.redeem(10_000, payment_code=f"{code['token'][:-4]}AAAA"))


def _something_breaks(aviary: Aviary) -> None:
    """A bug while the values are in hand: what the log says of it names places only."""
    city = aviary.world.city()
    account_id = propose(city, NUMBER)
    owner = Database(aviary.urls.owner_url, pool_size=1)
    owner.transact(lambda tx: tx.execute(text("ALTER TABLE payee_accounts RENAME COLUMN bank_name TO gone")))
    broken = city.finance.get(f"/v1/payee-accounts/{account_id}/number", purpose="核对")
    search = {"account_no": NUMBER, "purpose": "查重"}
    assert aviary.heard(city.finance.http.post("/v1/payee-accounts/search", json=search)).status_code == 500
    owner.transact(lambda tx: tx.execute(text("ALTER TABLE payee_accounts RENAME COLUMN gone TO bank_name")))
    owner.dispose()
    assert aviary.heard(broken).status_code == 500
