#include "order.hpp"

#include <algorithm>
#include <numeric>

namespace unrolled {

Order::Order(const Shape& s)
    : rows(s.T ? s.B : 0),
      steps(s.B ? s.T : 0),
      total(s.T * s.B),
      ragged(false),
      row_(nullptr),
      length_(nullptr),
      active_(nullptr) {
    const Index* const by = s.whole ? s.whole : s.lengths;
    const auto equal = [&](const Index* lengths, Index wanted) {
        return std::all_of(lengths, lengths + s.B, [&](Index n) { return n == wanted; });
    };
    if (!s.lengths || (equal(s.lengths, s.T) && equal(by, s.B ? by[0] : 0))) return;
    ragged = true;
    row_ = new Index[std::size_t(2 * s.B + s.T)];
    length_ = row_ + s.B;
    active_ = length_ + s.B;
    std::iota(row_, row_ + s.B, Index(0));
    std::stable_sort(row_, row_ + s.B, [&](Index a, Index b) { return by[a] > by[b]; });
    for (Index i = 0; i < s.B; ++i) length_[i] = s.lengths[row_[i]];
    rows = std::find(length_, length_ + s.B, Index(0)) - length_;
    steps = rows ? length_[0] : 0;
    total = std::accumulate(length_, length_ + rows, Index(0));
    for (Index t = 0, n = rows; t < s.T; ++t) {
        while (n > 0 && length_[n - 1] <= t) --n;
        active_[t] = n;
    }
}
Order::~Order() { delete[] row_; }

// Long enough that the products of a block are real products; never from the threads.
Index block_steps(Index B, Index H) {
    const Index rows = H <= 256 ? 256 : H <= 512 ? 512 : 1024;
    return B >= rows ? 1 : rows / (B ? B : 1);
}

}  // namespace unrolled
