"""`voucher user bootstrap`: the first registrar and the first security administrator of a registry."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from sqlalchemy import Connection, select

from app.cli.groups import Group
from app.cli.local import service_database
from app.cli.login import DEFAULT_URL
from app.cli.output import Failure, console, say
from app.database import Database
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.models import User
from app.reach import EVERYWHERE
from app.services.identity.bootstrap import FIRST_ROLES, PRINCIPAL_ID, bootstrap
from app.services.identity.loading import load_principal
from app.services.identity.principals import Caller, Principal
from app.services.identity.second_factors import remove
from app.services.organisations import NewOrganisation

INVITATION_S = 7 * 24 * 3600
REASON = "command line"

app = typer.Typer(cls=Group, no_args_is_help=True, help="人员 / People")


@app.callback()
def people() -> None:
    """人员 / People."""


@app.command("bootstrap")
def let_in(
    role: Annotated[Role, typer.Option(help="registrar 登记员 | security_admin 安全管理员")],
    login: Annotated[str, typer.Option(help="登录名 / Login")],
    name: Annotated[str, typer.Option(help="姓名 / Name")],
    organisation: Annotated[str, typer.Option(help="登记机构名称 / Name of the registry's organisation")],
    uscc: Annotated[str, typer.Option(help="该机构统一社会信用代码 / Its unified social credit code")],
    region: Annotated[str, typer.Option(help="管辖地区代码，如 330000 / Region of the role")],
) -> None:
    """准入首位登记员或安全管理员，并显示一次邀请链接 / Let the first registrar or security administrator in.

    须能访问数据库（VOUCHER_DATABASE_URL，缺省为内置数据库）。其余人员由这两人按双人原则准入。
    Needs the database. Everybody else is let in by these two, by two persons.
    """
    if role not in FIRST_ROLES:
        raise Failure(f"命令行只准入 {', '.join(sorted(FIRST_ROLES))}。", "others are let in by these two")
    new = NewOrganisation(OrganisationKind.REGISTRY, IdentifierType.USCC, uscc, organisation, region, {})
    with service_database() as url:
        database = Database(url, pool_size=2, reach=EVERYWHERE)
        try:
            _, secret = database.transact(
                lambda tx: bootstrap(
                    tx,
                    organisation=new,
                    login=login,
                    name=name,
                    role=role,
                    region_code=region,
                    invitation_ttl_s=INVITATION_S,
                )
            )
        finally:
            database.dispose()
    address = (os.environ.get("VOUCHER_PUBLIC_URL") or DEFAULT_URL).rstrip("/")
    say("邀请链接（仅显示这一次，7 天内有效，用于设置密码）：", "invitation, shown this once, good for 7 days:")
    console.print(f"{address}/portal/invitations/{secret}", markup=False)


@app.command("reset-second-factor")
def reset_second_factor(login: Annotated[str, typer.Option(help="登录名 / Login")]) -> None:
    """重置登记员或安全管理员的二次验证，用于无人可审核时 / Take away a second factor where nobody is left to agree.

    须能访问数据库。其余人员由登记员提请、安全管理员审核。
    Needs the database. For everybody else a registrar asks and a security administrator agrees.
    """

    def work(tx: Connection) -> bool:
        user_id = tx.execute(select(User.id).where(User.login == login.lower())).scalar_one_or_none()
        person = load_principal(tx, user_id) if user_id else None
        if person is None or person.roles.isdisjoint(FIRST_ROLES):
            raise Failure(f"命令行只重置 {', '.join(sorted(FIRST_ROLES))}。", "others are reset by these two")
        region = person.organisation_region
        command_line = Caller(Principal(PRINCIPAL_ID, person.organisation_id, region, ()), PRINCIPAL_ID)
        return remove(tx, caller=command_line, user_id=person.id, region_code=region, reason=REASON)

    with service_database() as url:
        database = Database(url, pool_size=2, reach=EVERYWHERE)
        try:
            was_there = database.transact(work)
        finally:
            database.dispose()
    if not was_there:
        raise Failure("该账号未启用二次验证。", "there is no second factor")
    say("已重置；所有登录已退出，下次登录时重新设置。", "done: signed out everywhere, to be set up at the next sign-in")
