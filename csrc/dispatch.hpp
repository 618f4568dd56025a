// One build of the kernels for every instruction set; which of them runs is decided once, at the first call.
#pragma once

#include <cstddef>

#include "kernels.h"

namespace unrolled {

template <class Real> struct Passes {
    void (*forward)(const Forward<Real>&);
    void (*backward)(const Backward<Real>&);
    // Weights laid out for the forward pass of the same cell, sizes and instruction set: into `memory`, aligned
    // to 64 bytes, of as many bytes as a call without memory returns. Without W_xh: for calls with ids.
    std::size_t (*pack)(const Shape&, const Weights<Real>&, void* memory);
};
template <class Real> struct PassesOf {
    Passes<Real> cell[int(CellId::count)];
};
struct Kernels {
    PassesOf<float> of_float;
    PassesOf<double> of_double;
};

template <class Real> const Passes<Real>& passes(const Kernels& kernels, CellId cell);
template <> inline const Passes<float>& passes(const Kernels& k, CellId cell) {
    return k.of_float.cell[int(cell)];
}
template <> inline const Passes<double>& passes(const Kernels& k, CellId cell) {
    return k.of_double.cell[int(cell)];
}

struct Isa {
    const char* name;
    const Kernels* kernels;
};

// What this build has and this machine can run, slowest first; `count` of them.
const Isa* isas(int& count);
const Isa& isa();
// False where there is none of that name.
bool set_isa(const char* name);

}  // namespace unrolled
