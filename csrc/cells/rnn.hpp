// h = f(x W_xh' + b_xh + h W_hh' + b_hh), f being tanh, relu, sigmoid or the identity (Elman 1990, eq. 1-2).
#pragma once

#include "cell.hpp"

namespace unrolled::UNROLLED_ISA {

struct Tanh {
    template <class Real> static UNROLLED_INLINE Vec<Real> value(Vec<Real> a) { return tanh<Real>(a); }
    template <class Real> static UNROLLED_INLINE Vec<Real> slope(Vec<Real> h) { return Real(1) - h * h; }
};
struct Relu {
    template <class Real> static UNROLLED_INLINE Vec<Real> value(Vec<Real> a) {
        return at_least(splat<Real>(0), a);
    }
    template <class Real> static UNROLLED_INLINE Vec<Real> slope(Vec<Real> h) {
        return one_where_positive<Real>(h);
    }
};
struct Sigmoid {
    template <class Real> static UNROLLED_INLINE Vec<Real> value(Vec<Real> a) { return sigmoid<Real>(a); }
    template <class Real> static UNROLLED_INLINE Vec<Real> slope(Vec<Real> h) { return h * (Real(1) - h); }
};
struct Identity {
    template <class Real> static UNROLLED_INLINE Vec<Real> value(Vec<Real> a) { return a; }
    template <class Real> static UNROLLED_INLINE Vec<Real> slope(Vec<Real>) { return splat<Real>(1); }
};

template <class Nonlinearity> struct Rnn {
    static constexpr int gates = 1, stages = 1, da_columns = 1;
    static constexpr bool has_c = false, has_saved = false, keeps_gates = false, reads_h = false;
    static constexpr int stage_begin[stages + 1] = {0, 1};  // first gate of each stage
    static constexpr int x_column[gates] = {0};             // column of da that is the gradient of xw, by gate
    static constexpr int h_column[gates] = {0};             // and of hw
    static constexpr int da_stage[gates] = {0};             // stage whose way back gives it, by gate

    template <int stage, class Real> static UNROLLED_INLINE void point(Point<Real>& p) {
        p.h = Nonlinearity::template value<Real>(p.xw[0] + p.hw[0]);
    }
    template <int stage, class Real> static UNROLLED_INLINE void point_backward(PointBackward<Real>& p) {
        p.da[0] = p.dh * Nonlinearity::template slope<Real>(p.h);
    }
};

}  // namespace unrolled::UNROLLED_ISA
