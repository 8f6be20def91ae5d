"""`python -m services.api`"""

import asyncio

from services.api.server import bind, serve
from services.common.lifecycle import run_service
from services.common.settings import Settings
from services.inference.analyzer import open_analyzer


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    # The port first: if it is taken, nothing else was touched.
    with bind(settings.api_host, settings.api_port) as listener:
        async with open_analyzer(settings) as analyzer:
            await serve(settings, stopping, analyzer, listener)


if __name__ == "__main__":
    run_service("api", main)
