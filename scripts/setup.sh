#!/usr/bin/env bash
# Sets a fresh machine up: scripts/setup.sh environment | packages | browser | docs
#
#   environment  .venv/ with the product, its tests, phones and peers; needs Python 3.11 or newer,
#                which CALLCORE_PYTHON may name; looked at when .venv/ is made, not later
#   packages     the programs that tests and benchmarks talk to; apt-get where that is allowed,
#                else it says what to install. .venv/.packages is there when all of them are
#   browser      JsSIP for the browser seat's page, by npm where that is there; else without
#   docs         what builds the documentation
#
# Each is quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Runs a command as root, if that needs no password.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

install_by_apt() {
    local log
    log=$(mktemp)
    say "installing by apt-get: $*"
    if as_root apt-get update -qq >"$log" 2>&1 &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
            -o DPkg::Lock::Timeout=180 "$@" >>"$log" 2>&1; then
        rm -f "$log"
    else
        tail -n 15 "$log" >&2
        rm -f "$log"
        return 1
    fi
}

install_by_pip() {
    local log
    log=$(mktemp)
    if ! .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off "$@" \
        >"$log" 2>&1; then
        tail -n 25 "$log" >&2
        rm -f "$log"
        stop "a Python package could not be installed; what pip says stands above"
    fi
    rm -f "$log"
}

find_python() {
    local one
    # 3.11 first: not every phone in the tests has a wheel for the newest Python yet.
    local names=(python3.11 python3.12 python3.13 python3)
    [ -z "${CALLCORE_PYTHON:-}" ] || names=("$CALLCORE_PYTHON")
    for one in "${names[@]}"; do
        if "$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$one"
            return
        fi
    done
    return 1
}

make_environment() {
    local python
    python=$(find_python) || {
        [ -z "${CALLCORE_PYTHON:-}" ] || stop "CALLCORE_PYTHON names no Python 3.11 or newer: $CALLCORE_PYTHON"
        stop "Python 3.11 or newer is missing; install it: apt-get install python3"
    }
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        may_install && install_by_apt python3-venv ||
            stop "Python's venv is missing; install it: apt-get install python3-venv"
    fi
    if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        say "making .venv/ with $("$python" --version)"
        rm -rf .venv
        "$python" -m venv .venv
    fi
    say "installing the Python packages (a minute or more the first time)"
    install_by_pip --upgrade 'pip>=24' wheel
    install_by_pip --editable '.[test,staffing,phones,peers]'
    touch .venv/.ready
    say "the environment is ready"
}

# Program and the Debian package that it is in.
PROGRAMS=(
    sipp:sip-tester
    kamailio:kamailio
    svwar:sipvicious
    sipsak:sipsak
    baresip:baresip-core
    linphonec:linphone-cli
    rtpengine:rtpengine-daemon
    tshark:tshark
    ceph-mon:ceph-mon
    ceph-mgr:ceph-mgr
    ceph-osd:ceph-osd
    radosgw:radosgw
    ceph:ceph-common
    curl:curl
    initdb:postgresql
    redis-server:redis-server
    chromium:chromium
    npm:npm
)

missing_packages() {
    local entry postgres
    # Debian keeps the server's programs out of PATH, in a folder for each version.
    postgres=$(printf '%s:' /usr/lib/postgresql/*/bin)
    for entry in "${PROGRAMS[@]}"; do
        PATH=$PATH:/usr/sbin:$postgres command -v "${entry%%:*}" >/dev/null || printf '%s ' "${entry#*:}"
    done
}

install_packages() {
    local missing
    missing=$(missing_packages)
    # Word splitting is meant: these are package names.
    # shellcheck disable=SC2086
    if [ -n "$missing" ] && may_install && ! install_by_apt $missing; then
        say "apt-get could not install everything"
    fi
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        rm -f .venv/.packages
        say "some tests and benchmarks talk to programs that are not here; to have them run too:"
        say "    sudo apt-get install --no-install-recommends $missing"
    else
        touch .venv/.packages
    fi
}

# One script of what web/phone/package-lock.json pins; made anew when that has changed.
install_browser() {
    local made=desk/phone/vendor/jssip.js log
    if [ -e "$made" ] && [ ! web/phone/package-lock.json -nt "$made" ]; then return; fi
    command -v npm >/dev/null || return 0  # the page says so itself
    say "making the browser seat's JsSIP"
    log=$(mktemp)
    if ! (cd web/phone && npm ci --no-progress && npm run build) >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        say "the browser seat's page is left without JsSIP; what npm says stands above"
    fi
    rm -f "$log"
    if [ -e "$made" ]; then touch "$made"; fi
}

case "${1:-}" in
environment) make_environment ;;
packages)
    install_packages
    install_browser
    ;;
browser) install_browser ;;
docs)
    .venv/bin/python -c 'import material' 2>/dev/null || {
        say "installing what builds the documentation"
        install_by_pip --editable '.[docs]'
    }
    ;;
*) stop "usage: scripts/setup.sh environment | packages | browser | docs" ;;
esac
