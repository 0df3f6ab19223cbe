"""A witness over HTTP: `POST /add-checkpoint` (C2SP tlog-witness), its key, and what it has seen of each log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.tlog.keys import Cosigner
from app.tlog.notes import read_note, signature_by
from app.witness.memory import Memory
from app.witness.submissions import Logs, Reason, Refused, Submission, judge, read_submission

MAX_BODY_BYTES = 64 * 1024
MAX_BODY_S = 30
"""Within which the whole of a submission has to come: whoever lets it drip keeps a connection from others."""
SIZE_TYPE = "text/x.tlog.size"
_ANSWERS = {
    Reason.MALFORMED: (400, "请求格式不正确", "the request is malformed"),
    Reason.SMALLER_THAN_OLD: (400, "检查点小于 old 所述的大小", "the checkpoint is smaller than the old size"),
    Reason.UNSIGNED: (403, "没有该日志的有效签名", "no valid signature of this log"),
    Reason.UNKNOWN_ORIGIN: (404, "本见证方不见证此日志", "this log is not witnessed here"),
    Reason.INCONSISTENT: (422, "一致性证明不成立", "the consistency proof does not hold"),
}
_log = logging.getLogger("witness")


class Witness:
    """Who signs, for which logs, and what has been signed. `now_s` is the POSIX time."""

    def __init__(self, cosigner: Cosigner, memory: Memory, logs: Logs, now_s: Callable[[], int]) -> None:
        self._cosigner = cosigner
        self._memory = memory
        self._logs = logs
        self._now_s = now_s

    @property
    def vkey(self) -> str:
        """The public key, as those who trust this witness configure it."""
        return self._cosigner.verifier.vkey

    def add(self, body: bytes) -> Response:
        """Judge a submission and cosign it. What is cosigned is remembered first."""
        try:
            submission = read_submission(body, self._logs)
        except Refused as refusal:
            return _refusal(refusal.reason)
        origin = submission.checkpoint.origin
        with self._memory.held():
            known = self._memory.head(origin)
            try:
                judge(submission, known)
            except Refused as refusal:
                return self._refuse(refusal.reason, submission, known.size)
            if submission.head != known:
                self._memory.remember(origin, submission.head)
            return PlainTextResponse(self._line(submission.text))

    def newest(self, origin: str) -> Response:
        """The newest checkpoint seen of a log, as its log signed it, cosigned as of now."""
        with self._memory.held():
            note = self._memory.head(origin).note
            if not note:
                return _refusal(Reason.UNKNOWN_ORIGIN)
            text, _ = read_note(note)
            return PlainTextResponse(note + self._line(text))

    def _line(self, text: str) -> str:
        # Under the lock, or the time could be later than that of a larger tree's cosignature.
        return signature_by(self._cosigner.at(self._now_s()), text).line()

    def _refuse(self, reason: Reason, submission: Submission, known: int) -> Response:
        origin, size = submission.checkpoint.origin, submission.checkpoint.size
        if reason is Reason.FORKED:
            kept = self._memory.keep_fork(origin, submission.note)
            _log.error("FORK: %s has signed two trees of %d leaves; both are in %s", origin, size, kept)
        elif reason is Reason.INCONSISTENT:
            _log.error("%s: nothing shows that its %d leaves continue the %d known", origin, size, known)
        if reason in {Reason.FORKED, Reason.OTHER_OLD_SIZE}:
            return Response(f"{known}\n", 409, headers={"content-type": SIZE_TYPE})  # exactly, without a charset
        return _refusal(reason)


def create_witness(witness: Witness) -> Starlette:
    """The witness as an ASGI application."""

    async def add_checkpoint(request: Request) -> Response:
        body = bytearray()
        try:
            async with asyncio.timeout(MAX_BODY_S):
                async for part in request.stream():
                    body += part
                    if len(body) > MAX_BODY_BYTES:
                        return PlainTextResponse("请求过大 / the request is too large\n", 413)
        except TimeoutError:
            return PlainTextResponse("请求过慢 / the request came too slowly\n", 408, {"connection": "close"})
        except ClientDisconnect:
            return _refusal(Reason.MALFORMED)  # nobody reads it
        return await run_in_threadpool(witness.add, bytes(body))

    def checkpoint(request: Request) -> Response:
        return witness.newest(request.path_params["origin"])

    def vkey(request: Request) -> Response:  # noqa: ARG001 - a route is given its request
        return PlainTextResponse(witness.vkey + "\n")

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/checkpoint/{origin:path}", checkpoint, methods=["GET"]),
            Route("/vkey", vkey, methods=["GET"]),
        ]
    )


def _refusal(reason: Reason) -> Response:
    status, zh, en = _ANSWERS[reason]
    return PlainTextResponse(f"{zh} / {en}\n", status)
