// exp, sigmoid and tanh over a vector register, good to 2 or 3 units in the last place.
//
// All stand on one reduction: v = n ln 2 + r with |r| <= ln 2 / 2, e^v = 2^n e^r, and a polynomial for
// (e^r - 1) / r (Chebyshev fit, largest relative error 1.2e-8 in float, 2.1e-17 in double). Keeping e^r - 1
// apart from 1 is what makes tanh exact near zero.
#pragma once

#include "simd.hpp"

namespace unrolled::UNROLLED_ISA {

template <class Real> struct ExpConstants;
template <> struct ExpConstants<float> {
    static constexpr float log2_e = 1.44269504f;
    static constexpr float ln2_high = 0.693359375f;  // few enough bits that n * ln2_high is exact
    static constexpr float ln2_low = -2.12194440e-4f;
    static constexpr float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
    static constexpr float largest =
        88.0f;  // e^-largest is below the normal numbers, so zero: sigmoid(-inf) = 0
    static constexpr float tanh_is_one = 9.2f;
    static constexpr float polynomial[] = {1.00000001080395231f,      0.50000000134981778643f,
                                           0.16666504936963596529f,   0.041666464602026541557f,
                                           0.0083691843822919614316f, 0.0013933685862617173589f};
};
template <> struct ExpConstants<double> {
    static constexpr double log2_e = 1.4426950408889634074;
    static constexpr double ln2_high = 6.93145751953125e-1;
    static constexpr double ln2_low = 1.42860682030941723212e-6;
    static constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double largest = 709.0;
    static constexpr double tanh_is_one = 19.1;
    static constexpr double polynomial[] = {1.0,
                                            0.50000000000000056451,
                                            0.16666666666666671008,
                                            0.041666666666572767692,
                                            0.0083333333333261120526,
                                            0.0013888888932619635148,
                                            0.00019841269874901259234,
                                            0.000024801504180837138252,
                                            2.7557255297969644392e-6,
                                            2.7626426376580332797e-7,
                                            2.5105259538448493419e-8};
};

// e^v = scale * (1 + rest), for |v| <= largest.
template <class Real> struct Exp {
    Vec<Real> scale, rest;
};
template <class Real> UNROLLED_INLINE Exp<Real> exp_parts(Vec<Real> v) {
    using C = ExpConstants<Real>;
    const Vec<Real> shifted = v * C::log2_e + C::shift;
    const Vec<Real> n = shifted - C::shift;
    const Vec<Real> r = (v - n * C::ln2_high) - n * C::ln2_low;
    constexpr int degree = sizeof(C::polynomial) / sizeof(Real) - 1;
    Vec<Real> p = splat<Real>(C::polynomial[degree]);
    for (int i = degree - 1; i >= 0; --i) p = p * r + C::polynomial[i];
    return {power_of_two(shifted), p * r};
}

template <class Real> UNROLLED_INLINE Vec<Real> sigmoid(Vec<Real> v) {
    using C = ExpConstants<Real>;
    v = at_most(splat<Real>(C::largest), at_least(splat<Real>(-C::largest), v));
    const Exp<Real> e = exp_parts<Real>(-v);
    return Real(1) / (e.scale * e.rest + (e.scale + Real(1)));
}

template <class Real> UNROLLED_INLINE Vec<Real> tanh(Vec<Real> v) {
    using C = ExpConstants<Real>;
    v = at_most(splat<Real>(C::tanh_is_one), at_least(splat<Real>(-C::tanh_is_one), v));
    const Exp<Real> e = exp_parts<Real>(v + v);
    const Vec<Real> less_one = e.scale * e.rest + (e.scale - Real(1));  // e^2v - 1
    return less_one / (less_one + Real(2));
}

}  // namespace unrolled::UNROLLED_ISA
