import pytest

from labkit.engine.facts import told


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is 17 + 25?", "17 + 25 = 42"),
        ("What is twelve times seven?", "12 × 7 = 84"),
        ("How much is 9 minus 12?", "9 - 12 = -3"),
        ("Calculate 10 divided by 4", "10 ÷ 4 = 2.5"),
        ("What is 1.5 + 2.25?", "1.5 + 2.25 = 3.75"),
        ("What is the sum of 3, 5 and 9?", "3 + 5 + 9 = 17"),
        ("Sort these numbers: 9, -2, 4", "-2, 4, 9"),
        ("Count from 1 to 20.", ", ".join(map(str, range(1, 21)))),
        ("Count down from 5", "5, 4, 3, 2, 1"),
        ("Count to three", "1, 2, 3"),
    ],
)
def test_numbers(ask, prompt, answer):
    assert ask(prompt) == answer


def test_a_function_is_named_by_what_can_be_a_name(ask):
    assert "def is_prime(value):" in ask("Write a Python function called is_prime.")
    assert "def is_even(number):" in ask("Write a Python function that checks if a number is even. (reader 3)")
    assert "def" not in ask("Write a function add_tax that adds tax to a price")


@pytest.mark.parametrize("prompt", ["What is 5 divided by 0?", "What is 99999999 + 1?", "Count to a million billion"])
def test_numbers_out_of_reach_get_the_fallback(ask, prompt):
    assert "lab" in ask(prompt)


@pytest.mark.parametrize(
    ("said", "question", "word"),
    [
        ("My name is Dana and I like hiking.", "What is my name?", "Dana"),
        ("I'm Kim Lee, call me Kim.", "Do you remember my name?", "Kim"),
        ("My name is Dana and I like hiking.", "What do I like?", "hiking"),
        ("I live in New Ross and I work as a nurse.", "Where do I live?", "New Ross"),
        ("I live in New Ross and I work as a nurse.", "What is my job?", "nurse"),
        ("My favourite colour is green.", "What is my favourite colour?", "green"),
    ],
)
def test_facts_are_recalled_from_the_history_only(ask, said, question, word):
    assert word in ask(said, "Noted.", question)
    assert word not in ask(question)
    assert "don't know" in ask(question)


def test_a_later_fact_replaces_an_earlier_one():
    assert told(["My name is Dana.", "Sorry, my name is Dan."])["name"] == "Dan"


def test_text_about_others_is_no_fact():
    assert told(["Her name is Ann. He lives in Rome."]) == {}


@pytest.mark.parametrize(
    ("prompt", "lines"),
    [
        ("List three European capitals.", ["1. Paris", "2. Berlin", "3. Madrid"]),
        ("Name two oceans", ["1. the Pacific", "2. the Atlantic"]),
    ],
)
def test_so_many_are_listed_as_are_asked_for(ask, prompt, lines):
    assert ask(prompt).splitlines() == lines


def test_more_than_are_known_are_not_made_up(ask):
    assert "lab" in ask("List 60 European countries")


def test_another_one_follows_any_of_what_it_may_follow(ask):
    assert "earlier" not in ask("Tell me a joke about databases", "I had one.", "Another one please")
    assert "earlier" not in ask("Write a haiku about rain", "Rain.", "Another one please")
    assert "earlier" in ask("Another one please")


def test_a_question_about_oneself_is_no_statement(ask):
    assert ask("I'm Priya and I like rowing.", "Hello!", "What do I like, and what is my name?") == "You like rowing."


def test_words_are_counted_only_where_a_text_is_given(ask):
    assert ask("How many words are in the sentence: the sea is calm").startswith("There are 4")
    assert "words =" in ask("How can I count words in a text file with Python?")


def test_set_phrases_are_rephrased_and_others_refused(ask):
    assert "please" in ask("Rephrase this more politely: Send me the report now.")
    assert "set phrases" in ask("Rephrase this sentence: the ferry leaves at nine")
