"""Faults planted in copies of the core, one at a time: ``python -m tests.native.faults [WORD]``.

Each is one alteration of its text, with the words in which the core's own test must report it. The copies
are built as for every processor and without optimisation, some seconds each. `make faults` runs them all;
with WORD it is those that have it in their description.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.native import export
from tests.native.altered import KINDS, Alteration, copy

ROOT = Path(__file__).parents[2]
CSRC = ROOT / "csrc"
COMPILE = [os.environ.get("CXX", "c++"), "-std=c++17", "-O0", "-w", "-pthread", "-DUNROLLED_ISA=baseline"]


class Fault(NamedTuple):
    """What goes wrong, the text of which file before and after, and what the core's own test must say."""

    what: str
    file: str
    before: str
    after: str
    noticed_as: str
    kind: str = "steady"
    flags: tuple[str, ...] = ()

    @property
    def alterations(self) -> list[Alteration]:
        """All that is changed in the core's text."""
        return [*KINDS[self.kind], Alteration(self.file, self.before, self.after)]


FAULTS = [
    # one step
    Fault(
        "swap i and f",
        "cells/lstm.hpp",
        "p.gate[0] = i, p.gate[1] = f",
        "p.gate[0] = f, p.gate[1] = i",
        "training: gates",
    ),
    Fault(
        "swap g and o",
        "cells/lstm.hpp",
        "p.c = f * p.c_before + i * g",
        "p.c = f * p.c_before + i * o",
        "inference: c_n",
    ),
    Fault(
        "forget the reset gate",
        "cells/gru.hpp",
        "p.xw[2] + r * p.hw[2]",
        "p.xw[2] + p.hw[2]",
        "inference: h_n",
    ),
    Fault(
        "mix by z the wrong way round",
        "cells/gru.hpp",
        "p.h = n + z * (p.h_before - n)",
        "p.h = p.h_before + z * (n - p.h_before)",
        "inference: h",
    ),
    Fault(
        "keep the product after r",
        "cells/gru.hpp",
        "p.saved = p.hw[2]",
        "p.saved = r * p.hw[2]",
        "training: saved",
    ),
    Fault(
        "forget to gate before the product",
        "cells/gru.hpp",
        "p.saved = p.gate[0] * p.h_before;",
        "p.saved = p.h_before;",
        "inference: h",
    ),
    Fault(
        "give relu a slope below zero",
        "cells/rnn.hpp",
        "return one_where_positive<Real>(h);",
        "return splat<Real>(1);",
        "backward: ",
    ),
    Fault("round tanh to 1 too early", "math.hpp", "tanh_is_one = 9.2f", "tanh_is_one = 2.0f", "training: "),
    # one step back
    Fault(
        "drop the dc carry",
        "cells/lstm.hpp",
        "p.dc = p.dc_full * f;",
        "p.dc = p.dc_full * Real(0);",
        "backward: dc",
    ),
    Fault(
        "lose what c does through h",
        "cells/lstm.hpp",
        "p.dc + p.dh * o * (Real(1) - tanh_c * tanh_c)",
        "p.dc",
        "backward: dc",
    ),
    Fault(
        "forget r between hw_n and n",
        "cells/gru.hpp",
        "p.da[3] = da_n * r;",
        "p.da[3] = da_n;",
        "backward: dW_hh",
    ),
    Fault("lose the way by r", "cells/gru.hpp", "p.dh_before += p.dgated * r;", "", "backward: dh_carry"),
    Fault(
        "lose the way past the product",
        "backward.hpp",
        "Cell::reads_h || s_.order > 1 ? Into::resumed : Into::fresh",
        "Into::fresh",
        "backward: dh_carry",
    ),
    # the loop
    Fault("count padding", "order.cpp", "length_[n - 1] <= t", "length_[n - 1] < t", "training: "),
    Fault("leave padding of the output", "forward.hpp", "clear(f_.h.at(t, b), R);", "", "inference: h "),
    Fault(
        "take the final state at T",
        "forward.hpp",
        "walk_.past(b, length, length,",
        "walk_.past(b, s_.T, s_.T,",
        "h_n",
    ),
    Fault(
        "take the final c at T",
        "forward.hpp",
        "s_.reverse ? 0 : length - 1;",
        "s_.reverse ? 0 : s_.T - 1;",
        "c_n",
    ),
    Fault(
        "let a state pass a reset one step later",
        "sequence.hpp",
        "shape.reset[row(t, b)]) passes = false;",
        "shape.reset[row(t, b)]) passes = true;",
        "hornn",
    ),
    Fault(
        "begin with the oldest state in front",
        "sequence.hpp",
        "- (nth + 1) * shape.R()",
        "+ (shape.order + nth) * shape.R()",
        "hornn",
    ),
    Fault(
        "ignore c_0 of an empty sequence",
        "forward.hpp",
        "f_.c_0 ? f_.c_0 + b * H",
        "false ? f_.c_0 + b * H",
        "c_n",
    ),
    Fault(
        "end a stream with another state",
        "forward.hpp",
        "h_n may be h_0\n                copy_or_clear(",
        "h_n may be h_0\n                if (length) copy_or_clear(",
        "h_n",
    ),
    Fault("forget b_hh", "panels.hpp", "w.W_hh, w.b_hh,", "w.W_hh, decltype(w.b_hh)(nullptr),", "training: "),
    # the loop back
    Fault(
        "let the gradient pass a reset",
        "backward.hpp",
        "if (s_.reset) cut(",
        "if (false) cut(",
        "backward: dh_carry",
    ),
    Fault(
        "ignore the gradient of the final h",
        "backward.hpp",
        "f_.dh_n ? f_.dh_n + b * s_.kR()",
        "false ? f_.dh_n + b * s_.kR()",
        "backward: ",
    ),
    Fault(
        "drop what the states before get from further on",
        "backward.hpp",
        "if (back && s_.order > 1) age(own, rows);",
        "if (back && s_.order > 1) clear(own.dh_before[0], s_.kR());",
        "hornn",
    ),
    Fault(
        "ignore the gradient of the final c",
        "backward.hpp",
        "f_.dc_n ? f_.dc_n + b * s_.H",
        "false ? f_.dc_n + b * s_.H",
        "backward: dc",
    ),
    Fault(
        "sum n's two biases alike",
        "sums.hpp",
        "db_ + Cell::h_column[g] * H",
        "db_ + Cell::x_column[g] * H",
        "backward: db_hh",
    ),
    Fault(
        "keep the last block only", "outer.hpp", "into == Into::fresh ? sum", "true ? sum", "backward: db_xh"
    ),
    # the table in place of an input product
    Fault(
        "look up the id of another row",
        "forward.hpp",
        "*f_.ids.at(t, b)",
        "*f_.ids.at(t, 0)",
        "looking up training: h",
    ),
    Fault(
        "overwrite the table with gates",
        "forward.hpp",
        "own.xw[k] = f_.ids ? f_.table + *f_.ids.at(t, b) * gh() : own.gates[k];",
        "own.xw[k] = f_.ids ? f_.table + *f_.ids.at(t, b) * gh() : own.gates[k];"
        "if (f_.ids) own.gates[k] = const_cast<Real*>(own.xw[k]);",
        "looking up ",
    ),
    Fault(
        "give a table's row the last gradient alone",
        "sums.hpp",
        "load_up_to(to + u, left) + load_up_to(from + u, left)",
        "load_up_to(from + u, left)",
        "looking up backward: dtable",
    ),
    Fault(
        "give a table's row gradients by da's columns",
        "sums.hpp",
        "r * d_h() + Cell::x_column[g] * s_.H",
        "r * d_h() + g * s_.H",
        "looking up backward: dtable",
    ),
    Fault(
        "let everyone add to the whole table",
        "sums.hpp",
        "Part(s_.H, number, count, kPanelWidth<Real>));",
        "Part(s_.H, 0, 1));",
        "looking up backward",
    ),
    # weights that stay packed
    Fault(
        "take changed weights for those that were packed",
        "panels.hpp",
        "known && known[panel] == now",
        "known && !(known[panel] == Fingerprint())",
        "kept weights after a change of sign",
    ),
    Fault(
        "let the sign reach nothing else",
        "fingerprint.hpp",
        "return w << bits | w >> (32 - bits);",
        "return w;",
        "kept weights after a change of sign",
    ),
    Fault(
        "keep the biases too",
        "panels.hpp",
        "p.init && i < lanes",
        "p.init && !(known && p.init[first * lanes] != 0) && i < lanes",
        "kept weights after ",
    ),
    # products and registers
    Fault(
        "begin every piece of a long sum anew", "gemm.hpp", "k ? Into::resumed : into", "into", "is off by"
    ),
    Fault(
        "drop the columns past the last register",
        "gemm.hpp",
        "(columns + kLanes<Real> - 1) / kLanes<Real>",
        "columns / kLanes<Real>",
        "",
    ),
    Fault(
        "write whole registers",
        "simd.hpp",
        "for (int i = 0; i < count; ++i) to[i] = lanes[i];",
        "store(to, value);",
        "written beside",
    ),
    # threads and the caller's state
    Fault(
        "leave denormals flushed",
        "simd.hpp",
        "~DenormalsAreZero() { _mm_setcsr(before_); }",
        "~DenormalsAreZero() {}",
        "denormals are not back",
    ),
    Fault(
        "run a row on both threads",
        "sequence.hpp",
        "first = me.number, stride = me.count",
        "first = 0, stride = me.count",
        "has other bits",
    ),
    Fault(
        "begin before the others have multiplied",
        "forward.hpp",
        "input_product(own, share, chunk(0), me.number, me.count);\n        me.meet();",
        "input_product(own, share, chunk(0), me.number, me.count);",
        "data race",
        flags=("-fsanitize=thread",),
    ),
    Fault(
        "leave the units of those who left",
        "backward.hpp",
        "units = own_units(me);  // all of them, if the team has parted",
        "",
        "has other bits",
        "impatient",
    ),
]


