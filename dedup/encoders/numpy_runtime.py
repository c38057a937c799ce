"""BERT by NumPy, one text at a time in float32: for the one question that is asked from the shell.

OpenVINO takes longer to be imported and to compile than NumPy takes to encode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dedup.encoders import bert
from dedup.encoders.bert import Affine, Bert
from dedup.questions import Float32


class NumpyRuntime:
    """A network, ready at once."""

    def __init__(self, network: Bert) -> None:
        self._network = network

    def states(self, tokens: Sequence[Sequence[int]]) -> Float32:
        """Return the mean of the token states of each text, (n, dimension) float32."""
        return np.stack([self._states(own).mean(axis=0) for own in tokens])

    def _states(self, tokens: Sequence[int]) -> Float32:
        """Return the state of each token of one text, (n_tokens, dimension)."""
        network, parameters = self._network, self._network.parameters
        places = parameters[bert.POSITIONS][: len(tokens)] + parameters[bert.KINDS][0]
        states = self._norm(network.words[np.asarray(tokens)] + places, network.affine(bert.EMBEDDINGS_NORM))
        for number in range(network.shape.layers):
            out = _product(self._attention(number, states), network.layer(number, bert.ATTENTION_OUT))
            states = self._norm(out + states, network.layer(number, bert.ATTENTION_NORM))
            inner = _gelu(_product(states, network.layer(number, bert.INNER)))
            outer = _product(inner, network.layer(number, bert.OUTER))
            states = self._norm(outer + states, network.layer(number, bert.LAYER_NORM))
        return states

    def _attention(self, number: int, states: Float32) -> Float32:
        heads = self._network.shape.heads
        query, key, value = (
            _product(states, self._network.layer(number, part)).reshape(len(states), heads, -1).swapaxes(0, 1)
            for part in (bert.QUERY, bert.KEY, bert.VALUE)
        )
        near = query @ key.swapaxes(1, 2) / np.float32(math.sqrt(query.shape[-1]))  # (heads, n_tokens, n_tokens)
        near = np.exp(near - near.max(axis=-1, keepdims=True))
        taken = near / near.sum(axis=-1, keepdims=True) @ value
        joined: Float32 = taken.swapaxes(0, 1).reshape(states.shape)
        return joined

    def _norm(self, states: Float32, affine: Affine) -> Float32:
        weight, bias = affine
        centred = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(self._network.shape.epsilon))
        normed: Float32 = centred / spread * weight + bias
        return normed


def _product(states: Float32, affine: Affine) -> Float32:
    weight, bias = affine
    product: Float32 = states @ weight.T + bias
    return product


def _gelu(values: Float32) -> Float32:
    return np.float32(0.5) * values * (1 + _erf(values / np.float32(math.sqrt(2))))


def _erf(values: Float32) -> Float32:
    """Return the error function within 5e-7: SciPy's takes longer to import than a text takes to encode.

    Source: Abramowitz & Stegun (1964), "Handbook of Mathematical Functions", 7.1.26.
    """
    size = np.abs(values)
    part = 1 / (1 + np.float32(0.3275911) * size)
    series = np.zeros_like(part)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(coefficient)) * part
    signed: Float32 = np.copysign(1 - series * np.exp(-size * size), values)
    return signed
