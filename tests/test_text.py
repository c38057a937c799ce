"""The normaliser merges what is the same question typed another way, and nothing else; keys survive NumPy."""

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from oracles import repeatable

from dedup import text
from dedup.text import KEY_BYTES, key_array, key_bytes, normalise, text_key

SAME = [
    ("How do I learn Python?", "how do i learn python"),
    ("why ?!", "Why"),
    ("Why…", "why"),
    ("  what\tis \n this ", "what is this"),
    ("what\u00a0is\u2003this", "what is this"),
    ("what\x00is\x1fthis", "what is this"),
    ("What&#39;s R&amp;D?", "what's r&d"),
    ("5 &lt; 6", "5 < 6"),
    ("&amp;amp;lt;b&gt;", "<b>"),
    ("Is “it” ‘so’?", "is \"it\" 'so'"),
    ("well—known", "well-known"),
    ("ﬁle", "file"),
    ("Ｗｈａｔ？", "what"),
    ("cafe\u0301", "café"),
    ("STRASSE", "straße"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("soft\u00adhyphen", "softhyphen"),
    ("zero\u200bwidth\ufeff", "zerowidth"),
    ("\u200fשלום\u200e", "שלום"),
    ("什么是人工智能？", "什么是人工智能"),
    ("ما هذا؟", "ما هذا"),
    ("यह क्या है।", "यह क्या है"),
    ("what is 10⁵?", "What is 10^5"),
    ("what is 10&#x2075;?", "What is 10^5"),
]

DIFFERENT = [
    ["C", "C++", "C#", "F#"],
    [".NET", "NET"],
    ["what is 1.5?", "what is 15?", "what is 1,5?"],
    ["what is 10⁵?", "what is 105?"],
    ["what is x²?", "what is 2x?", "what is x?"],
    ["what is 10⁻⁹?", "what is 10-9?", "what is 10⁹?"],
    ["is 2ⁿ even?", "is 2n even?"],
    ["is it safe?", "is it not safe?", "isn't it safe?"],
    ["how to sum -1?", "how to sum 1?"],
    ["résumé", "resume"],
    ["می\u200cخواهم", "میخواهم"],
    ["👩\u200d💻", "👩💻"],
    ["to day", "today"],
    ["?", "!", ""],
]


@pytest.mark.parametrize(("typed", "otherwise"), SAME, ids=ascii)
def test_the_same_question_typed_otherwise_is_one_text(typed, otherwise):
    assert normalise(typed) == normalise(otherwise)


@pytest.mark.parametrize("texts", DIFFERENT, ids=ascii)
def test_different_questions_stay_different(texts):
    assert len({normalise(one) for one in texts}) == len(texts)
    assert len({text_key(normalise(one)) for one in texts}) == len(texts)


PIECES = st.sampled_from(
    [
        *"aA1 .?;&#xß…？",
        "&amp;",
        "&#38;",
        "&lt",
        "amp;",
        "&#",
        "38;",
        "\u00ad",
        "\u200b",
        "\u0301",
        "\u0315",
        "⁵",
        "＆",
        "\t",
        "’",
    ]
)


@repeatable
@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
@example("&" + "amp;" * 50)
@example("a" + "\u0315\u0300" * 50)
@example("ﾞ\u0315" * 50)
@example("a\ud800")
def test_normalising_twice_changes_nothing(written):
    once = normalise(written)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFKC", once)
    assert once == " ".join(once.split())


@repeatable
@given(st.text(), st.sampled_from(["?", " ?!", ".", "…", "？", "\u200b", " \n"]))
def test_what_ends_a_text_does_not_make_another_question(written, end):
    assume("&" not in normalise(written + "x"))  # an entity that ``end`` would complete
    assert normalise(written + "x" + end) == normalise(written + "x")


@pytest.mark.parametrize(
    "hostile",
    [
        " " * 1_000_000 + "a",
        "." * 1_000_000 + "a",
        ". " * 500_000 + "a",
        "&" * 1_000_000,
        "&" + "amp;" * 250_000,
        "&amp;" * 200_000,
        "&#" + "1" * 1_000_000 + ";",
        "&#x" + "f" * 1_000_000 + ";",
        "a" + "\u0315\u0300" * 500_000,
        "a" + ("\u0315\u0300" * 10 + "\u200b") * 47_000,
        "ﾞ\u0315" * 500_000,
        "\u200b" * 1_000_000,
    ],
    ids=lambda hostile: ascii(hostile[:12]),
)
def test_a_megabyte_made_to_be_slow_is_not(hostile):
    start = time.process_time()
    normalise(hostile)
    assert time.process_time() - start < 5  # quadratic time would be minutes


def test_a_number_of_thousands_of_digits_is_no_error():
    assert normalise("what is &#" + "9" * 5000 + "; for?") == "what is \ufffd for"


def test_more_marks_than_any_script_stacks_are_dropped_and_fewer_are_kept():
    assert normalise("x" + "\u0323" * 30) == "x" + "\u0323" * 30
    assert normalise("x" + "\u0323" * 40) == "x" + "\u0323" * 30


def test_the_key_is_sixteen_bytes_that_depend_on_text_and_version(monkeypatch):
    before = text_key("why")
    assert len(before) == KEY_BYTES
    assert before == text_key("why") != text_key("whx")
    monkeypatch.setattr(text, "NORMALISER_VERSION", text.NORMALISER_VERSION + 1)
    assert text_key("why") != before


def test_half_a_surrogate_pair_has_a_key():
    assert text_key("a\ud800") != text_key("a\ud801")


@repeatable
@given(st.lists(st.one_of(st.binary(min_size=16, max_size=16), st.just(b"k" + bytes(15)), st.just(bytes(16)))))
def test_keys_survive_numpy_also_where_they_end_in_nul(keys):
    array = key_array(keys)
    assert array.dtype == np.dtype("S16")
    assert key_bytes(array) == keys
    assert key_bytes(np.sort(array)) == sorted(keys)
    assert key_bytes(array[::-1]) == keys[::-1]
    assert key_bytes(np.unique(array)) == sorted(set(keys))


@repeatable
@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_of_plain_texts_leads_where_the_long_one_does(written):
    assume("&" not in written)
    assert normalise(written) == text._normalise_once(written) == text._normalise_once(normalise(written))
