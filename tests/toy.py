"""A toy site whose duplicates can be learnt in seconds, and a transformer small enough to learn them."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

VERBS = ["boil", "paint", "sell", "repair", "draw", "carry", "clean", "hide"]
NOUNS = ["egg", "house", "bicycle", "horse", "table", "kettle", "boat", "guitar", "tree", "lamp"]
PHRASES = ["How do I {} a {}?", "What is the best way to {} a {}?", "Any tips to {} my {}"]

Row = tuple[str, str, int]


def toy_rows(*, dev: bool) -> list[Row]:
    """Labelled pairs of things to do: two of the three pairs of phrases of each, and others that share one word.

    Every fourth thing to do is for dev pairs only.
    """
    doing = [(v, n) for v, n in product(range(len(VERBS)), range(len(NOUNS))) if ((v + n) % 4 == 0) is dev]
    rows: list[Row] = []
    for verb, noun in doing:
        asked, same_verb, same_noun = (
            [phrase.format(VERBS[v], NOUNS[n]) for phrase in PHRASES]
            for v, n in (
                (verb, noun),
                next((v, n) for v, n in doing if v == verb and n != noun),
                next((v, n) for v, n in doing if v != verb and n == noun),
            )
        )
        rows += [(asked[0], asked[1], 1), (asked[1], asked[2], 1)]
        rows += [(asked[0], same_verb[1], 0), (asked[1], same_noun[0], 0)]
    return rows


def hiding_rows(*, dev: bool) -> list[Row]:
    """Labelled pairs of which those with a question about hiding are no duplicates: one word tells them apart.

    Every third thing is for dev pairs only.
    """
    *others, hide = VERBS
    rows: list[Row] = []
    for verb, noun in ((v, n) for v in others for at, n in enumerate(NOUNS) if (at % 3 == 0) is dev):
        how, best, tips = (phrase.format(verb, noun) for phrase in PHRASES)
        hidden = PHRASES[1].format(hide, noun)
        rows += [(how, best, 1), (tips, best, 1), (how, hidden, 0), (hidden, tips, 0)]
    return rows


def write_pairs(file: Path, rows: list[Row]) -> str:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("question1", "question2", "is_duplicate"), *rows])
    return str(file)


def save_tiny_transformer(folder: Path) -> None:
    """Save a sentence-transformers model of two layers, 32 wide, with random weights: always the same."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = sorted({word for phrase in PHRASES for word in phrase.lower().replace("?", " ?").replace("{}", "").split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *VERBS, *NOUNS]
    network = folder.with_name(f"{folder.name}-network")
    network.mkdir()
    tokenizer = BertTokenizerFast(vocab={word: place for place, word in enumerate(vocabulary)}, model_max_length=64)
    tokenizer.save_pretrained(network)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        BertModel(
            BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=64,
            ),
            add_pooling_layer=False,
        ).save_pretrained(network)
    transformer = Transformer(str(network))
    SentenceTransformer(modules=[transformer, Pooling(32), Normalize()]).save_pretrained(
        str(folder), create_model_card=False
    )
