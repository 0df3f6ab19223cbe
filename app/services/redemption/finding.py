"""Which voucher each command of a batch is about: by its code, or by the hold it draws on. Without a lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from app.kernel.problems import Code
from app.services.redemption.commands import Command, PlaceHold, Redeem
from app.services.redemption.decisions import Refused
from app.services.redemption.holds.loading import HoldKey, ask_places
from app.services.redemption.loading import Found, ask_vouchers


def ask_found(tx: Connection, commands: Sequence[Command]) -> Callable[[], list[Found | Refused]]:
    """The voucher of each command, or why there is none for it; given when it is asked for: see `pipelined`.

    A hold of another provider does not exist.
    """
    codes = {place: code for place, command in enumerate(commands) if (code := _code(command)) is not None}
    holds = {place: key for place, command in enumerate(commands) if (key := hold_key(command)) is not None}
    by_code = ask_vouchers(tx, set(codes.values())) if codes else dict
    by_hold = ask_places(tx, set(holds.values())) if holds else dict

    def found() -> list[Found | Refused]:
        vouchers, places = by_code(), by_hold()
        answers: list[Found | Refused] = []
        for place, command in enumerate(commands):
            if place in codes:
                answers.append(vouchers.get(codes[place]) or _none(Code.VOUCHER_NOT_FOUND, codes[place][1]))
                continue
            hold = places.get(holds[place])
            mine = hold is not None and hold.provider_id == command.provider_id
            if hold and mine:
                answers.append(Found(hold.voucher_id, hold.programme_id))
            else:
                answers.append(_none(Code.HOLD_NOT_FOUND, holds[place][1]))
        return answers

    return found


def _none(code: Code, asked: str) -> Refused:
    return Refused(code, {"actual": asked})


def hold_key(command: Command) -> HoldKey | None:
    """The hold that a redemption draws on; None for any other command."""
    if isinstance(command, Redeem) and command.hold_id is not None:
        return (command.region_code, command.hold_id)
    return None


def _code(command: Command) -> tuple[str, str] | None:
    assert isinstance(command, Redeem | PlaceHold)
    return None if command.voucher_code is None else (command.region_code, command.voucher_code)
