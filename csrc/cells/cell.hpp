// What a cell's two functions see: one register of units of one row at one step.
#pragma once

#include "../math.hpp"

namespace unrolled::UNROLLED_ISA {

constexpr int kMostGates = 4;

template <class Real> struct Point {
    using V = Vec<Real>;
    V xw[kMostGates];      // x W_xh' + b_xh, by gate
    V hw[kMostGates];      // h W_hh' + b_hh, by gate of this stage
    V h_before, c_before;  // the state that enters (c only where the cell has one, h where it says reads_h)
    V gate[kMostGates];    // out, activated
    V h, c;                // out: the state that leaves
    V saved;               // out: what the way back wants beside gates and states
};

template <class Real> struct PointBackward {
    using V = Vec<Real>;
    V gate[kMostGates], saved, h_before, c_before, h, c;  // from the tape
    V dh;                                                 // dL/dh in full
    V dc;                                                 // in: the future's part of dL/dc; out: the past's
    V dc_full;                                            // out: dL/dc in full
    V dgated;                                             // in: gradient of the state gated by an earlier stage
    V dh_before;                                          // out: what reaches h_before past the product
    V da[kMostGates];                                     // out, by column of da (see da_columns)
};

}  // namespace unrolled::UNROLLED_ISA
