"""`voucher login`, `logout`, `whoami`: a person's token, kept in a private file until it runs out."""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from app.cli.client import PATIENCE, Api, language
from app.cli.output import Failure, console, say
from app.client import VoucherClient
from app.client.signing_in import Session, current_session, home, kept_at
from app.embedded.private import write_private
from app.kernel.clock import SHANGHAI

SCOPES = {"read": "只读 / read", "write": "只写 / write", "read write": "读写 / read write"}
DEFAULT_URL = "http://127.0.0.1:8000"


def sign_in(url: str, login: str, password: str, asked: Mapping[str, object] | None = None) -> Session:
    """Fetch a personal token. Raises Refused, Failure."""
    return _fetched(url, "/v1/personal-tokens", {"login": login, "password": password}, asked or {}, login)


def sign_in_by_code(url: str, provider: str, *, asked: Mapping[str, object], read: Callable[[], str]) -> Session:
    """Send the person to a browser, `read` the code that the page shows there, and fetch a personal token for it.

    Raises Refused, Failure.
    """
    verifier = secrets.token_urlsafe(32)
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    say("请在浏览器中打开下面的地址登录，再把页面显示的代码粘贴到这里：", "open this in a browser and paste the code:")
    console.print(f"{url}/portal/openid/{provider}/token/{challenge}", markup=False, soft_wrap=True)
    code = read().strip()
    return _fetched(url, "/v1/personal-tokens/by-code", {"code": code, "verifier": verifier}, asked, None)


def _fetched(
    url: str, path: str, proof: Mapping[str, object], asked: Mapping[str, object], login: str | None
) -> Session:
    with Api(url) as api:
        made = api.post(path, {**proof, **asked})
    if login is None:
        with Api(url, made["token"]) as api:
            login = str(api.get(f"/v1/users/{made['user_id']}")["login"])
    return Session(url, login, made["user_id"], made["token"], made["expires_at"], made["scope"])


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
        bool,
        typer.Option(
            "--password-stdin", help="从标准输入读取密码或代码 / Read the password or code from standard input"
        ),
    ] = False,
    provider: Annotated[
        str | None,
        typer.Option("--with", help="用统一身份平台登录，如 zwfw / Sign in at an outside provider, by its name here"),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="令牌只能查看，不能改动 / A token that only reads and changes nothing")
    ] = False,
    hours: Annotated[
        int | None, typer.Option(min=1, max=12, help="令牌有效小时数 / How many hours the token is good for")
    ] = None,
) -> None:
    """登录并在本机保存个人令牌（至多 12 小时） / Sign in and keep a personal token (12 hours at most)."""
    asked: dict[str, object] = ({"scope": "read"} if read_only else {}) | (
        {"expires_in_s": hours * 3600} if hours else {}
    )
    if provider is not None:
        session = sign_in_by_code(
            url.rstrip("/"),
            provider,
            asked=asked,
            read=sys.stdin.readline if password_stdin else lambda: str(typer.prompt("代码 / Code", hide_input=True)),
        )
    else:
        name = name or typer.prompt("登录名 / Login")
        password = (
            sys.stdin.readline().rstrip("\n") if password_stdin else typer.prompt("密码 / Password", hide_input=True)
        )
        session = sign_in(url.rstrip("/"), name, password, asked)
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(kept_at(), json.dumps(asdict(session)))
    say(f"已登录：{session.login} @ {session.url}", f"signed in until {_local(session.expires_at)}")
    if read_only:
        say("该令牌只能查看，不能改动。", "this token only reads")


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
    say("令牌权限", SCOPES.get(session.scope, session.scope))


def tokens() -> None:
    """本人的个人令牌及其权限 / Your personal tokens, with what they are for."""
    with signed_in() as api:
        mine = api.get("/v1/personal-tokens")["data"]
    for token in mine:
        ended = "已撤销 / revoked" if token["revoked_at"] else f"至 / until {_local(token['expires_at'])}"
        console.print(f"{token['id']}  {SCOPES.get(token['scope'], token['scope'])}  {ended}", markup=False)
    if not mine:
        say("没有个人令牌。", "no personal tokens")


def revoke_token(
    token: Annotated[str, typer.Argument(help="令牌编号 ptk_… / Id of the token")],
) -> None:
    """撤销本人的一个个人令牌 / Revoke one of your personal tokens."""
    with signed_in() as api:
        api.send("DELETE", f"/v1/personal-tokens/{token}")
    say("已撤销，一分钟内失效。", "revoked, good nowhere within a minute")


def _local(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
