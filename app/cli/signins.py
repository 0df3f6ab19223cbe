"""Passwords of the demonstration's people: drawn at random, set through invitations, shown once, kept nowhere."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection

from app.cli.cast import REQUEST_ID, caller
from app.cli.output import say, table
from app.cli.province import Province
from app.cli.state import DemoState
from app.database import Database
from app.kernel.vocabulary import Role
from app.kernel.wording import ROLE_NAMES
from app.services.approvals.decisions import approve
from app.services.identity.bootstrap import PRINCIPAL_ID
from app.services.identity.invitations import create_invitation, invite, redeem_invitation
from app.services.identity.passwords import Passwords
from app.services.identity.principals import Caller, Principal
from app.services.identity.resets import request_password_reset

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
LENGTH = 16
"""Typed from a screen: no look-alikes. 79 bits."""
INVITATION_S = 600
AT_ONCE = 2
"""Hashing one takes a core for a tenth of a second."""

SHOWN_ROLES = (
    Role.MAKER,
    Role.CHECKER,
    Role.FINANCE,
    Role.AUDITOR,
    Role.REGISTRAR,
    Role.SECURITY_ADMIN,
    Role.SYSTEM_ADMIN,
    Role.AUDIT_ADMIN,
)


def _named(role: Role) -> str:
    return f"{ROLE_NAMES[role]} {role}"


class Signins:
    """What is known of passwords in this run: only those that were set in it."""

    def __init__(self, database: Database, province: Province) -> None:
        self._database, self._province = database, province
        self._passwords = Passwords()
        self._set: dict[str, str] = {}

    def passwords_of(self, logins: Iterable[str]) -> dict[str, str]:
        """Passwords for these people; whoever has none from this run gets a new one."""
        wanted = list(dict.fromkeys(logins))
        missing = [login for login in wanted if login not in self._set]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            self._set.update(zip(missing, pool.map(self._set_password, missing), strict=True))
        return {login: self._set[login] for login in wanted}

    def show(self, state: DemoState) -> None:
        """Print a sign-in for each role and the machines' secrets, and remember that they were shown."""
        region_code = self._province.programmes[0].region_code
        officials = [
            (role, person)
            for role in SHOWN_ROLES
            for person in self._province.people_with(role, region_code) or self._province.people_with(role)
        ]
        firm = self._province.firms_of(region_code)[0]
        passwords = self.passwords_of([person.login for _, person in officials] + [firm.login])
        organisations = {known.key: known.name for known in self._province.organisations}
        rows = [
            [_named(role), person.login, passwords[person.login], f"{person.name} {organisations[person.organisation]}"]
            for role, person in officials
        ]
        table(
            "登录账号（仅显示这一次） / Sign-ins, shown this once",
            ["角色 role", "登录名 login", "密码 password", "人员 person"],
            [*rows, [_named(Role.FIRM), firm.login, passwords[firm.login], f"{firm.contact} {firm.name}"]],
        )
        table(
            "机器账号 / Machine clients",
            ["机构 provider", "client_id", "client_secret"],
            [
                [organisations[machine.provider], machine.client_id, machine.client_secret]
                for machine in state.machines.values()
            ],
        )
        state.signins_shown = True
        state.save()

    def _set_password(self, login: str) -> str:
        password = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        redeem_invitation(
            self._database,
            self._passwords,
            secret=self._database.transact(lambda tx: _invite(tx, self._province, login)),
            password=password,
            request_id=REQUEST_ID,
            source="cli",
        )
        return password


def _invite(tx: Connection, province: Province, login: str) -> str:
    """The secret of an invitation: a firm's from the registrar, an official's after a reset that two persons agree to.

    Those two persons themselves are invited by the command line, which let them in.
    """
    registrar, security_admin = (province.person_with(role) for role in (Role.REGISTRAR, Role.SECURITY_ADMIN))
    invited = caller(tx, login)
    user_id = invited.principal_id
    if login in {registrar.login, security_admin.login}:
        region_code = invited.principal.organisation_region
        command_line = Caller(Principal(PRINCIPAL_ID, invited.organisation_id, region_code, ()), REQUEST_ID)
        return invite(tx, caller=command_line, user_id=user_id, region_code=region_code, ttl_s=INVITATION_S).secret
    asking = caller(tx, registrar.login)
    if not invited.holds(Role.FIRM):
        asked = request_password_reset(tx, caller=asking, user_id=user_id, reason="演示登录账号")
        approve(tx, caller=caller(tx, security_admin.login), approval_id=asked)
    return create_invitation(tx, caller=asking, user_id=user_id, ttl_s=INVITATION_S).secret


def say_where_signins_went() -> None:
    """For every later run."""
    say(
        "登录账号已在首次运行时显示；如需重置：voucher demo --new-passwords",
        "sign-ins were shown on the first run; for new ones: voucher demo --new-passwords",
    )
