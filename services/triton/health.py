"""Whether a Triton serves: `python3 health.py [URL]` has every model answer; exit status 1, with the reason, if not.

A server whose model's process has died goes on calling itself ready, so each loaded model is asked for a real
inference. One file and the standard library only, because NVIDIA's image runs it, too. It needs the server's HTTP
endpoint, which listens on the container's own loopback.
"""

import json
import math
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

URL = "http://127.0.0.1:8000"
# Behind the largest batch that may be at work (64 rows of 512 tokens), which takes a slow core 20 s.
TIMEOUT_S = 25.0
# A canary that does not load takes nothing away from what serves.
CANARY_SUFFIX = "_canary"


class Unhealthy(Exception):
    """The message says which model does not answer, and how."""


class NotLoaded(Unhealthy):
    """The server is up, and it is up only when it has tried every model."""


def check(url: str = URL, timeout_s: float = TIMEOUT_S) -> Sequence[str]:
    """The models, each of which has just answered; Unhealthy otherwise."""
    index = _ask(f"{url}/v2/repository/index", {}, timeout_s)
    ready = {entry["name"] for entry in index if entry.get("state") == "READY"}
    missing = {entry["name"] for entry in index if not _is_optional(entry["name"])} - ready
    if missing or not ready:
        reasons = " ".join(entry["reason"] for entry in index if entry["name"] in missing and entry.get("reason"))
        raise NotLoaded(f"not loaded: {', '.join(sorted(missing)) or 'any model'} {reasons}".strip())
    for name in sorted(ready):
        model = f"{url}/v2/models/{name}"
        config = _ask(f"{model}/config", None, timeout_s)
        answer = _ask(f"{model}/infer", {"inputs": list(_tiny_inputs(config))}, timeout_s)
        if not _is_an_answer(answer, config):
            raise Unhealthy(f"{name} gives no numbers")
    return sorted(ready)


def _is_optional(name: str) -> bool:
    """Whether it is a canary or, with a dot, the exporter's unfinished work."""
    return name.startswith(".") or name.endswith(CANARY_SUFFIX)


def _ask(url: str, body: object, timeout_s: float) -> Any:
    """The JSON of the answer; Unhealthy where there is none in time."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=timeout_s) as answer:  # nosec B310 # always of http://
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise Unhealthy(f"{url}: {error.code} {error.read(500).decode(errors='replace')}") from None
    except (OSError, ValueError) as error:
        raise Unhealthy(f"{url}: {error}") from None


def _tiny_inputs(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row of ones of the shortest length that the model is served at."""
    lengths = config.get("parameters", {}).get("sequence_lengths", {}).get("string_value", "1")
    shortest = min(int(length) for length in lengths.split(","))
    for entry in config["input"]:
        dims = [int(dim) for dim in entry["dims"]]
        shape = [1] * bool(config.get("max_batch_size")) + [shortest if dim < 0 else dim for dim in dims]
        datatype = entry["data_type"].removeprefix("TYPE_").replace("STRING", "BYTES")
        one = "1" if datatype == "BYTES" else 1
        yield {"name": entry["name"], "shape": shape, "datatype": datatype, "data": [one] * math.prod(shape)}


def _is_an_answer(answer: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether every output is there, and its numbers are numbers."""
    outputs = {output["name"]: output.get("data", []) for output in answer.get("outputs", [])}
    numbers = [value for data in outputs.values() for value in data if isinstance(value, float)]
    return all(outputs.get(entry["name"]) for entry in config["output"]) and all(map(math.isfinite, numbers))


def main() -> int:
    try:
        models = check(sys.argv[1] if len(sys.argv) > 1 else URL)
    except Unhealthy as error:
        print(f"unhealthy: {error}")
        return 1
    print(f"every model answers: {', '.join(models)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
