// Everything that is built once per instruction set; UNROLLED_ISA names which.
#include "backward.hpp"
#include "dispatch.hpp"
#include "forward.hpp"

namespace unrolled::UNROLLED_ISA {
namespace {

template <class Cell, class Real> constexpr Passes<Real> passes() {
    return {forward<Cell, Real>, backward<Cell, Real>, pack<Cell, Real>};
}

template <class Real> constexpr PassesOf<Real> all() {
    return {{passes<Rnn<Tanh>, Real>(), passes<Rnn<Relu>, Real>(), passes<Rnn<Sigmoid>, Real>(),
             passes<Rnn<Identity>, Real>(), passes<Lstm, Real>(), passes<Gru, Real>(),
             passes<GruResetBefore, Real>()}};
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {all<float>(), all<double>()};

}  // namespace unrolled::UNROLLED_ISA
