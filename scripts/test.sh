#!/usr/bin/env bash
# Runs every test on a bare machine: makes the environment, installs what the tests need (a browser too), then tests.
# Arguments go to pytest: `bash scripts/test.sh -k metrics`.
set -euo pipefail
source "$(dirname "$0")/environment.sh" tests/requirements.txt

# The browser tests use a Chromium: the one named by LOUPE_CHROMIUM, one on the PATH, or one installed now.
find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
if [ -z "${LOUPE_CHROMIUM:-}" ]; then
  find_chromium >/dev/null || debian chromium
  LOUPE_CHROMIUM="$(find_chromium)"
fi
export LOUPE_CHROMIUM

.venv/bin/ruff check .
.venv/bin/ruff format --check .
rm -f dashboard/{tabs,views}/*.pyi # Gradio writes them as the app starts, and leaves them as they were then
.venv/bin/mypy
exec .venv/bin/python -m pytest "$@"
