#!/usr/bin/env bash
# Builds the core's own test (harness.cpp) in one of its forms and runs it on the cases of export.py.
#
#   run.sh short   as compiled for every processor, and as the twin for compilers without vector extensions
#   run.sh asan    address and undefined-behaviour sanitizers, every instruction set, fenced scratch memory
#   run.sh tsan    thread sanitizer, four callers at once, teams that stay together and teams that part
#   run.sh neon    for aarch64, under an emulator
#
# What is built is an altered copy of the core, see altered.py: one that uses its threads on a busy machine too.
# CXX names the compiler, PYTHON the interpreter that has unrolled.
set -euo pipefail
cd "$(dirname "$0")/../.."
form=${1:?"one of short, asan, tsan, neon"}
python=${PYTHON:-.venv/bin/python}
cxx=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build KIND "ISA..." FLAG...: the harness with a copy of the core, altered in that way, for these instruction sets.
build() {
    local program=$work/$1 sources=$work/$1.csrc isas=$2 isa file define=() objects=() flags
    "$python" -m tests.native.altered "$1" csrc "$sources"
    shift 2
    flags=(-std=c++17 -g -pthread -Wall -Wextra "-I$sources" "$@")
    for isa in $isas; do
        local of_isa=()
        case $isa in
            avx2) of_isa=(-mavx2 -mfma) ;;
            avx512) of_isa=(-mavx512f -mavx512dq -mavx512vl -mavx512bw -mfma -mprefer-vector-width=512) ;;
        esac
        "$cxx" "${flags[@]}" "${of_isa[@]}" "-DUNROLLED_ISA=$isa" -c "$sources/isa.cpp" -o "$program.$isa.o"
        objects+=("$program.$isa.o")
        define+=("-DUNROLLED_HAVE_${isa^^}")
    done
    # All sources but the kernels, which are built by now, and the door from Python.
    local others=()
    for file in "$sources"/*.cpp; do
        [[ $file == */isa.cpp || $file == */bind.cpp ]] || others+=("$file")
    done
    "$cxx" "${flags[@]}" "${define[@]}" "${others[@]}" tests/native/harness.cpp "${objects[@]}" -o "$program"
}

cases() {
    "$python" -m tests.native.export "$work/cases" "$1"
}

isas=baseline
if [[ $(uname -m) == x86_64 ]]; then isas="baseline avx2 avx512"; fi

case $form in
    short)
        cases all
        build impatient baseline -O0
        "$work/impatient" "$work/cases"
        build steady baseline -O0 -DUNROLLED_PLAIN
        "$work/steady" "$work/cases"
        ;;
    asan)
        cases all
        build fenced "$isas" -O0 -fsanitize=address,undefined -fno-sanitize-recover=all
        "$work/fenced" "$work/cases" 2
        ;;
    tsan)
        cases divided
        for kind in steady impatient; do
            build $kind baseline -O1 -fsanitize=thread
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
        build steady baseline -O1 -static
        "$emulator" "$work/steady" "$work/cases"
        ;;
    *)
        echo "run.sh: the form must be one of short, asan, tsan, neon; got $form" >&2
        exit 2
        ;;
esac
