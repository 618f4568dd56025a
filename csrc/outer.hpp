// Sums of outer products over the rows of a block: what a block of steps adds to a weight's gradient.
#pragma once

#include "sequence.hpp"

namespace unrolled::UNROLLED_ISA {

constexpr int kGroup = tile_rows(kPanelVectors);  // columns of the left matrix that a tile sums

// Some columns of a matrix that is stored by rows, `step` apart.
template <class Real> struct Columns {
    const Real* data;
    Index step;
    Part part;
};

// Room for both factors laid out for the tiles.
template <class Real> struct PackedFactors {
    Real *left, *right;

    static PackedFactors take(Arena& arena, Index rows, Index columns) {
        const Index groups = (columns + kGroup - 1) / kGroup + 1;
        Real* const left = arena.take<Real>(rows * groups * kGroup);
        return {left, arena.take<Real>(rows * kPanelWidth<Real>)};
    }
};

// out_row(j)[.] (+)= sum over rows r of left[r][j] * right[r][.], for the given columns j.
template <class Real, class OutRow>
void sum_outer(const PackedFactors<Real>& packed, const Columns<Real>& left, const Real* const* right,
               Index rows, Index width, Into into, OutRow out_row) {
    if (left.part.size() == 0) return;
    Real* to = packed.left;
    for (Index j = left.part.from; j < left.part.to; j += kGroup)
        for (Index r = 0; r < rows; ++r, to += kGroup)
            for (int i = 0; i < kGroup; ++i) to[i] = left.data[r * left.step + j + i];
    for (Index from = 0; from < width; from += kPanelWidth<Real>) {
        const Index wide = width - from;
        const int vectors = wide < kPanelWidth<Real> ? int(vectors_for<Real>(wide)) : kPanelVectors;
        pack_rows(right, rows, from, wide, vectors, packed.right);
        const Real* group = packed.left;
        for (Index j = left.part.from; j < left.part.to; j += kGroup, group += rows * kGroup) {
            const int count = int(left.part.to - j < kGroup ? left.part.to - j : kGroup);
            Real* out[kGroup];
            for (int i = 0; i < count; ++i) out[i] = out_row(j + i) + from;
            tile_of<Real, Left::columns>(count, vectors)(
                {rows, &group, kGroup, packed.right, vectors * kLanes<Real>, nullptr, out, wide, into});
        }
    }
}

// The same where `right` is too narrow to fill a register, and so transposed: out[i][j] (+)= sum of right[r][i]
// * left[r][j], out being [width, out_step]. Reads up to a panel's width past the last column of `left`.
template <class Real>
void sum_outer_narrow(const PackedFactors<Real>& packed, const Columns<Real>& left, const Real* const* right,
                      Index rows, Index width, Into into, Real* out, Index out_step) {
    for (Index r = 0; r < rows; ++r) copy(packed.right + r * width, right[r], width);
    for (Index from = left.part.from; from < left.part.to; from += kPanelWidth<Real>) {
        const Index wide = left.part.to - from;
        const int vectors = wide < kPanelWidth<Real> ? int(vectors_for<Real>(wide)) : kPanelVectors;
        for (Index i = 0; i < width; i += kGroup) {
            const Real* features = packed.right + i;
            const int count = int(width - i < kGroup ? width - i : kGroup);
            Real* to[kGroup];
            for (int j = 0; j < count; ++j) to[j] = out + (i + j) * out_step + from;
            tile_of<Real, Left::columns>(
                count, vectors)({rows, &features, width, left.data + from, left.step, nullptr, to, wide, into});
        }
    }
}

// out[j] (+)= sum over rows r of left[r][j].
template <class Real> void sum_columns(const Columns<Real>& left, Index rows, Into into, Real* out) {
    for (Index j = left.part.from; j < left.part.to; j += kLanes<Real>) {
        Vec<Real> sum = splat<Real>(0);
        for (Index r = 0; r < rows; ++r) sum = sum + load(left.data + r * left.step + j);
        const Index rest = left.part.to - j;
        store_up_to(out + j, into == Into::fresh ? sum : sum + load_up_to(out + j, rest), rest);
    }
}

}  // namespace unrolled::UNROLLED_ISA
