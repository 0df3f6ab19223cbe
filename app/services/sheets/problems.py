"""What is wrong with one cell of an uploaded table, as a sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from app.kernel.problems import Scalar
from app.kernel.wording import Language


class CellProblem(ValueError):
    """Why one cell cannot be taken as it is; each kind of table has its sentences, in English and Chinese."""

    sentences: ClassVar[Mapping[str, tuple[str, str]]]

    def __init__(self, code: str, *, limit: Scalar = None, actual: Scalar = None, position: int | None = None) -> None:
        self.code, self.limit, self.actual, self.position = code, limit, actual, position
        super().__init__(self.sentence("en"))

    def sentence(self, language: Language) -> str:
        """The complaint as a sentence."""
        words = self.sentences[self.code][0 if language == "en" else 1]
        return words.format(limit=self.limit, actual=self.actual, position=self.position)
