#!/bin/sh
# What the tests in a browser need of the system, installed where that is possible: Chromium, fonts,
# Node with npm; then the packages of package-lock.json, without running any script of theirs.
set -eu
cd "$(dirname "$0")"

packages=""
has() { command -v "$1" > /dev/null; }
has "${CHROMIUM:-chromium}" || packages="$packages chromium"
has node || packages="$packages nodejs"
has npm || packages="$packages npm"
# Names with emoji are in the screenshots.
test -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf || packages="$packages fonts-liberation fonts-noto-color-emoji"

if [ -n "$packages" ]; then
  if [ "$(id -u)" -ne 0 ] || ! has apt-get; then
    echo "The browser tests need packages of the system that are not here. As root:" >&2
    echo "  apt-get install --no-install-recommends$packages" >&2
    echo "(CHROMIUM names another Chromium than the one in PATH.)" >&2
    exit 1
  fi
  apt-get update -qq
  # shellcheck disable=SC2086 # one word a package
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages > /dev/null
fi
if ! node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
  echo "Node $(node --version) is too old: Uppy's Companion needs 20.19 or newer." >&2
  exit 1
fi
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
