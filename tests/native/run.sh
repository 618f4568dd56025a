#!/usr/bin/env bash
# Builds the core's own test (harness.cpp) in one of its forms and runs it on the cases of export.py.
#
#   run.sh short   as compiled for every processor, and as the twin for compilers without vector extensions
#   run.sh asan    address and undefined-behaviour sanitizers, every instruction set, fenced scratch memory
#   run.sh tsan    thread sanitizer, four callers at once
#   run.sh neon    for aarch64, under an emulator
#
# CXX names the compiler, PYTHON the interpreter that has unrolled.
set -euo pipefail
cd "$(dirname "$0")/../.."
form=${1:?"one of short, asan, tsan, neon"}
python=${PYTHON:-.venv/bin/python}
cxx=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build PROGRAM SOURCES "ISA..." FLAG...: the core under SOURCES for these instruction sets, and the harness.
build() {
    local program=$1 sources=$2 isas=$3 isa file define=() objects=() flags
    shift 3
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
        build "$work/core" csrc baseline -O0
        "$work/core" "$work/cases"
        build "$work/twin" csrc baseline -O0 -DUNROLLED_PLAIN
        "$work/twin" "$work/cases"
        ;;
    asan)
        cases all
        "$python" -m tests.native.fence csrc "$work/csrc"
        build "$work/core" "$work/csrc" "$isas" -O0 -fsanitize=address,undefined -fno-sanitize-recover=all
        "$work/core" "$work/cases" 2
        ;;
    tsan)
        cases divided
        build "$work/core" csrc baseline -O1 -fsanitize=thread
        "$work/core" "$work/cases" 4
        ;;
    neon)
        cxx=${CXX:-aarch64-linux-gnu-g++}
        emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || true
        if ! command -v "$cxx" >/dev/null || [[ -z $emulator ]]; then
            echo "run.sh neon: it needs $cxx and qemu-aarch64 (on Debian: apt install g++-aarch64-linux-gnu qemu-user)" >&2
            exit 77
        fi
        cases all
        build "$work/core" csrc baseline -O1 -static
        "$emulator" "$work/core" "$work/cases"
        ;;
    *)
        echo "run.sh: the form must be one of short, asan, tsan, neon; got $form" >&2
        exit 2
        ;;
esac
