"""Why a file cannot be read at all."""

from __future__ import annotations

from app.kernel.problems import AppError, Code


class Unreadable(AppError):
    """The file is no table that can be read; says why in both languages.

    `saved_anew`: what helps is to save it as .xlsx, and that is said besides.
    """

    def __init__(self, why_en: str, why_zh: str, *, saved_anew: bool = False) -> None:
        if saved_anew:
            why_en, why_zh = f"{why_en} Save it as .xlsx and try again.", f"{why_zh}请另存为 .xlsx 后重试。"
        super().__init__(Code.FILE_UNREADABLE, why_en=why_en, why_zh=why_zh)
