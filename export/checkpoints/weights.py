"""The weights of a checkpoint: found, checked before anything reads them whole, loaded and checked again."""

import hashlib
import json
import pickle  # nosec B403 # for its exception alone
import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from export.checkpoints.config import CLASSES, CheckpointError, Config, read_json
from export.graphs.quiet import quiet

SAFETENSORS, PYTORCH = "model.safetensors", "pytorch_model.bin"
INDEX = ".index.json"
# safetensors allows no longer header.
MAX_HEADER_BYTES = 100_000_000
MAX_BYTES_FP32 = 2**31 - 2**24  # protobuf's limit for an ONNX file, less room for the graph


def weight_files(names: Iterable[str], read: Callable[[str], Path], source: str) -> tuple[str, ...]:
    """The weight files out of `names` that transformers would load; `read` gives the path of an index file."""
    present = set(names)
    for whole in (SAFETENSORS, PYTORCH):
        if whole in present:
            return (whole,)
        if whole + INDEX in present:
            shards = read_json(read(whole + INDEX), source).get("weight_map")
            files = sorted(set(map(str, shards.values()))) if isinstance(shards, dict) else []
            if not files or any("/" in name or "\\" in name for name in files):
                raise CheckpointError(f"{whole}{INDEX} of {source} lists no files: download the checkpoint again")
            missing = [name for name in files if name not in present]
            if missing:
                raise CheckpointError(f"{source} lacks {missing[0]}, a part of its weights: download it again")
            return tuple(files)
    raise CheckpointError(f"{source} has neither {SAFETENSORS} nor {PYTORCH}: choose a checkpoint with PyTorch weights")


def check_file(path: Path, source: str) -> None:
    """CheckpointError where the file cannot be what its name says. Reads a header only, however long the file is."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            f"{path.name} of {source} is a Git LFS pointer, not the weights: run `git lfs pull` there"
        )
    if path.name.endswith(".safetensors"):
        _check_safetensors(path, size, source)
    elif start.startswith(b"PK"):
        if not zipfile.is_zipfile(path):
            raise CheckpointError(f"{path.name} of {source} is cut off: download it again")
    elif not start.startswith(b"\x80"):
        raise CheckpointError(f"{path.name} of {source} holds no PyTorch weights: download it again")


def _check_safetensors(path: Path, size: int, source: str) -> None:
    broken = CheckpointError(f"{path.name} of {source} is no safetensors file: download it again")
    with path.open("rb") as file:
        prefix = file.read(8)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < 8 or not 2 <= length <= MAX_HEADER_BYTES:
        raise broken
    if size < 8 + length:
        raise CheckpointError(f"{path.name} of {source} is cut off: download it again")
    try:
        end = max(facts["data_offsets"][1] for name, facts in _header(path).items() if name != "__metadata__")
        expected = 8 + length + int(end)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError, IndexError):
        raise broken from None
    if size != expected:
        raise CheckpointError(f"{path.name} of {source} has {size:,} bytes instead of {expected:,}: download it again")


def _header(path: Path) -> dict[str, Any]:
    """Types, shapes and places of the tensors in a safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    return header


def fingerprint(folder: Path, files: Iterable[str]) -> str:
    """12 hexadecimal digits that name the configuration and the weights in `folder`."""
    digest = hashlib.sha256()
    for name in ("config.json", *files):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]


def load_model(folder: Path, config: Config, files: tuple[str, ...], source: str) -> Any:
    """The PyTorch classifier in fp32, ready to be asked; CheckpointError where its weights are not whole and finite."""
    with quiet():
        import torch
        import transformers

        try:
            model, info = getattr(transformers, CLASSES[config.architecture]).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=files[0].endswith(".safetensors"),
                weights_only=True,
                dtype=torch.float32,
                attn_implementation="sdpa",
                ignore_mismatched_sizes=True,  # they are listed in `info`, and refused below
                output_loading_info=True,
            )
        except Exception as error:  # whatever a damaged file raises: there is no list of it
            if _is_about_pickle(error):
                raise CheckpointError(
                    f"{files[0]} of {source} is damaged or holds more than weights, which is not loaded: choose a "
                    "checkpoint with safetensors"
                ) from None
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise CheckpointError(
                f"the weights of {source} cannot be loaded: {reason.replace(str(folder), source)}"
            ) from error
        _check_loading(info, folder, config, files, source)
        size = 0
        for name, tensor in model.state_dict().items():
            if not bool(torch.isfinite(tensor).all()):
                raise CheckpointError(
                    f"{source} has NaN or infinity in {name}: choose a checkpoint that was saved whole"
                )
            size += tensor.numel() * 4
    if size > MAX_BYTES_FP32:
        raise CheckpointError(f"{source} has {size / 1e9:.1f} GB of weights; more than 2 GB do not fit in an ONNX file")
    return model.eval()


def _check_loading(info: dict[str, Any], folder: Path, config: Config, files: tuple[str, ...], source: str) -> None:
    """transformers fills in what is missing or does not fit with random numbers, and drops what is left over."""
    for name in info["mismatched_keys"]:
        if name.startswith("classifier."):
            raise CheckpointError(
                f"{source} has {len(config.labels)} labels in config.json, but its classifier has "
                f"{_rows(folder, files, name) or 'another number of them'}: correct id2label"
            )
        raise CheckpointError(f"{name} of {source} has another shape than config.json says: correct config.json")
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CheckpointError(
            f"{source} lacks the weights {missing[0]}{more}: choose a checkpoint that was trained as a classifier"
        )
    layers = [int(found[1]) for name in info["unexpected_keys"] if (found := re.search(r"\.layer\.(\d+)\.", name))]
    if layers:
        raise CheckpointError(
            f"{source} has weights for {max(layers) + 1} layers, but its config.json says {config.layers}: correct it"
        )


def _rows(folder: Path, files: tuple[str, ...], name: str) -> int | None:
    """First dimension of a tensor, where a file tells without being loaded."""
    for file in files:
        if file.endswith(".safetensors") and (facts := _header(folder / file).get(name)):
            return int(facts["shape"][0])
    return None


def _is_about_pickle(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, pickle.UnpicklingError):
            return True
        error = error.__context__
    return False
