#!/usr/bin/env bash
# Builds the core in one of its forms, and its own test (harness.cpp) with it, and runs that on the cases of
# export.py.
#
#   run.sh short    as compiled for every processor, its allocations counted; and as the twin for compilers
#                   without vector extensions
#   run.sh asan     address and undefined-behaviour sanitizers, every instruction set, fenced scratch memory
#   run.sh battery  the same under the Python battery; wants GCC
#   run.sh tsan     thread sanitizer, four callers at once, at layers of their own and at one; teams that stay
#                   together and teams that part
#   run.sh neon     for aarch64, under an emulator
#
# What is built is an altered copy of the core, see altered.py: one that uses its threads on a busy machine too.
# CXX names the compiler, PYTHON the interpreter that has unrolled.
set -euo pipefail
cd "$(dirname "$0")/../.."
form=${1:?"one of short, asan, battery, tsan, neon"}
python=${PYTHON:-.venv/bin/python}
cxx=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

isas=baseline
if [[ $(uname -m) == x86_64 ]]; then isas="baseline avx2 avx512"; fi
sanitizers=(-O0 -fsanitize=address,undefined -fno-sanitize-recover=all)

# core KIND "ISA..." FLAG...: compiles a copy of the core, altered in that way, for these instruction sets.
# Leaves its folder in $sources, the flags in $flags, and what is to be linked in $linked.
core() {
    local isa file of_isa
    sources=$work/$1.csrc
    "$python" -m tests.native.altered "$1" csrc "$sources"
    flags=(-std=c++17 -g -pthread -Wall -Wextra -Wno-unused-function "-I$sources" "${@:3}")
    linked=()
    for isa in $2; do
        of_isa=("-DUNROLLED_ISA=$isa")
        case $isa in
            avx2) of_isa+=(-mavx2 -mfma) ;;
            avx512) of_isa+=(-mavx512f -mavx512dq -mavx512vl -mavx512bw -mfma -mprefer-vector-width=512) ;;
        esac
        "$cxx" "${flags[@]}" "${of_isa[@]}" -c "$sources/isa.cpp" -o "$sources/$isa.o"
        linked+=("$sources/$isa.o")
        flags+=("-DUNROLLED_HAVE_${isa^^}")
    done
    # All other sources, but for the door from Python.
    for file in "$sources"/*.cpp; do
        [[ $file == */isa.cpp || $file == */bind.cpp ]] || linked+=("$file")
    done
}

# harness KIND "ISA..." FLAG...: the core, and its own test with it as $work/KIND.
harness() {
    core "$@"
    "$cxx" "${flags[@]}" tests/native/harness.cpp "${linked[@]}" -o "$work/$1"
}

# The core as a Python module, $work/core.so.
module() {
    local nanobind
    core fenced "$isas" "${sanitizers[@]}" -fPIC -fvisibility=hidden
    nanobind=$("$python" -c 'import nanobind; print(nanobind.source_dir())')
    flags+=("-I$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')")
    flags+=(-isystem "$nanobind/../include" -isystem "$nanobind/../ext/robin_map/include")
    # The binding library by its own rules.
    "$cxx" "${flags[@]}" -w -fno-strict-aliasing -fno-sanitize=all -c "$nanobind/nb_combined.cpp" -o "$work/nanobind.o"
    "$cxx" "${flags[@]}" -shared "$sources/bind.cpp" "${linked[@]}" "$work/nanobind.o" -o "$work/core.so"
}

cases() {
    "$python" -m tests.native.export "$work/cases" "$1"
}

case $form in
    short)
        cases all
        harness impatient baseline -O0
        "$work/impatient" "$work/cases"
        "$cxx" "${flags[@]}" tests/native/allocations.cpp "${linked[@]}" -o "$work/allocations"
        "$work/allocations"
        harness steady baseline -O0 -DUNROLLED_PLAIN
        "$work/steady" "$work/cases"
        ;;
    asan)
        cases all
        harness fenced "$isas" "${sanitizers[@]}"
        "$work/fenced" "$work/cases" 2
        ;;
    battery)
        module
        preload=$(for library in asan ubsan stdc++; do "$cxx" "-print-file-name=lib$library.so"; done)
        # Python itself leaks on exit by design.
        LD_PRELOAD=${preload//$'\n'/:} ASAN_OPTIONS=detect_leaks=0 UNROLLED_CORE=$work/core.so \
            "$python" -m pytest -p tests.native.preload tests/battery/test_native{,_calls,_divisions,_kept,_rows,_stretches,_tokens,_unroll}.py
        ;;
    tsan)
        cases divided
        for kind in steady impatient; do
            harness $kind baseline -O1 -fsanitize=thread
            "$work/$kind" "$work/cases" 4
        done
        ;;
    neon)
        cxx=${CXX:-aarch64-linux-gnu-g++}
        emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || true
        if ! command -v "$cxx" >/dev/null || [[ -z $emulator ]]; then
            echo "run.sh neon: it needs $cxx and qemu-aarch64 (Debian: apt install g++-aarch64-linux-gnu qemu-user)" >&2
            exit 77
        fi
        cases all
        harness steady baseline -O1 -static
        "$emulator" "$work/steady" "$work/cases"
        ;;
    *)
        echo "run.sh: the form must be one of short, asan, battery, tsan, neon; got $form" >&2
        exit 2
        ;;
esac
