"""What any command does where nobody is signed in, nobody can be asked, or the terminal knows no Chinese."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.processes import voucher


@pytest.mark.parametrize("command", [("whoami",), ("api", "GET", "/v1/vouchers"), ("approvals",), ("step-up",)])
def test_whoever_is_not_signed_in_is_told_so_with_status_4(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = voucher(tmp_path, *command)
    assert done.returncode == 4
    assert "请先运行 voucher login" in done.stderr and "run voucher login first" in done.stderr


def test_signing_in_without_a_terminal_says_which_options_to_give(tmp_path: Path) -> None:
    done = voucher(tmp_path, "login", "--login", "somebody")
    assert done.returncode == 2
    assert "--password-stdin" in done.stderr and "Warning" not in done.stderr


def test_a_terminal_that_knows_no_chinese_gets_escapes_and_no_traceback(tmp_path: Path) -> None:
    done = voucher(tmp_path, "logout", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "\\u5df2\\u9000\\u51fa\\u3002 / signed out\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [(("GET", "v1/vouchers"), "/v1/vouchers"), (("FETCH", "/v1/vouchers"), "FETCH")],
    ids=["no slash", "no such method"],
)
def test_a_call_that_cannot_be_one_is_refused_before_anything_is_sent(
    tmp_path: Path, words: tuple[str, str], told: str
) -> None:
    done = voucher(tmp_path, "api", *words)
    assert done.returncode == 2
    assert told in done.stderr
