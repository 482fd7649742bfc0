# Sourced by the other scripts: makes .venv with the tested versions, and puts it on PATH.
#
#   PYTHON=python3.12 scripts/quickstart.sh     choose the interpreter (3.11, 3.12 and 3.13 are tested)
#   VENV=/tmp/venv scripts/test.sh              put the environment elsewhere

root=$(CDPATH= cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$root/.venv}
CONSTRAINTS=${CONSTRAINTS:-$root/scripts/constraints.txt}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info)' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer is needed; install it, or name it: PYTHON=/path/to/python $0" >&2
    return 1
}

# install_torch: the tested version into $VENV, unless one is there. Without a GPU the CPU build will
# do, where one is on offer: the ordinary wheel for Linux brings several gigabytes of CUDA along.
install_torch() {
    local pip=("$VENV/bin/python" -m pip install --quiet --disable-pip-version-check
        --constraint "$CONSTRAINTS") torch
    torch=$(grep '^torch==' "$CONSTRAINTS")
    "$VENV/bin/python" -c 'import torch' 2>/dev/null && return
    if ! command -v nvidia-smi >/dev/null &&
        "${pip[@]}" "$torch+cpu" >"$VENV/cpu-build.log" 2>&1; then
        return
    fi
    "${pip[@]}" "$torch"
}

# install_environment EXTRA: seqlabel with the extra, unless this was done already.
install_environment() {
    local extra=$1 stamp python
    stamp="$VENV/.installed-$extra"
    if [ -e "$stamp" ] && [ "$stamp" -nt "$root/pyproject.toml" ] &&
        [ "$stamp" -nt "$CONSTRAINTS" ]; then
        export PATH="$VENV/bin:$PATH"
        return
    fi
    python=$(find_python) || return 1
    echo "installing into $VENV (once, about two minutes)"
    [ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV" || return 1
    install_torch || return 1
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$CONSTRAINTS" --editable "$root[$extra]" || return 1
    touch "$stamp"
    export PATH="$VENV/bin:$PATH"
}

# install_wheel FILE: the wheel and what it depends on into a new environment at $VENV.
install_wheel() {
    local wheel
    wheel=$(CDPATH= cd "$(dirname "$1")" && pwd)/$(basename "$1")
    "$(find_python)" -m venv "$VENV" || return 1
    install_torch
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$CONSTRAINTS" "$wheel"
}
