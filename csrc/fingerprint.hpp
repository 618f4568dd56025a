// Tells whether weights are still those that were packed, at a fraction of what packing costs.
//
// A tensor's memory may be written by anybody at any time (by NumPy, through .data), so nothing but the numbers
// themselves can say whether they are the same.
#pragma once

#include "simd.hpp"

namespace unrolled::UNROLLED_ISA {

// What numbers leave behind, bit by bit. Each lane of kWays registers runs over its own part of them in two
// chains, every link of which is a bijection of the number and of what was before. So another number in one
// place always leaves something else; several in one lane do but for a chance of 2^-64, and in several lanes
// but for one of 2^-64 for each of these.
class Fingerprint {
public:
    template <class Real> void add(const Real* numbers, Index n) {
        constexpr Index stride = kWays * kVectorBytes;
        const char* from = reinterpret_cast<const char*>(numbers);
        Index left = n * Index(sizeof(Real));
        Chains chains = chains_;
        for (; left >= stride; left -= stride, from += stride)
            for (int i = 0; i < kWays; ++i) chains.mix(i, from + i * kVectorBytes, kVectorBytes);
        for (int i = 0; left > 0; ++i, left -= kVectorBytes, from += kVectorBytes)
            chains.mix(i, from, left < kVectorBytes ? std::size_t(left) : kVectorBytes);
        chains_ = chains;
    }
    bool operator==(const Fingerprint& other) const {
        return std::memcmp(&chains_, &other.chains_, sizeof chains_) == 0;
    }

private:
    static constexpr int kWays = 4;
#if defined(__GNUC__) && !defined(UNROLLED_PLAIN)
    typedef std::uint32_t Words __attribute__((vector_size(kVectorBytes)));
#else
    struct Words {
        std::uint32_t lane[kVectorBytes / 4];
    };
#endif

    struct Chains {
        Words first[kWays] = {}, second[kWays] = {};

        UNROLLED_INLINE void mix(int way, const char* from, std::size_t bytes) {
            Words w = {};
            std::memcpy(&w, from, bytes);
#if defined(__GNUC__) && !defined(UNROLLED_PLAIN)
            link(first[way], second[way], w);
#else
            for (int i = 0; i < kVectorBytes / 4; ++i) link(first[way].lane[i], second[way].lane[i], w.lane[i]);
#endif
        }
    };
    template <class W> static UNROLLED_INLINE void link(W& first, W& second, W w) {
        first = turned<13>(first ^ w) * 0x9e3779b1u;
        second = turned<17>(second + w) * 0x85ebca77u;
    }
    // Else the highest bits would reach no others.
    template <int bits, class W> static UNROLLED_INLINE W turned(W w) { return w << bits | w >> (32 - bits); }

    Chains chains_;
};

}  // namespace unrolled::UNROLLED_ISA
