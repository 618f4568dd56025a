// Products of rows with packed panels: the one kernel under every matrix product of the library.
//
// A panel is up to four registers of columns, k after k: panel[k][vector][lane], zeros past the last column, so
// that the innermost loop reads it front to back. A tile is a few rows times one panel, held in registers for
// the whole sum. Each element is summed over k in order in one chain, so its bits depend on its own row and
// column alone, never on the tile it fell into.
#pragma once

#include "simd.hpp"

namespace unrolled::UNROLLED_ISA {

constexpr int kPanelVectors = 4;
template <class Real> constexpr Index kPanelWidth = kPanelVectors * kLanes<Real>;

// Rows of the tallest tile with that many vectors: accumulators, one row of the panel and a broadcast must fit.
constexpr int tile_rows(int vectors) {
    if (kRegisters == 32) return vectors == 4 ? 6 : 8;
    return vectors == 4 ? 3 : vectors == 3 ? 4 : 6;
}
constexpr int kTallestTile = kRegisters == 32 ? 8 : 6;

// What becomes of a tile's sums.
enum class Into { fresh, resumed, added };  // out = init + sum; the sum goes on from out; out = out + sum

// Where a tile finds element k of its row r.
enum class Left {
    rows,    // left[r][k]: any rows, their features side by side
    columns  // left[0][k * left_step + r]: neighbouring columns of a matrix that is stored by rows
};

template <class Real> struct TileArgs {
    Index k;  // length of the sum
    const Real* const* left;
    Index left_step;  // only for Left::columns
    const Real* panel;
    Index panel_step;  // from one k to the next
    const Real* init;  // a value a column, or null: zeros. Only for Into::fresh
    Real* const* out;  // a row of sums each
    Index width;       // columns that exist
    Into into;
};
template <class Real> using Tile = void (*)(const TileArgs<Real>&);

template <class Real, int rows, int vectors, Left layout> UNROLLED_NOINLINE void tile(const TileArgs<Real>& t) {
    using V = Vec<Real>;
    constexpr int lanes = kLanes<Real>;
    V sum[rows][vectors];
    for (int v = 0; v < vectors; ++v) {
        const V first = t.into == Into::fresh && t.init ? load(t.init + v * lanes) : splat<Real>(0);
        for (int r = 0; r < rows; ++r) sum[r][v] = first;
    }
    if (t.into == Into::resumed) {
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < vectors; ++v)
                if (v * lanes < t.width) sum[r][v] = load_up_to(t.out[r] + v * lanes, t.width - v * lanes);
    }
    const Real* left[rows];
    for (int r = 0; r < rows; ++r) left[r] = layout == Left::rows ? t.left[r] : t.left[0] + r;
    const Real* panel = t.panel;
    const Index left_step = layout == Left::rows ? 1 : t.left_step;
    for (Index k = 0; k < t.k; ++k) {
        V right[vectors];
        for (int v = 0; v < vectors; ++v) right[v] = load(panel + v * lanes);
        for (int r = 0; r < rows; ++r) {
            const V a = splat<Real>(left[r][k * left_step]);
            for (int v = 0; v < vectors; ++v) sum[r][v] = sum[r][v] + a * right[v];
        }
        panel += t.panel_step;
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v) {
            const Index left_over = t.width - v * lanes;
            if (left_over <= 0) break;
            Real* to = t.out[r] + v * lanes;
            if (t.into == Into::added) sum[r][v] = sum[r][v] + load_up_to(to, left_over);
            store_up_to(to, sum[r][v], left_over);
        }
}

// The tile of that many rows and vectors.
template <class Real, Left layout> Tile<Real> tile_of(int rows, int vectors) {
#define UNROLLED_TILES(v)                                                                                     \
    {                                                                                                         \
        tile<Real, 1, v, layout>, tile<Real, 2, v, layout>, tile<Real, 3, v, layout>,                         \
            tile<Real, tile_rows(v) < 4 ? 1 : 4, v, layout>, tile<Real, tile_rows(v) < 5 ? 1 : 5, v, layout>, \
            tile<Real, tile_rows(v) < 6 ? 1 : 6, v, layout>, tile<Real, tile_rows(v) < 7 ? 1 : 7, v, layout>, \
            tile<Real, tile_rows(v) < 8 ? 1 : 8, v, layout>                                                   \
    }
    static constexpr Tile<Real> tiles[kPanelVectors][8] = {UNROLLED_TILES(1), UNROLLED_TILES(2),
                                                           UNROLLED_TILES(3), UNROLLED_TILES(4)};
#undef UNROLLED_TILES
    return tiles[vectors - 1][rows - 1];
}

