// Which rows of a ragged batch run at which step.
#pragma once

#include "kernels.h"

namespace unrolled {

// The rows with at least one step, longest first, so that the rows of any step are the first few of them.
class Order {
public:
    explicit Order(const Shape& shape);
    ~Order();
    Order(const Order&) = delete;

    Index rows;   // with at least one step
    Index steps;  // of the longest
    Index total;  // steps of all rows together
    bool ragged;

    Index row(Index i) const { return row_ ? row_[i] : i; }  // place in the batch
    Index length(Index i) const { return row_ ? length_[i] : steps; }
    Index active(Index t) const { return row_ ? active_[t] : rows; }  // rows that have a step t

private:
    Index *row_, *length_, *active_;
};

}  // namespace unrolled
