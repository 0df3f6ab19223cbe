"""Vouchers: how they are issued, what becomes of them, and what their firm consents to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.client.jobs import Progress, follow
from app.client.models import (
    ActBody,
    ApprovalRead,
    BatchRead,
    BatchSubmitted,
    CheckBody,
    CheckRead,
    ExtendBody,
    ExtensionRead,
    MandateCreate,
    MandateRead,
    PaymentCodeCreate,
    PaymentCodeCreated,
    PaymentCodeRead,
    RelatedPartiesRead,
    RowRead,
    Sent,
    VoidBody,
    VoucherActs,
    VoucherCreate,
    VoucherRead,
    VouchersMovementRead,
)
from app.client.wire import Again, Upload, Wire


class BatchForm(Sent, frozen=True, kw_only=True):
    """What a maker declares of a sheet; it is refused where the sheet says otherwise."""

    programme_id: str
    declared_count: int
    declared_total_fen: int


class IssuanceBatches:
    """`/v1/issuance-batches`: vouchers from a sheet, all or none, issued once a checker approves."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, programme_id: str | None = None) -> Iterator[BatchRead]:
        """Batches within reach, newest first."""
        return self._wire.each("/v1/issuance-batches", BatchRead, programme_id=programme_id)

    def get(self, batch_id: str) -> BatchRead:
        """How a batch stands."""
        return self._wire.fetch(f"/v1/issuance-batches/{batch_id}", BatchRead)

    def rows(self, batch_id: str) -> Iterator[RowRead]:
        """The rows of a batch in their order, with the vouchers once there are any."""
        return self._wire.each(f"/v1/issuance-batches/{batch_id}/rows", RowRead)

    def template(self) -> bytes:
        """The sheet to fill in, an .xlsx file."""
        return self._wire.download("/v1/issuance-batches/template")

    def submit(
        self,
        file: Upload,
        form: BatchForm,
        *,
        dry_run: bool = False,
        key: str | None = None,
        progress: Progress | None = None,
    ) -> BatchSubmitted:
        """Check every row and ask a checker to issue, or with `dry_run` only check. Raises Invalid with each row."""
        sent = _fields(form) | {"dry_run": dry_run}
        path = "/v1/issuance-batches"
        return follow(self._wire, path, BatchSubmitted, key=key, progress=progress, form=sent, file=file)

    def annotate(self, file: Upload, form: BatchForm) -> bytes:
        """The sheet with what is wrong beside each row, an .xlsx file to correct and submit."""
        path = "/v1/issuance-batches/annotated-sheet"
        return self._wire.send("POST", path, again=Again.FREELY, form=_fields(form), file=file).content


