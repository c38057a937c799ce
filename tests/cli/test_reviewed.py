"""What the command line makes of reviews: labels, and a classifier that follows them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator

import pytest
from command_line import Dedup
from corpora import many_questions, read_csv
from fakes import HashingEncoder
from reviewers import review

from dedup.classifier import load_classifier
from dedup.labelled import REVIEWED, read_labelled_pairs
from dedup.settings import Settings
from dedup.store import Store, Stratum, Verdict

FROM_REVIEWS = ("calibrate", "--from-reviews")


@pytest.fixture
def store(run_csv: Callable[..., object], settings: Settings) -> Iterator[Store]:
    run_csv(many_questions(700))
    with Store.open(settings.db) as opened:
        yield opened


def test_reviews_are_not_counted_twice(dedup: Dedup, store: Store) -> None:
    review(store, 200, log_odds=2.0)
    first = dedup(*FROM_REVIEWS, "--json", "--yes").json
    again = dedup(*FROM_REVIEWS, "--json").json
    assert again["identity"] == first["identity"]
    assert first["file"] is not None
    assert again["file"] is None
    assert again["after"] == first["after"]
    assert again["before"]["log_loss"] < first["before"]["log_loss"]


def test_nothing_is_replaced_without_a_yes(
    dedup: Dedup, store: Store, settings: Settings, trigrams: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    review(store, 60)
    before = load_classifier(settings.indexes, trigrams.name, trigrams.fingerprint, settings.metric)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    shown = dedup(*FROM_REVIEWS)
    assert (shown.code, "log-loss" in shown.out) == (0, True), shown.err
    after = load_classifier(settings.indexes, trigrams.name, trigrams.fingerprint, settings.metric)
    assert after.identity == before.identity
    assert dedup(*FROM_REVIEWS, "some.csv").code == 2
    assert dedup("calibrate").code == 2


def test_labels_are_what_reviewers_agree_on(dedup: Dedup, store: Store, settings: Settings) -> None:
    review(store, 30)
    pair = next(pair for pair in store.pairs_from(0, 9_999) if pair.distance > 0)
    for reviewer, verdict in (("bea", Verdict.SAME), ("cleo", Verdict.DIFFERENT)):
        store.record_review(pair.left, pair.right, verdict, reviewer, Stratum.CHOSEN)
    agreed = [each for each in store.reviewed() if each.agreed is not None]
    file = settings.indexes / "labels.csv"
    assert dedup("export", "labels", str(file)).code == 0
    keys = [key for each in agreed for key in (each.left_key, each.right_key)]
    text = {question.text_key: question.text for question in store.with_keys(keys)}
    assert {(row["question1"], row["question2"], row["is_duplicate"]) for row in read_csv(file)} == {
        (text[each.left_key], text[each.right_key], str(int(each.agreed is Verdict.SAME))) for each in agreed
    }
    by_word, by_file = (read_labelled_pairs([name], settings) for name in (REVIEWED, str(file)))
    assert by_word.texts == by_file.texts
    assert by_word.duplicate.tolist() == by_file.duplicate.tolist()
