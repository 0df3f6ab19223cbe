"""The way of a person: let in by the command line, invited, a password, sessions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from app.database import Database
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import OrganisationKind, Role
from app.models import AuditEvent, PortalSession, RoleGrant, SignInFailures, User
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity import sessions
from app.services.identity.attempts import Place
from app.services.identity.bootstrap import bootstrap
from app.services.identity.invitations import invite, invited_login, redeem_invitation
from app.services.identity.loading import load_principal, password_at
from app.services.identity.passwords import IN_LINE, Passwords, Turn
from app.services.identity.principals import Caller, Grant
from app.services.identity.signing_in import Door as Entrance
from app.services.identity.signing_in import Knock, sign_in
from app.services.identity.throttling import FREE, LOCK_AT
from tests.identity.registry import PROVINCE, caller, new_organisation

REGISTRAR = caller(Role.REGISTRAR)
PASSWORD, OTHER = "correct horse battery", "another good password"
HOUR_S = 3600


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


@dataclass(frozen=True)
class Door:
    """One registrar, and the ways in."""

    database: Database
    passwords: Passwords
    field_keys: FieldKeys
    user_id: str
    invitation: str

    def redeem(self, secret: str, password: str = PASSWORD) -> str:
        return redeem_invitation(
            self.database, self.passwords, secret=secret, password=password, request_id="test", source="192.0.2.1"
        )

    def sign_in(self, password: str = PASSWORD, login: str = "registrar", source: str = "192.0.2.1") -> Caller:
        knock = Knock(login, password, "portal", "test", Place(source))
        return sign_in(self.entrance(), knock, then=lambda _, entered: entered.caller)

    def entrance(self) -> Entrance:
        return Entrance(self.database, self.passwords, self.field_keys, staff_second_factor=False)

    def invite(self, *, ttl_s: int = HOUR_S) -> str:
        """As the command line does; who may ask for one over HTTP is told in test_resets.py."""

        def work(tx: Connection) -> str:
            tx.execute(select(User.id).where(User.id == self.user_id).with_for_update(key_share=True))
            return invite(tx, caller=REGISTRAR, user_id=self.user_id, region_code=PROVINCE, ttl_s=ttl_s).secret

        return self.database.transact(work)

    def caller(self) -> Caller:
        principal = self.database.transact(lambda tx: load_principal(tx, self.user_id))
        assert principal is not None
        return Caller(principal, "test")

    def start(self, *, max_s: int = HOUR_S) -> tuple[str, sessions.Session]:
        return self.database.transact(lambda tx: sessions.start(tx, caller=self.caller(), max_s=max_s))

    def find(self, secret: str, *, idle_s: int = HOUR_S) -> sessions.Session | None:
        return self.database.transact(lambda tx: sessions.find(tx, secret=secret, idle_s=idle_s))

    def events(self) -> list[tuple[str, str]]:
        events = self.database.transact(
            lambda tx: tx.execute(
                select(AuditEvent.action, AuditEvent.result)
                .where(AuditEvent.object_id == self.user_id)
                .order_by(AuditEvent.id)
            ).all()
        )
        return [(event.action, event.result) for event in events]


def let_in(database: Database, *, login: str = "registrar", role: Role = Role.REGISTRAR) -> tuple[str, str]:
    organisation = new_organisation(
        OrganisationKind.REGISTRY, identifier_value="12330000MB0010014K", region_code=PROVINCE
    )
    return database.transact(
        lambda tx: bootstrap(
            tx,
            organisation=organisation,
            login=login,
            name="岑书衡",
            role=role,
            region_code=PROVINCE,
            invitation_ttl_s=HOUR_S,
        )
    )


@pytest.fixture
def door(database: Database, passwords: Passwords, tmp_path: Path) -> Door:
    return Door(database, passwords, FieldKeys.load_or_create(tmp_path / "field-keys"), *let_in(database))


def refused(work: Any) -> Code:
    with pytest.raises(AppError) as refusal:
        work()
    return refusal.value.code


def test_the_command_line_lets_the_first_two_in_and_says_so(door: Door) -> None:
    security_id, _ = let_in(door.database, login="security.admin", role=Role.SECURITY_ADMIN)
    assert door.caller().principal.grants == (Grant(Role.REGISTRAR, PROVINCE),)
    granted_by = select(RoleGrant.granted_by).distinct()
    assert door.database.transact(lambda tx: tx.execute(granted_by).scalars().all()) == ["cli"]
    assert door.events() == [("user.created", "done"), ("roles.granted", "done"), ("user.invited", "done")]
    organisations = select(User.organisation_id).where(User.id.in_([door.user_id, security_id])).distinct()
    assert len(door.database.transact(lambda tx: tx.execute(organisations).all())) == 1


def test_the_command_line_does_not_let_the_same_login_in_twice(door: Door) -> None:
    assert refused(lambda: let_in(door.database, login="Registrar")) is Code.LOGIN_TAKEN
    assert door.redeem(door.invitation) == "registrar", "the first invitation still stands"


def test_an_invited_person_sets_a_password_and_signs_in(door: Door) -> None:
    assert refused(door.sign_in) is Code.INVALID_CREDENTIALS
    assert door.database.transact(lambda tx: invited_login(tx, secret=door.invitation)) == "registrar"
    door.redeem(door.invitation)
    assert door.sign_in(login=" Registrar ").principal_id == door.user_id
    assert door.events()[3:] == [
        ("user.signed_in", "refused"),
        ("user.password_set", "done"),
        ("user.signed_in", "done"),
    ]


def test_every_failure_to_sign_in_looks_the_same(door: Door) -> None:
    door.redeem(door.invitation)
    for login, password in (("registrar", OTHER), ("nobody", PASSWORD), ("regis\x00trar", PASSWORD), ("", "")):
        assert refused(lambda login=login, password=password: door.sign_in(password, login)) is (
            Code.INVALID_CREDENTIALS
        )
    disable = update(User).values(disabled_at=select(User.created_at).scalar_subquery())
    door.database.transact(lambda tx: tx.execute(disable))
    assert refused(door.sign_in) is Code.INVALID_CREDENTIALS


def test_a_login_that_is_hammered_rests_and_nobody_learns_whether_it_exists(door: Door) -> None:
    door.redeem(door.invitation)
    for login in ("registrar", "nobody"):
        failures = until_refused(door, login)
        assert FREE <= failures <= LOCK_AT, "each failure takes longer than a short rest on a busy machine"
    assert FREE <= door.events().count(("user.signed_in", "refused")) <= LOCK_AT


def until_refused(door: Door, login: str) -> int:
    """How many wrong passwords were looked at before one was not."""
    for failures in range(LOCK_AT + 1):
        if refused(lambda: door.sign_in(OTHER, login)) is Code.TOO_MANY_ATTEMPTS:
            return failures
    raise AssertionError(f"{login} may be guessed at for ever")


def test_a_password_that_was_changed_meanwhile_does_not_let_in(door: Door) -> None:
    door.redeem(door.invitation)
    second = door.invite()

    class Slow(Passwords):
        """Somebody resets the password while the old one is being checked."""

        @contextmanager
        def in_line(self, *, known: bool) -> Iterator[Turn]:
            with super().in_line(known=known) as turn:
                yield turn
            door.redeem(second, OTHER)

    late = replace(door, passwords=Slow())
    assert refused(late.sign_in) is Code.INVALID_CREDENTIALS
    assert door.sign_in(OTHER).principal_id == door.user_id


def test_a_flood_of_strangers_leaves_no_trace_and_keeps_nobody_out_who_was_here_before(door: Door) -> None:
    """Whoever finds no place in the strangers' line is turned away by reading alone, known login or not."""
    door.redeem(door.invitation)
    door.sign_in()

    def counted() -> int:
        return door.database.transact(
            lambda tx: tx.execute(select(func.count()).select_from(SignInFailures)).scalar_one()
        )

    before = counted()
    with ExitStack() as line:
        for _ in range(IN_LINE):
            line.enter_context(door.passwords.in_line(known=False))
        for number in range(60):
            login = "registrar" if number % 2 else f"nobody.{number}"
            attempt = partial(door.sign_in, login=login, source=f"198.51.100.{number}")
            assert refused(attempt) is Code.BUSY
        assert counted() == before
        assert door.sign_in().principal_id == door.user_id
    assert door.sign_in(source="198.51.100.1").principal_id == door.user_id


