"""One run: the system under load and faults, until everything is healed and drained; then what came of it."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from export.repository import Repository
from services.common.errors import Transient
from services.common.streams import group_state
from tests.chaos.compare import Violation, compare
from tests.chaos.evidence import Evidence, gather
from tests.chaos.kinds import SERVERS
from tests.chaos.logs import unexpected_lines
from tests.chaos.producer import Producer
from tests.chaos.proxy import Proxy
from tests.chaos.recording import write_files
from tests.chaos.scene import GROUP, REDIS_ERRORS, STREAM, NoVictim, Scene, open_direct_redis, persist
from tests.chaos.schedule import Fault
from tests.chaos.stack import PROXIES
from tests.chaos.strikes import STRIKES
from tests.chaos.truth import Truth
from tests.chaos.watch import Blow, Watch
from tests.integration.exported import publish
from tests.ports import free_ports
from tests.system import PORTS, alive, system
from tests.waiting import eventually

# Of all posts those that the producer adds itself, raw; the rest are replayed from files.
RAW_SHARE = 0.25
SECONDS_PER_FILE = 10.0
# Beyond what the schedule takes: the last fault may leave a server that takes long to start, and everything behind.
HEAL_TIMEOUT_S = 240.0
DRAIN_TIMEOUT_S = 300.0
TELL_INTERVAL_S = 1.0
# Resident, at its peak: twice what they need. What they hold does not grow with what waits.
MEMORY_LIMITS_MB = {"worker-1": 300.0, "worker-2": 300.0, "api": 300.0}
SERVER_PORTS = {"redis": "LOCAL_REDIS_PORT", "postgres": "LOCAL_POSTGRES_PORT", "triton": "LOCAL_TRITON_GRPC_PORT"}

Note = Callable[[float, str], None]


@dataclass(frozen=True)
class Trial:
    """What is to be done. `seconds`: how long faults strike; the load lasts as long, undisturbed."""

    seed: int
    posts: int
    seconds: float
    faults: tuple[Fault, ...]
    # The ingester waits at so many unread posts; a flood is a quarter more.
    max_lag: int = 3_000

    @property
    def settings(self) -> dict[str, str]:
        return {
            # Known and quick to start; which one computes is nothing that faults depend on.
            "CPU_RUNTIME": "onnxruntime",
            "MAX_STREAM_LAG": str(self.max_lag),
            "WORKER_CLAIM_IDLE_MS": "3000",
            "WORKER_BATCH_SIZE": "64",
            "INFERENCE_TIMEOUT_S": "10",
            # Alerts that come and go.
            "ALERT_WINDOW_MINUTES": "1",
            "ALERT_INTERVAL_S": "1",
            "ALERT_NEGATIVE_RATIO_THRESHOLD": "0.3",
        }


@dataclass(frozen=True)
class Outcome:
    """`posts`: that were offered, by their ids. `again`: entries of the stream that were there before. `redelivered`:
    posts that workers found stored, as far as they lived to tell."""

    trial: Trial
    seconds: float
    posts: int
    again: int
    redelivered: int
    letters: Counter[str]
    blows: list[Blow]
    peak_mb: dict[str, float]
    violations: list[Violation]
    alerts: int


async def run(trial: Trial, folder: Path, note: Note) -> Outcome:
    """Runs the trial in `folder`, which keeps the logs. `note` hears how far it is, 0 to 1."""
    began = time.monotonic()
    truth = Truth()
    replayed = int(trial.posts * (1 - RAW_SHARE))
    rate = replayed / trial.seconds
    files = write_files(folder / "posts", trial.seed, replayed, max(1, int(rate * SECONDS_PER_FILE)), truth)
    models = small_models(folder / "models")
    arguments = ["--source", "replay", "--file", str(files[0]), "--rate", f"{rate * 60:.3f}", "--workers", "2"]
    async with AsyncExitStack() as stack:
        proxies = {name: await stack.enter_async_context(Proxy.before(0)) for name in SERVERS}
        settings = trial.settings | {"MODEL_REPOSITORY": str(models)} | _ports(proxies)
        running = await stack.enter_async_context(system(folder / "local", arguments, settings, "tests.chaos.stack"))
        children = running.descendants()
        redis = await stack.enter_async_context(open_direct_redis(running))
        producer = Producer(redis, truth, trial.seed, lambda post_id: _is_stored(scene, post_id))
        scene = Scene(running, proxies, redis, lambda: producer.flood(trial.max_lag + trial.max_lag // 4))
        watch = Watch(scene)
        async with watch.running():
            await _under_faults(trial, scene, producer, watch, note)
            note(1.0, "healed; draining")
            with suppress(AssertionError):  # what is left in the stream is told, entry by entry
                await eventually(lambda: _drained(scene), "everything is drained", DRAIN_TIMEOUT_S)
        note(1.0, "comparing")
        evidence, alerts = await _look(scene, watch)
        children += [child for child in running.descendants() if child not in children]
        status = await running.stop()
    violations = compare(truth, evidence)
    if status != 0:
        violations.append(Violation("exit status", str(status)))
    violations += [Violation("process left behind", str(process)) for process in alive(children)]
    violations += [Violation("unexpected line in a log", line) for line in unexpected_lines(folder / "local" / "logs")]
    violations += [Violation("fault without a victim", str(fault)) for fault in watch.missed]
    violations += [
        Violation("too much memory", f"{name}: {mb:.0f} MB, more than {MEMORY_LIMITS_MB[name]:.0f}")
        for name, mb in watch.peak_mb.items()
        if mb > MEMORY_LIMITS_MB[name]
    ]
    return Outcome(
        trial,
        time.monotonic() - began,
        len(truth.posts),
        watch.entries - len(watch.different),
        int(watch.redelivered),
        Counter(letter.reason for letter in evidence.letters),
        watch.blows,
        dict(watch.peak_mb),
        violations,
        alerts,
    )


def small_models(folder: Path) -> Path:
    """A repository of models of no cost, so that the load is in what can fail."""
    repository = Repository(folder)
    publish(repository, "sentiment", ("negative", "neutral", "positive"))
    publish(repository, "emotion", ("joy", "anger", "fear", "sadness"), shift=150)
    return folder


async def _under_faults(trial: Trial, scene: Scene, producer: Producer, watch: Watch, note: Note) -> None:
    """Load and faults, until the faults are over, the files published, and everything works again."""
    began = time.monotonic()
    healed = False
    raw = int(trial.posts * RAW_SHARE)

    async def strike(fault: Fault) -> None:
        await asyncio.sleep(max(0.0, began + fault.at_s - time.monotonic()))
        try:
            await STRIKES[fault.kind](scene, fault, lambda: watch.struck(fault))
        except NoVictim:
            watch.missed.append(fault)

    async def tell() -> None:
        while True:
            share = min(1.0, (time.monotonic() - began) / trial.seconds)
            away = [blow.fault.name for blow in watch.blows if blow.healed_s is None]
            note(share, f"{len(watch.blows)}/{len(trial.faults)} faults, {len(watch.seen):,} posts; {', '.join(away)}")
            await asyncio.sleep(TELL_INTERVAL_S)

    async def all_published() -> bool:
        folder = scene.system.local_dir.parent / "posts"
        return len([*folder.glob("*.published")]) == len([*folder.glob("*.jsonl")])

    async def all_healed() -> bool:
        return all(blow.healed_s is not None for blow in watch.blows)

    async with asyncio.TaskGroup() as load:
        load.create_task(producer.run(raw / trial.seconds, lambda: healed and producer.posts >= raw))
        load.create_task(producer.contradict(lambda: healed))
        telling = load.create_task(tell())
        async with asyncio.TaskGroup() as faults:
            for fault in trial.faults:
                faults.create_task(strike(fault))
        await eventually(all_published, "every file is published", trial.seconds + HEAL_TIMEOUT_S)
        await eventually(all_healed, "posts are stored after every fault", HEAL_TIMEOUT_S)
        healed = True
        telling.cancel()


async def _drained(scene: Scene) -> bool:
    try:
        state = await group_state(scene.redis, STREAM, GROUP)
    except (*REDIS_ERRORS, Transient):
        return False
    return state.lag == 0 and state.pending == 0


async def _look(scene: Scene, watch: Watch) -> tuple[Evidence, int]:
    """The evidence, and how many alerts there were."""
    database = await persist(scene.connect)
    try:
        # One moment for all of it: hours are closed meanwhile.
        async with database.transaction(isolation="repeatable_read", readonly=True):
            evidence = await gather(database, scene.redis, STREAM, GROUP, watch.seen)
            return evidence, await database.fetchval("SELECT count(*) FROM sentiment_alerts")
    finally:
        await database.close()


async def _is_stored(scene: Scene, post_id: str) -> bool:
    database = await scene.connect()
    try:
        sql = "SELECT EXISTS (SELECT FROM social_media_post_keys WHERE post_id = $1)"
        return bool(await database.fetchval(sql, post_id))
    finally:
        database.terminate()


def _ports(proxies: dict[str, Proxy]) -> dict[str, str]:
    """A port for everything, two in a row for the workers; each proxy learns which one is behind it."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    ports["WORKER_METRICS_PORT"] = _two_ports()
    for name, proxy in proxies.items():
        proxy.target = ports[SERVER_PORTS[name]]
    behind = {proxy.target: proxy.port for proxy in proxies.values()}
    return {name: str(port) for name, port in ports.items()} | {PROXIES: json.dumps(behind)}


def _two_ports() -> int:
    """The first of two neighbouring ports that are both free."""
    while True:
        first, second = free_ports(2)
        if second == first + 1:
            return first
