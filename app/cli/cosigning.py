"""Having the logs cosigned: beside the sealer, one thread for each witness takes every region's newest head to it.

A witness that is slow or away holds up nobody: sealing goes on, the other witnesses are asked, and when it is back it
gets the newest head with a proof from where it left off.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from urllib.parse import urldefrag, urlsplit

import structlog

from app.cli.output import Failure
from app.database import CommitUnknown, Database
from app.kernel.problems import AppError
from app.outbound import BlockingOutbound, Network, Outbound, OutboundFailed, OutboundRefused, networks
from app.reach import EVERYWHERE
from app.services.sealing.cosigning import Due, due, keep, proof
from app.settings import Settings
from app.tlog.checkpoints import read_size
from app.tlog.keys import CosignatureVerifier, verifier
from app.tlog.notes import MalformedNote, NoteError, open_note, read_note

PAUSE_S = 5.0
"""Between two looks: a witness signs what was sealed meanwhile in one go."""
REST_S = 60.0
"""For a log that a witness refuses; and at most between two tries of one that is away, which begin with a pause."""
STRANGER_REST_S = 600.0
"""For a log that a witness does not witness: it may be told to any day, and most witnesses follow a few logs only."""
LEAVE_S = 1.0
"""For a thread to end when it is told to; one that waits for an answer is left behind, it holds no transaction."""
MAX_ANSWER_BYTES = 64 * 1024
SIZE_TYPE = "text/x.tlog.size"

log = structlog.get_logger(__name__)


class Away(Exception):
    """The witness cannot be reached, or does not answer as a witness does."""


class Witness:
    """One witness. `address` is its URL, with its public key behind a `#` where that is pinned: `URL#VKEY`.

    Without one the key that it serves at `/vkey` is taken: enough to know a cosignature from an error, while those who
    rely on it have its key from the audit bureau. In a private network it is called only if that is among `allowed`.
    Raises Failure for what is no address or no key.
    """

    def __init__(self, address: str, allowed: Collection[Network] = ()) -> None:
        self.url, vkey = urldefrag(address)
        self._pinned = bool(vkey)
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Failure(f"见证方地址无效：{self.url}", "a witness's address begins with http:// or https://")
        try:
            outbound = Outbound([parts.netloc], allowed=allowed, max_bytes=MAX_ANSWER_BYTES)
        except ValueError as error:
            raise Failure(f"见证方地址无效：{self.url}", str(error)) from error
        try:
            self._key = _witness_key(vkey) if vkey else None
        except ValueError as error:
            raise Failure(f"见证方公钥无效：{vkey}", str(error)) from error
        self._outbound = BlockingOutbound(outbound)

    def close(self) -> None:
        """Let go of its connection."""
        self._outbound.close()

    def forget_key(self) -> None:
        """Ask for the key again, for it may be another one now; a pinned one stays."""
        if not self._pinned:
            self._key = None

    def key(self) -> CosignatureVerifier:
        """Its public key, the pinned one or the served one. Raises Away."""
        if self._key is None:
            status, _, body = self._ask("GET", "vkey")
            try:
                if status != 200:
                    raise Away(f"status {status} at /vkey")
                self._key = _witness_key(body.removesuffix("\n"))
            except ValueError as error:
                raise Away(f"no key at /vkey: {error}") from error
        return self._key

    def add(self, checkpoint: str, old: int, hashes: Sequence[bytes]) -> tuple[int, str, str]:
        """Submit a checkpoint: status, type and text of the answer. Raises Away."""
        lines = "".join(f"{base64.b64encode(value).decode()}\n" for value in hashes)
        return self._ask("POST", "add-checkpoint", f"old {old}\n{lines}\n{checkpoint}".encode())

    def _ask(self, method: str, path: str, content: bytes | None = None) -> tuple[int, str, str]:
        try:
            answer = self._outbound.call(method, f"{self.url.rstrip('/')}/{path}", content=content)
            return answer.status, answer.headers.get("content-type", ""), answer.body.decode()
        except (OutboundRefused, OutboundFailed, UnicodeDecodeError) as error:
            raise Away(str(error) or type(error).__name__) from error


class Cosigning:
    """Takes the heads of all logs to one witness."""

    def __init__(self, database: Database, witness: Witness) -> None:
        self._database = database
        self._witness = witness
        self._resting: dict[str, float] = {}

    def run(self, stopped: threading.Event, pause_s: float = PAUSE_S) -> None:
        """Look again and again until `stopped` is set, then let go of the witness. Nothing is raised."""
        with closing(self._witness):
            self._run(stopped, pause_s)

    def _run(self, stopped: threading.Event, pause_s: float) -> None:
        rest_s = pause_s
        while not stopped.is_set():
            try:
                self.look(stopped)
            except Away as error:
                if stopped.is_set():
                    break
                log.warning("cosign.away", witness=self._witness.url, reason=str(error), again_in_s=rest_s)
                stopped.wait(rest_s)
                rest_s = min(2 * rest_s, REST_S)
                continue
            except (AppError, CommitUnknown) as error:
                log.warning("cosign.put_off", witness=self._witness.url, reason=str(error))
            except Exception:
                log.exception("cosign.failed", witness=self._witness.url)
            rest_s = pause_s
            stopped.wait(pause_s)

    def look(self, stopped: threading.Event) -> int:
        """Have every newest head cosigned that is not yet: how many were. Raises Away, and what the database does."""
        key = self._witness.key()
        done = 0
        for head in self._database.transact(lambda tx: due(tx, witness=key.name)):
            if stopped.is_set():
                break
            if self._resting.get(head.region_code, 0.0) > time.monotonic():
                continue
            line = self._cosigned(head, key)
            if line is not None:
                self._keep(head, key.name, line)
                done += 1
        return done

    def _keep(self, head: Due, name: str, line: str) -> None:
        self._database.transact(
            lambda tx: keep(tx, region_code=head.region_code, size=head.size, witness=name, line=line)
        )

    def _cosigned(self, head: Due, key: CosignatureVerifier) -> str | None:
        """The witness's line, or None where it has its reasons, which are logged. Raises Away."""
        old = head.cosigned
        status, kind, text = self._submit(head, old)
        known = _known(status, kind, text)
        if known is not None and known != old and known <= head.size:
            # It has signed more than came back here, or another one: go on from what it says.
            old = known
            status, kind, text = self._submit(head, old)
            known = _known(status, kind, text)
        if status == 200:
            return self._line(head.checkpoint, text, key)
        told = {"witness": self._witness.url, "log": head.origin, "size": head.size}
        if status == 404:
            log.info("cosign.not_witnessed", **told)
            self._resting[head.region_code] = time.monotonic() + STRANGER_REST_S
            return None
        event = "cosign.refused"
        if status == 422 or known == old == head.size:
            event = "cosign.forked"  # it has signed another tree of this log
        elif known is not None and known > head.size:
            event = "cosign.witness_ahead"  # the database is older than what was signed, or another sealer is ahead
        log.error(event, **told, old=old, status=status, answer=text.strip()[:200])
        self._resting[head.region_code] = time.monotonic() + REST_S
        return None

    def _line(self, checkpoint: str, answer: str, key: CosignatureVerifier) -> str:
        """The witness's own line, checked; what else it answers is left. Raises Away."""
        text, _ = read_note(checkpoint)
        try:
            opened = open_note(f"{text}\n{answer}", [key])
        except NoteError as error:
            self._witness.forget_key()
            raise Away(f"its answer is no cosignature: {error}") from error
        return opened.verified[0].line()

    def _submit(self, head: Due, old: int) -> tuple[int, str, str]:
        hashes = self._database.transact(
            lambda tx: proof(tx, region_code=head.region_code, first=old, second=head.size)
        )
        status, kind, text = self._witness.add(head.checkpoint, old, hashes)
        if status >= 500 or status == 429:
            raise Away(f"status {status}")
        return status, kind, text


