#!/usr/bin/env bash
# Writes src/api/schema.ts from the API's OpenAPI document. A test compares the hash in its first line with the document.
set -euo pipefail
cd "$(dirname "$0")"
test -d node_modules || npm ci --loglevel=error
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd ../.. && "${PYTHON:-.venv/bin/python}" -m services.api.openapi) >"$work/openapi.json"
node_modules/.bin/openapi-typescript "$work/openapi.json" --root-types --root-types-no-schema-prefix --output "$work/types.ts" >/dev/null
{
  echo "// Of the OpenAPI document with sha256 $(sha256sum <"$work/openapi.json" | cut -d' ' -f1)"
  cat "$work/types.ts"
} >../src/api/schema.ts
