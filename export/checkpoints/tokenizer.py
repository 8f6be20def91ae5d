"""The tokenizer of a checkpoint as one `tokenizer.json`, the form that the services read."""

from collections.abc import Iterable
from pathlib import Path

from export.checkpoints.config import CheckpointError, Config, read_json
from export.graphs.quiet import quiet

FAST = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
# What a slow tokenizer consists of, for each architecture.
VOCABULARY = {"distilbert": ("vocab.txt",), "roberta": ("vocab.json", "merges.txt")}
FILES = (FAST, SETTINGS, "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt")


def check_names(names: Iterable[str], config: Config, source: str) -> None:
    """CheckpointError where the files cannot make a tokenizer."""
    present = set(names)
    vocabulary = VOCABULARY[config.architecture]
    if FAST not in present and not present.issuperset(vocabulary):
        raise CheckpointError(
            f"{source} has no tokenizer: put {FAST} (or {' and '.join(vocabulary)}) of the model that it was trained "
            "from beside its weights"
        )


def tokenizer_file(folder: Path, work: Path, config: Config, source: str) -> Path:
    """`tokenizer.json` of the checkpoint, or one in `work` made of its vocabulary."""
    check_names((path.name for path in folder.iterdir()), config, source)
    path = folder / FAST
    if not path.exists():
        path = _convert(folder, work, config, source)
    _check_vocabulary(path, config, source)
    return path


def max_length(folder: Path, config: Config, source: str) -> int:
    """The longest sequence in tokens that both the model and its tokenizer allow."""
    if (folder / SETTINGS).exists():
        given = read_json(folder / SETTINGS, source).get("model_max_length")
        # Tokenizers without a limit have 10^30 here.
        if isinstance(given, int) and not isinstance(given, bool) and given >= 2:
            return min(config.max_tokens, given)
    return config.max_tokens


def _convert(folder: Path, work: Path, config: Config, source: str) -> Path:
    with quiet():
        import transformers

        kind = "DistilBertTokenizerFast" if config.architecture == "distilbert" else "RobertaTokenizerFast"
        try:
            slow = getattr(transformers, kind).from_pretrained(folder, local_files_only=True)
            slow.backend_tokenizer.save(str(work / FAST))
        except Exception as error:  # whatever a damaged vocabulary raises
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise CheckpointError(f"the tokenizer of {source} cannot be converted: {reason}") from error
    return work / FAST


def _check_vocabulary(path: Path, config: Config, source: str) -> None:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise CheckpointError(f"{FAST} of {source} is no tokenizer ({error}): download it again") from None
    ids = tokenizer.get_vocab(with_added_tokens=True).values()
    if not ids:
        raise CheckpointError(f"{FAST} of {source} has no tokens: download it again")
    if max(ids) >= config.vocab_size:
        raise CheckpointError(
            f"the tokenizer of {source} has token ids up to {max(ids)}, but the model only knows {config.vocab_size} "
            "tokens: put the tokenizer that it was trained with beside its weights"
        )
