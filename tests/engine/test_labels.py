import tomllib
from pathlib import Path

import pytest

from labkit.engine import labelling
from labkit.engine.sentiment import probability

REVIEWS = tomllib.loads(Path(__file__).with_name("reviews.toml").read_text(encoding="utf-8"))
SHOTS = (
    ("Lovely fabric and quick delivery.", "SENTIMENT=POS"),
    ("It broke after two days.", "SENTIMENT=NEG"),
    ("The best lamp I have owned.", "SENTIMENT=POS"),
)


def kept_format(ask, shots, labels_=("SENTIMENT=POS", "SENTIMENT=NEG")):
    said = [text for pair in SHOTS[:shots] for text in pair]
    answers = [
        ask(*said, "A wonderful kettle.", system="Classify the review.", temperature=0.7, seed=s) for s in range(60)
    ]
    return sum(a in labels_ for a in answers) / len(answers)


def test_format_follows_the_number_of_examples(ask):
    none, one, three = (kept_format(ask, n) for n in (0, 1, 3))
    assert none == 0
    assert 0.6 < one < 1
    assert three == 1


def test_one_example_gives_the_other_label_in_its_style(ask):
    said = (*SHOTS[0], "An awful, useless thing.")
    assert ask(*said, system="Classify the review.") == "SENTIMENT=NEG"


@pytest.mark.parametrize(
    ("good", "bad"),
    [("👍", "👎"), ("label: Positive", "label: Negative"), ("<good/>", "<bad/>"), ("A7", "Q2"), ("happy", "sad")],
)
def test_examples_may_use_any_labels(ask, good, bad):
    said = ("I love it, great!", good, "Terrible, I hate it.", bad)
    assert ask(*said, "What a fantastic book.", system="Classify the review.") == good
    assert ask(*said, "A dreadful, boring book.", system="Classify the review.") == bad


def test_labels_named_in_the_instruction_are_used(ask):
    system = "Classify each ticket as billing, technical or account. Answer with the label only."
    assert ask("I was charged twice on my last invoice.", system=system) == "billing"
    assert ask("The app crashes when I press the button.", system=system) == "technical"
    assert ask("I forgot my password and the reset email never comes.", system=system) == "account"


def test_classification_in_one_prompt(ask):
    assert "negative" in ask("Classify the sentiment of this review: 'Awful and broken.'").lower()
    assert "positive" in ask('Is the sentiment of this text positive or negative? "I love it"').lower()


@pytest.mark.parametrize(
    "prompt",
    [
        "Classify: 'I was charged twice' as billing, shipping or technical",
        "Route this ticket to one of billing, shipping, technical:\nI was charged twice",
        'Which queue, billing, shipping or technical, is right for "I was charged twice"?',
    ],
)
def test_labels_and_text_may_stand_anywhere(ask, prompt):
    assert ask(prompt) == "billing"


def test_probabilities_are_those_of_the_classifier(conversation, engine):
    prompt = conversation(*SHOTS[0], *SHOTS[1], *SHOTS[2], "It is fine.", system="Classify the review.")
    shares = dict(labelling.read(prompt).shares)
    assert sum(shares.values()) == pytest.approx(1)
    assert 0.5 < shares["SENTIMENT=POS"] < 0.99


@pytest.mark.parametrize("prompt", ["What is sentiment analysis?", "What is an API?", "Write a haiku about a review"])
def test_other_prompts_are_no_labelling(conversation, prompt):
    assert labelling.read(conversation(prompt)) is None


def test_answers_of_yes_and_no_are_no_examples(conversation):
    assert labelling.read(conversation("Is it late?", "Yes.", "Is it dark?", "No.", "What is an API?")) is None
    assert labelling.read(conversation("Can you help me?", "Yes, I like to.", "Explain recursion")) is None


def test_labels_need_no_instruction_when_the_examples_are_plain(ask):
    assert ask(*SHOTS[0], *SHOTS[1], "Terrible, do not buy.") == "SENTIMENT=NEG"


def test_chat_history_is_no_set_of_examples(conversation):
    assert labelling.read(conversation("Hi", "Hello!", "What is an API?")) is None


def accuracy(tier):
    right = [probability(text, tier) > 0.5 for text in REVIEWS["positive"]]
    right += [probability(text, tier) < 0.5 for text in REVIEWS["negative"]]
    return sum(right) / len(right)


def test_larger_tiers_are_more_accurate():
    small, standard, large = accuracy("small"), accuracy("standard"), accuracy("large")
    assert 0.6 < small < standard <= large
    assert large > 0.85
