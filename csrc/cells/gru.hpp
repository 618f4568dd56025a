// Gated recurrent unit, gates r z n, in the two forms people have:
//   Gru             n = tanh(xw_n + r (h W_hn' + b_hn))     reset after the product: torch, cuDNN
//   GruResetBefore  n = tanh(xw_n + (r h) W_hn' + b_hn)     Cho et al. 2014, eq. 5-8; Keras reset_after=False,
//   ONNX
// and in both h = (1 - z) n + z h_before.
#pragma once

#include "cell.hpp"

namespace unrolled::UNROLLED_ISA {

struct Gru {
    // n's two halves have gradients of their own, so da has four columns: n (of xw), r, z, n (of hw). Those of
    // xw are then columns 0-2 and those of hw columns 1-3, each side by side.
    static constexpr int gates = 3, stages = 1, da_columns = 4;
    static constexpr bool has_c = false, has_saved = true, keeps_gates = true, reads_h = true;
    static constexpr int stage_begin[stages + 1] = {0, 3};
    static constexpr int x_column[gates] = {1, 2, 0};
    static constexpr int h_column[gates] = {1, 2, 3};
    static constexpr int da_stage[gates] = {0, 0, 0};

    template <int stage, class Real> static UNROLLED_INLINE void point(Point<Real>& p) {
        const auto r = sigmoid<Real>(p.xw[0] + p.hw[0]);
        const auto z = sigmoid<Real>(p.xw[1] + p.hw[1]);
        const auto n = tanh<Real>(p.xw[2] + r * p.hw[2]);
        p.h = n + z * (p.h_before - n);
        p.gate[0] = r, p.gate[1] = z, p.gate[2] = n;
        p.saved = p.hw[2];
    }
    template <int stage, class Real> static UNROLLED_INLINE void point_backward(PointBackward<Real>& p) {
        const auto r = p.gate[0], z = p.gate[1], n = p.gate[2];
        const auto da_n = p.dh * (Real(1) - z) * (Real(1) - n * n);
        p.da[0] = da_n;
        p.da[1] = da_n * p.saved * (r * (Real(1) - r));
        p.da[2] = p.dh * (p.h_before - n) * (z * (Real(1) - z));
        p.da[3] = da_n * r;
        p.dh_before = p.dh * z;
    }
};

struct GruResetBefore {
    static constexpr int gates = 3, stages = 2, da_columns = 3;
    static constexpr bool has_c = false, has_saved = true, keeps_gates = true, reads_h = true;
    static constexpr int stage_begin[stages + 1] = {0, 2, 3};
    static constexpr int x_column[gates] = {0, 1, 2};
    static constexpr int h_column[gates] = {0, 1, 2};
    static constexpr int da_stage[gates] = {0, 1, 1};

    template <int stage, class Real> static UNROLLED_INLINE void point(Point<Real>& p) {
        if constexpr (stage == 0) {
            p.gate[0] = sigmoid<Real>(p.xw[0] + p.hw[0]);
            p.gate[1] = sigmoid<Real>(p.xw[1] + p.hw[1]);
            p.saved = p.gate[0] * p.h_before;  // the gated state that enters the second stage's product
        } else {
            p.gate[2] = tanh<Real>(p.xw[2] + p.hw[0]);
            p.h = p.gate[2] + p.gate[1] * (p.h_before - p.gate[2]);
        }
    }
    template <int stage, class Real> static UNROLLED_INLINE void point_backward(PointBackward<Real>& p) {
        const auto r = p.gate[0], z = p.gate[1], n = p.gate[2];
        if constexpr (stage == 1) {
            p.da[2] = p.dh * (Real(1) - z) * (Real(1) - n * n);
            p.da[1] = p.dh * (p.h_before - n) * (z * (Real(1) - z));
            p.dh_before = p.dh * z;
        } else {
            p.da[0] = p.dgated * p.h_before * (r * (Real(1) - r));
            p.dh_before += p.dgated * r;
        }
    }
};

}  // namespace unrolled::UNROLLED_ISA
