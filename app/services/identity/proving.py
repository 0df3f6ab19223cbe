"""Taking machines' proofs that they hold the key of their token (DPoP): each once, whichever process it comes to.

A nonce says that a proof was signed lately, whatever the machine's clock says (RFC 9449, section 8). It follows from a
signing key and the minute, so every process knows the others' and nothing is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from app.database import Database
from app.kernel.clock import utc_now
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import TokenKind
from app.services.identity.proofs import Proof, ProofRefused, check_proof
from app.services.identity.signing_keys import SigningKeys
from app.services.identity.spending import forget_spent, spend_once

NONCE_S = 60
NONCES_TAKEN = 5
"""A nonce is good in the minute it was given and in the four after it."""
PURPOSE = "dpop nonce"
FORGET_EVERY_S = 60.0


class Proving:
    """Checks proofs for one issuer. Threads may share it."""

    def __init__(
        self,
        database: Database,
        keys: SigningKeys,
        *,
        issuer: str,
        wants_nonce: bool,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._keys = database, keys
        self._issuer, self._wants_nonce = issuer, wants_nonce
        self._clock, self._timer = clock, timer
        self._forgot_at = timer()

    def check(self, proof: str, *, method: str, path: str, token: str | None) -> Proof:
        """What a proof says for a request to this path, as it was sent.

        Raises `dpop_proof_invalid`, `dpop_nonce_needed`.
        """
        try:
            checked = check_proof(proof, method=method, url=f"{self._issuer}{path}", token=token, at=self._clock())
        except ProofRefused as refused:
            raise AppError(Code.DPOP_PROOF_INVALID, why=str(refused)) from refused
        if not (self._is_fresh(checked.nonce) if checked.nonce is not None else not self._wants_nonce):
            raise AppError(Code.DPOP_NONCE_NEEDED, nonce=self._nonce(self._minute(), self._keys.current_kid))
        return checked

    def take(self, proof: Proof, *, subject_id: str) -> None:
        """Let a checked proof be good no more. Raises `dpop_proof_invalid` where it was before."""
        forget = self._timer() - self._forgot_at > FORGET_EVERY_S
        if forget:
            self._forgot_at = self._timer()

        def work(tx: Connection) -> bool:
            if forget:
                forget_spent(tx, kind=TokenKind.PROOF)
            return spend_once(
                tx, subject_id=subject_id, kind=TokenKind.PROOF, jti=proof.jti, expires_at=proof.expires_at
            )

        if not self._database.transact(work):
            raise AppError(Code.DPOP_PROOF_INVALID, why="jti")

    def _minute(self) -> int:
        return int(self._clock().timestamp()) // NONCE_S

    def _nonce(self, minute: int, kid: str) -> str | None:
        key = self._keys.derived(kid, PURPOSE)
        return None if key is None else f"{kid}.{minute}.{hmac.new(key, b'%d' % minute, hashlib.sha256).hexdigest()}"

    def _is_fresh(self, nonce: str) -> bool:
        kid, _, rest = nonce.partition(".")
        said = rest.partition(".")[0]
        minute = int(said) if said.isascii() and said.isdecimal() and len(said) < 12 else -1
        expected = self._nonce(minute, kid) if 0 <= self._minute() - minute < NONCES_TAKEN else None
        return expected is not None and hmac.compare_digest(expected.encode(), nonce.encode(errors="replace"))
