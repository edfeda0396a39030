import pytest

from labkit.engine.sums import expression, story, workings


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("What is 17 * 6 + 4?", ("17 × 6 = 102", "102 + 4 = 106")),
        ("(3 + 4) * 5", ("3 + 4 = 7", "7 × 5 = 35")),
        ("ten minus two minus three", ("10 - 2 = 8", "8 - 3 = 5")),
        ("1,200 + 34 + 6", ("1200 + 34 = 1234", "1234 + 6 = 1240")),
        ("5 - -3", ("5 - (-3) = 8",)),
    ],
)
def test_every_step_of_a_sum_is_shown(text, steps):
    assert expression(text).steps == steps


@pytest.mark.parametrize("text", ["5 / 0 + 1", "99999999 + 1 + 1", "no numbers", "2 ** 10 ** 9", "9" * 500])
def test_what_is_no_small_sum_is_none(text):
    assert expression(text) is None


@pytest.mark.parametrize(
    ("a", "sign", "b", "lines"),
    [
        (204, "*", 3, ("200 × 3 = 600", "4 × 3 = 12", "600 + 12 = 612")),
        (47, "+", 38, ("47 + 30 = 77", "77 + 8 = 85")),
        (90, "-", 34, ("90 - 30 = 60", "60 - 4 = 56")),
        (3, "-", 9, ("3 - 9 = -6",)),
    ],
)
def test_workings_split_hundreds_tens_and_ones(a, sign, b, lines):
    assert workings(a, sign, b) == lines


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("A machine folds 40 boxes per minute. How many boxes does it fold in 6 minutes?", "240"),
        ("A pen costs 3 euros. How much do 9 pens cost?", "27"),
        ("Omar had 15 marbles, lost 4 and then found 2 more. How many does he have now?", "13"),
        ("30 cards are split among 5 players. How many does each player get?", "6"),
        ("There were 18 birds on a roof and 7 flew away. How many were left?", None),
        ("I have 3 cats and 2 dogs. How many pets do I have?", None),
        ("Sam has 20 emails and takes 5 calls. How many are left?", None),
        ("Tea costs 3 euros a cup. How many cups are in 2 litres?", None),
        ("25 nuts are shared among 4 squirrels. How many does each get?", None),
        ("Half of the 12 eggs broke and 2 more were used. How many eggs are left?", None),
    ],
)
def test_a_story_is_told_only_where_every_number_is_explained(text, result):
    found = story(text)
    assert (found and found.result) == result


@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("What is 23 * 4? Think step by step.", "20 × 4 = 80\n3 × 4 = 12\n80 + 12 = 92"),
        ("What is 8 * 3 - 4? Show your work.", "8 × 3 = 24\n24 - 4 = 20"),
        ("A tap fills 9 buckets an hour. How many buckets does it fill in 4 hours?", "9 × 4 = 36"),
        ("What is 7 + 8 * 2?", "7 + 8 × 2 = 23"),
    ],
)
def test_the_engine_shows_its_working(ask, prompt, line):
    assert line in ask(prompt)


@pytest.mark.parametrize("prompt", ["What is 3 + 4 squared?", "What is 10% of 50 + 3?", "What is 2 + 5!"])
def test_other_operations_are_left_alone(ask, prompt):
    assert "lab" in ask(prompt)
