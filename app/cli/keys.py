"""`voucher keys`: the keys that sign tokens and payment codes, and that encrypt fields, exchanged while it runs."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from app.cli.encrypting import MISSING, bring_under_newest, missing_in_chinese, owner
from app.cli.groups import Group
from app.cli.local import owner_database, state_dir
from app.cli.output import Failure, console, say
from app.kernel.clock import SHANGHAI, utc_now
from app.services.encrypted_fields.keys import FOLDER, FieldKeys, add_field_key, names_in, remove_field_key
from app.services.encrypted_fields.rotation import left_to_do, missing_keys, standings
from app.services.identity.signing_keys import LOOK_EVERY_S, SigningKeys, add_key, made_at, retire_key
from app.settings import Settings

app = typer.Typer(
    cls=Group, no_args_is_help=True, help="签名密钥与字段密钥 / Signing keys, and keys of encrypted fields"
)


@app.callback()
def keys() -> None:
    """访问令牌与付款码的签名密钥，及字段加密密钥 / Keys that sign tokens and payment codes, and that encrypt fields."""


@app.command("list")
def show(*, as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 / JSON for scripts")] = False) -> None:
    """列出密钥，新的在前；首个用于签名，全部用于验证 / List the keys, newest first: it signs, all verify."""
    kids = SigningKeys(_folder()).kids()
    if as_json:
        rows = [{"kid": kid, "made_at": made_at(kid).isoformat(), "signs": kid == kids[0]} for kid in kids]
        typer.echo(json.dumps(rows))
        return
    for kid in kids:
        role = "签名 / signs" if kid == kids[0] else "仅验证 / verifies"
        console.print(f"{kid}  {made_at(kid).astimezone(SHANGHAI):%Y-%m-%d %H:%M}  {role}", highlight=False)


@app.command()
def rotate() -> None:
    """新增一把密钥并改用其签名，无需重启 / Add a key; running processes sign with it within seconds.

    旧密钥继续验证已签发的令牌，到期后用 voucher keys retire 停用。
    The old keys still verify what they signed; retire them when that has run out.
    """
    kid = add_key(_folder())
    say(f"新密钥 {kid}，{LOOK_EVERY_S:.0f} 秒内启用。", f"new key, in use within {LOOK_EVERY_S:.0f} s")
    older = SigningKeys(_folder()).kids()[1:]
    due = utc_now() + _longest()
    for old in older:
        say(f"{old} 可于 {due.astimezone(SHANGHAI):%Y-%m-%d %H:%M} 后停用。", "may be retired then")


@app.command()
def retire(
    kid: Annotated[str, typer.Argument(help="密钥名 / Name of the key")],
    *,
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once", help="密钥泄露时：其签发的令牌与付款码立即失效 / It leaked: what it signed is void at once"
        ),
    ] = False,
) -> None:
    """停用一把旧密钥 / Remove an old key; what it signed is good no more."""
    known = SigningKeys(_folder()).kids()
    if kid not in known:
        raise Failure(f"没有名为 {kid} 的密钥。", "no key of this name; see voucher keys list")
    if kid == known[0]:
        raise Failure("正在用于签名的密钥不能停用，请先运行 voucher keys rotate。", "it signs: rotate first")
    successor = known[known.index(kid) - 1]
    may_go = made_at(successor) + _longest()
    if utc_now() < may_go and not at_once:
        raise Failure(
            f"其签发的令牌最迟 {may_go.astimezone(SHANGHAI):%Y-%m-%d %H:%M} 到期；如密钥已泄露，请加 --at-once。",
            "tokens that it signed have not run out; with --at-once they are void now",
        )
    retire_key(_folder(), kid)
    say(
        f"已停用 {kid}，{LOOK_EVERY_S:.0f} 秒内生效；已验证过的令牌至多再用一分钟。",
        "retired; within a minute it verifies nothing",
    )


@app.command("rotate-fields")
def rotate_fields() -> None:
    """新增字段密钥，并用其重新加密全部个人及银行信息 / Encrypt all personal and bank data anew, under a new key.

    服务可照常运行。中断后再次运行即从中断处继续。须能以所有者身份访问数据库（VOUCHER_OWNER_URL，缺省为内置数据库）。
    The service goes on meanwhile. Cut short, run it again: it goes on where it stood.
    """
    folder = state_dir() / FOLDER
    with owner_database() as url, owner(url) as database:
        found = database.transact(standings)
        missing = missing_keys(found, names_in(folder))
        if missing:
            raise Failure(missing_in_chinese(missing, state_dir()), MISSING)
        is_first = not names_in(folder)
        FieldKeys.load_or_create(folder)
        if is_first:
            say(f"首把字段密钥 {names_in(folder)[-1]}。", "the first field key; nothing was encrypted before")
        elif left_to_do(found, names_in(folder)[-1]):
            say("继续上次未完成的轮换。", "going on with a rotation that was cut short")
        else:
            say(f"新的字段密钥 {add_field_key(folder)}。", "new field key; running processes write with it soon")
            time.sleep(LOOK_EVERY_S)  # until no process writes with the old one any more
            found = database.transact(standings)
        newest = names_in(folder)[-1]
        bring_under_newest(database, FieldKeys(folder), left_to_do(found, newest))
    for old in names_in(folder)[:-1]:
        say(
            f"数据库中已无以 {old} 加密的内容；更早的备份仍需要它，待其删除后再运行 voucher keys retire-field {old}。",
            "nothing is under it any more, but older backups are: retire it when they are gone",
        )


@app.command("retire-field")
def retire_field(name: Annotated[str, typer.Argument(help="字段密钥名 / Name of the field key")]) -> None:
    """停用一把旧字段密钥 / Remove a field key that nothing in the database is under any more.

    更早的备份仍以其加密，没有它便无法读取。
    Backups from before the rotation are still under it and cannot be read without.
    """
    folder = state_dir() / FOLDER
    known = names_in(folder)
    if name not in known:
        raise Failure(f"没有名为 {name} 的字段密钥。", "no field key of this name in field-keys")
    if name == known[-1]:
        raise Failure("正在使用的字段密钥不能停用，请先运行 voucher keys rotate-fields。", "it is in use: rotate first")
    with owner_database() as url, owner(url) as database:
        count = sum(one.values.get(name, 0) for one in database.transact(standings))
    if count:
        raise Failure(
            f"仍有 {count} 项内容以其加密，请先运行 voucher keys rotate-fields。", "values are under it: rotate first"
        )
    remove_field_key(folder, name)
    say(f"已停用字段密钥 {name}。", "removed")


def _longest() -> timedelta:
    settings = Settings(database_url="postgresql+psycopg://nobody@localhost/none", state_dir=state_dir())
    return timedelta(seconds=max(settings.access_token_ttl_s, settings.personal_token_ttl_s))


def _folder() -> Path:
    folder = state_dir() / "keys"
    if not any(folder.glob("*.pem")):
        raise Failure(
            f"{folder} 中没有密钥；服务首次启动时生成。", "no keys there yet: the service makes them at its first start"
        )
    return folder
