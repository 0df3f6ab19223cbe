"""Officials' commands against the service: an official's day, what scripts get, and how commands end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from app.cli.commands import app, main
from app.cli.office.pending import key_for
from app.cli.office.words import ACTS
from app.client import ClientError, Conflict, Forbidden, NotSignedIn, Problem, Unauthenticated, Unavailable, Undecided
from app.kernel.vocabulary import ApprovalKind
from tests.cli.processes import COMMAND, environment
from tests.client.faulty import Fault, Network, network_to
from tests.world import Actor, City, World, ok

ROOT = Path(__file__).resolve().parents[2]
SCHEME = ROOT / "examples" / "schemes" / "beijing-2023.toml"
CHINESE = re.compile("[\u4e00-\u9fff]")

runner = CliRunner()


@dataclass
class Shell:
    """A shell in which somebody is signed in."""

    world: World
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    url: str = ""

    def become(self, actor: Actor) -> None:
        self.monkeypatch.setenv("VOUCHER_TOKEN", actor.http.headers["Authorization"].removeprefix("Bearer "))
        self.monkeypatch.setenv("VOUCHER_URL", self.url or self.world.base_url)

    def run(self, *arguments: str) -> str:
        """What the command answers; what it raises is raised."""
        result = runner.invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments))

    def end(self, *arguments: str) -> int:
        """The status with which the whole command ends."""
        self.monkeypatch.setattr(sys, "argv", ["voucher", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code


@pytest.fixture
def city(world: World) -> City:
    return world.city()


@pytest.fixture
def shell(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in ("VOUCHER_DATABASE_URL", "VOUCHER_URL", "VOUCHER_TOKEN", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    return Shell(world, tmp_path, monkeypatch)


@pytest.fixture
def network(world: World) -> Iterator[Network]:
    with network_to(world.base_url) as network:
        yield network


def sheet_of(world: World, folder: Path, firm_id: str, *amounts: str) -> Path:
    firm = ok(world.city().auditor.get(f"/v1/organisations/{firm_id}"))
    rows = [
        f"SL-{number},{firm['identifier']['value']},{firm['name']},{amount}" for number, amount in enumerate(amounts)
    ]
    path = folder / "发放.csv"
    path.write_text("\n".join(["申领编号,统一社会信用代码,企业名称,面值（元）", *rows]), encoding="utf-8")
    return path


def pending(folder: Path) -> list[Path]:
    return sorted((folder / "config" / "compute-vouchers").glob("pending/*"))


def test_every_act_has_a_chinese_name() -> None:
    assert set(ACTS) == set(ApprovalKind)


def test_a_programme_from_its_scheme_to_a_frozen_voucher(world: World, city: City, shell: Shell) -> None:
    shell.become(city.maker)
    draft = shell.json(
        *("programme", "create", "--scheme", str(SCHEME), "--title", "算力券", "--document-no", "京〔2026〕1号"),
        *("--from", "2026-01-01", "--until", "2126-12-31"),
    )
    programme = draft["id"]
    assert (draft["status"], draft["region_code"], draft["authority_id"]) == ("draft", "330100", city.authority_id)
    assert (draft["opens_at"], draft["closes_at"]) == ("2025-12-31T16:00:00.000000Z", "2126-12-31T16:00:00.000000Z")
    submitted = shell.json("programme", "submit", programme)["approval"]["id"]

    shell.become(city.checker)
    told = shell.run("approvals", "--table")
    assert submitted in told and "发布项目 publish_programme" in told
    does = ok(city.checker.get(f"/v1/approvals/{submitted}"))["in_words"]
    assert f"{does['zh']} / {does['en']}" in told
    shown = shell.run("approvals", "show", submitted, "--table", "--language", "en")
    assert does["en"] in shown and does["zh"] not in shown
    assert shell.json("approvals", "approve", submitted, "--yes", "--note", "已核对")["status"] == "approved"

    shell.become(city.finance)
    granted = ("budget", "appropriate", programme, "--amount-yuan", "1,000,000.50", "--document-no", "财1号")
    assert shell.json(*granted, "--dry-run")["amount_fen"] == 100_000_050
    asked = shell.json(*granted)
    assert asked["amount_fen"] == 100_000_050
    shell.become(city.second_finance)
    shell.run("approvals", "approve", asked["id"], "--yes")
    assert "1,000,000.50" in shell.run("budget", "show", programme, "--table")

    shell.become(city.maker)
    firm = world.firm()
    sheet = sheet_of(world, shell.folder, firm, "1000.5", "2000")
    declared = ("--programme", programme, "--count", "2", "--total-yuan", "3000.50")
    assert shell.json("issue", "check", str(sheet), *declared)["dry_run"] is True
    assert shell.json("issue", "list")["data"] == []
    batch = shell.json("issue", str(sheet), *declared)
    assert shell.json("issue", "status", batch["batch_id"])["status"] == "submitted"
    shell.become(city.checker)
    shown = shell.run("approvals", "show", batch["approval_id"], "--table")
    assert "3,000.50" in shown and "1,000,000.50" in shown and "996,999.50" not in shown and "997,000.00" in shown
    shell.run("approvals", "approve", batch["approval_id"], "--yes")
    rows = shell.json("issue", "rows", batch["batch_id"])["data"]
    assert [row["face_value_fen"] for row in rows] == [100_050, 200_000]

    shell.become(city.maker)
    voucher = rows[0]["voucher_id"]
    frozen = shell.json("voucher", "freeze", voucher, "--reason", "核查")
    shell.become(city.checker)
    assert shell.json("approvals", "reject", frozen["id"], "--reason", "无需", "--yes")["status"] == "rejected"
    shell.become(city.maker)
    void = shell.json("voucher", "void", voucher, "--reason", "重复发放")
    shell.become(city.checker)
    shell.run("approvals", "approve", void["id"], "--yes")
    assert shell.json("voucher", "show", voucher)["status"] == "voided"
    assert [one["id"] for one in shell.json("voucher", "list", "--status", "voided")["data"]] == [voucher]
    moved = shell.json("voucher", "movements", voucher)["data"]
    assert [(one["kind"], one["change_fen"]) for one in moved] == [("issue", 100_050), ("void", -100_050)]
    kept = rows[1]["voucher_id"]
    shell.become(city.maker)
    end = ok(city.maker.get(f"/v1/vouchers/{kept}"))["valid_until"]
    assert shell.json("voucher", "extend", kept, "--days", "1", "--reason", "延期", "--dry-run")["days"] == 1
    both = (kept, voucher, "--reason", "清理")
    assert shell.end("voucher", "freeze", *both) == 1  # one of them has ended: all or none
    frozen = shell.json("voucher", "freeze", kept, "--reason", "清理")
    assert shell.json("approvals", "show", frozen["id"])["subject_id"] == kept
    shell.become(city.checker)
    shell.run("approvals", "approve", frozen["id"], "--yes")
    assert shell.json("voucher", "show", kept)["valid_until"] == end
    assert shell.json("voucher", "extensions", kept)["data"] == []
    shell.become(city.maker)
    closed = shell.json("programme", "close", programme, "--reason", "年度结束")
    shell.become(city.checker)
    shell.run("approvals", "approve", closed["id"], "--yes")
    assert shell.json("programme", "show", programme)["status"] == "closed"
    assert world.differences() == []


def test_rules_get_a_second_version_by_two_persons(city: City, shell: Shell) -> None:
    programme = city.programme()
    shell.become(city.maker)
    written = ("programme", "rules", "write", programme, str(SCHEME), "--effective", "2099-01-01")
    assert shell.json(*written, "--dry-run")["version"] is None
    assert len(shell.json("programme", "rules", "list", programme)["data"]) == 1
    assert shell.json(*written)["number"] == 2
    asked = shell.json("programme", "rules", "submit", programme, "2")["approval"]["id"]
    shell.become(city.checker)
    shell.run("approvals", "approve", asked, "--yes")
    assert shell.json("programme", "rules", "show", programme, "2")["status"] == "published"
    assert "/rate" in shell.run("programme", "rules", "diff", programme, "1", "2", "--table")


def test_a_provider_is_admitted_and_a_programme_paused(world: World, city: City, shell: Shell) -> None:
    programme, provider = city.programme(), world.provider()
    shell.become(city.maker)
    asked = shell.json("programme", "admit", programme, provider, "--category", "training", "--category", "inference")
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["approval"]["id"], "--yes")
    shell.become(city.maker)
    (admitted,) = shell.json("programme", "providers", programme)["data"]
    assert (admitted["categories"], admitted["status"]) == (["inference", "training"], "listed")
    assert shell.json("programme", "pause", programme, "--dry-run")["programme_id"] == programme
    assert shell.json("programme", "pause", programme, "--yes")["status"] == "paused"
    assert shell.json("programme", "list", "--status", "paused")["data"][0]["id"] == programme
    asked = shell.json("programme", "resume", programme)
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["id"], "--yes")
    assert shell.json("programme", "show", programme)["status"] == "published"


def test_a_table_stands_straight_and_in_the_language_that_was_asked_for(city: City, shell: Shell) -> None:
    city.programme(title="杭州市算力券")
    city.programme(title="Vouchers")
    shell.become(city.maker)
    table = shell.run("programme", "list", "--table")
    lines = [line for line in table.splitlines() if "prg_330100_" in line]
    assert len(lines) == 2 and len({cell_len(line) for line in lines}) == 1
    assert len({cell_len(line[: line.index("算力券 compute")]) for line in lines}) == 1
    assert "\x1b" not in table
    english = shell.run("programme", "list", "--table", "--language", "en")
    assert not CHINESE.search(english.replace("杭州市算力券", "").replace("杭经信〔2026〕1号", ""))
    chinese = shell.run("programme", "list", "--table", "--language", "zh")
    assert not re.search("[a-z]{4}", re.sub(r"prg_\w+|Vouchers", "", chinese))


def test_a_list_that_is_cut_says_so(city: City, shell: Shell) -> None:
    for _ in range(3):
        city.programme()
    shell.become(city.maker)
    cut = shell.json("programme", "list", "--limit", "2")
    assert (len(cut["data"]), cut["complete"]) == (2, False)
    assert shell.json("programme", "list", "--limit", "3")["complete"] is True
    assert len(shell.json("programme", "list", "--limit", "1", "--all")["data"]) == 3


def test_each_kind_of_end_has_its_status(
    world: World, city: City, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.end("programme", "list") == 4
    shell.become(city.finance)
    programme = city.programme(appropriation_fen=None)
    assert shell.end("programme", "show", programme, "--quiet") == 0
    assert shell.end("programme", "show", "../../healthz") == 2
    assert shell.end("programme", "pause", programme) == 2  # asks, and there is nobody to ask
    assert shell.end("programme", "pause", programme, "--yes") == 1  # the wrong role
    for amount in ("1e3", "12.345", "1,23", "0", "--", "0x10", "1.0.0", "NaN"):
        assert shell.end("budget", "appropriate", programme, "--amount-yuan", amount, "--document-no", "1") == 2
    capsys.readouterr()
    shell.monkeypatch.setenv("VOUCHER_TOKEN", "expired")
    assert shell.end("programme", "list") == 4
    printed = capsys.readouterr()
    answer = json.loads(printed.out[printed.out.index("{") :])  # the service, in the same process, logs the refusal
    assert answer["code"] == "unauthenticated" and "voucher login" in printed.err
    shell.monkeypatch.setenv("VOUCHER_URL", "http://127.0.0.1:1")
    assert shell.end("programme", "list") == 3
    assert "无法连接服务" in capsys.readouterr().err


def test_what_is_wrong_in_a_sheet_is_a_table_of_rows_and_columns(
    world: World, city: City, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.become(city.maker)
    sheet = sheet_of(world, shell.folder, world.firm(), "-5", "10", "1e3")
    declared = ("--programme", city.programme(), "--count", "3", "--total-yuan", "10")
    assert shell.end("issue", "check", str(sheet), *declared) == 1
    printed = capsys.readouterr()
    told = [line.split() for line in printed.err.splitlines()]
    assert [line[:3] for line in told if line[0] in {"2", "4"}] == [["2", "D", "面值（元）"], ["4", "D", "面值（元）"]]
    assert {error["row"] for error in json.loads(printed.out)["errors"]} == {2, 4}
    assert (shell.folder / "发放-校验结果.xlsx").exists()


def test_a_token_goes_to_the_service_that_gave_it_alone(
    world: World, city: City, shell: Shell, network: Network
) -> None:
    token = city.maker.http.headers["Authorization"].removeprefix("Bearer ")
    kept = shell.folder / "config" / "compute-vouchers" / "login.json"
    kept.parent.mkdir(parents=True)
    session = {"url": world.base_url, "login": "m", "user_id": city.maker.id, "token": token}
    kept.write_text(json.dumps(session | {"expires_at": "2126-01-01T00:00:00Z"}))
    assert shell.json("programme", "list")["data"] == []
    assert shell.end("programme", "list", "--url", network.url) == 4
    assert network.seen == []


def test_ctrl_c_in_the_middle_of_a_submission_and_the_same_command_again(
    world: World, city: City, shell: Shell, network: Network
) -> None:
    programme = city.programme()
    sheet = sheet_of(world, shell.folder, world.firm(), "1000")
    network.faults, network.about = [Fault.HELD_ANSWER], "/v1/issuance-batches"
    arguments = ("issue", "submit", str(sheet), "--programme", programme, "--count", "1", "--total-yuan", "1000")
    token = city.maker.http.headers["Authorization"].removeprefix("Bearer ")
    started = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(shell.folder, VOUCHER_TOKEN=token, VOUCHER_URL=network.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not network.done and time.monotonic() < deadline:
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=30)
    assert (started.returncode, "重新运行同一命令" in told.decode()) == (130, True)
    (kept,) = pending(shell.folder)
    assert kept.stat().st_mode & 0o777 == 0o600

    network.let_go.set()
    shell.url = network.url
    shell.become(city.maker)
    batch = shell.json(*arguments)
    assert batch["status"] == "submitted"
    assert len({one.key for one in network.seen if one.method == "POST"}) == 1
    assert [one["id"] for one in shell.json("issue", "list")["data"]] == [batch["batch_id"]]
    assert pending(shell.folder) == []


def asked_on_a_terminal(shell: Shell, *arguments: str, answer: str) -> tuple[int, str]:
    """Run the command on a terminal, and answer its question."""
    token = os.environ["VOUCHER_TOKEN"]
    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(shell.folder, VOUCHER_TOKEN=token, VOUCHER_URL=shell.world.base_url, NO_COLOR="1"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    told = b""
    while b"[y/N]" not in told:
        told += os.read(ours, 4096)
    os.write(ours, f"{answer}\n".encode())
    try:
        while part := os.read(ours, 4096):
            told += part
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(ours)
    return started.wait(timeout=30), told.decode()


def test_approving_shows_what_will_happen_and_asks(city: City, shell: Shell) -> None:
    programme = city.programme()
    body = {"document_no": "财2号", "amount_fen": 12_345, "fund_source": "local"}
    asked = ok(city.finance.post(f"/v1/programmes/{programme}/appropriations", body))["id"]
    shell.become(city.second_finance)
    status, told = asked_on_a_terminal(shell, "approvals", "approve", asked, answer="n")
    assert status == 1 and "nothing was done" in told
    assert "下达预算" in told and "123.45" in told and "1,000,123.45" in told and "财2号" in told
    assert not re.search(r"\x1b\[(?:\d+;)*[34][0-7]", told), "NO_COLOR"
    assert shell.json("approvals", "show", asked)["status"] == "pending"
    assert asked_on_a_terminal(shell, "approvals", "approve", asked, answer="y")[0] == 0
    assert shell.json("approvals", "show", asked)["status"] == "approved"


COMMAND_OF = {"act": "freeze", "voucher_id": "vch_1", "reason": "核查"}


def began(command: dict[str, str], error: BaseException | None = None) -> tuple[str, bool]:
    """The key under which a command is sent, and whether it goes on from before."""
    found: list[tuple[str, bool]] = []
    with suppress(ClientError, KeyboardInterrupt), key_for(command, None) as (key, since):
        found.append((key, since is not None))
        if error is not None:
            raise error
    return found[0]


@pytest.mark.parametrize(
    "error",
    [
        Undecided("no answer", key="k"),
        KeyboardInterrupt(),
        Unavailable(503, {"code": "busy"}),
        Unauthenticated(401, {}),
        Problem(500, {"code": "internal_error"}),
        NotSignedIn(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_was_not_answered_goes_on_under_its_key(shell: Shell, error: BaseException) -> None:
    key, goes_on = began(COMMAND_OF, error)
    assert not goes_on
    assert began({**COMMAND_OF, "reason": "别的"}, error)[0] != key
    # Signed out meanwhile, or without the role: whether it was done is as unknown as before.
    assert began(COMMAND_OF, Forbidden(403, {"code": "forbidden"})) == (key, True)
    assert began(COMMAND_OF, Conflict(409, {"code": "request_in_progress"})) == (key, True)
    assert began(COMMAND_OF) == (key, True)
    assert began(COMMAND_OF)[0] != key


@pytest.mark.parametrize("error", [Conflict(409, {"code": "wrong_state"}), Forbidden(403, {"code": "forbidden"}), None])
def test_what_was_answered_is_another_act_next_time(shell: Shell, error: Problem | None) -> None:
    key, _ = began(COMMAND_OF, error)
    other, goes_on = began(COMMAND_OF, error)
    assert other != key and not goes_on


def test_a_key_that_is_given_is_used_and_not_kept(shell: Shell) -> None:
    with key_for(COMMAND_OF, "mine") as (key, since):
        assert (key, since, pending(shell.folder)) == ("mine", None, [])