@contextmanager
def cosigning(settings: Settings, addresses: Sequence[str], stopped: threading.Event) -> Iterator[None]:
    """Have the logs cosigned by these witnesses while inside, each in a thread of its own. Raises Failure."""
    if not addresses:
        yield
        return
    allowed = networks(settings.outbound_networks)
    witnesses = [Witness(address, allowed) for address in addresses]
    database = Database(settings.database_url, pool_size=len(witnesses), reach=EVERYWHERE)
    threads = [
        threading.Thread(
            target=Cosigning(database, witness).run, args=(stopped,), name=f"cosigning {witness.url}", daemon=True
        )
        for witness in witnesses
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join(LEAVE_S)
        database.dispose()


def cosign_once(settings: Settings, addresses: Sequence[str]) -> None:
    """Have the newest heads cosigned now. Raises Failure where a witness is away."""
    database = Database(settings.database_url, pool_size=1, reach=EVERYWHERE)
    try:
        for address in addresses:
            with closing(Witness(address, networks(settings.outbound_networks))) as witness:
                try:
                    Cosigning(database, witness).look(threading.Event())
                except Away as error:
                    raise Failure(f"见证方无法应答：{witness.url}", f"the witness is away: {error}") from error
    finally:
        database.dispose()


def _witness_key(vkey: str) -> CosignatureVerifier:
    key = verifier(vkey)
    if not isinstance(key, CosignatureVerifier):
        raise ValueError("this is a log's key, not a witness's")  # noqa: TRY004 - of the text, not of the program
    return key


def _known(status: int, kind: str, text: str) -> int | None:
    """The size that a conflict names, None where the answer is none."""
    if status != 409 or kind.partition(";")[0] != SIZE_TYPE:
        return None
    try:
        return read_size(text.removesuffix("\n"))
    except MalformedNote:
        return None
