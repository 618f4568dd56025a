// How the weights lie packed, for either way through time.
#pragma once

#include "fingerprint.hpp"
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
    Panels<Real> xh{}, hh[2]{}, hr{};
    Fingerprint* prints = nullptr;  // one a panel, of what it was packed from; null: nothing is known of them

    // With or without those of the input, which a table may stand for, and of the recurrence, of which a single
    // step from a zero state reads none.
    void take(Arena& arena, const Shape& s, bool input, bool recurrent) {
        count_ = 0;
        take(arena, xh, s.I, input ? vectors_for<Real>(Cell::gates * s.H) : 0, kPanelVectors);
        for (int stage = 0; stage < Cell::stages; ++stage)
            take(arena, hh[stage], recurrent ? (stage ? s.H : s.kR()) : 0,
                 vectors_for<Real>(s.H) * stage_gates<Cell>(stage), panel_vectors<Cell>(stage));
        if (s.P) take(arena, hr, s.H, vectors_for<Real>(s.P), kPanelVectors), hr.init = nullptr;
    }

    // And then of what they are packed from, in memory that begins at zero and stays.
    void take_prints(Arena& arena) { prints = arena.take<Fingerprint>(count_); }

    // A member's part of them; of those with a print only what has changed.
    void pack(const Shape& s, const Weights<Real>& w, int member, int members) const {
        Fingerprint* known = prints;
        const Index gh = Cell::gates * s.H;
        pack_columns(
            xh, known, member, members, [&](Index v) { return neighbours(v * kLanes<Real>, gh); }, w.W_xh,
            w.b_xh, s.I);
        for (int stage = 0; stage < Cell::stages; ++stage) {
            const int gates = stage_gates<Cell>(stage), first = Cell::stage_begin[stage];
            const auto rows_of = [&](Index v) {
                RowsBehind rows = neighbours(v / gates * kLanes<Real>, s.H);
                rows.first += (first + v % gates) * s.H;
                return rows;
            };
            pack_columns(hh[stage], known, member, members, rows_of, w.W_hh, w.b_hh, stage ? s.H : s.kR());
        }
        if (s.P)
            pack_columns(
                hr, known, member, members, [&](Index v) { return neighbours(v * kLanes<Real>, s.P); }, w.W_hr,
                static_cast<const Real*>(nullptr), s.H);
    }

private:
    void take(Arena& arena, Panels<Real>& p, Index k, Index vectors, int per_panel) {
        p.k = k, p.vectors = vectors, p.per_panel = per_panel;
        p.data = arena.take<Real>(k * vectors * kLanes<Real>);
        p.init = arena.take<Real>(vectors * kLanes<Real>);
        count_ += p.count();
    }
    // The rows of W behind one vector of columns: neighbours, and fewer than lanes where the columns end.
    struct RowsBehind {
        Index first;
        int count;
    };
    static RowsBehind neighbours(Index first, Index end) {
        const Index left = end - first;
        return {first, int(left < kLanes<Real> ? left : kLanes<Real>)};
    }
    // Packs this member's part of the panels, whose vector v of columns are rows_of(v) of W. `known` is at the
    // first panel's print and left behind the last one's.
    template <class RowsOf>
    static void pack_columns(const Panels<Real>& p, Fingerprint*& known, int member, int members,
                             RowsOf rows_of, const Real* W, const Real* bias, Index row_length) {
        constexpr int lanes = kLanes<Real>;
        const Part part(p.count(), member, members);
        for (Index panel = part.from; panel < part.to; ++panel) {
            const Index first = panel * p.per_panel;
            const int vectors = p.width(panel);
            Fingerprint now;
            for (int v = 0; v < vectors; ++v) {
                const RowsBehind rows = rows_of(first + v);
                if (known) now.add(W + rows.first * row_length, rows.count * p.k);
                for (int i = 0; p.init && i < lanes; ++i)
                    p.init[(first + v) * lanes + i] = bias && i < rows.count ? bias[rows.first + i] : Real(0);
            }
            if (known && known[panel] == now) continue;
            if (known) known[panel] = now;
            for (int v = 0; v < vectors; ++v) {
                const RowsBehind rows = rows_of(first + v);
                const Real* row[lanes];
                for (int i = 0; i < lanes; ++i)
                    row[i] = i < rows.count ? W + (rows.first + i) * row_length : nullptr;
                pack_transposed(row, p.k, p.at(panel) + v * lanes, Index(vectors) * lanes);
            }
        }
        if (known) known += p.count();
    }

    Index count_ = 0;  // of all panels
};

// The weights of the way back: W_hh by rows, a stage at a time: what da is multiplied by to go a step back.
// W_xh by rows: dx. W_hr by rows. The rows lie in the order of da's columns.
template <class Cell, class Real> struct BackwardPanels {
    Panels<Real> hh[2], xh, hr;

    void take(Arena& arena, const Shape& s, bool recurrent, bool dx) {
        for (int stage = 0; stage < Cell::stages; ++stage)
            take_one(arena, hh[stage], recurrent ? stage_gates<Cell>(stage) * s.H : 0, stage ? s.H : s.kR());
        take_one(arena, xh, dx ? Cell::gates * s.H : 0, s.I);
        take_one(arena, hr, s.P, s.H);
    }
    // `row` has room for the longest of the sums.
    void pack(const Shape& s, const Weights<Real>& w, const Real** row, int member, int members) {
        for (int stage = 0; stage < Cell::stages; ++stage) {
            const int first = Cell::stage_begin[stage], gates = stage_gates<Cell>(stage);
            const Index length = stage ? s.H : s.kR();
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
