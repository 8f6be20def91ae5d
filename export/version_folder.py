"""The folder of one version: what has to be in it, written from typed data and checked against it."""

import hashlib
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from export.errors import ExportError
from export.files import write_text
from export.spec import FILES, TARGETS, FileFacts, Manifest, ModelSpec, SpecError, Target
from export.triton_config import DEFAULT_SERVING, Serving, render

MANIFEST = "version.json"
LABELS = "labels.txt"
TOKENIZER = "tokenizer.json"
CARD = "README.md"
CONFIGS = "configs"
REPORT_JSON, REPORT_MARKDOWN = "report.json", "report.md"
# Kinds of machine that versions were once exported without.
LATER_TARGETS: tuple[Target, ...] = ("gpu-ort",)
_PACKAGES = ("torch", "transformers", "optimum", "optimum-onnx", "onnx", "onnxruntime")


def write_version(folder: Path, spec: ModelSpec, *, serving: Serving = DEFAULT_SERVING) -> Manifest:
    """Labels, configurations and manifest beside the weights, the tokenizer and the card, which are there already."""
    write_text(folder / LABELS, "".join(f"{label}\n" for label in spec.labels))
    names = [*(FILES[precision] for precision in spec.precisions), LABELS, TOKENIZER]
    files = {name: facts_of(folder / name) for name in names}
    made_with = {name: found for name in _PACKAGES if (found := _installed(name))}
    manifest = Manifest(spec, files, datetime.now(UTC).isoformat(timespec="seconds"), made_with)
    (folder / CONFIGS).mkdir(exist_ok=True)
    for target in TARGETS:
        write_config(folder, manifest, target, serving)
    write_text(folder / MANIFEST, manifest.to_json())
    return manifest


def write_config(folder: Path, manifest: Manifest, target: Target, serving: Serving) -> None:
    """`configs/<target>.pbtxt`, replaced at once."""
    text = render(manifest.spec, target, weights_sha256=sha256_served(manifest, target), serving=serving)
    write_text(folder / CONFIGS / f"{target}.pbtxt", text)


def add_later_configs(folder: Path) -> None:
    """Writes the configurations that the version was exported too early for; ExportError where it is none."""
    missing = [target for target in LATER_TARGETS if not (folder / CONFIGS / f"{target}.pbtxt").is_file()]
    if missing and (folder / CONFIGS).is_dir():
        manifest = read_manifest(folder)
        for target in missing:
            write_config(folder, manifest, target, DEFAULT_SERVING)


def read_manifest(folder: Path) -> Manifest:
    """ExportError where the folder is no whole version."""
    try:
        return Manifest.from_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SpecError) as error:
        raise ExportError(f"{folder} is not a whole version: {error}") from None


def check_files(folder: Path) -> Manifest:
    """The manifest of a version whose files are all there, byte by byte. ExportError names the first that is not."""
    manifest = read_manifest(folder)
    unlisted = {FILES[precision] for precision in manifest.spec.precisions} - manifest.files.keys()
    if unlisted:
        raise ExportError(f"{manifest.spec.title} is damaged: its manifest lacks {min(unlisted)}: export it again")
    for name, expected in manifest.files.items():
        try:
            found = facts_of(folder / name)
        except OSError as error:
            raise ExportError(f"{manifest.spec.title} is damaged: {name} cannot be read ({error.strerror})") from None
        if found != expected:
            raise ExportError(
                f"{manifest.spec.title} is damaged: {name} has {found.bytes:,} bytes and sha256 {found.sha256[:12]}…, "
                f"its manifest says {expected.bytes:,} and {expected.sha256[:12]}…: export it again"
            )
    for target in TARGETS:
        if not (folder / CONFIGS / f"{target}.pbtxt").is_file():
            raise ExportError(f"{manifest.spec.title} is damaged: configs/{target}.pbtxt is missing: export it again")
    return manifest


def sha256_served(manifest: Manifest, target: Target) -> str:
    """SHA-256 of the weights that the configuration of `target` serves."""
    return manifest.files[FILES[manifest.spec.precision_for(target)]].sha256


def facts_of(path: Path) -> FileFacts:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileFacts(path.stat().st_size, digest)


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
