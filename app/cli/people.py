"""`voucher user bootstrap`: the first registrar and the first security administrator of a registry."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from app.cli.local import service_database
from app.cli.login import DEFAULT_URL
from app.cli.output import Failure, console, say
from app.database import Database
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.reach import EVERYWHERE
from app.services.identity.bootstrap import FIRST_ROLES, bootstrap
from app.services.organisations import NewOrganisation

INVITATION_S = 7 * 24 * 3600

app = typer.Typer(no_args_is_help=True, help="人员 / People")


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
