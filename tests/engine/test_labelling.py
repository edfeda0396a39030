import json

import pytest

from labkit.engine import labelling
from labkit.engine.categories import categories

REVIEW = "The zip broke on the first day and nobody answers my mails."
TICKET = "I was charged twice on my last invoice."
PARCEL = "Where is my parcel?"
QUEUES = "- billing: charges and invoices\n- technical: the product does not work\n- shipping: parcels"
TEAMS = "Hardware (devices, screens, cables), People (leave, salary), Facilities (rooms, doors, heating)"


@pytest.mark.parametrize(
    ("prompt", "label"),
    [
        (f'Answer Positive or Negative, one word: "{REVIEW}"', "Negative"),
        (f"Is this review positive or negative? Answer with one word.\n\n{REVIEW}", "negative"),
        (f"Classify the sentiment as POSITIVE, NEGATIVE or NEUTRAL.\n\nText: {REVIEW}", "NEGATIVE"),
        (f"Sentiment analysis. Text: '{REVIEW}' Return the lowercase label only.", "negative"),
        (f"Tell me whether this customer is happy or unhappy: '{REVIEW}'", "unhappy"),
        (f"Classify into one of: 'very happy', 'angry'. Text: {REVIEW}", "angry"),
        (
            f"Review: I love it\nSentiment: good\n\nReview: It broke\nSentiment: bad\n\nReview: {REVIEW}\nSentiment:",
            "bad",
        ),
        (f"I love it -> yay\nAwful -> nay\n{REVIEW} ->", "nay"),
        (f"Is this review positive? Answer yes or no.\n\n{REVIEW}", "no"),
        (f"Is this ticket about billing? Answer yes or no.\n\nTicket: {TICKET}", "yes"),
        (
            f"Classify the ticket into one of these:\n{QUEUES}\n\nTicket: {TICKET}\n\nAnswer with the name only.",
            "billing",
        ),
        (f"Answer with the number of the right category.\n1. technical\n2. billing\n\nTicket: {TICKET}", "2"),
        (f"Tag the message with exactly one of [billing|technical|shipping]: {TICKET}", "billing"),
        (f"Which of these labels fits best: billing, technical, shipping? '{TICKET}'", "billing"),
    ],
)
def test_a_label_is_written_as_the_prompt_wants_it(ask, prompt, label):
    assert ask(prompt) == label


@pytest.mark.parametrize(
    ("text", "team"),
    [
        ("My screen stays black", "Hardware"),
        ("How many days of leave do I have?", "People"),
        ("It is cold in here, the heating is off", "Facilities"),
    ],
)
def test_labels_of_the_users_own_go_by_their_description(ask, text, team):
    assert ask(text, system=f"Decide which team handles the message: {TEAMS}. Output only the team name.") == team


def test_labels_without_a_description_go_by_the_company_of_their_words(ask):
    system = "Classify the headline as sports, politics or technology. Answer with the label only."
    assert ask("The striker scored twice in the final minutes.", system=system) == "sports"
    assert ask("Parliament voted on the new law last night.", system=system) == "politics"


def test_json_has_the_key_that_the_prompt_shows(ask):
    system = 'You route support tickets. Queues: billing, technical, shipping. Respond with JSON: {"queue": "..."}'
    assert json.loads(ask(TICKET, system=system)) == {"queue": "billing"}
    assert json.loads(ask(TICKET, system=system, json=True)) == {"queue": "billing"}


def test_json_asked_for_in_words_is_fenced_sometimes(ask):
    system = 'Classify each ticket as billing, technical or shipping. Respond with JSON: {"queue": "..."}'
    answers = [ask(TICKET, system=system, temperature=1.0, seed=n, tier="small") for n in range(40)]
    fenced = [a for a in answers if a.startswith("```json\n")]
    assert 0 < len(fenced) < 20


def test_several_texts_get_a_numbered_list(ask):
    asked = f"Classify each ticket as billing, technical or shipping:\n\n1. {TICKET}\n2. {PARCEL}\n3. The app crashes."
    assert ask(asked) == "1. billing\n2. shipping\n3. technical"
    assert json.loads(ask(asked + "\n\nReturn a JSON array of labels.")) == ["billing", "shipping", "technical"]


def test_several_texts_get_objects_when_the_prompt_shows_them(ask):
    asked = 'Label these tickets (billing/shipping). Return JSON: [{"id": 1, "label": "billing"}]'
    answer = json.loads(ask(f"{asked}\n\n1. {TICKET}\n2. {PARCEL}"))
    assert answer == [{"id": 1, "label": "billing"}, {"id": 2, "label": "shipping"}]


def test_examples_frame_the_labels_that_are_only_named(ask):
    system = "Classify the ticket as billing, technical or shipping."
    assert (
        ask(TICKET, "QUEUE=BILLING", "The app crashes.", "QUEUE=TECHNICAL", PARCEL, system=system) == "QUEUE=SHIPPING"
    )


def test_temperature_acts_on_the_labels(ask, conversation):
    system = "Classify the review as positive or negative. Answer with the label only."
    mixed = "The food was good, the room was bad."
    shares = dict(labelling.read(conversation(mixed, system=system)).shares)
    drawn = [ask(mixed, system=system, temperature=1.0, seed=n) for n in range(200)]
    assert drawn.count("positive") / 200 == pytest.approx(shares["positive"] * 0.95, abs=0.12)


def test_many_texts_in_one_prompt_share_the_attention(conversation):
    texts = "\n".join(
        f"{n}. Hello, a question about the delivery and the parcel of my last order" for n in range(1, 21)
    )
    asked = f"Classify each ticket as shipping or billing:\n{texts}"
    alone = labelling.read(
        conversation(f"Classify the ticket as shipping or billing:\n{texts.splitlines()[0][3:]}", tier="small")
    )
    packed = labelling.read(conversation(asked, tier="small"))
    assert len(packed.items) == 20
    assert dict(packed.shares)["shipping"] < dict(alone.shares)["shipping"]


@pytest.mark.parametrize(
    ("instruction", "names"),
    [
        ("Labels: very good, good, bad. Answer with one word.", ["very good", "good", "bad"]),
        ("Choose between `spam` and `ham`.", ["spam", "ham"]),
        ("Rate it from 1 to 5.", ["1", "2", "3", "4", "5"]),
        ("Answer with the number. 1 = good, 2 = bad", ["1", "2"]),
        ("What is an API?", []),
        ("Explain temperature in one or two sentences.", []),
    ],
)
def test_label_lists_are_found(instruction, names):
    assert [c.written for c in categories(instruction)] == names


@pytest.mark.parametrize(
    "prompt",
    [
        "What is the date in this text: we meet on 3 May 2026",
        "Sort these numbers: 9, -2, 4",
        "Classify is a verb, right?",
        "List three fruits:\n1. \n2. \n3. ",
    ],
)
def test_other_prompts_are_no_labelling(conversation, prompt):
    assert labelling.read(conversation(prompt)) is None
