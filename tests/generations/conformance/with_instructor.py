"""instructor, which fills Pydantic models: through tools, through JSON, in pieces, for each provider's SDK."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import instructor
from observe import MODELS, main, part
from pydantic import BaseModel

NAMES = {
    "openai": f"openai/{MODELS['openai.sampling']}",
    "anthropic": f"anthropic/{MODELS['anthropic.small']}",
    "google": f"google/{MODELS['gemini.sampling']}",
}
ASK: Any = {"messages": [{"role": "user", "content": "Extract the person: Dana Reyes is 34 years old."}]}
MORE: dict[str, Any] = {"anthropic": {"max_tokens": 300}}


class Person(BaseModel):
    name: str
    age: int


def extract(provider: str, mode: instructor.Mode | None = None) -> Any:
    client = instructor.from_provider(NAMES[provider], mode=mode)
    person, answer = client.create_with_completion(
        response_model=Person, max_retries=0, **ASK, **MORE.get(provider, {})
    )
    return {"person": person.model_dump(), "answer": type(answer).__name__}


@part
def openai() -> Any:
    return extract("openai")


@part
def openai_json() -> Any:
    return extract("openai", instructor.Mode.JSON)


@part
def openai_schema() -> Any:
    return extract("openai", instructor.Mode.JSON_SCHEMA)


@part
def anthropic() -> Any:
    return extract("anthropic")


@part
def google() -> Any:
    return extract("google")


@part
def in_pieces() -> Any:
    client = instructor.from_provider(NAMES["openai"])
    seen = [person.model_dump() for person in client.create_partial(response_model=Person, **ASK)]
    return {"first": seen[0], "last": seen[-1], "pieces": len(seen)}


@part
def several() -> Any:
    client = instructor.from_provider(NAMES["openai"])
    asked: Any = [{"role": "user", "content": "Extract: Dana Reyes is 34 years old. Omar Haddad is 51 years old."}]
    return [person.model_dump() for person in client.create_iterable(response_model=Person, messages=asked)]


@part
async def async_client() -> Any:
    client = instructor.from_provider(NAMES["openai"], async_client=True)
    return (await client.create(response_model=Person, max_retries=0, **ASK)).model_dump()


if __name__ == "__main__":
    main(version("instructor"))
