"""Training pairs on one side, dev pairs on the other, and nothing on both."""

from __future__ import annotations

import numpy as np

from dedup.errors import TrainingError
from dedup.training.examples import TextPairs, label_components, listed


def hold_out(pairs: TextPairs, share: float, seed: int) -> tuple[TextPairs, TextPairs]:
    """Split into training and dev pairs: about ``share`` of them are dev, and no text is in both.

    Whole connected components are held out, of labels of either kind: a text that was trained on is an easier one.
    Which ones is drawn from ``seed`` and the texts alone; a component too large for the share is trained on.

    Raises
    ------
    TrainingError
        If what can be held out, or what is left, has not labels of both kinds.
    """
    component = label_components(pairs)[pairs.left]
    size = np.bincount(component)
    wanted = round(share * len(pairs))
    held_out = np.zeros(len(size), dtype=bool)
    taken = 0
    for drawn in np.random.default_rng(seed).permutation(len(size)):
        if taken + size[drawn] <= wanted:
            held_out[drawn] = True
            taken += int(size[drawn])
    dev = held_out[component]
    if any(len(np.unique(pairs.duplicate[side])) < 2 for side in (dev, ~dev)):
        raise TrainingError(
            f"{share:.0%} of the {len(pairs):,} training pairs, in whole components of connected questions, cannot be "
            "held out with labels of both kinds on both sides; give dev pairs of their own with --dev, or more labels"
        )
    return pairs.only(~dev), pairs.only(dev)


def refuse_overlap(training: TextPairs, dev: TextPairs) -> None:
    """Refuse dev pairs that are trained on, in either order and however they are typed.

    Raises
    ------
    TrainingError
        Naming the first few.
    """
    trained = {_named(training, row) for row in range(len(training))}
    if both := [pair for pair in (_named(dev, row) for row in range(len(dev))) if pair in trained]:
        raise TrainingError(
            f"{len(both):,} of the {len(dev):,} dev pairs are also training pairs: {listed(both)}; "
            "leave them out of one of the two"
        )


def _named(pairs: TextPairs, row: int) -> tuple[str, str]:
    left, right = pairs.texts[pairs.left[row]], pairs.texts[pairs.right[row]]
    return min(left, right), max(left, right)
