"""BERT as an OpenVINO graph, made from its parameters: no torch, no converter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dedup.encoders import bert
from dedup.encoders.bert import Affine, Bert

if TYPE_CHECKING:
    from openvino import Model, Node

_FAR = -1e9  # added where a token looks at another question's: the exponential of it is exactly 0


def bert_graph(network: Bert) -> Model:
    """Return the network from tokens, positions and owners to the states of the tokens.

    They are those of a `dedup.encoders.packing.Batch`: (rows, width) int32 each; states are (rows, width, dimension)
    float32. A token attends to those of its own row that have the same owner.
    """
    from openvino import Model
    from openvino import opset13 as op

    tokens, position, owner = (op.parameter([-1, -1], np.int32) for _ in range(3))
    places = network.parameters[bert.POSITIONS] + network.parameters[bert.KINDS][0]
    states = op.add(
        op.gather(op.constant(np.ascontiguousarray(network.words)), tokens, _axis(0)),
        op.gather(op.constant(places), position, _axis(0)),
    )
    states = _norm(states, network.affine(bert.EMBEDDINGS_NORM), network.shape.epsilon)
    same = op.equal(op.unsqueeze(owner, _axis(1)), op.unsqueeze(owner, _axis(2)))
    far = op.unsqueeze(op.select(same, _number(0.0), _number(_FAR)), _axis(1))  # (rows, 1, width, width)
    for number in range(network.shape.layers):
        states = _layer(network, number, states, far)
    return Model([op.result(states)], [tokens, position, owner], "bert")


def _layer(network: Bert, number: int, states: Node, far: Node) -> Node:
    from openvino import opset13 as op

    shape = network.shape
    attended = _attention(network, number, states, far)
    out = _product(attended, network.layer(number, bert.ATTENTION_OUT))
    states = _norm(op.add(out, states), network.layer(number, bert.ATTENTION_NORM), shape.epsilon)
    inner = op.gelu(_product(states, network.layer(number, bert.INNER)), "erf")
    outer = _product(inner, network.layer(number, bert.OUTER))
    return _norm(op.add(outer, states), network.layer(number, bert.LAYER_NORM), shape.epsilon)


def _attention(network: Bert, number: int, states: Node, far: Node) -> Node:
    """Return what each token takes from the tokens of its question, (rows, width, dimension)."""
    from openvino import opset13 as op

    dimension, heads = network.words.shape[1], network.shape.heads
    by_head = op.constant(np.array([0, 0, heads, dimension // heads]))  # 0: as it is
    across = op.constant(np.array([0, 2, 1, 3]))
    query, key, value = (
        op.transpose(op.reshape(_product(states, network.layer(number, part)), by_head, True), across)
        for part in (bert.QUERY, bert.KEY, bert.VALUE)
    )
    scale = _number(1 / math.sqrt(dimension / heads))
    near = op.softmax(op.add(op.multiply(op.matmul(query, key, False, True), scale), far), -1)
    taken = op.transpose(op.matmul(near, value, False, False), across)
    return op.reshape(taken, op.constant(np.array([0, 0, dimension])), True)


def _product(states: Node, affine: Affine) -> Node:
    from openvino import opset13 as op

    weight, bias = affine
    return op.add(op.matmul(states, op.constant(weight), False, True), op.constant(bias))


def _norm(states: Node, affine: Affine, epsilon: float) -> Node:
    from openvino import opset13 as op

    weight, bias = affine
    normed = op.mvn(states, op.constant(np.array([-1])), True, epsilon, "inside_sqrt")
    return op.add(op.multiply(normed, op.constant(weight)), op.constant(bias))


def _axis(number: int) -> Node:
    from openvino import opset13 as op

    return op.constant(np.int64(number))


def _number(value: float) -> Node:
    from openvino import opset13 as op

    return op.constant(np.float32(value))