def test_an_invitation_works_once(door: Door) -> None:
    door.redeem(door.invitation)
    assert refused(lambda: door.redeem(door.invitation, OTHER)) is Code.INVITATION_INVALID
    assert door.sign_in().principal_id == door.user_id


def test_of_two_who_redeem_one_invitation_at_once_one_wins(door: Door) -> None:
    def redeem(number: int) -> str:
        try:
            door.redeem(door.invitation, f"password number {number}")
        except AppError as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(redeem, range(4))) == ["done", *[Code.INVITATION_INVALID] * 3]


def test_a_newer_invitation_takes_the_place_of_the_older(door: Door) -> None:
    newer = door.invite()
    assert refused(lambda: door.redeem(door.invitation)) is Code.INVITATION_INVALID
    assert door.redeem(newer) == "registrar"


def test_of_invitations_made_at_once_one_stays_open(door: Door) -> None:
    with ThreadPoolExecutor(4) as pool:
        secrets = list(pool.map(lambda _: door.invite(), range(4)))

    def is_open(secret: str) -> bool:
        try:
            door.database.transact(lambda tx: invited_login(tx, secret=secret))
        except AppError:
            return False
        return True

    assert [is_open(secret) for secret in secrets].count(True) == 1


def test_an_invitation_ends_by_the_databases_clock(door: Door) -> None:
    assert refused(lambda: door.redeem(door.invite(ttl_s=0))) is Code.INVITATION_INVALID
    assert refused(lambda: door.redeem("no such secret")) is Code.INVITATION_INVALID


