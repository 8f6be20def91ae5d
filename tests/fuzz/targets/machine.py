"""What lies on the machine: settings, passwords, the memory of Triton's backend; and requests to that backend."""

import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from services.common.errors import ConfigurationError
from services.common.settings import Settings, env_example, read_settings
from services.local.passwords import load_or_make
from tests import hostile
from tests.conftest import ROOT
from tests.fuzz.target import Target, raw_fields, scratch, texts_of

_FOLDER = scratch()
_NAMES = frozenset(name.upper() for name in Settings.model_fields)
BACKEND = str(ROOT / "services" / "triton" / "backends" / "onnxruntime")
# As Triton does it: the modules of the backend are imported by their names alone.
sys.path.append(BACKEND)
try:
    import mixed_lengths  # type: ignore[import-not-found] # a type checker does not know that folder
    import ort_batches  # type: ignore[import-not-found] # as above
    import remembered  # type: ignore[import-not-found] # as above
finally:
    sys.path.remove(BACKEND)
LENGTHS = (8, 16, 32)


def environment(raw: bytes) -> None:
    """Settings that every client can use, or all complaints at once."""
    values = {name: value for name, value in texts_of(raw).items() if name in _NAMES and "\x00" not in value}
    kept = {name: os.environ.pop(name) for name in _NAMES if name in os.environ}
    os.environ |= values
    try:
        assert_settings()
    finally:
        for name in values:
            del os.environ[name]
        os.environ |= kept


def env_file(raw: bytes) -> None:
    """The same for a file `.env`."""
    before = Path.cwd()
    (_FOLDER / ".env").write_bytes(raw)
    os.chdir(_FOLDER)
    try:
        assert_settings()
    finally:
        os.chdir(before)


def assert_settings() -> None:
    try:
        settings = read_settings()
    except ConfigurationError as error:
        str(error).encode()
        return
    settings.database_dsn.encode()
    settings.redis_dsn.encode()
    for address in settings.triton_url.split(","):
        host, _, port = address.rpartition(":")
        assert host
        assert 1 <= int(port) <= 65_535
    for name in ("inference_timeout_s", "model_refresh_s", "alert_interval_s"):
        assert 0 < getattr(settings, name) <= 3_600


def kept_files(raw: bytes) -> None:
    """Passwords that are whole, or a sentence; a memory that is there, or none."""
    path = _FOLDER / "secrets.json"
    path.write_bytes(raw)
    try:
        passwords = load_or_make(path, database_dir=_FOLDER)
    except ConfigurationError as error:
        assert "is damaged" in str(error)
    else:
        assert isinstance(passwords.postgres, str)
        assert isinstance(passwords.redis, str)
    found = remembered.recall(path, "key")
    assert found is None or isinstance(found, dict)


def triton_requests(raw: bytes) -> None:
    """Every request gets its own rows back, or an error of its own."""
    requests = []
    for ids, mask in _arrays(raw):
        arrays = {"input_ids": ids, "attention_mask": mask}
        try:
            mixed_lengths.check(arrays)
        except ort_batches.InputError:
            assert ids.shape != mask.shape
            continue
        requests.append(arrays)
    outcomes = mixed_lengths.run_all(requests, LENGTHS, _model) if requests else []
    for arrays, outcome in zip(requests, outcomes, strict=True):
        if isinstance(outcome, Exception):
            assert not arrays["input_ids"].size or (arrays["input_ids"] < 0).any()
        else:
            assert outcome["logits"].tolist() == _sums(arrays).tolist()


def _model(feeds: Any) -> list[Any]:
    """The sum of the ids that count; negative ones are none that it knows."""
    if (feeds["input_ids"] < 0).any():
        raise ValueError("no such id")
    return [_sums(feeds)]


def _sums(feeds: Any) -> Any:
    return (feeds["input_ids"] * (feeds["attention_mask"] != 0)).sum(axis=1, keepdims=True).astype(np.float64)


def _arrays(raw: bytes) -> list[tuple[Any, Any]]:
    """Ids and masks: four small numbers of shape each, then the values, over and over."""
    found: list[tuple[Any, Any]] = []
    while len(raw) >= 4 and len(found) < 4:
        (rows, length, mask_rows, mask_length), raw = struct.unpack("4B", raw[:4]), raw[4:]
        shapes = (rows % 4, length % 40), (mask_rows % 4, mask_length % 40)
        arrays = []
        for shape in shapes:
            size = shape[0] * shape[1]
            values = np.resize(np.frombuffer(raw[:size] or b"\x01", np.int8), size).astype(np.int64)
            arrays.append(values.reshape(shape))
            raw = raw[size:]
        found.append((arrays[0], arrays[1]))
    return found


TARGETS = (
    Target(
        "environment",
        environment,
        [
            raw_fields({b"DATABASE_URL": b"postgresql+asyncpg://u:p%40@[::1]:5432/d?sslmode=disable"}),
            raw_fields({b"REDIS_URL": b"rediss://:p@host:1/0", b"TRITON_URL": b"grpc://host:8001, dns:///other:1"}),
            raw_fields({b"POSTGRES_PASSWORD": b"p@ss/word", b"POSTGRES_HOST": b"::1", b"POSTGRES_DB": b"d"}),
            *(
                raw_fields({name.encode(): str(field.default).encode()})
                for name, field in ((name.upper(), field) for name, field in Settings.model_fields.items())
            ),
        ],
        st.dictionaries(
            st.sampled_from(sorted(_NAMES)).map(str.encode),
            st.one_of(
                hostile.raw_texts(),
                st.sampled_from(hostile.NUMBERS).map(str.encode),
                st.builds(
                    bytes.__add__, st.sampled_from([b"redis://", b"postgresql://", b"grpc://"]), hostile.raw_texts()
                ),
            ),
            max_size=4,
        ).map(raw_fields),
    ),
    Target(
        "env_file",
        env_file,
        [env_example().encode(), b'API_PORT="81"\nexport LOG_LEVEL=info\n', b"API_HOST=${API_HOST}\n", b"\xff\xfeA"],
        st.lists(
            st.one_of(
                st.sampled_from(env_example().replace("#", "").splitlines()).map(str.encode), hostile.raw_texts()
            ),
            max_size=6,
        ).map(b"\n".join),
    ),
    Target(
        "kept_files",
        kept_files,
        [b'{"postgres": "a", "redis": "b"}', b'{"key": {"runtime": "x"}}', hostile.deep(2_000, "x")],
        hostile.nearly({"postgres": "a", "redis": "b", "key": {}}).map(str.encode) | hostile.raw_texts(),
    ),
    Target(
        "triton_requests",
        triton_requests,
        [
            bytes([2, 8, 2, 8, *range(16), *[1] * 16]),
            bytes([1, 16, 1, 16, *range(16), *[1] * 5, *[0] * 11, 3, 8, 3, 8, *range(24), *[1] * 24]),
        ],
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 39), st.binary(max_size=60)).map(
                lambda shape: bytes([shape[0], shape[1], shape[0], shape[1]]) + shape[2]
            )
            | st.binary(max_size=40),
            max_size=3,
        ).map(b"".join),
    ),
)
