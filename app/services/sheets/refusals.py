"""Why a file cannot be read at all."""

from __future__ import annotations

from app.kernel.problems import AppError, Code


class Unreadable(AppError):
    """The file is no table that can be read; says why in both languages."""

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(Code.FILE_UNREADABLE, why_en=why_en, why_zh=why_zh)
