// What the core decides about shapes: reads lines of "cell is_double T B I H threads", writes for each how the
// threads divide the pass and how many there are; after them, the longest sum that is not cut, for both types.
// Built once per instruction set, as the core is.
#include <iostream>

#include "sequence.hpp"

namespace {

using namespace unrolled;
using namespace unrolled::UNROLLED_ISA;

template <class Real> Division of(CellId cell, const Shape& s) {
    const Order order(s);
    switch (cell) {
        case CellId::lstm:
            return divide<Lstm, Real>(s, s.I, order, s.threads);
        case CellId::gru:
            return divide<Gru, Real>(s, s.I, order, s.threads);
        case CellId::gru_reset_before:
            return divide<GruResetBefore, Real>(s, s.I, order, s.threads);
        default:
            return divide<Rnn<Tanh>, Real>(s, s.I, order, s.threads);
    }
}

}  // namespace

int main() {
    int cell, is_double;
    for (Shape s{}; std::cin >> cell >> is_double >> s.T >> s.B >> s.I >> s.H >> s.threads;) {
        const Division how = is_double ? of<double>(CellId(cell), s) : of<float>(CellId(cell), s);
        const char* const by = how.by == By::units ? "units" : how.by == By::products ? "products" : "rows";
        std::cout << by << ' ' << how.threads << '\n';
    }
    std::cout << kLongestSum<float> << ' ' << kLongestSum<double> << '\n';
}
