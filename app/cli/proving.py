"""Codes of the second factor on the command line: asked for, sent, and the token that comes of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace

import httpx
import segno
import typer

from app.cli.client import Api, Refused, language
from app.cli.endings import SIGN_IN, NobodySignedIn
from app.cli.output import Failure, console, say
from app.client.problems import problem_of
from app.client.signing_in import Prove, Session, current_session, home, kept_at
from app.embedded.private import write_private

STEP_UP = "/v1/personal-tokens/step-up"
TRIES = 3


def ask_code() -> str:
    """The code that somebody types. Raises Failure where nobody is there to type it."""
    if not sys.stdin.isatty():
        raise Failure(
            "此账号需要动态验证码：请加 --code，或在终端中运行。",
            "a code is needed: give --code, or run it in a terminal",
            status=SIGN_IN,
        )
    return str(typer.prompt("动态验证码或恢复码 / Code", err=True))


def prove_kept(session: Session) -> Prove | None:
    """How a person of `voucher login` proves himself anew; the new token is kept in place of the old one."""

    def keep(token: str, expires_at: str) -> None:
        keep_session(replace(session, token=token, expires_at=expires_at))

    return _prove(keep)


def prove_once() -> Prove | None:
    """The same for a token that nobody keeps: the new one is this command's alone."""
    return _prove(lambda _token, _expires_at: None)


def step_up(session: Session, *, code: str | None, password: str | None = None) -> Session:
    """The session with a token of a fresh proof. Raises Refused, Failure."""
    body = {name: value for name, value in (("code", code), ("password", password)) if value is not None}
    with Api(session.url, session.token) as api:
        made = api.post(STEP_UP, body)
    return replace(session, token=made["token"], expires_at=made["expires_at"], scope=made["scope"])


def keep_session(session: Session) -> None:
    """Keep who is signed in, for the eyes of this person alone."""
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(kept_at(), json.dumps(asdict(session)))


def enrol(url: str, login: str, password: str, device: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """Set up a second factor in the terminal: the personal token and the recovery codes. Raises Refused, Failure."""
    if not sys.stdin.isatty():
        raise Failure(
            f"须先启用二次验证：请在终端运行 voucher login，或打开 {url}/portal/account。",
            "a second factor has to be set up first: run voucher login in a terminal, or use the portal",
        )
    mine = {"login": login, "password": password} | ({"device": device} if device else {})
    with Api(url) as api:
        begun = api.post("/v1/second-factors", mine)
        say("请用手机上的身份验证器扫描：", "scan this with the authenticator on your phone:")
        segno.make_qr(begun["otpauth_uri"]).terminal(out=sys.stderr, compact=True)
        say(f"或手工输入密钥：{begun['secret']}", "or type this key")
        for left in reversed(range(TRIES)):
            first = typer.prompt("身份验证器显示的 6 位动态码 / Code", err=True)
            try:
                made = api.post("/v1/second-factors/confirm", mine | {"first_code": first})
            except Refused as refused:
                if refused.code != "second_factor_invalid" or not left:
                    raise
                say("动态码不正确，请再试一次。", "not right, try again")
            else:
                return made["personal_token"], tuple(made["recovery_codes"])
    raise AssertionError("the last try raises or returns")


def show_recovery_codes(codes: tuple[str, ...]) -> None:
    """Once, on the screen."""
    say("恢复码（仅显示这一次，每个可用一次，请妥善保管）：", "recovery codes, shown this once, each good once:")
    for code in codes:
        console.print(code, markup=False)


def verify_again(code: str | None = None) -> None:
    """`voucher step-up`: prove again who one is."""
    session = current_session()
    if session is None:
        raise NobodySignedIn
    password = None
    if code is None:
        code, password = _asked(session)
    keep_session(step_up(session, code=code, password=password))
    say("已再次验证身份，几分钟内可审核。", "verified again: for some minutes you may decide approvals")


def _asked(session: Session) -> tuple[str | None, str | None]:
    """The code, or the password where there is no second factor: the service says which."""
    with Api(session.url, session.token) as api:
        try:
            api.post(STEP_UP, {})
        except Refused as refused:
            if refused.code == "validation_failed" and sys.stdin.isatty():
                return None, str(typer.prompt("密码 / Password", hide_input=True, err=True))
            if refused.code != "second_factor_needed":
                raise
    return ask_code(), None


def _prove(keep: Callable[[str, str], None]) -> Prove | None:
    if not sys.stdin.isatty():
        return None

    def prove(http: httpx.Client, token: str) -> str | None:
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": language()}

        def sent(body: dict[str, str]) -> httpx.Response:
            return http.post(STEP_UP, json=body, headers=headers)

        say("此操作需要再次验证身份。", "this act needs a fresh verification")
        asked = sent({})
        if asked.status_code == 422:
            body = {"password": str(typer.prompt("密码 / Password", hide_input=True, err=True))}
        else:
            body = {"code": ask_code()}
        answer = sent(body)
        if not answer.is_success:
            raise problem_of(answer.status_code, answer.json())
        made = answer.json()
        keep(made["token"], made["expires_at"])
        return str(made["token"])

    return prove
