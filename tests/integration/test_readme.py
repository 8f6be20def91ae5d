"""What the README tells to type is typed here."""

import asyncio
import json
import re
import subprocess
import sys

import httpx
import pytest

from services.common.settings import Settings
from tests.conftest import ROOT
from tests.integration.asking_api import asking_api

SECTION = "Call the models"
ADDRESS = "localhost:8000"


def blocks(language: str) -> list[str]:
    """The section's code blocks of that language."""
    (section,) = re.findall(rf"^## {SECTION}$(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}$\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


async def output_of(command: list[str], api: httpx.AsyncClient, script: str) -> str:
    """What the script prints; only the port is another one."""
    assert ADDRESS in script
    here = script.replace(ADDRESS, f"127.0.0.1:{api.base_url.port}")
    ended = await asyncio.to_thread(subprocess.run, [*command, here], capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.asking.question.AWAY_TIMEOUT_S", 60)


async def test_its_calls_of_the_models_work_as_they_stand(triton_settings: Settings) -> None:
    (shell,), (python,) = blocks("sh"), blocks("python")
    async with asking_api(triton_settings.model_copy(update={"inference_timeout_s": 60.0})) as api:
        printed = await output_of(["bash", "-ec"], api, shell)
        decoder, answers = json.JSONDecoder(), []
        while printed := printed.lstrip():
            answer, end = decoder.raw_decode(printed)
            answers.append(answer)
            printed = printed[end:]
        analyzed, predicted, models = answers
        (result,) = analyzed["results"]
        assert (result["sentiment"]["label"], result["emotion"]["label"]) == ("positive", "joy")
        assert predicted[0]["label"] == "positive"
        assert [model["role"] for model in models["models"]] == ["sentiment", "emotion"]
        lines = (await output_of([sys.executable, "-c"], api, python)).splitlines()
        assert [line.split()[0] for line in lines] == ["joy", "anger"]
