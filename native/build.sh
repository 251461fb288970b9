#!/bin/sh
# Builds the library of CPU kernels: native/build.sh TARGET writes TARGET/classes/native/<os>-<arch>/libt2l.so (.dylib on macOS).
# Every kernel source is compiled once per instruction set. Nothing is done when sources, flags and compiler are unchanged.
# Without a compiler, or elsewhere than on Linux and macOS, one line says so and the Java backend remains.
set -eu
target=${1:?target folder}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")"

# No library, rather than one of older sources.
without() {
    echo "native/build.sh: $1; the Java backend will be used"
    rm -rf "$target/classes/native"
    exit 0
}

case $(uname -s) in
    Linux) os=linux suffix=so shared='-shared -Wl,-soname,libt2l.so -Wl,-z,noexecstack -Wl,-z,defs' ;;
    Darwin) os=macos suffix=dylib shared='-dynamiclib -install_name @rpath/libt2l.dylib' ;;
    *) without "no native kernels for $(uname -s)" ;;
esac
case $(uname -m) in
    x86_64 | amd64) arch=x86_64 sets='baseline avx2 avx512' ;;
    aarch64 | arm64) arch=aarch64 sets=baseline ;;
    *) without "no native kernels for $(uname -m)" ;;
esac

compiler=
for candidate in ${CC:+"$CC"} cc gcc clang; do
    if command -v "$candidate" > /dev/null 2>&1; then
        compiler=$candidate
        break
    fi
done
if [ -z "$compiler" ]; then
    without 'no C compiler (CC, cc, gcc, clang)'
fi
if ! printf '#include <pthread.h>\n#include <math.h>\n' | "$compiler" -x c -E - > /dev/null 2>&1; then
    without "$compiler finds no C library headers"
fi

flags='-std=gnu11 -O3 -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno -Wall -Wextra'
once='dispatch pool'
kernels='vtable gather scatter meanrows add activation rmsnorm layernorm l2normalise linear lora route lorafactor rope attention
    linearbackward lorabackward attentionbackward fill convert dropout addnoise scatteradd crossentropy distance sumsquares adamw'

set_flags() {
    case $1 in
        avx2) echo '-mavx2 -mfma -mf16c' ;;
        avx512) echo '-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni' ;;
    esac
}

digest() {
    if command -v sha256sum > /dev/null 2>&1; then sha256sum; else shasum -a 256; fi
}

library=$target/classes/native/$os-$arch/libt2l.$suffix
objects=$target/native/$os-$arch
stamp=$objects.sha256
key=$({ cat ./*.c ./*.h build.sh; echo "$flags"; "$compiler" --version; uname -sm; } | digest)
if [ -f "$library" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then
    exit 0
fi

rm -rf "$objects"
mkdir -p "$objects" "$(dirname "$library")"

jobs=
compile() { # object, source, flags
    object=$1 source=$2
    shift 2
    # shellcheck disable=SC2086
    "$compiler" $flags "$@" -c "$source" -o "$objects/$object.o" &
    jobs="$jobs $!"
}
await() {
    failed=
    for job in $jobs; do
        wait "$job" || failed=1
    done
    jobs=
    [ -z "$failed" ] || { echo 'native/build.sh: compilation failed' >&2; exit 1; }
}
for source in $once; do
    compile "$source" "$source.c"
done
for set in $sets; do
    for source in $kernels; do
        # shellcheck disable=SC2046
        compile "$source-$set" "$source.c" -DT2L_SET="$set" $(set_flags "$set")
    done
    await
done
# shellcheck disable=SC2086
"$compiler" $shared "$objects"/*.o -o "$library.new" -lpthread -lm
mv "$library.new" "$library"
echo "$key" > "$stamp"
