"""`voucher login`, `logout`, `whoami`: a person's token, kept in a private file until it runs out."""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Annotated

import typer

from app.cli.client import PATIENCE, Api, Refused, language
from app.cli.endings import USAGE, NobodySignedIn
from app.cli.output import Failure, console, say
from app.cli.proving import ask_code, enrol, keep_session, prove_kept, show_recovery_codes, verify_again
from app.client import VoucherClient
from app.client.signing_in import Session, current_session, home, kept_at
from app.embedded.private import write_private
from app.kernel.clock import SHANGHAI

DEFAULT_URL = "http://127.0.0.1:8000"
DEVICES = "devices.json"
BY_CODE = "/v1/personal-tokens/by-code"
SCOPES = {"read": "只读 / read", "write": "只写 / write", "read write": "读写 / read write"}
NOTHING_MORE: Mapping[str, object] = MappingProxyType({})


def sign_in(
    url: str,
    login: str,
    password: str,
    *,
    code: str | None = None,
    device: str | None = None,
    asked: Mapping[str, object] = NOTHING_MORE,
) -> Session:
    """Fetch a personal token. Raises Refused, Failure."""
    given = {"login": login, "password": password, "code": code, "device": device, **asked}
    with Api(url) as api:
        made = api.post("/v1/personal-tokens", {name: value for name, value in given.items() if value is not None})
    return _session(url, login, made)


def sign_in_by_code(url: str, provider: str, *, asked: Mapping[str, object], read: Callable[[], str]) -> Session:
    """Send the person to a browser, `read` the code that the page shows there, and fetch a personal token for it.

    Raises Refused, Failure.
    """
    verifier = secrets.token_urlsafe(32)
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    say("请在浏览器中打开下面的地址登录，再把页面显示的代码粘贴到这里：", "open this in a browser and paste the code:")
    console.print(f"{url}/portal/openid/{provider}/token/{challenge}", markup=False, soft_wrap=True)
    given = {"code": read().strip(), "verifier": verifier, **asked}
    with Api(url) as api:
        try:
            made = api.post(BY_CODE, given)
        except Refused as refused:
            if refused.code != "second_factor_needed":
                raise
            made = api.post(BY_CODE, given | {"second_factor_code": ask_code()})
    with Api(url, made["token"]) as api:
        login = str(api.get(f"/v1/users/{made['user_id']}")["login"])
    return _session(url, login, made)


def _session(url: str, login: str, made: Mapping[str, str]) -> Session:
    return Session(
        url, login, made["user_id"], made["token"], made["expires_at"], made.get("device"), made.get("scope", "")
    )


def signed_in() -> Api:
    """A client with the token of `voucher login`. Raises Failure where nobody is signed in."""
    session = current_session()
    if session is None:
        raise NobodySignedIn
    return Api(session.url, session.token)


def official() -> VoucherClient:
    """The typed client, as the person of `voucher login`. Raises Failure where nobody is signed in."""
    session = current_session()
    if session is None:
        raise NobodySignedIn
    return VoucherClient(
        session.url, token=session.token, prove=prove_kept(session), language=language(), patience=PATIENCE
    )


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
    code: Annotated[
        str | None, typer.Option(help="动态验证码或恢复码（默认需要时询问） / Code of the second factor; asked for")
    ] = None,
) -> None:
    """登录并在本机保存个人令牌（至多 12 小时） / Sign in and keep a personal token (12 hours at most).

    账号已启用二次验证的，须填写动态码；角色要求而尚未启用的，在此设置。
    With a second factor its code is asked for; whose role needs one sets it up here.
    """
    url = url.rstrip("/")
    asked: dict[str, object] = ({"scope": "read"} if read_only else {}) | (
        {"expires_in_s": hours * 3600} if hours else {}
    )
    if provider is not None:
        read = sys.stdin.readline if password_stdin else lambda: str(typer.prompt("代码 / Code", hide_input=True))
        session = sign_in_by_code(url, provider, asked=asked, read=read)
    else:
        password = sys.stdin.readline().rstrip("\n") if password_stdin else None
        if not sys.stdin.isatty() and (name is None or password is None):
            raise Failure(
                "没有终端可供询问：请加 --login 与 --password-stdin，并由标准输入给出密码。",
                "no terminal to ask on: give --login and --password-stdin, with the password on standard input",
                status=USAGE,
            )
        name = name or str(typer.prompt("登录名 / Login"))
        password = password if password is not None else str(typer.prompt("密码 / Password", hide_input=True))
        session = _entered(url, name, password, code, asked)
    keep_session(session)
    if session.device:
        _keep_device(url, session.login, session.device)
    until = _local(session.expires_at)
    say(
        f"已登录：{session.login} @ {session.url}，令牌有效期至 {until}（北京时间）",
        f"signed in until {until} (Beijing time)",
    )
    if session.scope == "read":
        say("该令牌只能查看，不能改动。", "this token only reads")


def logout(
    *,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="在所有设备上退出登录，个人令牌全部失效 / All sessions and all tokens")
    ] = False,
) -> None:
    """删除本机保存的令牌 / Forget the token kept on this machine."""
    if everywhere:
        with signed_in() as api:
            api.send("DELETE", "/v1/personal-tokens/all")
    with suppress(FileNotFoundError):
        kept_at().unlink()
    say(
        "已在所有设备上退出登录。" if everywhere else "已退出。",
        "signed out everywhere" if everywhere else "signed out",
    )


def step_up(
    code: Annotated[
        str | None, typer.Option(help="动态验证码或恢复码（默认询问） / Code of the second factor; asked for")
    ] = None,
) -> None:
    """再次验证身份，以便审核等重要操作 / Prove again who one is, for approvals and other acts of weight."""
    verify_again(code)


def whoami() -> None:
    """当前登录人及其角色 / Who is signed in, with which roles."""
    session = current_session()
    with signed_in() as api:
        assert session is not None, "signed_in has looked"
        me = api.get(f"/v1/users/{session.user_id}")
    roles = ", ".join(f"{role['role']} {role['region_code']}" for role in me["roles"]) or "-"
    say(f"{me['name']}（{me['login']}）@ {session.url}", roles)
    say("令牌有效期至（北京时间）", f"token good until (Beijing time) {_local(session.expires_at)}")
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


def _entered(url: str, login: str, password: str, code: str | None, asked: Mapping[str, object]) -> Session:
    """Sign in, with a code where one is needed, and with a second factor set up where that is."""
    device = _device(url, login)
    try:
        session = sign_in(url, login, password, code=code, device=device, asked=asked)
    except Refused as refused:
        if refused.code == "second_factor_needed" and code is None:
            session = sign_in(url, login, password, code=ask_code(), device=device, asked=asked)
        elif refused.code == "second_factor_enrolment_needed":
            made, codes = enrol(url, login, password, device)
            session = _session(url, login, made)
            show_recovery_codes(codes)
        else:
            raise
    return session


def _devices() -> dict[str, str]:
    """What this machine is known by, for each service and login: strangers' failures do not keep it out."""
    try:
        kept = json.loads((home() / DEVICES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): str(value) for name, value in kept.items()} if isinstance(kept, dict) else {}


def _device(url: str, login: str) -> str | None:
    return _devices().get(f"{url} {login.lower()}")


def _keep_device(url: str, login: str, device: str) -> None:
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(home() / DEVICES, json.dumps(_devices() | {f"{url} {login.lower()}": device}))


def _local(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
