"""Every short cut says what the long way says."""

from __future__ import annotations

import json
from random import Random

import pytest

from labkit import registry, tokens
from labkit.engine.base import O200K, Prompt, Turn
from labkit.engine.embedded import EmbeddedEngine
from labkit.sampling import Distribution, Sampler, SamplingParams
from labkit.server.generation import GenerationRequest, SampledGeneration
from labkit.server.protocols.openai import chat_completion, completion_bytes

QUESTIONS = ("Write a haiku about tea", "What is an API?", "Say 🦆🎉 three times", "Antworte auf Deutsch: wie geht's?")
MODEL = registry.find(registry.model("openai", "sampling"))


@pytest.fixture(scope="module")
def engine() -> EmbeddedEngine:
    return EmbeddedEngine()


def generation(engine: EmbeddedEngine, question: str, **fields) -> SampledGeneration:
    request = GenerationRequest(MODEL, Prompt((Turn("user", question),)), prompt_tokens=9, **fields)
    return SampledGeneration(request, engine, seed=7)


def finished(made: SampledGeneration, steps: int = 3) -> SampledGeneration:
    for _ in made.slices(steps):
        pass
    return made


def ending(made: SampledGeneration) -> tuple[object, ...]:
    choice = made.choices[0]
    return choice.text, choice.finish, choice.tokens, made.usage


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("temperature", [0, 1, 1.6])
@pytest.mark.parametrize("most", [1, 2, 7, 60])
def test_three_ways_to_the_end_of_a_text_agree(engine, question, temperature, most):
    fields = {"sampling": SamplingParams(temperature=temperature), "max_tokens": most}
    slices, pieces = (generation(engine, question, **fields) for _ in range(2))
    stepwise = generation(engine, question, stop=("no such text",), **fields)
    assert "".join(piece.text for _, piece in pieces.pieces()) == finished(slices).choices[0].text
    finished(stepwise)
    assert ending(slices) == ending(pieces) == ending(stepwise)


class Spelling:
    """A decoder that spells one text, token by token."""

    def __init__(self, text: str) -> None:
        self.left = [*tokens.encode(text), O200K.end]

    def distribution(self) -> Distribution:
        return Distribution.of({self.left[0]: 1.0}, vocab=O200K.size)

    def advance(self, token: int) -> None:
        assert self.left.pop(0) == token

    def fork(self) -> Spelling:
        copy = Spelling("")
        copy.left = list(self.left)
        return copy


class Speller:
    """An engine that says the prompt back."""

    name, vocabulary = "speller", O200K

    def open(self, prompt: Prompt) -> Spelling:
        return Spelling(prompt.last_user)


@pytest.mark.parametrize("text", ["🦆 ate 龘 and 🫠", "ᚠᛇᚻ", "", "plain", "e\u0301\u0302 𝔘𝔫𝔦"])
def test_characters_split_over_tokens_come_out_whole(text):
    pieces, slices = generation(Speller(), text), finished(generation(Speller(), text), steps=1)
    shown = [piece.text for _, piece in pieces.pieces()]
    assert "".join(shown) == slices.choices[0].text == text and all(shown)


def test_a_character_that_the_token_limit_cuts_is_replaced():
    text = "🦆" * 3
    most = len(tokens.encode(text)) - 1
    pieces, slices = (generation(Speller(), text, max_tokens=most) for _ in range(2))
    shown = "".join(piece.text for _, piece in pieces.pieces())
    assert shown == finished(slices).choices[0].text and shown.endswith("\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 3}, {"stop": (" ",)}, {"n": 2}, {"top_logprobs": 2}])
def test_an_answer_from_the_template_is_the_answer(engine, fields):
    made = finished(generation(engine, QUESTIONS[0], **fields))
    short, long = json.loads(completion_bytes(made)), json.loads(json.dumps(chat_completion(made)))
    assert short.pop("id").startswith("chatcmpl-") and len(short) == len(long) - 1
    assert short == {name: value for name, value in long.items() if name != "id"}


def test_a_prompt_that_was_read_before_is_continued_apart(engine):
    prompt = Prompt((Turn("user", "What is an API?"),))
    one, other = engine.open(prompt), engine.open(prompt)
    first = one.distribution()
    one.advance(first.best)
    assert other.distribution() is first and one.distribution() is not first


@pytest.mark.parametrize(
    "params", [{}, {"temperature": 0.0}, {"temperature": 0.7}, {"top_p": 0.5}, {"frequency_penalty": 1.0}]
)
def test_a_sampler_picks_the_same_with_equal_generators(engine, params):
    d = engine.open(Prompt((Turn("user", QUESTIONS[0]),))).distribution()
    one, other = (Sampler(SamplingParams(**params), Random(3)) for _ in range(2))
    picked = [one.pick(d) for _ in range(50)]
    assert picked == [other.pick(d) for _ in range(50)] and all(p < O200K.size for p in picked if p != O200K.end)


def test_a_repeated_body_is_answered_anew_each_time(tenant):
    texts = {tenant.chat("Write a haiku about the sea").choices[0].message.content for _ in range(8)}
    ids = {entry["request_id"] for entry in tenant.lab("journal")["entries"]}
    assert len(texts) > 1 and len(ids) == 8


def test_a_repeated_bad_body_is_refused_each_time(tenant):
    for _ in range(2):
        answer = tenant.http.post(
            "/v1/chat/completions", content=b'{"model": 1}', headers={"authorization": f"Bearer {tenant.key}"}
        )
        assert answer.status_code == 400
