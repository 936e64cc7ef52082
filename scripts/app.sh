#!/usr/bin/env bash
# Opens the app on a bare machine: makes the environment if it is not there, then starts. Arguments go to app.py.
set -euo pipefail
source "$(dirname "$0")/environment.sh" requirements.txt
exec .venv/bin/python app.py "$@"
