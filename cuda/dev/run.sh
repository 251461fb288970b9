#!/bin/sh
# Builds the checks of this folder and runs them; a check that fails ends in a nonzero status.
#   cuda/dev/run.sh                 on this machine's GPU: checks, then times (two to three minutes)
#   cuda/dev/run.sh check [NAME..]  checks only
#   cuda/dev/run.sh sanitize        checks under compute-sanitizer's memcheck and racecheck (slow)
#   cuda/dev/run.sh emulate [NAME.] checks on the processor (emulate.h), no GPU needed: needs g++ and CUDA's headers
# NVCC names the compiler, ARCH the architecture (90a), CUDA_INCLUDE the headers' folder, OUT the folder for programs and logs.
set -eu
cd "$(dirname "$0")"
mode=${1:-times}
[ $# -eq 0 ] || shift
names=${*:-linear thin lineartiles linearpanels linearbackward lora loraspans mixed lorafactor hyperheads convert addend sample attention attentionbackward attentionhalf encoderattention encoderpanels hyperbody training}
out=${OUT:-$(mktemp -d)}
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
include=${CUDA_INCLUDE:-$(dirname "$nvcc")/../include}
arch=${ARCH:-90a}

build() {
    if [ "$mode" = emulate ]; then
        g++ -std=c++17 -O2 -g -x c++ -include emulate.h -DT2L_EMULATE -isystem "$include" -o "$out/$1" "$1.cu" emulate.cpp
    else
        "$nvcc" -std=c++17 -O3 -lineinfo --allow-unsupported-compiler -gencode "arch=compute_$arch,code=sm_$arch" -o "$out/$1" "$1.cu"
    fi > "$out/$1.build" 2>&1 || { cat "$out/$1.build"; echo "FAILED to build $1"; return 1; }
}

pids=
for name in $names; do
    build "$name" & pids="$pids $!"
done
for pid in $pids; do
    wait "$pid"
done

status=0
for name in $names; do
    case $mode in
    sanitize)
        for tool in memcheck racecheck; do
            compute-sanitizer --tool "$tool" --error-exitcode 9 "$out/$name" check > "$out/$name.$tool" 2>&1 || { status=1; tail -20 "$out/$name.$tool"; }
            echo "$tool $name: $(tail -1 "$out/$name.$tool")"
        done ;;
    times) "$out/$name" > "$out/$name.log" 2>&1 || status=1
        cat "$out/$name.log" ;;
    *) "$out/$name" check || status=1 ;;
    esac
done
[ $status -eq 0 ] && echo 'cuda/dev: all checks passed' || echo 'cuda/dev: FAILED'
exit $status