// A matrix packed into panels. Panel p holds vectors [p * per_panel, ...), the last one perhaps fewer.
template <class Real> struct Panels {
    Real* data;
    Real* init;  // a value a column (a bias), or null
    Index k, vectors, per_panel;

    Index count() const { return (vectors + per_panel - 1) / per_panel; }
    int width(Index p) const {
        return int(vectors - p * per_panel < per_panel ? vectors - p * per_panel : per_panel);
    }
    Real* at(Index p) const { return data + p * per_panel * kLanes<Real> * k; }
    const Real* init_at(Index p) const { return init ? init + p * per_panel * kLanes<Real> : nullptr; }
};
template <class Real> constexpr Index vectors_for(Index columns) {
    return (columns + kLanes<Real> - 1) / kLanes<Real>;
}

// Splits n rows into tiles as equal as can be; calls f(first, rows).
template <class F> UNROLLED_INLINE void each_tile(Index n, int tallest, F f) {
    if (n == 0) return;
    const Index tiles = (n + tallest - 1) / tallest, small = n / tiles, larger = n % tiles;
    for (Index i = 0, first = 0; i < tiles; ++i) {
        const Index rows = small + (i < larger);
        f(first, int(rows));
        first += rows;
    }
}

// Sums longer than this are cut, so that a piece of a panel stays in the second-level cache while all rows
// pass.
template <class Real> constexpr Index kLongestSum = 6144 / Index(sizeof(Real));

// out[r][columns of panel p] = init + left[r] . panel p, for n rows and panels [from, to).
template <class Real>
void product(Index n, const Real* const* left, const Panels<Real>& panels, Index from, Index to, Index columns,
             Real* const* out, Into into = Into::fresh) {
    constexpr int lanes = kLanes<Real>;
    const Index step_of_panel = panels.per_panel * lanes;
    for (Index p = from; p < to; ++p) {
        const int vectors = panels.width(p);
        for (Index k = 0; k < panels.k || k == 0; k += kLongestSum<Real>) {
            const Index k_now = panels.k - k < kLongestSum<Real> ? panels.k - k : kLongestSum<Real>;
            each_tile(n, tile_rows(vectors), [&](Index first, int rows) {
                const Real* a[kTallestTile];
                Real* o[kTallestTile];
                for (int r = 0; r < rows; ++r) {
                    a[r] = left[first + r] + k;
                    o[r] = out[first + r] + p * step_of_panel;
                }
                tile_of<Real, Left::rows>(rows, vectors)(
                    {k_now, a, 1, panels.at(p) + k * vectors * lanes, vectors * lanes, panels.init_at(p), o,
                     columns - p * step_of_panel, k ? Into::resumed : into});
            });
        }
    }
}

// One vector of columns of a panel from rows of a matrix: column j of the panel is row[j] (null: zeros).
template <class Real> void pack_transposed(const Real* const* row, Index k, Real* to, Index to_step) {
    constexpr int lanes = kLanes<Real>;
    for (Index i = 0; i < k; i += lanes) {
        const Index left = k - i;
        Vec<Real> square[lanes];
        for (int j = 0; j < lanes; ++j) square[j] = row[j] ? load_up_to(row[j] + i, left) : splat<Real>(0);
        transpose<Real>(square);
        for (int j = 0; j < lanes && j < left; ++j) store(to + (i + j) * to_step, square[j]);
    }
}

// out[j] = init[j] + W[j] . left for a matrix that is read but once, so that packing it would cost more than it
// saves: it is transposed on the way. Sums in the order a tile does, so the bits are the same.
template <class Real>
void product_unpacked(const Real* left, const Real* W, const Real* init, Index rows, Index k, Real* out) {
    constexpr int lanes = kLanes<Real>;
    for (Index first = 0; first < rows; first += lanes) {
        const int count = int(rows - first < lanes ? rows - first : lanes);
        Vec<Real> sum = init ? load_up_to(init + first, count) : splat<Real>(0);
        for (Index i = 0; i < k; i += lanes) {
            const Index rest = k - i;
            Vec<Real> square[lanes];
            for (int j = 0; j < lanes; ++j)
                square[j] = load_up_to(W + (first + (j < count ? j : 0)) * k + i, rest);
            transpose<Real>(square);
            for (int j = 0; j < lanes && j < rest; ++j) sum = sum + splat<Real>(left[i + j]) * square[j];
        }
        store_up_to(out + first, sum, count);
    }
}

// Columns [from, from + width) of n rows, side by side with zeros up to `vectors` registers:
// to[k][vector][lane].
template <class Real>
void pack_rows(const Real* const* row, Index n, Index from, Index width, int vectors, Real* to) {
    constexpr int lanes = kLanes<Real>;
    for (Index i = 0; i < n; ++i, to += vectors * lanes)
        for (int v = 0; v < vectors; ++v) {
            const Index left = width - v * lanes;
            store(to + v * lanes, left <= 0 ? splat<Real>(0) : load_up_to(row[i] + from + v * lanes, left));
        }
}

}  // namespace unrolled::UNROLLED_ISA
