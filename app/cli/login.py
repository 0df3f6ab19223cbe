"""`voucher login`, `logout`, `whoami`: a person's token, kept in a private file until it runs out."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from app.cli.client import PATIENCE, Api, language
from app.cli.output import Failure, say
from app.client import VoucherClient
from app.client.signing_in import Session, current_session, home, kept_at
from app.embedded.private import write_private
from app.kernel.clock import SHANGHAI

DEFAULT_URL = "http://127.0.0.1:8000"


def sign_in(url: str, login: str, password: str) -> Session:
    """Fetch a personal token. Raises Refused, Failure."""
    with Api(url) as api:
        made = api.post("/v1/personal-tokens", {"login": login, "password": password})
    return Session(url, login, made["user_id"], made["token"], made["expires_at"])


def signed_in() -> Api:
    """A client with the token of `voucher login`. Raises Failure where nobody is signed in."""
    session = current_session()
    if session is None:
        raise Failure("尚未登录或登录已过期，请先运行 voucher login。", "not signed in: run voucher login first")
    return Api(session.url, session.token)


def official() -> VoucherClient:
    """The typed client, as the person of `voucher login`. Raises Failure where nobody is signed in."""
    session = current_session()
    if session is None:
        raise Failure("尚未登录或登录已过期，请先运行 voucher login。", "not signed in: run voucher login first")
    return VoucherClient(session.url, token=session.token, language=language(), patience=PATIENCE)


def login(
    url: Annotated[str, typer.Option(help="服务地址 / Address of the service", envvar="VOUCHER_URL")] = DEFAULT_URL,
    name: Annotated[
        str | None,
        typer.Option("--login", help="登录名（默认询问） / Login; asked for where missing", envvar="VOUCHER_LOGIN"),
    ] = None,
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="从标准输入读取密码 / Read the password from standard input")
    ] = False,
) -> None:
    """登录并在本机保存个人令牌（至多 12 小时） / Sign in and keep a personal token (12 hours at most)."""
    name = name or typer.prompt("登录名 / Login")
    password = sys.stdin.readline().rstrip("\n") if password_stdin else typer.prompt("密码 / Password", hide_input=True)
    session = sign_in(url.rstrip("/"), name, password)
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(kept_at(), json.dumps(asdict(session)))
    say(f"已登录：{session.login} @ {session.url}", f"signed in until {_local(session.expires_at)}")


def logout() -> None:
    """删除本机保存的令牌 / Forget the token kept on this machine."""
    with suppress(FileNotFoundError):
        kept_at().unlink()
    say("已退出。", "signed out")


def whoami() -> None:
    """当前登录人及其角色 / Who is signed in, with which roles."""
    session = current_session()
    with signed_in() as api:
        assert session is not None, "signed_in has looked"
        me = api.get(f"/v1/users/{session.user_id}")
    roles = ", ".join(f"{role['role']} {role['region_code']}" for role in me["roles"]) or "-"
    say(f"{me['name']}（{me['login']}）@ {session.url}", roles)
    say("令牌有效期至", f"token good until {_local(session.expires_at)}")


def _local(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
