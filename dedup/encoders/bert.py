"""The most usual transformer of sentences, read without torch: BERT, the mean of its tokens' states, length 1.

Source: Devlin et al. (2019), "BERT"; Reimers & Gurevych (2019), "Sentence-BERT". Of other networks (another
architecture, pooling or activation) nothing is known here; sentence-transformers runs them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from dedup.encoders.adapter import read_changes
from dedup.encoders.tokens import TOKENIZER_FILE
from dedup.errors import EncoderError, first_line
from dedup.questions import Float32

WORDS = "embeddings.word_embeddings.weight"
POSITIONS = "embeddings.position_embeddings.weight"
KINDS = "embeddings.token_type_embeddings.weight"
EMBEDDINGS_NORM = "embeddings.LayerNorm"
QUERY, KEY, VALUE = ("attention.self.query", "attention.self.key", "attention.self.value")
ATTENTION_OUT, ATTENTION_NORM = "attention.output.dense", "attention.output.LayerNorm"
INNER, OUTER, LAYER_NORM = "intermediate.dense", "output.dense", "output.LayerNorm"

_PARTS = (QUERY, KEY, VALUE, ATTENTION_OUT, ATTENTION_NORM, INNER, OUTER, LAYER_NORM)
_WEIGHTS_FILE = "model.safetensors"
_IN_SENTENCE_TRANSFORMERS = "0.model."  # how it calls a parameter of its first module
_MODULES = (["Transformer", "Pooling", "Normalize"], ["Transformer", "Pooling"])

Affine: TypeAlias = tuple[Float32, Float32]
"""A weight and a bias."""


@dataclass(frozen=True, slots=True)
class BertShape:
    """What a network's configuration says of it."""

    layers: int
    heads: int
    epsilon: float  # of its layer norms
    longest: int  # a text is cut after so many tokens, the marks of its begin and end included


@dataclass(frozen=True, slots=True)
class Bert:
    """A network and its parameters, float32, by their names in the model's own file."""

    shape: BertShape
    words: Float32  # (vocabulary, dimension); may be memory-mapped: a text needs a few rows
    parameters: Mapping[str, Float32]  # all others

    def affine(self, name: str) -> Affine:
        """Return the weight and the bias of a part; of a product the weight is (outputs, inputs)."""
        return self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]

    def layer(self, number: int, part: str) -> Affine:
        """Return the weight and the bias of a part of a layer."""
        return self.affine(f"encoder.layer.{number}.{part}")

    @property
    def operations(self) -> tuple[float, float]:
        """The floating-point operations of matrix products: of a token, and of every two tokens of a text."""
        inner, dimension = self.layer(0, INNER)[0].shape
        weights = 4 * dimension * dimension + 2 * dimension * inner
        return 2.0 * self.shape.layers * weights, 4.0 * self.shape.layers * dimension


def read_shape(folder: Path) -> BertShape | None:
    """Return the shape of the network in a sentence-transformers folder; None if it is of another kind."""
    try:
        config = _json(folder / "config.json")
        modules = _json(folder / "modules.json")
        pooling = _json(folder / modules[1]["path"] / "config.json")
        sentences = _json(folder / "sentence_bert_config.json")
        prompt = _json(folder / "config_sentence_transformers.json").get("default_prompt_name")
        kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
        usual = (
            kinds in _MODULES
            and modules[0]["path"] == ""
            and (folder / TOKENIZER_FILE).is_file()
            and config["model_type"] == "bert"
            and config["hidden_act"] == "gelu"
            and config.get("position_embedding_type", "absolute") == "absolute"
            and _pools_by_mean(pooling)
            and prompt is None
        )
        if not usual:
            return None
        longest = sentences.get("max_seq_length") or _json(folder / "tokenizer_config.json")["model_max_length"]
        return BertShape(
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            epsilon=float(config["layer_norm_eps"]),
            longest=min(int(longest), int(config["max_position_embeddings"])),
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None  # not described in the usual way


def read_bert(folder: Path, shape: BertShape, adapter: Path | None) -> Bert:
    """Read the parameters of a network, with what an adapter in another folder changes of them.

    Raises
    ------
    EncoderError
        If the weights or the adapter are damaged, or the adapter is of another base.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = folder / _WEIGHTS_FILE
    try:
        parameters: dict[str, Float32] = {name: tensor.astype("f4") for name, tensor in load_file(file).items()}
        if absent := _names(shape) - parameters.keys():
            raise ValueError(f"it has no {min(absent)}")
    except (OSError, SafetensorError, ValueError) as error:
        raise EncoderError(
            f"{folder} cannot be loaded as a sentence-transformers model: {first_line(error)[:200]}; save it again"
        ) from error
    for name, change in (read_changes(adapter) if adapter is not None else {}).items():
        own = name.removeprefix(_IN_SENTENCE_TRANSFORMERS)
        if own not in parameters or parameters[own].shape != change.shape:
            raise EncoderError(f"{adapter} changes {name}, which its base does not have; install it again")
        parameters[own] = parameters[own] + change
    used = _names(shape)
    words = parameters.pop(WORDS)
    return Bert(shape, words, {name: tensor for name, tensor in parameters.items() if name in used})


def _names(shape: BertShape) -> set[str]:
    """Return the names of all parameters that a text's vector depends on."""
    parts = [EMBEDDINGS_NORM, *(f"encoder.layer.{n}.{part}" for n in range(shape.layers) for part in _PARTS)]
    return {WORDS, POSITIONS, KINDS} | {f"{part}.{kind}" for part in parts for kind in ("weight", "bias")}


def _pools_by_mean(pooling: Mapping[str, Any]) -> bool:
    """Tell whether a text's vector is the mean of its tokens' states, in the words of any version of the library."""
    if "pooling_mode" in pooling:
        return bool(pooling["pooling_mode"] == "mean")
    modes = {name for name, on in pooling.items() if name.startswith("pooling_mode_") and on}
    return modes == {"pooling_mode_mean_tokens"}


def _json(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))
