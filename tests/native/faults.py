"""Faults to plant in the core, one at a time: see `tests.native.plant`."""

from __future__ import annotations

from typing import NamedTuple

from tests.native.altered import KINDS, Alteration


class Fault(NamedTuple):
    """What goes wrong, the text of which file before and after, and what the core's own test must say.

    ``noticed_as``: a pattern of one of its lines; ``program``: harness, or allocations.
    """

    what: str
    file: str
    before: str
    after: str
    noticed_as: str
    kind: str = "steady"
    program: str = "harness"
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
        "training: gates is off",
    ),
    Fault(
        "swap g and o",
        "cells/lstm.hpp",
        "p.c = f * p.c_before + i * g",
        "p.c = f * p.c_before + i * o",
        "inference: c_n is off",
    ),
    Fault(
        "forget the reset gate",
        "cells/gru.hpp",
        "p.xw[2] + r * p.hw[2]",
        "p.xw[2] + p.hw[2]",
        "inference: h_n is off",
    ),
    Fault(
        "mix by z the wrong way round",
        "cells/gru.hpp",
        "p.h = n + z * (p.h_before - n)",
        "p.h = p.h_before + z * (n - p.h_before)",
        "inference: h is off",
    ),
    Fault(
        "keep the product after r",
        "cells/gru.hpp",
        "p.saved = p.hw[2]",
        "p.saved = r * p.hw[2]",
        "training: saved is off",
    ),
    Fault(
        "forget to gate before the product",
        "cells/gru.hpp",
        "p.saved = p.gate[0] * p.h_before;",
        "p.saved = p.h_before;",
        "inference: h is off",
    ),
    Fault(
        "give relu a slope below zero",
        "cells/rnn.hpp",
        "return one_where_positive<Real>(h);",
        "return splat<Real>(1);",
        "backward: dW_xh is off",
    ),
    Fault(
        "round tanh to 1 too early",
        "math.hpp",
        "tanh_is_one = 9.2f",
        "tanh_is_one = 2.0f",
        "training: c is off",
    ),
    # one step back
    Fault(
        "drop the dc carry",
        "cells/lstm.hpp",
        "p.dc = p.dc_full * f;",
        "p.dc = p.dc_full * Real(0);",
        "backward: dc_0 is off",
    ),
    Fault(
        "lose what c does through h",
        "cells/lstm.hpp",
        "p.dc + p.dh * o * (Real(1) - tanh_c * tanh_c)",
        "p.dc",
        "backward: dc is off",
    ),
    Fault(
        "forget r between hw_n and n",
        "cells/gru.hpp",
        "p.da[3] = da_n * r;",
        "p.da[3] = da_n;",
        "backward: dW_hh is off",
    ),
    Fault(
        "lose the way by r", "cells/gru.hpp", "p.dh_before += p.dgated * r;", "", "backward: dh_carry is off"
    ),
    Fault(
        "lose the way past the product",
        "backward.hpp",
        "Cell::reads_h || s_.order > 1 ? Into::resumed : Into::fresh",
        "Into::fresh",
        "backward: dh_carry is off",
    ),
    # the loop
    Fault(
        "transpose W_hh",
        "forward.hpp",
        "    run_pass<ForwardPass<Cell, Real>>(f);\n",
        "    Forward<Real> turned = f;\n"
        "    const Index n = s.H, all = f.weights.W_hh && !s.P && s.order == 1 ? Cell::gates * n * n : 0;\n"
        "    Real* const W = new Real[std::size_t(all)];\n"
        "    for (Index i = 0; i < all; ++i)\n"
        "        W[i] = f.weights.W_hh[i / n / n * n * n + i % n * n + i / n % n];\n"
        "    if (all) turned.weights.W_hh = W;\n"
        "    run_pass<ForwardPass<Cell, Real>>(turned);\n"
        "    delete[] W;\n",
        "training: h is off",
    ),
    Fault(
        "ignore h_0",
        "sequence.hpp",
        "return initial ? initial + on_tape(b) * size : zeros;",
        "return zeros;",
        "initial=h.*training: h is off",
    ),
    Fault(
        "count padding",
        "order.cpp",
        "length_[n - 1] <= t",
        "length_[n - 1] < t",
        "training: gates is off by inf",
    ),
    Fault(
        "leave padding of the output",
        "forward.hpp",
        "clear(f_.h.at(t, b), ",
        "if (false) clear(f_.h.at(t, b), ",
        "inference: h is off by inf",
    ),
    Fault(
        "take the final state at T",
        "forward.hpp",
        "walk_.past(b, length, length,",
        "walk_.past(b, s_.T, s_.T,",
        "lengths=(short|ragged).*inference: h_n is off",
    ),
    Fault(
        "take the final c at T",
        "forward.hpp",
        "s_.reverse ? 0 : length - 1;",
        "s_.reverse ? 0 : s_.T - 1;",
        "lengths=(short|ragged).*training: c_n is off",
    ),
    Fault(
        "let a state pass a reset one step later",
        "sequence.hpp",
        "shape.reset[row(t, b)]) passes = false;",
        "shape.reset[row(t, b)]) passes = true;",
        "hornn.*training: h is off",
    ),
    Fault(
        "begin with the oldest state in front",
        "sequence.hpp",
        "- (nth + 1) * shape.R()",
        "+ (shape.order + nth) * shape.R()",
        "hornn.*training: h_n is off",
    ),
    Fault(
        "ignore c_0 of an empty sequence",
        "forward.hpp",
        "f_.c_0 ? f_.c_0 + b * H",
        "false ? f_.c_0 + b * H",
        "lengths=(short|ragged).*inference: c_n is off",
    ),
    Fault(
        "end a stream with another state",
        "forward.hpp",
        "h_n may be h_0\n                copy_or_clear(",
        "h_n may be h_0\n                if (length) copy_or_clear(",
        "inference: h_n is off by inf",
    ),
    Fault(
        "forget b_hh",
        "panels.hpp",
        "w.W_hh, w.b_hh,",
        "w.W_hh, decltype(w.b_hh)(nullptr),",
        "training: h is off",
    ),
    # the loop back
    Fault(
        "drop dh_carry",
        "backward.hpp",
        "p.dh = get(own.dh_out[k]) + carry;",
        "p.dh = get(own.dh_out[k]);",
        "backward: dh is off",
    ),
    Fault(
        "let the gradient pass a reset",
        "backward.hpp",
        "if (s_.reset) cut(",
        "if (false) cut(",
        "reset=some.*backward: dh_carry is off",
    ),
    Fault(
        "ignore the gradient of the final h",
        "backward.hpp",
        "f_.dh_n ? f_.dh_n + b * s_.kR()",
        "false ? f_.dh_n + b * s_.kR()",
        "backward: dh_carry is off",
    ),
    Fault(
        "drop what the states before get from further on",
        "backward.hpp",
        "if (back && s_.order > 1) age(own, rows);",
        "if (back && s_.order > 1) clear(own.dh_before[0], s_.kR());",
        "hornn.*backward: dh_carry is off",
    ),
    Fault(
        "ignore the gradient of the final c",
        "backward.hpp",
        "f_.dc_n ? f_.dc_n + b * s_.H",
        "false ? f_.dc_n + b * s_.H",
        "backward: dc is off",
    ),
    Fault(
        "sum n's two biases alike",
        "sums.hpp",
        "db_ + Cell::h_column[g] * H",
        "db_ + Cell::x_column[g] * H",
        "backward: db_hh is off",
    ),
    Fault(
        "keep the last block only",
        "outer.hpp",
        "into == Into::fresh ? sum",
        "true ? sum",
        "backward: db_xh is off",
    ),
    Fault(
        "overwrite what is to be added to",
        "sums.hpp",
        "first && !f_.add ? Into::fresh",
        "first ? Into::fresh",
        "backward, adding: dW_hh is off",
    ),
    # the table in place of an input product
    Fault(
        "look up the id of another row",
        "forward.hpp",
        "*f_.ids.at(t, b)",
        "*f_.ids.at(t, 0)",
        "looking up training: h is off",
    ),
    Fault(
        "overwrite the table with gates",
        "forward.hpp",
        "own.xw[k] = f_.ids ? f_.table + *f_.ids.at(t, b) * gh() : own.gates[k];",
        "own.xw[k] = f_.ids ? f_.table + *f_.ids.at(t, b) * gh() : own.gates[k];"
        "if (f_.ids) own.gates[k] = const_cast<Real*>(own.xw[k]);",
        "looking up training: gates is off",
    ),
    Fault(
        "give a table's row the last gradient alone",
        "sums.hpp",
        "load_up_to(to + u, left) + load_up_to(from + u, left)",
        "load_up_to(from + u, left)",
        "looking up backward: dtable is off",
    ),
    Fault(
        "give a table's row gradients by da's columns",
        "sums.hpp",
        "r * d_h() + Cell::x_column[g] * s_.H",
        "r * d_h() + g * s_.H",
        "looking up backward: dtable is off",
    ),
    Fault(
        "let everyone add to the whole table",
        "sums.hpp",
        "Part(s_.H, number, count, kPanelWidth<Real>));",
        "Part(s_.H, 0, 1));",
        "looking up backward on . threads: dtable has other bits",
    ),
    # weights that stay packed
    Fault(
        "take changed weights for those that were packed",
        "panels.hpp",
        "known && known[panel] == now",
        "known && !(known[panel] == Fingerprint())",
        "kept weights after a change of sign: h has other bits",
    ),
    Fault(
        "let the sign reach nothing else",
        "fingerprint.hpp",
        "return w << bits | w >> (32 - bits);",
        "return w;",
        "kept weights after a change of sign: h has other bits",
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
        "training: h is off by inf",
    ),
    Fault(
        "write whole registers",
        "simd.hpp",
        "for (int i = 0; i < count; ++i) to[i] = lanes[i];",
        "store(to, value);",
        "written beside",
    ),
    Fault(
        "allocate at every step",
        "forward.hpp",
        "        const bool no_past = i == 0 && !f_.h_0;\n        if (!stage<0>",
        "        const bool no_past = i == 0 && !f_.h_0;\n        ::operator delete(::operator new(1));\n"
        "        if (!stage<0>",
        "allocations in 10 steps",
        program="allocations",
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
