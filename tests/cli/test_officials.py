"""An official's way from the shell: sign in, submit a sheet, have it approved by another person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # ships no type information
from sqlalchemy import select, update
from typer.testing import CliRunner

from app.cli.client import Refused
from app.cli.commands import app
from app.cli.output import Failure
from app.kernel.vocabulary import OrganisationKind
from app.models import Organisation, User
from app.services.identity.passwords import Passwords
from app.services.issuance.forms import ISSUANCE
from app.services.sheets.workbook import read_worksheets
from tests.world import Actor, City, World, ok

PASSWORD = "correct horse battery staple"
runner = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("VOUCHER_DATABASE_URL", "VOUCHER_URL", "VOUCHER_LOGIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("VOUCHER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    return tmp_path


def voucher(*arguments: str, typed: str | None = None) -> str:
    """What the command prints; what it raises is raised."""
    result = runner.invoke(app, list(arguments), input=typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def sign_in(world: World, actor: Actor) -> str:
    password_hash = Passwords().hash(PASSWORD, login="")
    world.database.transact(
        lambda tx: tx.execute(update(User).where(User.id == actor.id).values(password_hash=password_hash))
    )
    login: str = world.database.transact(
        lambda tx: tx.execute(select(User.login).where(User.id == actor.id)).scalar_one()
    )
    return voucher("login", "--url", world.base_url, "--login", login, "--password-stdin", typed=f"{PASSWORD}\n")


def sheet(folder: Path, world: World, firm_id: str, face_value: str) -> Path:
    firm = world.database.transact(
        lambda tx: tx.execute(
            select(Organisation.identifier_value, Organisation.name).where(
                Organisation.id == firm_id, Organisation.kind == OrganisationKind.FIRM
            )
        ).one()
    )
    path = folder / "发放.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        worksheet = workbook.add_worksheet("发放清单")
        worksheet.write_row(0, 0, list(ISSUANCE.headings.values()))
        worksheet.write_row(1, 0, ["SL-1", firm.identifier_value, firm.name, face_value])
    return path


@pytest.fixture
def city(world: World) -> City:
    return world.city()


def test_two_persons_issue_vouchers_from_a_sheet(world: World, city: City, tmp_path: Path) -> None:
    programme_id = city.programme()
    path = sheet(tmp_path, world, world.firm(), "1234.50")
    asked = ("issue", str(path), "--programme", programme_id, "--count", "1", "--total", "1,234.50")

    sign_in(world, city.maker)
    assert "nothing was submitted" in voucher(*asked, "--dry-run")
    assert "apv_330100_" in voucher(*asked)
    with pytest.raises(Refused, match="file_already_submitted"):
        voucher(*asked)
    [approval] = json.loads(voucher("api", "GET", "/v1/approvals?status=pending"))["data"]
    assert approval["id"] in voucher("approvals")
    with pytest.raises(Refused, match="forbidden"):
        voucher("approve", approval["id"])

    sign_in(world, city.checker)
    assert "approved" in voucher("approve", approval["id"], "--note", "checked")
    assert approval["id"] not in voucher("approvals")
    [issued] = ok(city.maker.get("/v1/vouchers", programme_id=programme_id))["data"]
    assert issued["face_value_fen"] == 123_450
    assert world.differences() == []


def test_a_wrong_sheet_is_answered_with_row_and_column(world: World, city: City, tmp_path: Path) -> None:
    programme_id = city.programme()
    sign_in(world, city.maker)
    path = sheet(tmp_path, world, world.firm(), "-5")
    with pytest.raises(Refused, match=r"row 2 D 面值（元）: .*above 0"):
        voucher("issue", str(path), "--programme", programme_id, "--count", "1", "--total", "5")
    (copy,) = tmp_path.glob("发放-校验结果.xlsx")
    assert "above 0" in str(next(iter(read_worksheets(copy.read_bytes()))).cells[1][-1])


def test_a_token_is_kept_privately_until_it_is_forgotten(world: World, city: City, home: Path) -> None:
    with pytest.raises(Failure, match="voucher login"):
        voucher("whoami")
    sign_in(world, city.maker)
    kept = home / "config" / "compute-vouchers" / "login.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert "maker 330100" in voucher("whoami")
    voucher("logout")
    assert not kept.exists()
    with pytest.raises(Failure, match="voucher login"):
        voucher("whoami")


def test_a_token_that_has_run_out_counts_for_nothing(world: World, city: City, home: Path) -> None:
    sign_in(world, city.maker)
    kept = home / "config" / "compute-vouchers" / "login.json"
    session = json.loads(kept.read_text())
    kept.write_text(json.dumps(session | {"expires_at": "2020-01-01T00:00:00.000000Z"}))
    with pytest.raises(Failure, match="voucher login"):
        voucher("approvals")


def test_a_wrong_password_leaves_nothing_behind(world: World, home: Path) -> None:
    with pytest.raises(Refused, match="invalid_credentials"):
        voucher("login", "--url", world.base_url, "--login", "nobody", "--password-stdin", typed="wrong\n")
    assert not (home / "config").exists()


def test_a_service_that_is_not_there_is_told() -> None:
    with pytest.raises(Failure, match="cannot reach"):
        voucher("login", "--url", "http://127.0.0.1:1", "--login", "nobody", "--password-stdin", typed="x\n")


def test_any_part_of_the_api_can_be_called_with_json(world: World, city: City) -> None:
    sign_in(world, city.auditor)
    body = json.dumps({"region_code": city.region_code})
    checked = json.loads(voucher("api", "post", "/v1/reconciliations", "--json", "-", typed=body))
    assert checked["difference_count"] == 0


def test_the_books_are_checked_over_the_api(world: World, city: City) -> None:
    sign_in(world, city.auditor)
    assert "invariants hold" in voucher("reconcile", "--region", city.region_code)
    with pytest.raises(Failure, match="--region"):
        voucher("reconcile")


def test_the_books_are_checked_on_the_database_and_the_status_tells(
    world: World, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.programme()
    url = world.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("VOUCHER_DATABASE_URL", url)
    assert "invariants hold" in voucher("reconcile")

    world.database.transact(lambda tx: tx.exec_driver_sql("UPDATE pools SET available_fen = available_fen + 1"))
    result = runner.invoke(app, ["reconcile"])
    assert result.exit_code == 1
    assert "stored_counters 330100 available pol_330100_" in result.output
    assert runner.invoke(app, ["reconcile", "--region", "330200"]).exit_code == 0