def test_a_weak_password_leaves_the_invitation_open(door: Door) -> None:
    assert refused(lambda: door.redeem(door.invitation, "short")) is Code.PASSWORD_TOO_WEAK
    assert door.redeem(door.invitation) == "registrar"


def test_a_session_is_found_by_its_cookie_alone(door: Door) -> None:
    secret, session = door.start()
    assert door.find(secret) == session
    assert session.user_id == door.user_id
    for other in ("", secret[:-1], secret + "x", session.id):
        assert door.find(other) is None


def test_a_session_ends_when_idle_and_at_its_end_at_the_latest(door: Door) -> None:
    secret, _ = door.start()
    assert door.find(secret, idle_s=0) is None
    assert door.find(secret) is not None
    ended, _ = door.start(max_s=0)
    assert door.find(ended) is None


def test_looking_at_pages_keeps_a_session_alive_and_seldom_writes(door: Door) -> None:
    secret, _ = door.start()

    def seen_at() -> Any:
        return door.database.transact(lambda tx: tx.execute(select(PortalSession.seen_at)).scalar_one())

    first = seen_at()
    door.find(secret)
    assert seen_at() == first
    time.sleep(0.12)
    door.find(secret, idle_s=1)
    assert seen_at() - first >= timedelta(seconds=0.1)


def test_every_session_has_a_csrf_token_of_its_own(door: Door) -> None:
    (secret, session), (_, other) = door.start(), door.start()
    again = door.find(secret)
    assert again is not None
    assert again.accepts(session.csrf_token)
    for token in (other.csrf_token, "", "é", session.csrf_token.upper() + "x", secret):
        assert not session.accepts(token)


def test_signing_out_ends_this_session_and_no_other(door: Door) -> None:
    (secret, session), (other, _) = door.start(), door.start()
    for _ in range(2):
        door.database.transact(lambda tx: sessions.end(tx, caller=door.caller(), session_id=session.id))
    assert door.find(secret) is None
    assert door.find(other) is not None
    assert door.events().count(("user.signed_out", "done")) == 1


def test_nobody_ends_the_session_of_another(door: Door) -> None:
    secret, session = door.start()
    for session_id in (session.id, "ses_x", session.id[:-1] + ("0" if session.id[-1] != "0" else "1")):
        end = partial(sessions.end, caller=REGISTRAR, session_id=session_id)
        assert refused(partial(door.database.transact, end)) is Code.NOT_FOUND
    assert door.find(secret) is not None


def test_a_person_who_set_no_password_anew_keeps_the_tokens(door: Door) -> None:
    door.redeem(door.invitation)
    set_at = door.database.transact(lambda tx: password_at(tx, door.user_id))
    door.sign_in()
    door.invite()
    assert set_at is not None
    assert door.database.transact(lambda tx: password_at(tx, door.user_id)) == set_at


def test_a_new_password_ends_all_sessions(door: Door) -> None:
    secrets = [door.start()[0] for _ in range(2)]
    door.redeem(door.invitation)
    assert [door.find(secret) for secret in secrets] == [None, None]
