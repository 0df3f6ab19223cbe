"""`voucher user bootstrap`: the first two people come by the command line, each once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from typer.testing import CliRunner

from app.cli.commands import app
from app.cli.output import Failure
from app.database import Database
from app.embedded.databases import Urls
from app.kernel.problems import AppError
from app.models import User
from app.services.encrypted_fields.keys import FieldKeys
from app.services.identity.invitations import invited_login
from app.services.identity.loading import load_principal
from app.services.identity.principals import Caller
from app.services.identity.second_factors import begin, confirm
from app.services.identity.totp import code_of, step_of
from app.sql import now

runner = CliRunner()


def bootstrap(role: str, login: str, uscc: str = "12330000MB0010014K") -> str:
    arguments = ["--role", role, "--login", login, "--name", "岑书衡", "--organisation", "登记中心"]
    result = runner.invoke(
        app, ["user", "bootstrap", *arguments, "--uscc", uscc, "--region", "330000"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(autouse=True)
def settings_of_the_test(urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOUCHER_DATABASE_URL", urls.app_url)
    monkeypatch.setenv("VOUCHER_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("VOUCHER_PUBLIC_URL", "https://vouchers.example")


def test_the_link_printed_once_lets_the_first_registrar_choose_a_password(database: Database) -> None:
    printed = bootstrap("registrar", "first.registrar")
    [secret] = re.findall(r"https://vouchers\.example/portal/invitations/([\w-]+)", printed)
    assert database.transact(lambda tx: invited_login(tx, secret=secret)) == "first.registrar"
    with pytest.raises(AppError, match="login_taken"):
        bootstrap("registrar", "first.registrar")


def test_registrar_and_security_administrator_may_share_an_organisation() -> None:
    assert "invitations/" in bootstrap("registrar", "first.registrar")
    assert "invitations/" in bootstrap("security_admin", "first.security")


def test_nobody_else_comes_by_the_command_line() -> None:
    with pytest.raises(Failure, match="registrar, security_admin"):
        bootstrap("finance", "a.thief")


def test_a_mistyped_code_is_refused() -> None:
    with pytest.raises(AppError, match="validation_failed"):
        bootstrap("registrar", "first.registrar", uscc="12330000MB0010015K")


def test_where_nobody_is_left_to_agree_the_command_line_takes_a_second_factor_away(
    database: Database, tmp_path: Path
) -> None:
    bootstrap("security_admin", "first.security")
    keys = FieldKeys.load_or_create(tmp_path / "field-keys")

    def has_one(tx: Connection) -> bool:
        user_id = tx.execute(select(User.id).where(User.login == "first.security")).scalar_one()
        principal = load_principal(tx, user_id)
        assert principal is not None
        caller = Caller(principal, "test")
        secret = begin(tx, keys, caller=caller).secret
        return confirm(tx, keys, caller=caller, code=code_of(secret, step_of(now(tx)))) is not None

    assert database.transact(has_one)
    reset = ["user", "reset-second-factor", "--login", "First.Security"]
    assert runner.invoke(app, reset, catch_exceptions=False).exit_code == 0
    with pytest.raises(Failure, match="no second factor"):
        runner.invoke(app, reset, catch_exceptions=False)
    with pytest.raises(Failure, match="registrar, security_admin"):
        runner.invoke(app, [*reset[:-1], "nobody"], catch_exceptions=False)
