"""`python -m services.api`"""

import asyncio

from services.api.server import bind, serve
from services.common.lifecycle import run_service
from services.common.settings import Settings
from services.inference.analyzer import open_analyzer


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    # The port first: if it is taken, nothing else was touched.
    with bind(settings.api_host, settings.api_port) as listener:
        # Turns bound what is at Triton, where it merges; beside it the health probe is to find a place at once.
        async with open_analyzer(settings, settings.api_inference_texts_at_work + 1) as analyzer:
            await serve(settings, stopping, analyzer, listener)


if __name__ == "__main__":
    run_service("api", main)
