"""Checkpoints from the Hugging Face hub: only the files that are needed, the small ones first."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.checkpoints import tokenizer as tokenizer_files
from export.checkpoints.config import CheckpointError, read_config
from export.checkpoints.weights import weight_files

# For each answer of the hub, in seconds, not for a whole file.
TIMEOUT_S = 10.0


def fetch(model: str, revision: str | None, token: str | None, report: Callable[[str], None]) -> tuple[Path, str]:
    """(folder in the hub's cache, commit). `token` None uses HF_TOKEN or the login of the hub's own command.

    A checkpoint that cannot be exported is refused before its weights are downloaded.
    """
    # The hub's faster protocol has other servers and retries for minutes where a firewall blocks them.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # ours tells
    huggingface_hub.configure_http_backend(_session)
    named = f"revision {revision} of {model}" if revision else model
    try:
        if huggingface_hub.constants.HF_HUB_OFFLINE:
            raise Unreachable
        info = huggingface_hub.HfApi(token=token).model_info(model, revision=revision, timeout=TIMEOUT_S)
        names = [sibling.rfilename for sibling in info.siblings or []]

        def download(name: str) -> Path:
            path = huggingface_hub.hf_hub_download(model, name, revision=info.sha, token=token, etag_timeout=TIMEOUT_S)
            return Path(path)

        if "config.json" not in names:
            raise CheckpointError(f"{model} has no config.json on the hub: choose a model with PyTorch weights")
        folder = download("config.json").parent
        config = read_config(folder, model)
        tokenizer_files.check_names(names, config, model)
        for name in names:
            if name in tokenizer_files.FILES:
                download(name)
        for name in weight_files(names, download, model):
            report(f"downloading {name} of {model}")
            download(name)
    except CheckpointError:
        raise
    except Exception as error:  # the hub's client has a dozen kinds; those that say more than "no" are told apart
        raise CheckpointError(_reason(error, model, named)) from error
    return folder, str(info.sha)


def _session() -> Any:
    """A session that gives up at once where the hub's client would try again, ever more slowly, for minutes."""
    import requests

    session = requests.Session()
    send = session.request

    def request(*args: Any, **options: Any) -> Any:
        try:
            return send(*args, **options)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Unreachable from error

    session.request = request
    return session


class Unreachable(Exception):
    """The hub does not answer."""


def _reason(error: Exception, model: str, named: str) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.HFValidationError):
        return f"{model} is neither a folder nor a model's id on the hub, such as distilbert/distilbert-base-uncased"
    if isinstance(error, Unreachable | errors.LocalEntryNotFoundError):
        return (
            f"the Hugging Face hub cannot be reached to download {model}: check the network (and HF_ENDPOINT, "
            "HF_HUB_OFFLINE), or give the folder of a downloaded checkpoint"
        )
    if isinstance(error, errors.HfHubHTTPError):
        return _refusal(error, model, named)
    if isinstance(error, OSError):
        return f"{model} cannot be downloaded: {error.strerror or error}"
    return f"{model} cannot be downloaded: {next(iter(str(error).splitlines()), '') or type(error).__name__}"


def _refusal(error: Any, model: str, named: str) -> str:
    from huggingface_hub import errors

    status = error.response.status_code if error.response is not None else 0
    if isinstance(error, errors.GatedRepoError) or status == 403:
        return f"{model} is gated: accept its terms on the hub, and set HF_TOKEN to a token that may read it"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"there is no {named} on the hub: choose one of its branches, tags or commits"
    if status == 401:
        return f"{model} is private or does not exist: check its name, and set HF_TOKEN to a token that may read it"
    if status == 404:
        return f"there is no {model} on the hub: check its name"
    return f"the Hugging Face hub answers {status} for {model}: try again later"
