"""The examples of `docs/feedback.md` are what the wire takes and gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pydantic import BaseModel

from cadenza_server.schemas_thread import MessageOut, NewMarker, NewMessage

PAGE = Path(__file__).resolve().parents[2] / "docs" / "feedback.md"
_EXAMPLE = re.compile(r'```json title="([^"]+)"\n(.*?)```', re.DOTALL)
_MODELS: dict[str, type[BaseModel]] = {
    "POST /video-submissions/{id}/messages": NewMessage,
    "POST /video-submissions/{id}/markers": NewMarker,
    "a message": MessageOut,
}


def test_the_examples_are_the_wire() -> None:
    examples = dict(_EXAMPLE.findall(PAGE.read_text("utf-8")))

    assert examples.keys() == _MODELS.keys()
    for title, text in examples.items():
        example = json.loads(text)
        model = _MODELS[title].model_validate(example)
        shown = model.model_dump(mode="json", exclude_unset=True)
        assert shown == example, title
        if title == "a message":
            assert example.keys() == MessageOut.model_fields.keys()
