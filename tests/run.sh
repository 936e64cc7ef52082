#!/usr/bin/env bash
# Runs every test on a bare machine: makes the environment, installs what the tests need (a browser too), then tests.
# Arguments go to pytest: `bash tests/run.sh -k metrics`.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt

# The browser tests use a Chromium: the one named by LOUPE_CHROMIUM, one on the PATH, or one installed now.
find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
if [ -z "${LOUPE_CHROMIUM:-}" ] && ! find_chromium >/dev/null; then
  if command -v apt-get >/dev/null; then
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null
  else
    .venv/bin/python -m playwright install chromium
  fi
fi
export LOUPE_CHROMIUM="${LOUPE_CHROMIUM:-$(find_chromium || true)}"

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/python -m pytest "$@"
