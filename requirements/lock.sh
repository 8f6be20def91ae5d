#!/usr/bin/env bash
# Resolves the exact versions of requirements/*.txt from pyproject.toml. export.txt, bench.txt, fuzz.txt,
# audit.txt, triton.txt and triton-gpu.txt are kept by hand: their versions are the ones that were found to work together.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
    --no-emit-find-links --upgrade pyproject.toml "$@"; }
compile -o requirements/services.txt
compile --extra embedded -c requirements/services.txt -o requirements/embedded.txt
compile --extra embedded --extra dev -c requirements/embedded.txt -o requirements/dev.txt
compile --extra ray -c requirements/dev.txt -o requirements/ray.txt
