#!/bin/sh
# Builds the CUDA kernels: cuda/build.sh TARGET [NVCC] writes TARGET/classes/cuda/*.fatbin and *.ptx, by the Makefile.
# nvcc is the second argument, else $NVCC, $CUDA_HOME/bin/nvcc, the one on PATH, /usr/local/cuda/bin/nvcc, or the one that .ci/run
# installs. Without one, one line says so and there is no CUDA backend.
set -eu
target=${1:?target folder}
given=${2:-${NVCC:-}}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")"
[ "$target" != "$(cd .. && pwd)/target" ] || target=../target # make knows no spaces in paths

# No kernels, rather than some of older sources.
without() {
    echo "cuda/build.sh: $1; there will be no CUDA backend"
    rm -rf "$target/classes/cuda"
    exit 0
}

nvcc=
for candidate in "$given" ${CUDA_HOME:+"$CUDA_HOME/bin/nvcc"} nvcc /usr/local/cuda/bin/nvcc \
    "${T2L_NVCC_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/t2l/nvcc-13.0}"/lib/python3*/site-packages/nvidia/cu13/bin/nvcc; do
    if [ -n "$candidate" ] && command -v "$candidate" > /dev/null 2>&1; then
        nvcc=$(command -v "$candidate")
        break
    fi
done
[ -n "$nvcc" ] || without 'no nvcc (NVCC, CUDA_HOME, PATH)'
command -v make > /dev/null 2>&1 || without 'no make'
echo | "$nvcc" -x cu -E - > /dev/null 2>&1 || without "$nvcc finds no C++ compiler or no headers"

jobs=$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)
exec make --no-print-directory -s -j "$jobs" "NVCC=$nvcc" "OUT=$target/classes/cuda" "CACHE=$target/cuda"
