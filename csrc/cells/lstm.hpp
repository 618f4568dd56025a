// Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000), gates i f g o:
//   c = f c_before + i g,   h = o tanh(c)
#pragma once

#include "cell.hpp"

namespace unrolled::UNROLLED_ISA {

struct Lstm {
    static constexpr int gates = 4, stages = 1, da_columns = 4;
    static constexpr bool has_c = true, has_saved = false, keeps_gates = true, reads_h = false;
    static constexpr int stage_begin[stages + 1] = {0, 4};
    static constexpr int x_column[gates] = {0, 1, 2, 3};
    static constexpr int h_column[gates] = {0, 1, 2, 3};
    static constexpr int da_stage[gates] = {0, 0, 0, 0};

    template <int stage, class Real> static UNROLLED_INLINE void point(Point<Real>& p) {
        const auto i = sigmoid<Real>(p.xw[0] + p.hw[0]);
        const auto f = sigmoid<Real>(p.xw[1] + p.hw[1]);
        const auto g = tanh<Real>(p.xw[2] + p.hw[2]);
        const auto o = sigmoid<Real>(p.xw[3] + p.hw[3]);
        p.c = f * p.c_before + i * g;
        p.h = o * tanh<Real>(p.c);
        p.gate[0] = i, p.gate[1] = f, p.gate[2] = g, p.gate[3] = o;
    }
    template <int stage, class Real> static UNROLLED_INLINE void point_backward(PointBackward<Real>& p) {
        const auto i = p.gate[0], f = p.gate[1], g = p.gate[2], o = p.gate[3];
        const auto tanh_c = tanh<Real>(p.c);
        p.dc_full = p.dc + p.dh * o * (Real(1) - tanh_c * tanh_c);
        p.da[0] = p.dc_full * g * (i * (Real(1) - i));
        p.da[1] = p.dc_full * p.c_before * (f * (Real(1) - f));
        p.da[2] = p.dc_full * i * (Real(1) - g * g);
        p.da[3] = p.dh * tanh_c * (o * (Real(1) - o));
        p.dc = p.dc_full * f;
    }
};

}  // namespace unrolled::UNROLLED_ISA
