"""Texts as the numbers of their tokens, by the tokenizer that a model's folder carries; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dedup.errors import EncoderError, first_line

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER_FILE = "tokenizer.json"


def read_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a model folder, which neither pads nor cuts.

    Raises
    ------
    EncoderError
        If its file is missing or damaged.
    """
    from tokenizers import Tokenizer

    file = folder / TOKENIZER_FILE
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises Exception itself
        raise EncoderError(f"{file} is not a tokenizer: {first_line(error)[:120]}; save the model again") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def cut_tokenizer(folder: Path, longest: int) -> Tokenizer:
    """Return the same, cutting a text after ``longest`` tokens, the marks of its begin and end included."""
    tokenizer = read_tokenizer(folder)
    tokenizer.enable_truncation(longest)
    return tokenizer


def token_lists(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return the token numbers of each text, with the marks of its begin and end, on every core."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
