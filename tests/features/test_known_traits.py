"""Only new texts are read, and nothing tells that the others were read before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from corpora import many_questions

from dedup.features import KnownTraits, describe_news, known, load_traits, save_traits
from dedup.features.lexical import TextTraits, describe
from dedup.questions import Keys
from dedup.text import key_array, key_bytes, normalise, text_key

TEXTS = {text_key(normalise(text)): normalise(text) for _, text, _ in many_questions(400)}
KEYS = np.sort(key_array(TEXTS))


def texts_of(keys: Keys) -> Sequence[str]:
    return [TEXTS[key] for key in key_bytes(keys)]


def equal(one: TextTraits, other: TextTraits) -> bool:
    arrays = [field.name for field in fields(TextTraits) if field.name != "content"]
    same = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
    words = ((one.content.columns, other.content.columns), (one.content.starts, other.content.starts))
    return same and all(np.array_equal(*each) for each in words)


@pytest.mark.parametrize(("then", "now"), [(300, 400), (400, 300), (0, 400), (400, 400), (200, 0)])
def test_it_is_as_if_all_were_read_and_only_what_is_new_is(then: int, now: int) -> None:
    random = np.random.default_rng(then + now)
    before, after = (np.sort(random.permutation(KEYS)[:count]) for count in (then, now))
    asked: list[bytes] = []

    def asking(keys: Keys) -> Sequence[str]:
        asked.extend(keys.tolist())
        return texts_of(keys)

    found = describe_news(after, asking, KnownTraits(before, describe(texts_of(before))))
    assert equal(found, describe(texts_of(after)))
    assert asked == np.setdiff1d(after, before).tolist()
    assert equal(describe_news(after, texts_of, None), found)


def test_it_comes_back_as_it_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traits = describe(texts_of(KEYS))
    save_traits(tmp_path, "generation-1", KEYS, traits)
    found = load_traits(tmp_path, "generation-1")
    assert found is not None
    assert np.array_equal(found.keys, KEYS)
    assert equal(found.traits, traits)
    monkeypatch.setitem(known._FACTS, "traits_version", 0)
    assert load_traits(tmp_path, "generation-1") is None
