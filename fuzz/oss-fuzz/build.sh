#!/bin/bash -eu
# OSS-Fuzz's build step: $CC, $CFLAGS, $LIB_FUZZING_ENGINE, $SRC, $WORK and $OUT as its
# documentation says. The targets are those of fuzz/, linked with the given engine.
cd "$SRC/corbel"
mkdir -p "$WORK/corbel"
includes="-Isrc -I. -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00"
flags="-std=gnu11 -O1 -g -fno-common -fno-strict-aliasing -Wno-gnu-variable-sized-type-not-at-end"
wraps=''
for function in guest_copy_in hyp_pages_alloc guest_pages_alloc guest_pages_alloc_below \
    guest_pages_alloc_clean; do
    wraps="$wraps -Wl,--wrap=$function"
done

compile() {
    local object
    object=$WORK/corbel/$(tr / _ <<<"$1").o
    # shellcheck disable=SC2086
    $CC $CFLAGS $flags $includes -c "$1" -o "$object"
    echo "$object"
}
hypervisor=$(find src/base src/core src/x86 hostsim/world -name '*.c' | while read -r f; do
    compile "$f"
done)
executor=$(for f in fuzz/grammar*.c fuzz/{program,resolve,exec,exec_op,exec_exit,exec_guest,faults}.c \
    fuzz/{engine,machine,mutate,oracle,reset}.c fuzz/model*.c; do
    [ ! -f "$f" ] || compile "$f"
done)
harness=$(compile fuzz/harness.c)
# shellcheck disable=SC2086
${CXX:-$CC} ${CXXFLAGS:-$CFLAGS} $wraps $harness $executor $hypervisor $LIB_FUZZING_ENGINE \
    -lz -llzma -lzstd -llz4 -o "$OUT/fuzz_hypercall"
builder=$(compile fuzz/fuzz_builder.c) script=$(compile hostsim/engine/script.c)
# shellcheck disable=SC2086
${CXX:-$CC} ${CXXFLAGS:-$CFLAGS} $builder $script $hypervisor $LIB_FUZZING_ENGINE \
    -lz -llzma -lzstd -llz4 -o "$OUT/fuzz_builder"
firmware=$(compile fuzz/fuzz_firmware.c)
# shellcheck disable=SC2086
${CXX:-$CC} ${CXXFLAGS:-$CFLAGS} $firmware $script $hypervisor $LIB_FUZZING_ENGINE \
    -lz -llzma -lzstd -llz4 -o "$OUT/fuzz_firmware"
zip -q -j "$OUT/fuzz_firmware_seed_corpus.zip" fuzz/corpus/firmware/*

# Seeds: text programs become bytes.
tool="$(compile fuzz/tool.c) $(compile fuzz/minimise.c) $(compile fuzz/stats.c)"
# shellcheck disable=SC2086
$CC $CFLAGS $wraps $tool $executor $hypervisor \
    -lz -llzma -lzstd -llz4 -o "$WORK/corbel/tool"
mkdir -p "$WORK/corbel/seeds"
for f in fuzz/corpus/{hypercall,control,exits}/*; do
    "$WORK/corbel/tool" encode "$f" "$WORK/corbel/seeds/$(tr / - <<<"${f#fuzz/corpus/}")"
done
(cd "$WORK/corbel/seeds" && zip -q -r "$OUT/fuzz_hypercall_seed_corpus.zip" .)
