"""How a canary compares with the version in service, from the counters that workers show on their metrics pages."""

import json
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from export.errors import ExportError
from export.files import write_text

TIMEOUT_S = 5.0
MIN_POSTS = 200


@dataclass(frozen=True)
class CanaryReport:
    """Sums over all workers since they were started. Durations are of the same batches, asked one after the other."""

    name: str
    version: int
    in_service: int
    batches: int
    failures: int
    agreeing: int
    differing: int
    canary_seconds: float
    in_service_seconds: float

    @property
    def posts(self) -> int:
        """Posts that both versions answered."""
        return self.agreeing + self.differing

    @property
    def agreement(self) -> float | None:
        """Share of the posts with the same label, 0 to 1."""
        return self.agreeing / self.posts if self.posts else None

    @property
    def slowdown(self) -> float | None:
        """Duration of the canary's answers as a multiple of the other version's: below 1 it is faster."""
        return self.canary_seconds / self.in_service_seconds if self.in_service_seconds else None

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"agreement": self.agreement, "slowdown": self.slowdown}, indent=2) + "\n"

    def to_markdown(self) -> str:
        if self.agreement is None or self.slowdown is None:
            verdict = "No post was answered by both versions yet."
        else:
            verdict = (
                f"Both versions gave {self.agreement:.1%} of {self.posts:,} posts the same label; the canary took "
                f"{self.slowdown:.2f} times as long."
            )
            if self.posts < MIN_POSTS:
                verdict += f" Fewer than {MIN_POSTS} posts say little yet."
        per_batch = [
            f"{1_000 * seconds / self.batches:.1f} ms" if self.batches else ""
            for seconds in (self.canary_seconds, self.in_service_seconds)
        ]
        return f"""\
# Canary: {self.name} version {self.version} beside version {self.in_service}

{verdict}

| | canary | in service |
|---|---|---|
| version | {self.version} | {self.in_service} |
| mean time of a batch | {per_batch[0]} | {per_batch[1]} |
| batches | {self.batches:,} | {self.batches:,} |
| batches that the canary could not answer | {self.failures:,} | |
| posts with the same label | {self.agreeing:,} of {self.posts:,} | |
"""

    def write(self, folder: Path) -> None:
        """`canary.md` and `canary.json` beside the version."""
        write_text(folder / "canary.md", self.to_markdown())
        write_text(folder / "canary.json", self.to_json())


def read_pages(urls: Sequence[str]) -> list[str]:
    """The metrics page of each worker. ExportError names the one that does not answer."""
    pages = []
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # nosec B310 # the operator names it
                pages.append(answer.read().decode())
        except (OSError, ValueError) as error:
            raise ExportError(
                f"the metrics page {url} cannot be read ({error}): name the workers' pages with --metrics URL"
            ) from None
    return pages


def compare(pages: Iterable[str], name: str, version: int, in_service: int) -> CanaryReport:
    """The comparison of exactly these two versions, summed over the pages."""
    sums: dict[tuple[str, str], float] = {}
    for page in pages:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                labels = sample.labels
                if labels.get("model") != name or labels.get("version") != str(version):
                    continue
                if labels.get("in_service", str(in_service)) != str(in_service):
                    continue
                key = (sample.name, labels.get("agrees") or labels.get("side") or "")
                sums[key] = sums.get(key, 0.0) + sample.value
    prefix = "undertone_canary_"
    return CanaryReport(
        name=name,
        version=version,
        in_service=in_service,
        batches=int(sums.get((f"{prefix}batches_total", ""), 0)),
        failures=int(sums.get((f"{prefix}failures_total", ""), 0)),
        agreeing=int(sums.get((f"{prefix}posts_total", "yes"), 0)),
        differing=int(sums.get((f"{prefix}posts_total", "no"), 0)),
        canary_seconds=sums.get((f"{prefix}seconds_total", "canary"), 0.0),
        in_service_seconds=sums.get((f"{prefix}seconds_total", "in_service"), 0.0),
    )
