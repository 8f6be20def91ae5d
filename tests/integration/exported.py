"""Published versions with small real models, told apart by their tokenizers, their labels and their answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers

from export.repository import Repository
from export.spec import FILES, ModelSpec, lengths_on_cpu, lengths_up_to
from export.version_folder import CARD, TOKENIZER, facts_of, write_version
from tests.integration.triton_models import VOCABULARY, classifier, model

MAX_TOKENS = 64
WORDS = [f"word{number}" for number in range(200)]


def publish(
    repository: Repository,
    name: str,
    labels: Sequence[str],
    *,
    shift: int = 0,
    weights: bytes | None = None,
    breaking: Sequence[str] = (),
) -> int:
    """The next version of `name`; its tokenizer numbers the words `shift` later than another one would.

    Words in `breaking` get numbers that the model does not know: the run fails.
    """
    with repository.new_version(name) as folder:
        (folder / FILES["fp32"]).write_bytes(model(classifier(len(labels))) if weights is None else weights)
        numbers = {word: 2 + (index + shift) % (VOCABULARY - 2) for index, word in enumerate(WORDS)}
        numbers |= {word: VOCABULARY + index for index, word in enumerate(breaking)}
        tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1} | numbers, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        tokenizer.save(str(folder / TOKENIZER))
        (folder / CARD).write_text("A model for tests.\n")
        spec = ModelSpec(
            name=name,
            version=int(folder.name),
            source=f"acme/{name}-{folder.name}",
            revision="test",
            architecture="distilbert",
            labels=tuple(labels),
            activation="softmax",
            max_tokens=MAX_TOKENS,
            lengths=lengths_up_to(MAX_TOKENS),
            tokenizer_sha256=facts_of(folder / TOKENIZER).sha256,
            precisions=("fp32",),
        )
        write_version(folder, spec)
    return int(folder.name)


def logits_of(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Logits `[texts, labels]` of a version, each text alone, padded as clients pad it."""
    session = onnxruntime.InferenceSession(folder / FILES["fp32"], providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    rows = []
    for text in texts:
        tokens = tokenizer.encode(text).ids
        length = next(length for length in lengths_on_cpu(lengths_up_to(MAX_TOKENS)) if length >= len(tokens))
        ids, mask = np.zeros((1, length), np.int64), np.zeros((1, length), np.int64)
        ids[0, : len(tokens)], mask[0, : len(tokens)] = tokens, 1
        rows.append(session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0][0])
    return np.stack(rows)