def build(arguments: list[str]) -> None:
    """Runs the compiler; fails with the first of its errors."""
    done = subprocess.run([*COMPILE, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(next(line for line in done.stderr.splitlines() if "error" in line))


def reported(fault: Fault, folder: Path) -> str:
    """What the core's own test says with the fault planted; ``folder`` holds the test and its cases."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        sources, program = Path(name) / "csrc", Path(name) / "faulty"
        copy(CSRC, sources, fault.alterations)
        core = [str(file) for file in sources.glob("*.cpp") if file.name != "bind.cpp"]
        build([*fault.flags, *core, str(folder / "harness.o"), "-o", str(program)])
        stop = os.environ | {"TSAN_OPTIONS": "halt_on_error=1"}
        done = subprocess.run(
            [program, folder / "cases"], env=stop, capture_output=True, text=True, timeout=300
        )
    ended = f"killed by signal {-done.returncode}\n" if done.returncode < 0 else ""
    return done.stdout + done.stderr + ended


def main(word: str = "") -> int:
    """Plants the faults with that word, says how each was noticed, and gives how many were not."""
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export.write(folder / "cases", export.cases("all"))
        harness = [f"-I{CSRC}", "-c", str(ROOT / "tests/native/harness.cpp"), "-o", str(folder / "harness.o")]
        build(harness)
        for fault in FAULTS:
            if word in fault.what:
                said = reported(fault, folder)
                line = next((line for line in said.splitlines() if fault.noticed_as in line), None)
                missed += line is None
                print(
                    f"{'noticed' if line else 'NOT NOTICED'}: {fault.what}: {line or said[-400:]}", flush=True
                )
    return missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
