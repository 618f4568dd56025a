// How the weights lie packed, for either way through time.
#pragma once

#include "sequence.hpp"

namespace unrolled::UNROLLED_ISA {

// The forward weights: W_xh by columns of all gates; W_hh, a stage at a time, with the gates of the same units
// side by side, so that a tile's epilogue has all it needs; W_hr by columns.
template <class Cell> constexpr int stage_gates(int stage) {
    return Cell::stage_begin[stage + 1] - Cell::stage_begin[stage];
}
template <class Cell> constexpr int panel_vectors(int stage) {
    return stage_gates<Cell>(stage) == 3 ? 3 : kPanelVectors;
}

template <class Cell, class Real> struct ForwardPanels {
    Panels<Real> xh, hh[2], hr;

    // With or without those of the input, which a table may stand for, and of the recurrence, of which a single
    // step from a zero state reads none.
    void take(Arena& arena, const Shape& s, bool input, bool recurrent) {
        take(arena, xh, s.I, input ? vectors_for<Real>(Cell::gates * s.H) : 0, kPanelVectors);
        for (int stage = 0; stage < Cell::stages; ++stage)
            take(arena, hh[stage], recurrent ? (stage ? s.H : s.R()) : 0,
                 vectors_for<Real>(s.H) * stage_gates<Cell>(stage), panel_vectors<Cell>(stage));
        if (s.P) take(arena, hr, s.H, vectors_for<Real>(s.P), kPanelVectors), hr.init = nullptr;
    }

    void pack(const Shape& s, const Weights<Real>& w, int member, int members) const {
        constexpr int lanes = kLanes<Real>;
        const Index gh = Cell::gates * s.H;
        pack_columns(
            xh, member, members,
            [&](Index v, int lane) {
                const Index column = v * lanes + lane;
                return column < gh ? column : Index(-1);
            },
            w.W_xh, w.b_xh, s.I);
        for (int stage = 0; stage < Cell::stages; ++stage) {
            const int gates = stage_gates<Cell>(stage), first = Cell::stage_begin[stage];
            pack_columns(
                hh[stage], member, members,
                [&](Index v, int lane) {
                    const Index unit = v / gates * lanes + lane;
                    return unit < s.H ? (first + v % gates) * s.H + unit : Index(-1);
                },
                w.W_hh, w.b_hh, stage ? s.H : s.R());
        }
        if (s.P)
            pack_columns(
                hr, member, members,
                [&](Index v, int lane) {
                    const Index column = v * lanes + lane;
                    return column < s.P ? column : Index(-1);
                },
                w.W_hr, static_cast<const Real*>(nullptr), s.H);
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

// The weights of the way back: W_hh by rows, a stage at a time: what da is multiplied by to go a step back.
// W_xh by rows: dx. W_hr by rows. The rows lie in the order of da's columns.
template <class Cell, class Real> struct BackwardPanels {
    Panels<Real> hh[2], xh, hr;

    void take(Arena& arena, const Shape& s, bool recurrent, bool dx) {
        for (int stage = 0; stage < Cell::stages; ++stage)
            take_one(arena, hh[stage], recurrent ? stage_gates<Cell>(stage) * s.H : 0, stage ? s.H : s.R());
        take_one(arena, xh, dx ? Cell::gates * s.H : 0, s.I);
        take_one(arena, hr, s.P, s.H);
    }
    // `row` has room for the longest of the sums.
    void pack(const Shape& s, const Weights<Real>& w, const Real** row, int member, int members) {
        for (int stage = 0; stage < Cell::stages; ++stage) {
            const int first = Cell::stage_begin[stage], gates = stage_gates<Cell>(stage);
            const Index length = stage ? s.H : s.R();
            for (int g = first; g < first + gates; ++g)
                for (Index u = 0; u < s.H; ++u)
                    row[(Cell::h_column[g] - Cell::h_column[first]) * s.H + u] =
                        w.W_hh + (g * s.H + u) * length;
            pack_one(hh[stage], row, length, member, members);
        }
        for (int g = 0; xh.k && g < Cell::gates; ++g)
            for (Index u = 0; u < s.H; ++u) row[Cell::x_column[g] * s.H + u] = w.W_xh + (g * s.H + u) * s.I;
        pack_one(xh, row, s.I, member, members);
        for (Index i = 0; i < s.P; ++i) row[i] = w.W_hr + i * s.H;
        pack_one(hr, row, s.H, member, members);
    }

private:
    static void take_one(Arena& arena, Panels<Real>& p, Index k, Index columns) {
        p = {arena.take<Real>(k * vectors_for<Real>(columns) * kLanes<Real>), nullptr, k,
             vectors_for<Real>(columns), kPanelVectors};
    }
    static void pack_one(const Panels<Real>& p, const Real* const* row, Index columns, int member,
                         int members) {
        if (!p.k) return;
        const Part part(p.count(), member, members);
        for (Index panel = part.from; panel < part.to; ++panel) {
            const Index from = panel * kPanelVectors * kLanes<Real>;
            pack_rows(row, p.k, from, columns - from, p.width(panel), p.at(panel));
        }
    }
};

}  // namespace unrolled::UNROLLED_ISA
