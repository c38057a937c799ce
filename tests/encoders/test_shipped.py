"""The shipped encoders and classifiers, as they are installed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dedup.classifier import load_classifier, shipped_classifier
from dedup.distance import distance
from dedup.encoders import SHIPPED_ENCODERS, load_encoder
from dedup.errors import TamperedWeights
from dedup.questions import NATURAL_PRIOR, Metric
from dedup.text import normalise

PYTHON = "How do I learn Python quickly?"
PARAPHRASE = "What is the fastest way to learn Python?"
RICE = "How do I cook rice?"
shipped = pytest.mark.parametrize("name", SHIPPED_ENCODERS)


@shipped
@pytest.mark.parametrize("metric", list(Metric))
def test_a_paraphrase_is_told_from_a_stranger(name: str, metric: Metric, tmp_path: Path) -> None:
    encoder = load_encoder(name, metric)
    classifier = load_classifier(tmp_path, encoder.name, encoder.fingerprint, metric)
    python, paraphrase, rice = encoder.encode([normalise(text) for text in (PYTHON, PARAPHRASE, RICE)])
    near, far = classifier.probability(distance(np.stack([paraphrase, rice]), python[None, :], metric))
    assert near > 0.5 > far


@shipped
@pytest.mark.parametrize("metric", list(Metric))
def test_a_classifier_is_shipped_for_each_metric_at_the_natural_prior(name: str, metric: Metric) -> None:
    encoder = load_encoder(name, metric)
    classifier = shipped_classifier(encoder.fingerprint, metric)
    assert classifier is not None
    assert (classifier.encoder, classifier.metric, classifier.prior) == (name, metric, NATURAL_PRIOR)
    assert [at["wanted"] for at in classifier.fit["precision"]] == sorted(
        at["wanted"] for at in classifier.fit["precision"]
    )


@shipped
def test_tampered_weights_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dedup.encoders import registry

    folder = tmp_path / name
    shutil.copytree(registry.find_folder(name), folder)
    assert load_encoder(str(folder), Metric.EUCLIDEAN).fingerprint == load_encoder(name, Metric.EUCLIDEAN).fingerprint
    (weights,) = folder.glob("*.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(TamperedWeights, match=r"has SHA-256 .*the published weights have"):
        load_encoder(str(folder), Metric.EUCLIDEAN)
