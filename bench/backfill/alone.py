"""`python -m bench.backfill.alone`: the runtime alone, on one core, asked by JSON lines on standard input.

{"do": "prepare", "repository": "model_repository", "texts": [...]}    -> {"texts": 50000}
{"do": "score", "rows": 2048}                                          -> {"seconds": …}, for all of them
"""

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

# Tokenization as well: the other cores have processes of their own.
os.environ["RAYON_NUM_THREADS"] = "1"

from services.backfill.onnx_runtime import open_in_process
from services.common.settings import Settings

WARM_UP_TEXTS = 256


async def main() -> None:
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    async with AsyncExitStack() as stack:
        for line in sys.stdin:
            order = json.loads(line)
            if order["do"] == "prepare":
                texts: list[str] = order["texts"]
                settings = Settings(_env_file=None, model_repository=Path(order["repository"]))
                analyzer = await stack.enter_async_context(open_in_process(settings, 1))
                await analyzer.analyse(texts[:WARM_UP_TEXTS])
                reply: dict[str, float] = {"texts": len(texts)}
            else:
                began = time.perf_counter()
                for start in range(0, len(texts), order["rows"]):
                    await analyzer.analyse(texts[start : start + order["rows"]])
                reply = {"seconds": time.perf_counter() - began}
            print(json.dumps(reply), file=pipe, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
