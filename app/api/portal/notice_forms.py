"""The form for an objection: what was typed, read into a command, and what was wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from app.api.portal.texts import Words
from app.api.public_notices import LEAST_TEXT, MOST_TEXT, ObjectionWrite
from app.kernel.problems import AppError, Code
from app.kernel.widths import half_width
from app.kernel.wording import detail
from app.services.notices.objections import NewObjection

MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class ObjectionForm:
    """What stands in the fields, as typed, with a sentence for each field that has to be corrected."""

    item_no: str = ""
    text: str = ""
    name: str = ""
    contact: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    def refused(self, error: AppError, words: Words) -> ObjectionForm | None:
        """The form with the service's refusal, or None for one that is not about the form."""
        if error.code is Code.NOT_FOUND and error.pointer == "/item_no":
            return replace(self, errors={"item_no": words("objection.item_no.unknown")})
        if error.code is Code.TOO_MANY_OBJECTIONS:
            problem = detail(error.code, words.language, error.context)
            return replace(self, errors={"": problem}, problem=problem)
        return None


def read_objection_form(form: ObjectionForm, words: Words) -> NewObjection | ObjectionForm:
    """The command of a form, or the form with what has to be corrected."""
    typed = half_width(form.item_no).strip()
    number = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= MOST_DIGITS else 0
    given = {"item_no": number, "text": form.text, "name": form.name.strip() or None}
    try:
        read = ObjectionWrite.model_validate(given | {"contact": form.contact.strip() or None})
    except ValidationError as error:
        wrong = {str(place["loc"][0]) for place in error.errors()}
        sentences = {
            "item_no": words("objection.item_no.unknown"),
            "text": words("objection.text.unfit", least=LEAST_TEXT, most=MOST_TEXT),
            "name": words("objection.name.unfit"),
            "contact": words("objection.contact.unfit"),
        }
        return replace(form, errors={name: sentence for name, sentence in sentences.items() if name in wrong})
    return NewObjection(read.item_no, read.text, read.name, read.contact)
