// Sums over the rows of blocks of steps: the gradient of every weight, of the inputs and of a table's rows.
#pragma once

#include "outer.hpp"
#include "panels.hpp"

namespace unrolled::UNROLLED_ISA {

// A block of steps: a row for every step of every sequence in it. A relay has two: one is filled while the
// other is summed up.
template <class Real> struct Block {
    Real *da, *dh;                        // [rows, D*H]; with a projection [rows, P]
    const Real **x, **h_before, **saved;  // what entered at that row; of h [k, rows]
    Real **dx, **dtable;                  // where the gradient of what entered goes
    Index rows;                           // there is room for

    static Block take(Arena& arena, Index rows, Index da_columns, Index P, Index order) {
        Block block;
        block.rows = rows;
        block.da = arena.take<Real>(rows * da_columns + kPanelWidth<Real>);
        block.dh = P ? arena.take<Real>(rows * P + kPanelWidth<Real>) : nullptr;
        for (const Real*** each : {&block.x, &block.saved}) *each = arena.take<const Real*>(rows);
        block.h_before = arena.take<const Real*>(rows * order);
        for (Real*** each : {&block.dx, &block.dtable}) *each = arena.take<Real*>(rows);
        return block;
    }
};

template <class Cell, class Real> class Sums {
public:
    explicit Sums(const Backward<Real>& f) : f_(f), s_(f.shape) {}

    // A thread's own room: rows of a block, and what it packs of them.
    struct Own {
        const Real** list;
        PackedFactors<Real> packed;
    };

    void take_shared(Arena& arena) {
        db_ = arena.take<Real>(d_h() + kPanelWidth<Real>);
        narrow_ = s_.I < kLanes<Real> && !f_.ids ? arena.take<Real>(s_.I * gh()) : nullptr;
    }
    // `sharers` of the columns of a block of at most so many rows.
    Own take_own(Arena& arena, Index rows, Index sharers) const {
        const Index columns = gh() > s_.P ? gh() : s_.P;
        const Real** const list = arena.take<const Real*>(rows + d_h() + s_.P);
        return {list, PackedFactors<Real>::take(arena, rows, columns / sharers + kGroup)};
    }

    // Before the first block, and seen by all: what the sums begin at.
    void begin(const Part& table, int member) const {
        if (!f_.add && f_.dtable) clear(f_.dtable + table.from * gh(), table.size() * gh());
        if (!f_.add || member > 0) return;
        clear(db_, d_h());
        each_aside([](const Real* gradient, Real* sum, Index n) { copy(sum, gradient, n); });
    }

    // A block's share of all sums, and its dx; a part of it, as number `number` of `count`.
    void add(const Own& own, const Block<Real>& block, Index rows, bool first, const Panels<Real>& W_xh,
             int number, int count) const {
        const Into into = first && !f_.add ? Into::fresh : Into::added;
        const auto columns = [&](const Real* data, Index step, Index n, Index grain) {
            return Columns<Real>{data, step, Part(n, number, count, grain)};
        };
        sum_columns(columns(block.da, d_h(), d_h(), kPanelWidth<Real>), rows, into, db_);
        if (f_.dtable) add_to_table(block, rows, Part(s_.H, number, count, kPanelWidth<Real>));
        if (f_.dW_xh && narrow_)
            sum_outer_narrow(own.packed, columns(block.da, d_h(), gh(), kPanelWidth<Real>), block.x, rows, s_.I,
                             into, narrow_, gh());
        else if (f_.dW_xh)
            sum_outer(own.packed, columns(block.da, d_h(), gh(), kGroup), block.x, rows, s_.I, into,
                      [&](Index j) { return f_.dW_xh + x_row(j) * s_.I; });
        if (f_.dW_hh) {
            const Real* da = block.da + Cell::h_column[0] * s_.H;
            const Index plain = stage_gates<Cell>(0) * s_.H;  // rows of W_hh that h enters as it is
            for (Index k = 0; k < s_.order; ++k)
                sum_outer(own.packed, columns(da, d_h(), plain, kGroup), block.h_before + k * block.rows, rows,
                          s_.R(), into, [&](Index j) { return f_.dW_hh + j * s_.kR() + k * s_.R(); });
            if (Cell::stages == 2)
                sum_outer(own.packed, columns(da + plain, d_h(), gh() - plain, kGroup), block.saved, rows, s_.H,
                          into, [&](Index j) { return f_.dW_hh + (plain + j) * s_.H; });
        }
        if (f_.dW_hr)
            sum_outer(own.packed, columns(block.dh, s_.P, s_.P, kGroup), block.saved, rows, s_.H, into,
                      [&](Index j) { return f_.dW_hr + j * s_.H; });
        if (f_.dx) {
            const Part part(rows, number, count);
            for (Index r = 0; r < part.size(); ++r) own.list[r] = block.da + (part.from + r) * d_h();
            product(part.size(), own.list, W_xh, 0, W_xh.count(), s_.I, block.dx + part.from);
        }
    }

    // Once all blocks are added; `any` says whether there was one.
    void finish(bool any) const {
        if (!any && !f_.add) {
            clear(db_, d_h());
            if (narrow_) clear(narrow_, s_.I * gh());
            if (f_.dW_xh) clear(f_.dW_xh, gh() * s_.I);
            if (f_.dW_hh) clear(f_.dW_hh, gh() * s_.kR());
            if (f_.dW_hr) clear(f_.dW_hr, s_.P * s_.H);
        }
        each_aside([](Real* gradient, const Real* sum, Index n) { copy(gradient, sum, n); });
    }

private:
    Index d_h() const { return Cell::da_columns * s_.H; }
    Index gh() const { return Cell::gates * s_.H; }

    // What is not summed where it belongs: f(part of a gradient, its sum, how many numbers).
    template <class F> void each_aside(F f) const {
        const Index H = s_.H;
        for (int g = 0; g < Cell::gates; ++g) {
            if (f_.db_xh) f(f_.db_xh + g * H, db_ + Cell::x_column[g] * H, H);
            if (f_.db_hh) f(f_.db_hh + g * H, db_ + Cell::h_column[g] * H, H);
        }
        if (!narrow_ || !f_.dW_xh) return;
        for (Index j = 0; j < gh(); ++j)
            for (Index i = 0; i < s_.I; ++i) f(f_.dW_xh + x_row(j) * s_.I + i, narrow_ + i * gh() + j, 1);
    }

    // The row of W_xh behind a column of da.
    Index x_row(Index column) const {
        for (int g = 0; g < Cell::gates; ++g)
            if (Cell::x_column[g] == column / s_.H) return g * s_.H + column % s_.H;
        return 0;
    }

    // One row after the other, some of their hidden units: an id's sum has one order, however many share the
    // units.
    void add_to_table(const Block<Real>& block, Index rows, const Part& units) const {
        for (Index r = 0; r < rows; ++r)
            for (int g = 0; g < Cell::gates; ++g) {
                const Real* const from = block.da + r * d_h() + Cell::x_column[g] * s_.H;
                Real* const to = block.dtable[r] + g * s_.H;
                for (Index u = units.from; u < units.to; u += kLanes<Real>) {
                    const Index left = units.to - u;
                    store_up_to(to + u, load_up_to(to + u, left) + load_up_to(from + u, left), left);
                }
            }
    }

    const Backward<Real>& f_;
    const Shape& s_;
    Real* db_ = nullptr;      // sums of da's columns
    Real* narrow_ = nullptr;  // dW_xh transposed, where I is less than a register
};

}  // namespace unrolled::UNROLLED_ISA
