"""The Responses API through the unmodified SDK."""

import openai
import pytest

from labkit import registry, tokens

MODEL = registry.model("openai", "sampling")


def create(tenant, said="What is an API?", **params):
    return tenant.openai.responses.create(**{"model": MODEL, "input": said} | params)


def test_response_has_text_and_usage(tenant):
    response = create(tenant, temperature=0)
    assert response.status == "completed" and response.output_text
    assert response.usage.output_tokens == tokens.count(response.output_text)
    assert response.output_text == tenant.chat(temperature=0).choices[0].message.content


def test_stream_events_come_in_order_and_numbered(tenant):
    events = list(create(tenant, stream=True, temperature=0))
    kinds = [e.type.removeprefix("response.") for e in events]
    assert [k for k in kinds if k != "output_text.delta"] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [e.sequence_number for e in events] == list(range(len(events)))
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == events[-1].response.output_text == create(tenant, temperature=0).output_text


def test_previous_response_carries_the_conversation_and_not_the_instructions(tenant):
    first = create(tenant, "My name is Dana and I like hiking.", instructions="Be brief.")
    second = create(tenant, "What is my name?", previous_response_id=first.id)
    assert "Dana" in second.output_text
    assert "Dana" not in create(tenant, "What is my name?").output_text
    history = ["My name is Dana and I like hiking.", first.output_text, "What is my name?"]
    assert second.usage.input_tokens == tokens.count_messages([("user", text) for text in history])


def test_unknown_previous_response(tenant):
    with pytest.raises(openai.BadRequestError) as refusal:
        create(tenant, previous_response_id="resp_nothing")
    assert refusal.value.code == "previous_response_not_found"


def test_get_input_items_and_delete(tenant):
    made = create(tenant)
    assert tenant.openai.responses.retrieve(made.id).output_text == made.output_text
    [item] = tenant.openai.responses.input_items.list(made.id).data
    assert (item.role, item.type, [part.text for part in item.content]) == ("user", "message", ["What is an API?"])
    tenant.openai.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        tenant.openai.responses.retrieve(made.id)


def test_what_is_not_stored_cannot_be_fetched(tenant):
    made = create(tenant, store=False)
    with pytest.raises(openai.NotFoundError):
        tenant.openai.responses.retrieve(made.id)


def test_cap_gives_an_incomplete_response(tenant):
    cut = create(tenant, "Explain recursion in three sentences.", max_output_tokens=16)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert cut.usage.output_tokens == 16


def test_input_token_count_is_what_is_billed(tenant):
    counted = tenant.openai.responses.input_tokens.count(model=MODEL, input="What is an API?", instructions="Be brief.")
    assert counted.input_tokens == create(tenant, instructions="Be brief.").usage.input_tokens


def test_logprobs_on_request(tenant):
    response = create(tenant, temperature=0, top_logprobs=2, include=["message.output_text.logprobs"])
    logged = response.output[0].content[0].logprobs
    assert "".join(entry.token for entry in logged) == response.output_text
    assert all(len(entry.top_logprobs) == 2 for entry in logged)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"max_output_tokens": 3}, "max_output_tokens"),
        ({"temperature": 9}, "temperature"),
        ({"input": []}, "input"),
        ({"input": [{"role": "bot", "content": "x"}]}, "input[0].role"),
        ({"background": True}, "background"),
        ({"extra_body": {"foo": 1}}, "foo"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"tools": [{"type": "web_search"}]}, "tools of type 'web_search'"),
    ],
)
def test_refusals_name_the_parameter(tenant, params, param):
    with pytest.raises(openai.BadRequestError) as refusal:
        create(tenant, **params)
    assert refusal.value.param == param


async def test_async_stream(tenant):
    client = openai.AsyncOpenAI(api_key=tenant.key, base_url=f"{tenant.url}/v1")
    async with client, client.responses.stream(model=MODEL, input="What is an API?") as stream:
        final = await stream.get_final_response()
    assert final.status == "completed" and final.output_text
