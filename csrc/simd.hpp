// One vector type for every instruction set: as many floats or doubles as a register holds.
//
// GCC's and Clang's vector extension serves SSE2, AVX2, AVX-512 and NEON from one source; other compilers get
// the plain twin below, an array and loops. Only what the extension cannot say is an intrinsic: loads and
// stores of part of a register, and the denormal mode.
//
// Included once per instruction set with UNROLLED_ISA naming the namespace. No template of the standard
// library may be instantiated in there: the linker would be free to keep the AVX-512 copy for everybody.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

#include "kernels.h"

#if defined(__GNUC__) && !defined(UNROLLED_PLAIN)
#define UNROLLED_INLINE inline __attribute__((always_inline))
#define UNROLLED_NOINLINE __attribute__((noinline))
#else
#define UNROLLED_INLINE inline
#define UNROLLED_NOINLINE
#endif

namespace unrolled::UNROLLED_ISA {

#if defined(UNROLLED_PLAIN)
constexpr int kVectorBytes = 16;
#elif defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

// Vector registers of the machine, which decide how large a tile may be.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif

template <class Real> constexpr int kLanes = kVectorBytes / int(sizeof(Real));

#if defined(__GNUC__) && !defined(UNROLLED_PLAIN)

template <class Real> struct Simd;
template <> struct Simd<float> {
    typedef float Vec __attribute__((vector_size(kVectorBytes)));
    typedef float Loose __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
    typedef std::int32_t Bits __attribute__((vector_size(kVectorBytes)));
};
template <> struct Simd<double> {
    typedef double Vec __attribute__((vector_size(kVectorBytes)));
    typedef double Loose __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
    typedef std::int64_t Bits __attribute__((vector_size(kVectorBytes)));
};
template <class Real> using Vec = typename Simd<Real>::Vec;

template <class Real> UNROLLED_INLINE Vec<Real> splat(Real value) { return Vec<Real>{} + value; }
template <class Real> UNROLLED_INLINE Vec<Real> load(const Real* from) {
    return *reinterpret_cast<const typename Simd<Real>::Loose*>(from);
}
template <class Real> UNROLLED_INLINE void store(Real* to, Vec<Real> value) {
    *reinterpret_cast<typename Simd<Real>::Loose*>(to) = value;
}
// The smaller and the larger of a bound and a value; NaN falls through, as the bound stands on the left.
template <class V> UNROLLED_INLINE V at_most(V bound, V value) { return bound < value ? bound : value; }
template <class V> UNROLLED_INLINE V at_least(V bound, V value) { return bound > value ? bound : value; }

// 1 where the value is above zero, else 0.
template <class Real> UNROLLED_INLINE Vec<Real> one_where_positive(Vec<Real> v) {
    return v > Vec<Real>{} ? splat<Real>(1) : Vec<Real>{};
}

// 2^n, n being a whole number of modest size held in the low bits of `shifted` = n + 1.5 * 2^mantissa.
UNROLLED_INLINE Vec<float> power_of_two(Vec<float> shifted) {
    return (Vec<float>)(((Simd<float>::Bits)shifted << 23) + 0x3f800000);
}
UNROLLED_INLINE Vec<double> power_of_two(Vec<double> shifted) {
    return (Vec<double>)(((Simd<double>::Bits)shifted << 52) + 0x3ff0000000000000);
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define UNROLLED_SHUFFLES
// Swaps bit `step` of the row's number with the same bit of the lane's, for a pair of rows that differ in it.
template <class Real, int step, int... lane>
UNROLLED_INLINE void exchange(Vec<Real>& low, Vec<Real>& high, std::integer_sequence<int, lane...>) {
    const Vec<Real> a = low, b = high;
    low = __builtin_shufflevector(a, b, (lane & step ? kLanes<Real> + lane - step : lane)...);
    high = __builtin_shufflevector(a, b, (lane & step ? kLanes<Real> + lane : lane + step)...);
}
// Transposes a square of as many registers as a register has lanes.
template <class Real, int step = 1> UNROLLED_INLINE void transpose(Vec<Real>* row) {
    for (int i = 0; i < kLanes<Real>; ++i)
        if (!(i & step))
            exchange<Real, step>(row[i], row[i + step], std::make_integer_sequence<int, kLanes<Real>>());
    if constexpr (2 * step < kLanes<Real>) transpose<Real, 2 * step>(row);
}
#endif
#endif

#else  // the plain twin

template <class Real> struct Vec {
    Real lane[kLanes<Real>];
};
template <class Real, class F> UNROLLED_INLINE Vec<Real> each(F f) {
    Vec<Real> r;
    for (int i = 0; i < kLanes<Real>; ++i) r.lane[i] = f(i);
    return r;
}
template <class Real> UNROLLED_INLINE Vec<Real> splat(Real v) {
    return each<Real>([&](int) { return v; });
}
template <class Real> UNROLLED_INLINE Vec<Real> load(const Real* p) {
    return each<Real>([&](int i) { return p[i]; });
}
template <class Real> UNROLLED_INLINE void store(Real* p, Vec<Real> v) {
    std::memcpy(p, v.lane, sizeof v.lane);
}
#define UNROLLED_LANEWISE(op)                                                                                  \
    template <class Real> UNROLLED_INLINE Vec<Real> operator op(Vec<Real> a, Vec<Real> b) {                    \
        return each<Real>([&](int i) { return a.lane[i] op b.lane[i]; });                                      \
    }                                                                                                          \
    template <class Real> UNROLLED_INLINE Vec<Real> operator op(Real a, Vec<Real> b) { return splat(a) op b; } \
    template <class Real> UNROLLED_INLINE Vec<Real> operator op(Vec<Real> a, Real b) { return a op splat(b); }
UNROLLED_LANEWISE(+)
UNROLLED_LANEWISE(-)
UNROLLED_LANEWISE(*)
UNROLLED_LANEWISE(/)
#undef UNROLLED_LANEWISE
template <class Real> UNROLLED_INLINE Vec<Real> operator-(Vec<Real> a) { return splat(Real(0)) - a; }
template <class Real> UNROLLED_INLINE Vec<Real>& operator+=(Vec<Real>& a, Vec<Real> b) { return a = a + b; }
template <class Real> UNROLLED_INLINE Vec<Real> at_most(Vec<Real> bound, Vec<Real> v) {
    return each<Real>([&](int i) { return bound.lane[i] < v.lane[i] ? bound.lane[i] : v.lane[i]; });
}
template <class Real> UNROLLED_INLINE Vec<Real> at_least(Vec<Real> bound, Vec<Real> v) {
    return each<Real>([&](int i) { return bound.lane[i] > v.lane[i] ? bound.lane[i] : v.lane[i]; });
}
template <class Real> UNROLLED_INLINE Vec<Real> one_where_positive(Vec<Real> v) {
    return each<Real>([&](int i) { return v.lane[i] > 0 ? Real(1) : Real(0); });
}
UNROLLED_INLINE Vec<float> power_of_two(Vec<float> shifted) {
    return each<float>([&](int i) {
        std::uint32_t bits;
        std::memcpy(&bits, &shifted.lane[i], 4);
        bits = (bits << 23) + 0x3f800000u;
        float r;
        std::memcpy(&r, &bits, 4);
        return r;
    });
}
UNROLLED_INLINE Vec<double> power_of_two(Vec<double> shifted) {
    return each<double>([&](int i) {
        std::uint64_t bits;
        std::memcpy(&bits, &shifted.lane[i], 8);
        bits = (bits << 52) + 0x3ff0000000000000u;
        double r;
        std::memcpy(&r, &bits, 8);
        return r;
    });
}

#endif

#if !defined(UNROLLED_SHUFFLES)
template <class Real> inline void transpose(Vec<Real>* row) {
    constexpr int n = kLanes<Real>;
    Real lanes[n][n];
    for (int i = 0; i < n; ++i) store(lanes[i], row[i]);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < i; ++j) std::swap(lanes[i][j], lanes[j][i]);
    for (int i = 0; i < n; ++i) row[i] = load(lanes[i]);
}
#endif

// The first `count` lanes only; the others read as zero and are not written. 0 < count < kLanes.
template <class Real> UNROLLED_INLINE Vec<Real> load_some(const Real* from, int count) {
#if defined(__AVX512F__) && !defined(UNROLLED_PLAIN)
    const auto mask = static_cast<unsigned>((1u << count) - 1u);
    if constexpr (sizeof(Real) == 4) return (Vec<Real>)_mm512_maskz_loadu_ps(__mmask16(mask), from);
    else return (Vec<Real>)_mm512_maskz_loadu_pd(__mmask8(mask), from);
#else
    Real lanes[kLanes<Real>] = {};
    for (int i = 0; i < count; ++i) lanes[i] = from[i];
    return load(lanes);
#endif
}
template <class Real> UNROLLED_INLINE void store_some(Real* to, Vec<Real> value, int count) {
#if defined(__AVX512F__) && !defined(UNROLLED_PLAIN)
    const auto mask = static_cast<unsigned>((1u << count) - 1u);
    if constexpr (sizeof(Real) == 4) _mm512_mask_storeu_ps(to, __mmask16(mask), (__m512)value);
    else _mm512_mask_storeu_pd(to, __mmask8(mask), (__m512d)value);
#else
    Real lanes[kLanes<Real>];
    store(lanes, value);
    for (int i = 0; i < count; ++i) to[i] = lanes[i];
#endif
}
template <class Real> UNROLLED_INLINE Vec<Real> load_up_to(const Real* from, Index count) {
    return count >= kLanes<Real> ? load(from) : load_some(from, int(count));
}
template <class Real> UNROLLED_INLINE void store_up_to(Real* to, Vec<Real> value, Index count) {
    if (count >= kLanes<Real>) store(to, value);
    else store_some(to, value, int(count));
}

// Denormal numbers cost a hundred cycles each and carry nothing here: while one of these lives, they are zero.
class DenormalsAreZero {
public:
#if defined(__SSE2__) || defined(_M_X64)
    DenormalsAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }
    ~DenormalsAreZero() { _mm_setcsr(before_); }

private:
    unsigned before_;
#elif defined(__aarch64__) && defined(__GNUC__)
    DenormalsAreZero() {
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(before_));
        __asm__ __volatile__("msr fpcr, %0" ::"r"(before_ | (std::uint64_t(1) << 24)));
    }
    ~DenormalsAreZero() { __asm__ __volatile__("msr fpcr, %0" ::"r"(before_)); }

private:
    std::uint64_t before_;
#else
    DenormalsAreZero() {}  // NOLINT: a mode this compiler has no name for
#endif
    DenormalsAreZero(const DenormalsAreZero&) = delete;
};

}  // namespace unrolled::UNROLLED_ISA
