"""Until when vouchers are valid, as the leaves tell it: by the details of their issue, and of each extension since."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import Any, NamedTuple

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder

from app.verifier.findings import Findings
from app.verifier.leaves import AuditEvent

EXTENDED = "voucher.extended"
"""The action of an audit event that makes a voucher valid longer."""


class _Issued(Struct):
    valid_from: str
    valid_until: str
    redeemable_until: str


class _Extended(Struct):
    maker: str
    valid_until_before: str
    redeemable_until_before: str
    valid_until: str
    redeemable_until: str


class Awaited(NamedTuple):
    """A leaf whose details tell a validity: whose, and for an extension who decided it, and the last draw before it."""

    voucher: str
    checker: str | None = None
    last_draw: str = ""


_read_issued, _read_extended = Decoder(_Issued).decode, Decoder(_Extended).decode


class Validities:
    """`by_voucher`: from, until and the end of the grace, with blanks between; many vouchers share one text."""

    def __init__(self, region: str) -> None:
        self._region = region
        self.by_voucher: dict[str, str] = {}
        self.awaited: dict[str, Awaited] = {}
        """Leaves of this file whose details have not come yet, in their order."""

    def issued(self, entry: str, voucher: str) -> None:
        """An entry brings a voucher into being."""
        self.awaited[entry] = Awaited(voucher)

    def extended(self, event: AuditEvent, voucher: str, last_draw: str) -> None:
        """An event makes a voucher valid longer that was last drawn on at this instant."""
        self.awaited[event.id] = Awaited(voucher, event.principal, last_draw)

    def judge(self, details: Mapping[str, str], index_of: Mapping[str, int], findings: Findings) -> None:
        """Take in what the details say, in the order of the leaves. All of them must be there."""
        for leaf, awaited in self.awaited.items():
            text = details.get(leaf)
            if text is None:
                findings.add("text_missing", self._region, f"{leaf} details", index=index_of[leaf], entry=leaf)
                continue
            try:
                said = self._issue(awaited, text) if awaited.checker is None else self._extension(awaited, text)
            except (ValidationError, DecodeError):
                said = f"details of {leaf}"
            if said is not None:
                known = self.by_voucher.get(awaited.voucher, "")
                subject, place = awaited.voucher, index_of[leaf]
                findings.add("extension", self._region, subject, expected=known, actual=said, index=place, entry=leaf)
        self.awaited.clear()

    def give_up(self) -> None:
        """Of leaves that are not sealed yet no details are there: what they change is not judged."""
        for awaited in self.awaited.values():
            self.by_voucher.pop(awaited.voucher, None)
        self.awaited.clear()

    def _issue(self, awaited: Awaited, text: str) -> str | None:
        said = _read_issued(text)
        self._set(awaited.voucher, said.valid_from, said.valid_until, said.redeemable_until)
        return None

    def _extension(self, awaited: Awaited, text: str) -> str | None:
        """Take an extension in; what is wrong with it is told."""
        said = _read_extended(text)
        known = self.by_voucher.get(awaited.voucher)
        before = f"{said.valid_until_before} {said.redeemable_until_before}"
        follows = known is not None and known.split(" ", 1)[1] == before
        grows = said.valid_until_before <= said.valid_until and said.redeemable_until_before <= said.redeemable_until
        in_time = awaited.last_draw < said.valid_until_before
        valid_from = known.split(" ", 1)[0] if known is not None else ""
        self._set(awaited.voucher, valid_from, said.valid_until, said.redeemable_until)
        if follows and grows and in_time and said.maker != awaited.checker:
            return None
        return f"{before} → {said.valid_until} {said.redeemable_until}, drawn {awaited.last_draw}, by {said.maker}"

    def _set(self, voucher: str, valid_from: str, valid_until: str, redeemable_until: str) -> None:
        self.by_voucher[voucher] = intern(f"{valid_from} {valid_until} {redeemable_until}")

    def restore(self, written: Mapping[str, Any]) -> None:
        """As it was put away."""
        self.by_voucher = {voucher: intern(validity) for voucher, validity in written.items()}
