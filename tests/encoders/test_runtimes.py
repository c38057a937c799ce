"""Every way to run the network gives the vectors of the model card's own recipe."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from dedup.encoders import torch_runtime
from dedup.encoders.bert import read_bert, read_shape
from dedup.encoders.numpy_runtime import NumpyRuntime
from dedup.encoders.openvino_runtime import OpenVinoRuntime
from dedup.encoders.protocol import unit_rows
from dedup.encoders.registry import base_folder
from dedup.encoders.runtimes import BertRuntime, Runtime, choose_runtime
from dedup.encoders.torch_runtime import GpuRuntime, load_model
from dedup.questions import Float32

QUESTIONS = [
    "how do i learn python quickly",
    "what is the fastest way to learn python",
    "how do i cook rice",
    "why",
    "what happens when a very long question goes on and on, about " + "one thing and another, " * 20 + "and ends",
    "and when one goes on for longer than any network reads, about " + "one thing and another, " * 200,
    "什么是人工智能",
    "ünïcode, <b>tags</b> & “quotes” – e = mc^2",
    "",
    *(f"how do i cook {'very ' * (number * 7 % 40)}{number}" for number in range(60)),
]
SOME_TOKENS = 512  # in a batch to the GPU: there are several, and those of short texts are not padded to the longest
ROUNDED = {"openvino bf16", "gpu"}


@pytest.fixture(scope="module")
def reference() -> Float32:
    """Source: the model card of sentence-transformers/all-MiniLM-L6-v2, "Usage (HuggingFace Transformers)"."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = base_folder()
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    vectors = []
    with torch.inference_mode():
        for text in QUESTIONS:  # alone, so that nothing is padded
            only = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            vectors.append(model(**only).last_hidden_state[0].mean(0).numpy())
    return unit_rows(np.stack(vectors), QUESTIONS)


@pytest.fixture(scope="module", params=["openvino fp32", "openvino bf16", "numpy", "gpu"])
def runtime(request: pytest.FixtureRequest) -> Iterator[tuple[str, Runtime]]:
    import torch

    folder = base_folder()
    shape = read_shape(folder)
    assert shape is not None
    network = read_bert(folder, shape, None)
    match request.param:
        case "numpy":
            yield request.param, BertRuntime(folder, shape, NumpyRuntime(network))
        case "gpu":  # what is sent to a GPU, sent to the processor
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(torch_runtime, "_GPU_TOKENS", SOME_TOKENS)
                yield request.param, GpuRuntime(load_model(folder), folder, shape.longest, torch.device("cpu"))
        case _:
            bf16 = request.param in ROUNDED
            yield request.param, BertRuntime(folder, shape, OpenVinoRuntime(network, bf16=bf16))


def test_vectors_are_those_of_the_model_cards_own_recipe(runtime: tuple[str, Runtime], reference: Float32) -> None:
    name, made = runtime
    cosine = (unit_rows(made.encode(QUESTIONS), QUESTIONS) * reference).sum(axis=1)
    assert (1 - cosine).max() < (1e-4 if name in ROUNDED else 1e-6)


def test_a_vector_does_not_depend_on_the_other_texts_of_the_call(runtime: tuple[str, Runtime]) -> None:
    name, made = runtime
    if name == "gpu":
        pytest.skip("torch sums in another order where a batch has another width")
    together = unit_rows(made.encode(QUESTIONS), QUESTIONS)
    order = np.random.default_rng(0).permutation(len(QUESTIONS))
    shuffled = unit_rows(made.encode([QUESTIONS[i] for i in order]), QUESTIONS)
    np.testing.assert_allclose(shuffled, together[order], atol=1e-5)
    for i in (0, 3, 4, 8, 40, 60):
        np.testing.assert_allclose(unit_rows(made.encode(QUESTIONS[i : i + 1]), [""])[0], together[i], atol=1e-5)


def test_a_network_of_another_kind_is_left_to_torch() -> None:
    choice = choose_runtime(None)
    assert (choice.runtime, choice.precision) == ("torch", "fp32")


@pytest.mark.parametrize(("able", "precision"), [(True, "bf16"), (False, "fp32")])
def test_the_precision_is_what_the_processor_has(monkeypatch: pytest.MonkeyPatch, able: bool, precision: str) -> None:
    monkeypatch.setattr("dedup.encoders.runtimes.gpu", lambda: None)
    monkeypatch.setattr("dedup.encoders.openvino_runtime.has_bf16", lambda: able)
    choice = choose_runtime(read_shape(base_folder()))
    assert (choice.runtime, choice.precision) == ("OpenVINO", precision)
    assert ("no bf16" in choice.reason) is not able


def test_a_signal_is_taken_after_one_encoder_took_the_place_of_another() -> None:
    """In a process of its own: where it is not, that is a segmentation fault."""
    program = """
import os, signal
from dedup.encoders.bert import read_bert, read_shape
from dedup.encoders.openvino_runtime import OpenVinoRuntime, has_bf16
from dedup.encoders.registry import base_folder

network = read_bert(base_folder(), read_shape(base_folder()), None)
taken = []
signal.signal(signal.SIGTERM, lambda *_: taken.append("taken"))
has_bf16()
before = OpenVinoRuntime(network, bf16=False)
after = OpenVinoRuntime(network, bf16=False)
del before
del after
os.kill(os.getpid(), signal.SIGTERM)
print(*taken)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "taken\n"), ran.stderr
