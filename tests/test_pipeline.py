"""A run, end to end, on a small corpus and both databases."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from corpora import KITCHEN, fake_classifier, fake_rescoring, made_up_features, many_questions, read_csv, write_csv
from fakes import HashingEncoder, SharedWords
from scipy.spatial.distance import cdist, pdist

from dedup.classifier import save_classifier
from dedup.errors import ClassifierError, DedupError, DumpError, RowError
from dedup.export import export_clusters, export_pairs
from dedup.features import background_of, describe_questions, pair_features
from dedup.features.surroundings import FEWEST
from dedup.finding import find_duplicates
from dedup.in_service import settings_in_service
from dedup.pipeline import RunResult, run
from dedup.questions import Metric, Question
from dedup.reranking import save_rescoring
from dedup.settings import AUTO, SETTING_NAMES, IndexKind, OnError, Resolved, Settings
from dedup.store import RunKind, RunState, Store
from dedup.text import key_array, normalise, text_key

RunCsv = Callable[..., RunResult]


def exported(settings: Settings, tmp_path: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    with Store.open(settings.db, create=False) as store:
        export_pairs(store, tmp_path / "pairs.csv", settings.candidate_floor)
        export_clusters(store, tmp_path / "clusters.csv")
    return read_csv(tmp_path / "pairs.csv"), read_csv(tmp_path / "clusters.csv")


@pytest.mark.parametrize("metric", list(Metric))
def test_pairs_and_probabilities_are_those_of_brute_force(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, tmp_path: Path, metric: Metric
) -> None:
    run_csv(KITCHEN, metric=metric)
    texts = sorted({normalise(text) for _, text, _ in KITCHEN})
    vectors = trigrams.encode(texts).astype(float)
    near = cdist(vectors, vectors, "cityblock" if metric is Metric.MANHATTAN else "euclidean")
    classifier = fake_classifier(metric, trigrams)
    expected = {
        frozenset((texts[i], texts[j])): float(classifier.probability(near[i, j]))
        for i in range(len(texts))
        for j in range(i)
        if classifier.probability(near[i, j]) >= settings.candidate_floor
    }
    pairs, _ = exported(settings, tmp_path)
    different = [pair for pair in pairs if normalise(pair["left"]) != normalise(pair["right"])]
    found = {
        frozenset((normalise(pair["left"]), normalise(pair["right"]))): float(pair["probability"]) for pair in different
    }
    assert found == pytest.approx(expected, abs=1e-5)
    assert len(found) == len(different) > 0


FEW = {"candidate_floor": 0.7, "threshold": 0.8}  # of many questions that are alike, so that pairs stay thousands


@pytest.mark.parametrize("metric", list(Metric))
def test_with_features_too_pairs_and_probabilities_are_those_of_brute_force(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, tmp_path: Path, metric: Metric
) -> None:
    rows = many_questions(FEWEST + 21)
    classifier = fake_classifier(metric, trigrams, made_up_features(metric))
    save_classifier(classifier, settings.indexes)
    result = run_csv(rows, metric=metric, **FEW)

    texts = sorted((normalise(text) for _, text, _ in rows), key=text_key)
    keys, vectors = key_array(text_key(text) for text in texts), trigrams.encode(texts)
    names = classifier.feature_names
    described = describe_questions(names, background_of(keys, vectors, texts), keys, vectors, texts, metric)
    left, right = np.triu_indices(len(texts), 1)
    near = pdist(vectors.astype(float), "cityblock" if metric is Metric.MANHATTAN else "euclidean")
    probability = classifier.probability(near, pair_features(names, described, left, described, right))
    candidate = np.flatnonzero(probability >= FEW["candidate_floor"])
    expected = {frozenset((texts[left[at]], texts[right[at]])): float(probability[at]) for at in candidate}
    pairs, _ = exported(replace(settings, **FEW), tmp_path)
    found = {
        frozenset((normalise(pair["left"]), normalise(pair["right"]))): float(pair["probability"]) for pair in pairs
    }
    assert found == pytest.approx(expected, abs=1e-5)
    assert (near[candidate] > classifier.max_distance(FEW["candidate_floor"])).any()  # lifted by their features
    with Store.open(settings.db) as store:
        run = store.in_service()
    assert run is not None
    assert sum(run.run.counts["histogram"]) == len(expected) == result.summary.candidate_pairs
    assert "Feature: rare_word_missing" in result.report.read_text("utf-8")


def test_a_prior_changes_the_probabilities_and_not_the_distances(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    run_csv(KITCHEN, candidate_floor=0.01, cluster_floor=0.01)
    before, _ = exported(replace(settings, candidate_floor=0.01), tmp_path)
    assert not run_csv(KITCHEN, candidate_floor=0.01, cluster_floor=0.01, prior=0.1).reused
    after, _ = exported(replace(settings, candidate_floor=0.01), tmp_path)
    moved = fake_classifier(Metric.EUCLIDEAN, trigrams).at_prior(0.1)
    for pair in after:
        expected = 1.0 if float(pair["distance"]) == 0 else float(moved.probability(float(pair["distance"])))
        assert float(pair["probability"]) == pytest.approx(expected, abs=1e-6)
    distances = {(pair["left_id"], pair["right_id"]): pair["distance"] for pair in before}
    assert {(pair["left_id"], pair["right_id"]): pair["distance"] for pair in after}.items() <= distances.items()
    with Store.open(settings.db) as store:
        assert settings_in_service(store, Resolved(settings, dict.fromkeys(SETTING_NAMES, "default"))).prior == 0.1


def test_an_estimated_prior_is_recorded_and_taken_up_by_readers_and_later_runs(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder
) -> None:
    classifier = fake_classifier(Metric.EUCLIDEAN, trigrams)
    spread = {"duplicates": list(np.linspace(0, 0.9, 101)), "others": list(np.linspace(0.3, 1.4, 101))}
    save_classifier(replace(classifier, fit={"distances": spread}), settings.indexes)
    rows = many_questions(300)
    first = run_csv(rows, prior=AUTO)
    with Store.open(settings.db) as store:
        read = settings_in_service(store, Resolved(settings, dict.fromkeys(SETTING_NAMES, "default")))
    assert isinstance(read.prior, float)
    assert 0 < read.prior < classifier.prior  # most of these near pairs are far for duplicates
    again = run_csv(rows, prior=AUTO)
    assert again.reused
    assert again.summary.duplicate_pairs == first.summary.duplicate_pairs
    plain = run_csv(rows)
    assert not plain.reused
    assert plain.summary.candidate_pairs > first.summary.candidate_pairs


def test_a_prior_is_estimated_of_few_pairs_and_of_none(run_csv: RunCsv, settings: Settings) -> None:
    assert run_csv(KITCHEN, prior=AUTO).summary.exact_duplicates == 2
    assert run_csv([("1", "Who?", 1)], prior=AUTO, db=settings.db + "-2").summary.candidate_pairs == 0


RERANKED = {"rerank": True, "candidate_floor": 0.2}


def test_a_run_with_reranking_records_what_the_second_judgement_says(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, words: SharedWords, tmp_path: Path
) -> None:
    rows = many_questions(300)
    plain = run_csv(rows, db=settings.db + "-plain", reports=tmp_path / "plain")
    before, _ = exported(replace(settings, db=settings.db + "-plain"), tmp_path)
    result = run_csv(rows, **RERANKED)
    pairs, clusters = exported(settings, tmp_path)
    classifier = fake_classifier(Metric.EUCLIDEAN, trigrams)
    rescoring = fake_rescoring(classifier, words)
    expected, judged_again = {}, 0
    for pair in before:
        texts = normalise(pair["left"]), normalise(pair["right"])
        classified = float(classifier.probability(float(pair["distance"])))
        probability = classified
        if 0.2 <= classified <= 0.9:
            (score,) = SharedWords().score([texts], lambda _: None)
            probability = float(rescoring.probability(np.array([classified]), np.array([score]), prior=0.369)[0])
            judged_again += 1
        if probability >= 0.2:
            expected[frozenset(texts)] = probability
    found = {frozenset((normalise(p["left"]), normalise(p["right"]))): float(p["probability"]) for p in pairs}
    assert found == pytest.approx(expected, abs=1e-5)
    assert len(found) < len(before)  # what fell under the candidate floor is no candidate any more
    assert result.summary.reranked == judged_again == len(words.scored) > 100
    assert plain.summary.reranked == 0

    canonical = {row["id"]: (row["canonical_id"], float(row["probability"])) for row in clusters}
    text_of = {own: normalise(text) for own, text, _ in rows}
    members = [(own, *rest) for own, rest in canonical.items() if rest[0] != own]
    recorded = [(frozenset((text_of[own], text_of[best])), p) for own, best, p in members]
    assert sum(pair in found for pair, _ in recorded) > 20
    for pair, probability in recorded:
        assert probability == pytest.approx(found[pair], abs=1e-9) if pair in found else probability >= 0.1

    with Store.open(settings.db) as store:
        service = store.in_service()
        read = settings_in_service(store, Resolved(settings, dict.fromkeys(SETTING_NAMES, "default")))
    assert service is not None
    assert service.run.counts["reranked"] == judged_again
    assert (service.run.settings["rerank"], read.rerank) == (True, True)
    page = result.report.read_text("utf-8")
    assert "uncertain pairs judged again" in page
    assert "words" in page
    assert "judged again" not in plain.report.read_text("utf-8")


def test_a_result_with_reranking_is_not_taken_for_one_without(
    run_csv: RunCsv, settings: Settings, words: SharedWords
) -> None:
    first = run_csv(KITCHEN, **RERANKED)
    scored = len(words.scored)
    again = run_csv(KITCHEN, **RERANKED)
    assert again.reused
    assert len(words.scored) == scored > 0
    assert again.summary.reranked == first.summary.reranked == scored
    assert not run_csv(KITCHEN).reused
    assert not run_csv(KITCHEN, **RERANKED).reused
    save_rescoring(
        replace(fake_rescoring(fake_classifier(Metric.EUCLIDEAN, HashingEncoder()), words), intercept=0.1),
        settings.indexes,
    )
    assert not run_csv(KITCHEN, **RERANKED).reused


def test_reranking_follows_an_estimated_prior(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, words: SharedWords, tmp_path: Path, monkeypatch
) -> None:
    prior = 0.2
    monkeypatch.setattr("dedup.finding._at_estimated_prior", lambda classifier, _: classifier.at_prior(prior))
    run_csv(many_questions(300), prior=AUTO, **RERANKED)
    classifier = fake_classifier(Metric.EUCLIDEAN, trigrams)
    moved, rescoring = classifier.at_prior(prior), fake_rescoring(classifier, words)
    checked = 0
    for pair in exported(settings, tmp_path)[0]:
        classified = moved.probability(np.array([float(pair["distance"])]))
        texts = normalise(pair["left"]), normalise(pair["right"])
        if texts in words.scored:
            logit = SharedWords().score([texts], lambda _: None)
            expected = float(rescoring.probability(classified, logit, prior=prior)[0])
            assert float(pair["probability"]) == pytest.approx(expected, abs=1e-5)
            checked += 1
    assert checked > 10


def test_reranking_without_what_its_scores_mean_is_refused_before_anything_is_encoded(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, words: SharedWords
) -> None:
    for file in (settings.indexes / "classifiers").glob("*-rerank.json"):
        file.unlink()
    with pytest.raises(ClassifierError, match=r"`dedup calibrate PAIRS --rerank --encoder trigrams --metric euclidean"):
        run_csv(KITCHEN, **RERANKED)
    assert trigrams.encoded == []


def test_exact_copies_are_pairs_at_distance_zero_and_members_of_one_cluster(
    run_csv: RunCsv, settings: Settings, tmp_path: Path
) -> None:
    result = run_csv(KITCHEN)
    pairs, clusters = exported(settings, tmp_path)
    copies = [pair for pair in pairs if float(pair["distance"]) == 0]
    assert {(pair["left_id"], pair["right_id"]) for pair in copies} <= {("1", "2"), ("1", "10"), ("2", "10")}
    assert len(copies) == 2
    assert {pair["probability"] for pair in copies} == {"1.0"}
    cluster = {row["id"]: row["cluster"] for row in clusters}
    assert cluster["1"] == cluster["2"] == cluster["10"]
    assert result.summary.exact_duplicates == 2


def test_every_question_is_exported_once_and_the_most_viewed_one_is_canonical(
    run_csv: RunCsv, settings: Settings, tmp_path: Path
) -> None:
    run_csv(KITCHEN)
    _, clusters = exported(settings, tmp_path)
    assert sorted(row["id"] for row in clusters) == sorted(own for own, _, _ in KITCHEN)
    by_id = {row["id"]: row for row in clusters}
    assert {by_id[own]["canonical_id"] for own in ("1", "2", "3", "10")} == {"2"}
    assert {by_id[own]["canonical_id"] for own in ("4", "5")} == {"4"}
    assert by_id["6"]["canonical_id"] == "6"
    assert all(float(row["probability"]) == 1.0 for row in clusters if row["id"] == row["canonical_id"])


def test_the_same_dump_again_encodes_and_adds_nothing(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    first = run_csv(KITCHEN)
    before = exported(settings, tmp_path)
    trigrams.encoded.clear()
    again = run_csv(KITCHEN)
    assert trigrams.encoded == []
    assert again.reused
    assert not first.reused
    unlike = {"run_id", "seconds", "encoded"}
    assert {k: v for k, v in asdict(again.summary).items() if k not in unlike} == {
        k: v for k, v in asdict(first.summary).items() if k not in unlike
    }
    assert exported(settings, tmp_path) == before
    with Store.open(settings.db) as store:
        assert store.counts().questions == len(KITCHEN)


@pytest.mark.parametrize("metric", list(Metric))
def test_results_do_not_depend_on_the_order_of_the_rows(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, tmp_path: Path, metric: Metric
) -> None:
    repeated = [("6", "Can cats eat rice?", 70), ("6", "can cats eat rice", None)]
    expected = None
    for seed in range(4):
        rows = [*KITCHEN, *repeated]
        random.Random(seed).shuffle(rows)
        chosen = replace(settings, db=f"sqlite:///{tmp_path / f'{seed}.db'}", indexes=tmp_path / f"indexes-{seed}")
        save_classifier(fake_classifier(metric, trigrams), chosen.indexes)
        run_csv(rows, db=chosen.db, indexes=chosen.indexes, metric=metric)
        found = exported(chosen, tmp_path)
        expected = expected or found
        assert found == expected


def test_a_second_dump_is_compared_with_what_is_recorded(run_csv: RunCsv, settings: Settings, tmp_path: Path) -> None:
    run_csv(KITCHEN[:3])
    result = run_csv([("20", "How do I boil an egg quickly?", 1)])
    _, clusters = exported(settings, tmp_path)
    cluster = {row["id"]: row["cluster"] for row in clusters}
    assert cluster["20"] == cluster["1"]
    assert result.summary.encoded == 1
    assert result.summary.read == 1


def test_an_edited_question_loses_its_old_pairs(run_csv: RunCsv, settings: Settings, tmp_path: Path) -> None:
    run_csv(KITCHEN)
    run_csv([("5", "Why is the sky blue at noon?", 3)])
    pairs, clusters = exported(settings, tmp_path)
    assert not [pair for pair in pairs if "5" in (pair["left_id"], pair["right_id"])]
    assert {row["id"]: row["question"] for row in clusters}["5"] == "Why is the sky blue at noon?"


def test_other_settings_are_not_mistaken_for_the_same_result(run_csv: RunCsv, settings: Settings) -> None:
    loose = run_csv(KITCHEN)
    strict = run_csv(KITCHEN, threshold=0.95)
    assert not strict.reused
    assert strict.summary.duplicate_pairs < loose.summary.duplicate_pairs
    other_metric = run_csv(KITCHEN, metric=Metric.MANHATTAN)
    assert not other_metric.reused
    assert not run_csv(KITCHEN).reused  # the generation in service is the Manhattan one


def test_a_damaged_generation_is_built_anew(run_csv: RunCsv, settings: Settings) -> None:
    first = run_csv(KITCHEN)
    index = settings.indexes / first.summary.generation / "index.faiss"
    damaged = bytearray(index.read_bytes())
    damaged[-1] ^= 1
    index.write_bytes(damaged)
    again = run_csv(KITCHEN)
    assert not again.reused
    assert again.summary.generation != first.summary.generation
    assert again.summary.duplicate_pairs == first.summary.duplicate_pairs


def test_rows_at_fault_are_counted_and_kept(run_csv: RunCsv, settings: Settings) -> None:
    rows = [*KITCHEN, ("30", "  ", 1), ("", "no id", 2), ("4", "Another text for four", 3), ("4", KITCHEN[3][1], 9)]
    result = run_csv(rows)
    assert result.summary.rejected == 3
    assert result.summary.read == len(rows)
    assert result.ingested.rejects_file is not None
    kept = read_csv(result.ingested.rejects_file)
    assert [row["row"] for row in kept] == ["8", "9", "10"]
    assert "Another text for four" in kept[2]["excerpt"]
    with Store.open(settings.db) as store:
        assert store.counts().questions == len(KITCHEN)
        assert store.find_question("4")[0].text == KITCHEN[3][1]


def test_on_error_stop_names_file_and_row_and_leaves_the_last_result(run_csv: RunCsv, settings: Settings) -> None:
    first = run_csv(KITCHEN)
    with pytest.raises(RowError, match=r"questions\.csv, row 2: .*--on-error reject"):
        run_csv([("40", "fine", 1), ("41", " ", 1)], on_error=OnError.STOP)
    with Store.open(settings.db) as store:
        published, last = store.published_generation(), store.last_run()
    assert published is not None
    assert published.name == first.summary.generation
    assert last is not None
    assert last.state is RunState.FAILED
    assert "row 2" in (last.error or "")


def test_a_dump_with_no_good_row_says_where_the_reasons_are(run_csv: RunCsv) -> None:
    with pytest.raises(DumpError, match=r"2 rows were rejected; .*rejects-.*-000001\.csv"):
        run_csv([("1", "", 1), ("2", " ", 1)])


def test_an_interrupted_run_encodes_only_the_rest(
    run_csv: RunCsv, trigrams: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.encoders.vectors.SEGMENT_TEXTS", 2)
    trigrams.fails_after = 3
    with pytest.raises(InterruptedError):
        run_csv(KITCHEN)
    done = list(trigrams.encoded)
    trigrams.fails_after = None
    trigrams.encoded.clear()
    run_csv(KITCHEN)
    assert len(done) == 2
    assert sorted(done + trigrams.encoded) == sorted({normalise(text) for _, text, _ in KITCHEN})


def test_one_question_is_a_corpus(run_csv: RunCsv, settings: Settings, tmp_path: Path) -> None:
    result = run_csv([("7", "Who?", 1)])
    pairs, clusters = exported(settings, tmp_path)
    assert (result.summary.candidate_pairs, result.summary.clusters, pairs) == (0, 0, [])
    assert [row["id"] for row in clusters] == ["7"]


def test_ids_are_those_of_their_source(run_csv: RunCsv, settings: Settings, tmp_path: Path) -> None:
    run_csv(KITCHEN[:2], source="kitchen")
    run_csv([("1", "How do I boil an egg?", 1)], source="forum")
    _, clusters = exported(settings, tmp_path)
    assert sorted((row["source"], row["id"]) for row in clusters) == [
        ("forum", "1"),
        ("kitchen", "1"),
        ("kitchen", "2"),
    ]
    assert len({row["cluster"] for row in clusters}) == 1


def test_the_report_is_written_and_named(run_csv: RunCsv, settings: Settings) -> None:
    result = run_csv(KITCHEN)
    page = result.report.read_text("utf-8")
    assert result.report.parent == settings.reports
    assert "What is the tallest tree in the world?" in page


def test_a_pair_file_is_a_corpus_of_its_questions_and_labels(settings: Settings, tmp_path: Path) -> None:
    header = ("qid1", "qid2", "question1", "question2", "is_duplicate")
    rows = [
        ("1", "2", "How do I boil an egg?", "How do I boil eggs?", 1),
        ("1", "3", "How do I boil an egg?", "Why?", 0),
    ]
    dump = write_csv(tmp_path / "pairs.csv", rows, header)
    result = run([dump], settings)
    assert (result.summary.read, result.ingested.labels) == (3, 2)


@pytest.mark.parametrize("metric", list(Metric))
def test_the_join_in_cells_finds_what_the_exact_one_finds(
    run_csv: RunCsv, settings: Settings, tmp_path: Path, metric: Metric
) -> None:
    words = np.random.default_rng(3).choice(["boil", "egg", "tree", "cat", "rice", "moon", "sky", "old"], (400, 4))
    rows = [(str(n), " ".join(some) + "?", n) for n, some in enumerate(words)]
    exact = replace(settings, db=f"sqlite:///{tmp_path / 'exact.db'}", metric=metric, index=IndexKind.FLAT)
    cells = replace(settings, db=f"sqlite:///{tmp_path / 'cells.db'}", metric=metric, index=IndexKind.PQ)
    for chosen in (exact, cells):
        result = run_csv(rows, db=chosen.db, metric=metric, index=chosen.index)
    true_pairs, _ = exported(exact, tmp_path)
    found_pairs, _ = exported(cells, tmp_path)
    true = {(pair["left_id"], pair["right_id"]) for pair in true_pairs}
    found = {(pair["left_id"], pair["right_id"]) for pair in found_pairs}
    assert found <= true
    assert len(found) >= 0.99 * len(true) > 1000
    assert result.recall >= 0.99


def test_it_runs_on_every_database(run_csv: RunCsv, settings: Settings, tmp_path: Path, database_url: str) -> None:
    run_csv(KITCHEN)
    expected = exported(settings, tmp_path)
    there = replace(settings, db=database_url)
    run_csv(KITCHEN, db=database_url)
    assert exported(there, tmp_path) == expected
    assert run_csv(KITCHEN, db=database_url).reused


def test_a_report_that_cannot_be_written_is_known_before_any_work(
    run_csv: RunCsv, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(DedupError, match=r"taken cannot be written: File exists; .*choose a writable folder"):
        run_csv(KITCHEN, reports=tmp_path / "taken")
    assert trigrams.encoded == []


def test_a_report_that_fails_leaves_a_finished_run_with_its_provenance(
    run_csv: RunCsv, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> Path:
        raise DedupError("no space")

    monkeypatch.setattr("dedup.pipeline.write_report", full_disk)
    with pytest.raises(DedupError, match="no space"):
        run_csv(KITCHEN, metric=Metric.MANHATTAN, threshold=0.8)
    with Store.open(settings.db) as store:
        service = store.in_service()
    assert service is not None
    assert (service.generation.metric, service.run.threshold) == (Metric.MANHATTAN, 0.8)
    assert service.run.classifier is not None


def test_questions_that_are_recorded_while_a_run_works_are_in_its_result(
    run_csv: RunCsv, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_csv(KITCHEN)

    def slow(*arguments: object, **named: object) -> object:
        monkeypatch.setattr("dedup.comparing.find_duplicates", find_duplicates)
        with Store.open(settings.db) as store:
            recording = store.start_run(RunKind.RUN, settings.metric, settings.threshold, {})
            store.record_questions(recording, [Question("77", "Who was first on the moon?")])
        return find_duplicates(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("dedup.comparing.find_duplicates", slow)
    run_csv([("78", "Why do cats purr?", 1)])
    _, clusters = exported(settings, tmp_path)
    assert {"77", "78"} <= {row["id"] for row in clusters}
    with Store.open(settings.db) as store:
        assert store.in_service().current


def test_readers_are_told_when_what_is_recorded_is_newer_than_the_result(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    run_csv(KITCHEN)
    resolved = Resolved(settings, dict.fromkeys(SETTING_NAMES, "default"))
    with Store.open(settings.db) as store:
        settings_in_service(store, resolved)
    assert caplog.text.count("dedup run") == 0
    trigrams.fails_after = 0
    with pytest.raises(InterruptedError):
        run_csv([("78", "Why do cats purr?", 1)])
    with Store.open(settings.db) as store:
        settings_in_service(store, resolved)
    assert "questions came or went since the last run; `dedup reindex`" in caplog.text


def test_the_generation_before_the_one_in_service_is_kept_and_older_ones_go(
    run_csv: RunCsv, settings: Settings
) -> None:
    names = [run_csv(KITCHEN[: n + 3]).summary.generation for n in range(4)]
    assert sorted(path.name for path in settings.indexes.glob("generation-*")) == sorted(names[-2:])


def test_a_change_that_does_not_touch_the_result_is_taken_up_without_a_new_one(
    run_csv: RunCsv, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    run_csv(KITCHEN)
    louder = [(*KITCHEN[0][:1], "How do I boil an EGG?", KITCHEN[0][2]), *KITCHEN[1:]]
    assert run_csv(louder).reused
    with Store.open(settings.db) as store:
        service = store.in_service()
        assert service is not None
        assert service.current
        assert store.find_question("1")[0].text == "How do I boil an EGG?"
