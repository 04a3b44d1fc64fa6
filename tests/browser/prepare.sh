#!/bin/sh
# What the tests in a browser need of the system, installed where that is possible: Chromium and fonts.
set -eu

packages=""
has() { command -v "$1" > /dev/null; }
has "${CHROMIUM:-chromium}" || packages="$packages chromium"
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
