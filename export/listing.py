"""What there is: models, versions, which one serves, in text for people and in JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from export.errors import ExportError
from export.repository import Repository
from export.triton import Triton


@dataclass(frozen=True)
class Row:
    """One version. `bytes` of all its files; `error` where the folder is damaged."""

    name: str
    version: int
    in_service: bool
    canary_share: int | None
    served_by: tuple[str, ...]
    architecture: str = ""
    labels: int = 0
    precisions: tuple[str, ...] = ()
    bytes: int = 0
    created_at: str = ""
    source: str = ""
    revision: str = ""
    error: str | None = None

    def to_json(self) -> Mapping[str, object]:
        return asdict(self)


def rows(repository: Repository, servers: Sequence[Triton]) -> list[Row]:
    """Every version of every model, ascending; `served_by`: the addresses of the servers that serve it now."""
    return [
        _row(repository, name, version, servers) for name in repository.names() for version in repository.versions(name)
    ]


def _row(repository: Repository, name: str, version: int, servers: Sequence[Triton]) -> Row:
    canary = repository.canary(name)
    facts = Row(
        name=name,
        version=version,
        in_service=version == repository.in_service(name),
        canary_share=canary[1] if canary and canary[0] == version else None,
        served_by=tuple(server.url for server in servers if server.version(name) == version),
    )
    try:
        manifest = repository.manifest(name, version)
    except ExportError as error:
        return replace(facts, error=str(error))
    spec = manifest.spec
    return replace(
        facts,
        architecture=spec.architecture,
        labels=len(spec.labels),
        precisions=spec.precisions,
        bytes=sum(file.bytes for file in manifest.files.values()),
        created_at=manifest.created_at,
        source=spec.source,
        revision=spec.revision,
    )


def strays(found: Sequence[Row], servers: Sequence[Triton]) -> list[str]:
    """A sentence for each model that a server serves in another version than the repository says."""
    said = []
    for row in found:
        for server in servers:
            if row.in_service and (served := server.version(row.name)) != row.version:
                what = f"version {served}" if served else "no version"
                said.append(
                    f"Triton at {server.url} serves {what} of {row.name}: promote {row.name} {row.version} again"
                )
    return said


HEADER = ("", "model", "version", "state", "precisions", "labels", "size", "exported", "from")


def table(found: Sequence[Row]) -> str:
    """Aligned columns; `*` marks what is in service."""
    lines = [HEADER, *(_cells(row) for row in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    states = ["in service"] if row.in_service else []
    states += [f"canary {row.canary_share} %"] if row.canary_share is not None else []
    states += ["served by Triton"] if row.served_by else []
    states += ["damaged"] if row.error else []
    return (
        "*" if row.in_service else "",
        row.name,
        str(row.version),
        ", ".join(states),
        " ".join(row.precisions),
        str(row.labels or ""),
        f"{row.bytes / 1e6:,.1f} MB" if row.bytes else "",
        row.created_at[:16].replace("T", " "),
        f"{row.source} @ {row.revision[:12]}" if row.source else "",
    )
