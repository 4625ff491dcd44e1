"""Secrets: values that were given to servers, taken out of whatever is shown, kept or read."""

import json
from collections.abc import Mapping

_SHORTEST = 4
"""A value shorter than this hides nothing, and stands in too many words."""


class Secrets:
    """Values by name; `hide` puts `[name]` in their place."""

    def __init__(self, values: Mapping[str, str]) -> None:
        forms = {
            form: f"[{name}]"
            for name, value in values.items()
            if len(value) >= _SHORTEST
            for form in (
                value,
                json.dumps(value)[1:-1],
                json.dumps(value, ensure_ascii=False)[1:-1],
            )
        }
        # The longest first: one may be part of another.
        self._forms = sorted(forms.items(), key=lambda pair: -len(pair[0]))

    def hide(self, text: str) -> str:
        """`text` without them."""
        for form, name in self._forms:
            text = text.replace(form, name)
        return text
