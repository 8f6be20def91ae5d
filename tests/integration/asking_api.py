"""An API that asks a real Triton, and what speaks to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from services.api.server import bind, serve
from services.common.settings import Settings
from services.inference.analyzer import open_analyzer


@asynccontextmanager
async def asking_api(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The API in this process, as `python -m services.api` runs it, on a port of its own."""
    stopping = asyncio.Event()
    with bind("127.0.0.1", 0) as listener:
        async with open_analyzer(settings, settings.api_inference_texts_at_work + 1) as analyzer:
            task = asyncio.create_task(serve(settings, stopping, analyzer, listener))
            try:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                limits = httpx.Limits(max_connections=None)
                async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
                    yield client
            finally:
                stopping.set()
                async with asyncio.timeout(20):
                    await task
