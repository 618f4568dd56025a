// What both ways through time share: which rows run when, who owns what, and how the weights lie packed.
#pragma once

#include "cells/gru.hpp"
#include "cells/lstm.hpp"
#include "cells/rnn.hpp"
#include "gemm.hpp"
#include "order.hpp"
#include "pool.hpp"

namespace unrolled::UNROLLED_ISA {

// Hands out aligned pieces of one allocation. Begun at nothing, it counts what would be needed.
class Arena {
public:
    explicit Arena(void* memory) : begin_(reinterpret_cast<std::uintptr_t>(memory)), at_(begin_) {}
    template <class T> T* take(Index n) {
        const std::uintptr_t piece = at_;
        at_ += (std::uintptr_t(n) * sizeof(T) + 63) / 64 * 64;
        return reinterpret_cast<T*>(piece);
    }
    std::size_t bytes() const { return std::size_t(at_ - begin_); }

private:
    std::uintptr_t begin_, at_;
};

// An equal part of n things, in whole multiples of `grain`.
struct Part {
    Index from, to;
    Part(Index n, int member, int members, Index grain = 1) {
        const Index grains = (n + grain - 1) / grain;
        from = grains * member / members * grain;
        to = grains * (member + 1) / members * grain;
        from = from < n ? from : n, to = to < n ? to : n;
    }
    Index size() const { return to - from; }
};

// How a team divides a pass. By rows: every thread runs its own sequences from end to end, and never waits for
// another. By units: all run every row, each its own hidden units, and meet at every step; for batches too
// small to share out, and for weights that a few rows cannot pay for twice.
struct Division {
    bool by_units;
    int threads;
};
template <class Real> Division divide(const Shape& s, const Order& order, int gates, int stages, int threads) {
    const double step = double(gates) * double(s.H) * double(s.R()) * 2;         // one row's recurrent product
    const double work = double(order.total) * (step + double(gates) * double(s.H) * double(s.I) * 2);
    const Index unit_groups = vectors_for<Real>(s.H) / kPanelVectors;
    if (work < 4e5 * threads) threads = work < 8e5 ? 1 : int(work / 4e5);
    if (threads <= 1 || order.rows == 0) return {false, 1};
    const bool units_can = !s.P && unit_groups >= threads;
    const bool units_pay = double(order.total) / double(order.steps) * step / threads / stages > 1e5;
    const bool few_rows = order.rows < 12 * threads && step * sizeof(Real) / 2 > 1e6;
    if (units_can && units_pay && (order.rows < threads || few_rows)) return {true, threads};
    return {false, order.rows < threads ? int(order.rows) : threads};
}

// Rows of the batch that a thread owns: positions in the order, every stride-th from first.
struct Share {
    Index first, stride, count;
    // A ragged batch is dealt out like cards, so that all have long and short rows; a full one is cut.
    Share(const Order& order, const Division& how, int member, int members) {
        if (how.by_units) first = 0, stride = 1, count = order.rows;
        else if (order.ragged) first = member, stride = members, count = (order.rows - member + members - 1) / members;
        else {
            const Part part(order.rows, member, members);
            first = part.from, stride = 1, count = part.size();
        }
    }
    Index at(Index i) const { return first + i * stride; }
    // How many of them are among the first n of the order.
    Index among(Index n) const {
        const Index own = n <= first ? 0 : (n - first + stride - 1) / stride;
        return own < count ? own : count;
    }
};

// The forward weights: W_xh by columns of all gates; W_hh, a stage at a time, with the gates of the same units
// side by side, so that a tile's epilogue has all it needs; W_hr by columns.
template <class Cell> constexpr int stage_gates(int stage) { return Cell::stage_begin[stage + 1] - Cell::stage_begin[stage]; }
template <class Cell> constexpr int panel_vectors(int stage) { return stage_gates<Cell>(stage) == 3 ? 3 : kPanelVectors; }

template <class Cell, class Real> struct ForwardPanels {
    Panels<Real> xh, hh[2], hr;

    // With or without those of the recurrence: a single step from a zero state reads none.
    void take(Arena& arena, const Shape& s, bool recurrent) {
        take(arena, xh, s.I, vectors_for<Real>(Cell::gates * s.H), kPanelVectors);
        for (int stage = 0; stage < Cell::stages; ++stage)
            take(arena, hh[stage], recurrent ? (stage ? s.H : s.R()) : 0,
                 vectors_for<Real>(s.H) * stage_gates<Cell>(stage), panel_vectors<Cell>(stage));
        if (s.P) take(arena, hr, s.H, vectors_for<Real>(s.P), kPanelVectors), hr.init = nullptr;
    }

    void pack(const Shape& s, const Weights<Real>& w, int member, int members) {
        constexpr int lanes = kLanes<Real>;
        const Index gh = Cell::gates * s.H;
        pack_columns(xh, member, members, [&](Index v, int lane) {
            const Index column = v * lanes + lane;
            return column < gh ? column : Index(-1);
        }, w.W_xh, w.b_xh, s.I);
        for (int stage = 0; stage < Cell::stages; ++stage) {
            const int gates = stage_gates<Cell>(stage), first = Cell::stage_begin[stage];
            pack_columns(hh[stage], member, members, [&](Index v, int lane) {
                const Index unit = v / gates * lanes + lane;
                return unit < s.H ? (first + v % gates) * s.H + unit : Index(-1);
            }, w.W_hh, w.b_hh, stage ? s.H : s.R());
        }
        if (s.P)
            pack_columns(hr, member, members, [&](Index v, int lane) {
                const Index column = v * lanes + lane;
                return column < s.P ? column : Index(-1);
            }, w.W_hr, static_cast<const Real*>(nullptr), s.H);
    }

private:
    static void take(Arena& arena, Panels<Real>& p, Index k, Index vectors, int per_panel) {
        p.k = k, p.vectors = vectors, p.per_panel = per_panel;
        p.data = arena.take<Real>(k * vectors * kLanes<Real>);
        p.init = arena.take<Real>(vectors * kLanes<Real>);
    }
    // Packs this member's part of the panels; row_of(vector, lane) names the row of W behind a column, or -1.
    template <class RowOf>
    static void pack_columns(const Panels<Real>& p, int member, int members, RowOf row_of, const Real* W,
                             const Real* bias, Index row_length) {
        constexpr int lanes = kLanes<Real>;
        const Part part(p.count(), member, members);
        for (Index panel = part.from; panel < part.to; ++panel)
            for (int v = 0; v < p.width(panel); ++v) {
                const Real* row[lanes];
                for (int lane = 0; lane < lanes; ++lane) {
                    const Index column = (panel * p.per_panel + v) * lanes + lane;
                    const Index from = row_of(panel * p.per_panel + v, lane);
                    row[lane] = from < 0 ? nullptr : W + from * row_length;
                    if (p.init) p.init[column] = bias && from >= 0 ? bias[from] : Real(0);
                }
                pack_transposed(row, p.k, p.at(panel) + v * lanes, Index(p.width(panel)) * lanes);
            }
    }
};

// Threads, memory and the run itself. Pass says what it shares and what each thread needs for itself.
template <class Pass, class Args> void run_pass(const Args& args) {
    const Order order(args.shape);
    const Threads threads(Pass::divide(args.shape, order, args.shape.threads).threads);
    Pass pass(args, order, Pass::divide(args.shape, order, threads.size()));
    Arena shared(nullptr), own(nullptr);
    pass.take_shared(shared);
    pass.take_own(own);
    const Scratch memory(shared.bytes() + std::size_t(threads.size()) * own.bytes());
    char* const begin = static_cast<char*>(memory.data());
    Arena real(begin);
    pass.take_shared(real);
    const auto work = [&](Team& team, int member) {
        const DenormalsAreZero mode;
        Arena mine(begin + shared.bytes() + std::size_t(member) * own.bytes());
        pass.run(team, member, pass.take_own(mine));
    };
    threads.run(work);
}

// Sets n values to zero.
template <class Real> UNROLLED_INLINE void clear(Real* to, Index n) { std::memset(to, 0, std::size_t(n) * sizeof(Real)); }
template <class Real> UNROLLED_INLINE void copy(Real* to, const Real* from, Index n) {
    std::memcpy(to, from, std::size_t(n) * sizeof(Real));
}
template <class Real> UNROLLED_INLINE void copy_or_clear(Real* to, const Real* from, Index n) {
    if (!from) clear(to, n);
    else if (from != to) copy(to, from, n);
}

}  // namespace unrolled::UNROLLED_ISA