class Vouchers:
    """`/v1/vouchers`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.mandates = Mandates(wire)
        self.payment_codes = PaymentCodes(wire)

    def list(
        self, *, programme_id: str | None = None, firm_id: str | None = None, expiring_within_days: int | None = None
    ) -> Iterator[VoucherRead]:
        """Vouchers within reach, newest first; those that run out soon with something left."""
        query = {"programme_id": programme_id, "firm_id": firm_id, "expiring_within_days": expiring_within_days}
        return self._wire.each("/v1/vouchers", VoucherRead, **query)

    def get(self, voucher_id: str) -> VoucherRead:
        """A voucher with its balance."""
        return self._wire.fetch(f"/v1/vouchers/{voucher_id}", VoucherRead)

    def movements(self, voucher_id: str) -> Sequence[VouchersMovementRead]:
        """All that ever moved on it, with the balance after each."""
        return self._wire.fetch(f"/v1/vouchers/{voucher_id}/movements", list[VouchersMovementRead])

    def create(self, body: VoucherCreate, *, key: str | None = None) -> BatchSubmitted:
        """Ask a checker to issue one voucher: a batch of one."""
        return self._wire.act("/v1/vouchers", BatchSubmitted, body, key=key)

    def check(self, body: CheckBody) -> CheckRead:
        """Before work: is this code usable here, by whom, until when, up to what."""
        return self._wire.ask("/v1/vouchers/check", CheckRead, body)

    def freeze(self, voucher_id: str, body: ActBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker that nothing more is drawn on it."""
        return self._wire.act(f"/v1/vouchers/{voucher_id}/freeze", ApprovalRead, body, key=key)

    def unfreeze(self, voucher_id: str, body: ActBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to let it be drawn on again."""
        return self._wire.act(f"/v1/vouchers/{voucher_id}/unfreeze", ApprovalRead, body, key=key)

    def void(self, voucher_id: str, body: VoidBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to end it; open holds are released, what is free goes back to the pool."""
        return self._wire.act(f"/v1/vouchers/{voucher_id}/void", ApprovalRead, body, key=key)

    def extend(self, voucher_id: str, body: ExtendBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to make it valid longer: within what its rules allow, or as an exception."""
        return self._wire.act(f"/v1/vouchers/{voucher_id}/extend", ApprovalRead, body, key=key)

    def extensions(self, voucher_id: str) -> Sequence[ExtensionRead]:
        """How often it was made valid longer, the first time first."""
        return self._wire.fetch(f"/v1/vouchers/{voucher_id}/extensions", list[ExtensionRead])

    def act_on_many(self, body: VoucherActs, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to do one act to many vouchers, in one approval; refused where one does not allow it."""
        return self._wire.act("/v1/voucher-acts", ApprovalRead, body, key=key)

    def related_parties(self, programme_id: str) -> RelatedPartiesRead:
        """The vouchers of a programme that were redeemed at a provider on record as related to their firm."""
        return self._wire.fetch(f"/v1/programmes/{programme_id}/related-parties", RelatedPartiesRead)

    def surrender(self, voucher_id: str, body: ActBody, *, key: str | None = None) -> VoucherRead:
        """Give it back, as its firm."""
        return self._wire.act(f"/v1/vouchers/{voucher_id}/surrender", VoucherRead, body, key=key)


class Mandates:
    """`/v1/vouchers/{id}/mandates`: a firm's standing consent for one provider."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, voucher_id: str) -> list[MandateRead]:
        """All of a voucher."""
        return self._wire.fetch(f"/v1/vouchers/{voucher_id}/mandates", list[MandateRead])

    def grant(self, voucher_id: str, body: MandateCreate) -> MandateRead:
        """Consent, up to an amount."""
        return self._wire.change("POST", f"/v1/vouchers/{voucher_id}/mandates", MandateRead, body)

    def withdraw(self, voucher_id: str, mandate_id: str) -> MandateRead:
        """End it; what was drawn stays."""
        return self._wire.change("DELETE", f"/v1/vouchers/{voucher_id}/mandates/{mandate_id}", MandateRead)


class PaymentCodes:
    """`/v1/vouchers/{id}/payment-codes`: a firm's consent for one bill."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, voucher_id: str) -> Iterator[PaymentCodeRead]:
        """All of a voucher, newest first."""
        return self._wire.each(f"/v1/vouchers/{voucher_id}/payment-codes", PaymentCodeRead)

    def create(self, voucher_id: str, body: PaymentCodeCreate, *, key: str | None = None) -> PaymentCodeCreated:
        """A code for one provider and a maximum amount; its text and digits are shown this once."""
        return self._wire.act(f"/v1/vouchers/{voucher_id}/payment-codes", PaymentCodeCreated, body, key=key)

    def withdraw(self, voucher_id: str, code_id: str) -> PaymentCodeRead:
        """Let it be good for nothing."""
        return self._wire.change("DELETE", f"/v1/vouchers/{voucher_id}/payment-codes/{code_id}", PaymentCodeRead)


def _fields(form: BatchForm) -> dict[str, object]:
    return {name: getattr(form, name) for name in form.__struct_fields__}
