#!/bin/sh
# Installs what this machine lacks: a pinned uv, the locked Python packages, then the tools (python -m toolchain).
# POSIX sh, because on a fresh machine nothing else can be relied on. Quick when there is nothing to do.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
unset VIRTUAL_ENV PYTHONHOME
uv_version=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' toolchain/bootstrap.txt)

say() { printf 'setup: %s\n' "$1" >&2; }
fail() {
    say "$1"
    exit 1
}

# A service or a container may have started this without it; the tools that come later need it as well.
if [ -z "${HOME:-}" ]; then
    HOME=$(eval "printf %s ~$(id -un)")
    case $HOME in
        /*) export HOME ;;
        *) fail "HOME is not set and this user has no home folder; export HOME=<a folder of yours> and run make setup again" ;;
    esac
fi
if [ -z "${PF_CACHE:-}" ]; then
    case $(uname -s) in
        Darwin) PF_CACHE=$HOME/Library/Caches/parker-flight ;;
        *) PF_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/parker-flight ;;
    esac
fi
export PF_CACHE
stamp=.venv/.parker-flight-setup
wanted=$(cat uv.lock pyproject.toml toolchain/bootstrap.txt toolchain/setup.sh | cksum)

find_python() {
    # A name on PATH may be a shim of a version manager that runs nothing: only an answer counts.
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; print(sys.executable) if sys.version_info >= (3, 11) else sys.exit(1)' 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

find_uv() {
    if [ "$(uv --version 2>/dev/null | cut -d ' ' -f 2)" = "$uv_version" ]; then
        command -v uv
    else
        printf '%s\n' "$PF_CACHE/uv-$uv_version/bin/uv"
    fi
}

install_uv() {
    say "installing uv $uv_version"
    mkdir -p "$PF_CACHE" || fail "can't write to the cache folder $PF_CACHE; set PF_CACHE to a folder of yours"
    work=$(mktemp -d "$PF_CACHE/uv.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    pip=$python
    if "$python" -m venv "$work/venv" >"$work/log" 2>&1; then
        pip=$work/venv/bin/python
    elif ! "$python" -m pip --version >/dev/null 2>&1; then
        fail "$python has neither venv nor pip; install them (Debian, Ubuntu: apt install python3-venv) and run make setup again"
    fi
    if ! "$pip" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        --target "$work/uv" -r toolchain/bootstrap.txt >"$work/log" 2>&1; then
        cat "$work/log" >&2
        fail "pip can't install uv $uv_version (its message stands above); mend the package index in pip's configuration and run make setup again"
    fi
    # Two setups at once: the first one's folder stays, the other's is dropped.
    mv "$work/uv" "$PF_CACHE/uv-$uv_version" 2>/dev/null || [ -x "$PF_CACHE/uv-$uv_version/bin/uv" ]
    rm -rf "$work"
    trap - EXIT INT TERM
}

sync_packages() {
    say "installing the Python packages of uv.lock"
    set -- --group sandbox --group dev
    if [ -t 2 ]; then quiet=; else quiet=--quiet; fi
    export UV_PYTHON_DOWNLOADS=never
    index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null)} || index=
    if .venv/bin/python -c '' 2>/dev/null; then chosen=.venv/bin/python; else chosen=$python; fi
    if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        # The lock names the public index; a machine with one of its own gets the same files, by their hashes, from there.
        [ -x .venv/bin/python ] || "$uv" venv --quiet --python "$chosen" .venv
        "$uv" export --quiet --frozen --no-emit-project "$@" |
            "$uv" pip sync $quiet --python .venv/bin/python --require-hashes --default-index "$index" -
    else
        "$uv" sync $quiet --locked --python "$chosen" "$@"
    fi
}

if [ ! -x .venv/bin/python ] || [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    python=$(find_python) || fail "no Python 3.11 or later on PATH; install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python) and run make setup again"
    uv=$(find_uv)
    [ -x "$uv" ] || install_uv
    sync_packages || fail "uv can't install the packages of uv.lock (its message stands above); mend that and run make setup again"
    .venv/bin/python -m toolchain.bytecode
    printf '%s\n' "$wanted" >"$stamp"
fi

exec .venv/bin/python -m toolchain
