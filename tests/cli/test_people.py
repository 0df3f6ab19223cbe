"""`voucher user bootstrap`: the first two people come by the command line, each once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.commands import app
from app.cli.output import Failure
from app.database import Database
from app.embedded.databases import Urls
from app.kernel.problems import AppError
from app.services.identity.invitations import invited_login

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
