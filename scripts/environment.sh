# Sourced by the other scripts: an environment in .venv with the packages of the requirements file named in $1.
# Installs once and again only when that file has changed, so a later start needs no network.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Install Debian packages where that can be done without asking; otherwise say what to install.
debian() {
  local sudo=
  [ "$(id -u)" = 0 ] || sudo="sudo -n"
  if command -v apt-get >/dev/null && { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null 2>&1; then return; fi
  echo "error: please install these system packages and start again: $*" >&2
  exit 1
}

python_for_venv() {
  local p
  for p in python3.12 python3.11 python3.13 python3.10 python3; do
    if command -v "$p" >/dev/null && "$p" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))'; then echo "$p"; return; fi
  done
  echo "error: Python 3.10 or newer is needed" >&2
  return 1
}

stamp=".venv/installed-$(basename "$(dirname "$PWD/$1")")"
wanted="$(cat requirements.txt "$1" | cksum)"
if [ ! -x .venv/bin/python ]; then
  python="$(python_for_venv)"
  "$python" -c 'import ensurepip' 2>/dev/null || debian "$("$python" -c 'import sys; print(f"python3.{sys.version_info[1]}-venv")')"
  "$python" -m venv .venv
fi
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  echo "Installing packages (several GB with torch; a few minutes the first time) …" >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$1"
  echo "$wanted" >"$stamp"
fi
.venv/bin/python -c 'import cv2' 2>/dev/null || debian libgl1 libglib2.0-0  # what OpenCV's wheel expects of the system
