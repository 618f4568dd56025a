// The way forward: h_t = f(h_{t-1}, x_t) over a whole sequence, for any cell.
#pragma once

#include "kept.hpp"
#include "panels.hpp"

namespace unrolled::UNROLLED_ISA {

template <class Cell, class Real> class ForwardPass {
public:
    ForwardPass(const Forward<Real>& f, const Order& order, Division how)
        : f_(f),
          s_(f.shape),
          order_(order),
          walk_{s_, order, s_.B, nullptr},
          how_(how),
          training_(f.tape.gates != nullptr),
          unpacked_(!f.packed && !s_.P && s_.order == 1 && how.threads == 1 && order.total <= kTooFewToPack),
          kept_(keeps() ? f.kept : nullptr, content(), bytes_to_keep()) {}

    static Division divide(const Forward<Real>& f, const Order& order, int threads) {
        const Division how = UNROLLED_ISA::divide<Cell, Real>(f.shape, f.ids ? 0 : f.shape.I, order, threads);
        if (!f.ids || how.by != By::products) return how;
        return {By::rows, int(order.rows)};  // there are no products to run ahead with; rows < threads
    }

    // Room for what is not on a tape: the gates of a chunk or two, and the state before the projection or after
    // the reset gate. A thread's own, or all threads' where they work at the same rows.
    struct Unkept {
        Real *gates = nullptr, *m = nullptr;
    };
    // What a thread keeps for itself: where the rows of a chunk of x, and those of the current step, lie.
    struct Own {
        const Real **x, **xw, **before, **c_before;
        Real **xw_out, **gates, **h, **h_final, **c, **saved;
        Real* sums;
        Unkept unkept;
    };

    void take_shared(Arena& arena) {
        if (f_.packed) {
            Arena packed(const_cast<void*>(f_.packed));
            panels_.take(packed, s_, !f_.ids, true);
        } else if (kept_.memory()) {
            Arena kept(kept_.memory());
            take_kept(kept, panels_);
        } else if (!unpacked_) {
            panels_.take(arena, s_, !f_.ids, order_.steps > 1 || f_.h_0);
        }
        walk_.zeros = arena.take<Real>(widest());
        // The cell state is kept for every step, or there is one for the moment.
        if (f_.tape.c) c_ = {f_.tape.c, s_.B * s_.H, s_.H};
        else if (Cell::has_c) c_ = {f_.c_n ? f_.c_n : arena.take<Real>(s_.B * s_.H), 0, s_.H};
        if (how_.by != By::rows) take_rows(arena, shared_);
    }
    Own take_own(Arena& arena) const {
        Own own;
        const Index rows = most_rows(), chunk = chunk_steps() * rows;
        own.x = arena.take<const Real*>(chunk);
        own.xw_out = arena.take<Real*>(chunk);
        own.xw = arena.take<const Real*>(rows);
        own.before = arena.take<const Real*>((rows + 1) * s_.order);
        own.c_before = arena.take<const Real*>(rows);
        own.gates = arena.take<Real*>(rows);
        own.h = arena.take<Real*>(rows);
        own.h_final = arena.take<Real*>(rows);
        own.c = arena.take<Real*>(rows);
        own.saved = arena.take<Real*>(rows);
        own.sums = arena.take<Real>(unpacked_ ? gh() + kSumLength : kSumRows * kSumLength);
        own.unkept = shared_;
        if (how_.by == By::rows) take_rows(arena, own.unkept);
        return own;
    }

    void run(Member& me, const Own& own) {
        if (!f_.packed && !unpacked_) panels_.pack(s_, f_.weights, me.number, me.count);
        if (me.number == 0) clear(walk_.zeros, widest());
        me.meet();
        const Share share(order_, how_.by, me);
        const bool stays = how_.by == By::products ? run_ahead(me, own, share) : run_together(me, own, share);
        if (!stays) return;
        me.meet();
        clear_padding(me);
        finish(Part(s_.B, me), own.before);
    }

private:
    static constexpr Index kTooFewToPack = 2;  // rows of x
    static constexpr Index kSumRows = 32;  // rows, or rows times panels, summed before their gates are applied
    static constexpr Index kSumLength = kPanelWidth<Real>;

    // Panels are kept of both products, and a step that has no past reads but one of them.
    bool keeps() const { return !f_.packed && !unpacked_ && (order_.steps > 1 || f_.h_0); }
    Kept::Content content() const {
        const Index I = f_.ids ? -1 : s_.I;
        return {Cell::gates, Cell::stages, kLanes<Real>, sizeof(Real), I, s_.H, s_.P, s_.order};
    }
    void take_kept(Arena& arena, ForwardPanels<Cell, Real>& panels) const {
        panels.take(arena, s_, !f_.ids, true);
        panels.take_prints(arena);
    }
    std::size_t bytes_to_keep() const {
        ForwardPanels<Cell, Real> panels;
        Arena counting(nullptr);
        take_kept(counting, panels);
        return counting.bytes();
    }

    Index most_rows() const { return how_.by == By::rows ? order_.rows / how_.threads + 1 : order_.rows; }
    // Enough rows of x for full tiles, few enough to be still in cache when their steps come; and in a relay,
    // few enough to keep all busy.
    Index chunk_steps() const {
        const Index rows = how_.by == By::products ? 32 : 128;
        return most_rows() >= rows ? 1 : rows / most_rows();
    }
    Index kept_steps() const { return how_.by == By::products ? 2 * chunk_steps() : chunk_steps(); }
    Index widest() const { return s_.R() > s_.H ? s_.R() : s_.H; }
    void take_rows(Arena& arena, Unkept& unkept) const {
        if (Cell::keeps_gates && !training_) unkept.gates = arena.take<Real>(kept_steps() * most_rows() * gh());
        if ((Cell::stages == 2 || s_.P) && !f_.tape.saved) unkept.m = arena.take<Real>(most_rows() * s_.H);
    }
    Index gh() const { return Cell::gates * s_.H; }

    // Where x W_xh' + b_xh of a row is put, and its gates after it: on the tape, or in scratch memory; a cell
    // whose gate is its output has both there.
    Real* gates_row(const Own& own, Index i, Index b, Index k) const {
        const Index t = walk_.time(i);
        if constexpr (!Cell::keeps_gates) return f_.h.at(t, b);
        else if (training_) return f_.tape.gates + walk_.row(t, b) * gh();
        else return own.unkept.gates + (i % kept_steps() * most_rows() + k) * gh();
    }

    // The chunk of steps that begins at `from`.
    Part chunk(Index from) const {
        Part steps(order_.steps, 0, 1);
        steps.from = from;
        if (from + chunk_steps() < steps.to) steps.to = from + chunk_steps();
        return steps;
    }

    // A member's part of the input products of a chunk, as number `number` of `count` who share them.
    void input_product(const Own& own, const Share& share, const Part& steps, int number, int count) const {
        if (f_.ids) return;  // they are in the table
        Index n = 0;
        for (Index i = steps.from; i < steps.to; ++i) {
            const Index t = walk_.time(i), rows = share.among(order_.active(t));
            for (Index k = 0; k < rows; ++k, ++n) {
                const Index b = order_.row(share.at(k));
                own.x[n] = f_.x.at(t, b);
                own.xw_out[n] = gates_row(own, i, b, k);
            }
        }
        if (unpacked_) {
            for (Index r = 0; r < n; ++r)
                product_unpacked(own.x[r], f_.weights.W_xh, f_.weights.b_xh, gh(), s_.I, own.xw_out[r]);
            return;
        }
        const Part part(n, number, count);
        product(part.size(), own.x + part.from, panels_.xh, 0, panels_.xh.count(), gh(),
                own.xw_out + part.from);
    }

    // Divided by rows or units. False: this member is to leave.
    bool run_together(Member& me, const Own& own, const Share& share) {
        for (Index from = 0; from < order_.steps; from += chunk_steps()) {
            const Part steps = chunk(from);
            if (how_.by == By::rows) {
                input_product(own, share, steps, 0, 1);
            } else {
                input_product(own, share, steps, me.number, me.count);
                me.meet();
            }
            for (Index i = steps.from; i < steps.to; ++i)
                if (!advance(me, own, share, i)) return false;
        }
        return true;
    }

    // A relay: member 0 goes through the steps, the others stay a chunk ahead with the input products. False:
    // this member is to leave.
    bool run_ahead(Member& me, const Own& own, const Share& share) {
        Index multiplied = chunk(0).to;
        input_product(own, share, chunk(0), me.number, me.count);
        me.meet();
        for (Index from = 0; from < order_.steps; from += chunk_steps()) {
            const Part steps = chunk(from), next = chunk(steps.to);
            if (multiplied < steps.to) input_product(own, share, steps, 0, 1);  // the others have left
            if (me.number == 0)
                for (Index i = steps.from; i < steps.to; ++i) advance(me, own, share, i);
            else if (next.size() > 0) input_product(own, share, next, me.number - 1, me.count - 1);
            if (me.count > 1 && next.size() > 0) multiplied = next.to;
            if (!me.meet_or_part()) return false;
        }
        return true;
    }

    // Step i of all rows. False: this member is to leave.
    bool advance(Member& me, const Own& own, const Share& share, Index i) {
        const Index t = walk_.time(i), rows = share.among(order_.active(t));
        for (Index k = 0; k < rows; ++k) {
            const Index place = share.at(k), b = order_.row(place);
            walk_.entering(t, place, to_read(f_.h), f_.h_0, own.before + k, most_rows());
            own.gates[k] = gates_row(own, i, b, k);
            own.xw[k] = f_.ids ? f_.table + *f_.ids.at(t, b) * gh() : own.gates[k];
            own.h_final[k] = f_.h.at(t, b);
            if constexpr (Cell::has_c) {
                own.c_before[k] = walk_.entering(t, place, to_read(c_), f_.c_0, s_.H);
                own.c[k] = c_.at(t, b);
            }
            if (Cell::has_saved || s_.P)
                own.saved[k] = f_.tape.saved  ? f_.tape.saved + walk_.row(t, b) * s_.H
                               : own.unkept.m ? own.unkept.m + k * s_.H
                                              : nullptr;
            own.h[k] = s_.P ? own.saved[k] : own.h_final[k];
        }
        const bool no_past = i == 0 && !f_.h_0;
        if (!stage<0>(me, own, rows, own.before, no_past)) return false;
        if constexpr (Cell::stages == 2)
            if (!stage<1>(me, own, rows, own.saved, no_past)) return false;
        if (s_.P) product(rows, own.h, panels_.hr, 0, panels_.hr.count(), s_.P, own.h_final);
        return true;
    }

    // The recurrent product of a stage and then its gates, while the sums are at hand: a few panels of a few
    // rows at a time, so that neither the sums leave the first-level cache nor one gate waits for another.
    template <int stage_number>
    bool stage(Member& me, const Own& own, Index rows, const Real* const* left, bool no_past) {
        if (unpacked_) {
            stage_unpacked<stage_number>(own, rows, left, no_past);
            return true;
        }
        const Panels<Real>& panels = panels_.hh[stage_number];
        Part part(panels.count(), 0, 1);
        if (how_.by == By::units) {
            const Index units_a_panel = panels.per_panel / stage_gates<Cell>(stage_number);
            const Part units(vectors_for<Real>(s_.H), me, kPanelVectors);
            part.from = units.from / units_a_panel;
            part.to = (units.to + units_a_panel - 1) / units_a_panel;
        }
        const Index at_once = rows >= kSumRows ? 1 : kSumRows / (rows ? rows : 1);
        for (Index from = part.from; from < part.to; from += at_once) {
            const Index to = from + at_once < part.to ? from + at_once : part.to;
            for (Index first = 0; first < rows; first += kSumRows) {
                const Index n = rows - first < kSumRows ? rows - first : kSumRows;
                for (Index p = from; p < to; ++p)
                    sum(panels, p, n, left + first, stage_number ? 1 : s_.order,
                        own.sums + (p - from) * n * kSumLength, no_past);
                for (Index p = from; p < to; ++p)
                    apply_panel<stage_number>(own, panels, p, first, n, own.sums + (p - from) * n * kSumLength);
            }
        }
        return how_.by != By::units || me.meet_or_part();
    }

    // The same for so few rows that packing W_hh would cost more than it saves.
    template <int stage_number>
    void stage_unpacked(const Own& own, Index rows, const Real* const* left, bool no_past) {
        constexpr int gates = stage_gates<Cell>(stage_number);
        const Index length = stage_number ? s_.H : s_.R(), first = Cell::stage_begin[stage_number] * s_.H;
        const Weights<Real>& w = f_.weights;
        const Real* const bias = w.b_hh ? w.b_hh + first : nullptr;
        for (Index r = 0; r < rows; ++r) {
            if (no_past) copy_or_clear(own.sums, bias, gates * s_.H);
            else product_unpacked(left[r], w.W_hh + first * length, bias, gates * s_.H, length, own.sums);
            for (Index u = 0; u < s_.H; u += kLanes<Real>) apply<stage_number>(own, r, u, own.sums + u, s_.H);
        }
    }

    // One panel's sums of n rows, kSumLength apart, over so many states a row.
    void sum(const Panels<Real>& panels, Index p, Index n, const Real* const* left, Index states, Real* to,
             bool no_past) const {
        const int vectors = panels.width(p);
        const Index row_length = Index(vectors) * kLanes<Real>;
        if (no_past) {
            for (Index r = 0; r < n; ++r) copy(to + r * kSumLength, panels.init_at(p), row_length);
            return;
        }
        const Index length = panels.k / states;
        for (Index row = 0; row < panels.k;) {
            const Index k = row % length;
            const Real* const* const from = left + row / length * most_rows();
            const Index k_now = length - k < kLongestSum<Real> ? length - k : kLongestSum<Real>;
            each_tile(n, tile_rows(vectors), [&](Index first, int rows) {
                const Real* a[kTallestTile];
                Real* out[kTallestTile];
                for (int r = 0; r < rows; ++r)
                    a[r] = from[first + r] + k, out[r] = to + (first + r) * kSumLength;
                tile_of<Real, Left::rows>(
                    rows, vectors)({k_now, a, 1, panels.at(p) + row * row_length, row_length, panels.init_at(p),
                                    out, row_length, row ? Into::resumed : Into::fresh});
            });
            row += k_now;
        }
    }

    template <int stage_number>
    void apply_panel(const Own& own, const Panels<Real>& panels, Index p, Index first, Index n,
                     const Real* sums) {
        constexpr int gates = stage_gates<Cell>(stage_number), lanes = kLanes<Real>;
        const int units = panels.width(p) / gates;
        const Index unit = p * panels.per_panel / gates * lanes;
        for (Index r = 0; r < n; ++r)
            for (int u = 0; u < units; ++u)
                apply<stage_number>(own, first + r, unit + u * lanes, sums + r * kSumLength + u * gates * lanes,
                                    lanes);
    }

    // The cell's own function on one register of units of one row.
    template <int stage_number>
    UNROLLED_INLINE void apply(const Own& own, Index row, Index unit, const Real* hw, Index hw_step) {
        constexpr int first = Cell::stage_begin[stage_number];
        const Index left = s_.H - unit;
        const auto get = [&](const Real* from) { return load_up_to(from + unit, left); };
        const auto put = [&](Real* to, Vec<Real> v) { store_up_to(to + unit, v, left); };
        constexpr bool last = stage_number == Cell::stages - 1;
        Point<Real> p;
        for (int g = 0; g < stage_gates<Cell>(stage_number); ++g) {
            p.hw[g] = load(hw + g * hw_step);
            p.xw[first + g] = get(own.xw[row] + (first + g) * s_.H);
        }
        if constexpr (Cell::reads_h) p.h_before = get(own.before[row]);
        if constexpr (Cell::has_c) p.c_before = get(own.c_before[row]);
        if constexpr (stage_number == 1) p.gate[1] = get(own.gates[row] + s_.H);
        Cell::template point<stage_number, Real>(p);
        if constexpr (Cell::keeps_gates) {
            if (training_ || Cell::stages == 2)
                for (int g = first; g < first + stage_gates<Cell>(stage_number); ++g)
                    put(own.gates[row] + g * s_.H, p.gate[g]);
        }
        if constexpr (Cell::has_saved && stage_number == 0) {
            if (training_ || Cell::stages == 2) put(own.saved[row], p.saved);
        }
        if constexpr (last && Cell::has_c) put(own.c[row], p.c);
        if constexpr (last) put(own.h[row], p.h);
    }

    // Zeros in the output past every sequence's end, in the order in which they lie in memory.
    void clear_padding(const Member& me) const {
        if (!s_.lengths) return;
        for (Index t = me.number; t < s_.T; t += me.count)
            for (Index b = 0; b < s_.B; ++b)
                if (t >= s_.lengths[b]) clear(f_.h.at(t, b), s_.R());
    }

    // Final states; there is room for a row's last states.
    void finish(const Part& rows, const Real** last_states) {
        const Index R = s_.R(), H = s_.H;
        for (Index b = rows.from; b < rows.to; ++b) {
            const Index length = s_.lengths ? s_.lengths[b] : s_.T;
            const Index last = s_.reverse ? 0 : length - 1;
            if (f_.h_n) walk_.past(b, length, length, true, to_read(f_.h), f_.h_0, last_states, 1);
            for (Index j = f_.h_n ? s_.order : 0; j-- > 0;)  // the oldest first: h_n may be h_0
                copy_or_clear(f_.h_n + b * s_.kR() + j * R, last_states[j], R);
            if (!Cell::has_c || !f_.c_n) continue;
            Real* c_n = f_.c_n + b * H;
            if (!length) copy_or_clear(c_n, f_.c_0 ? f_.c_0 + b * H : nullptr, H);
            else if (f_.tape.c) copy(c_n, c_.at(last, b), H);
        }
    }

    const Forward<Real>& f_;
    const Shape& s_;
    const Order& order_;
    Walk<Real> walk_;
    const Division how_;
    const bool training_;
    const bool unpacked_;
    const Keeping kept_;
    ForwardPanels<Cell, Real> panels_;
    Rows<Real> c_ = {};
    Unkept shared_;
};

template <class Cell, class Real> void forward(const Forward<Real>& f) {
    const Shape& s = f.shape;
    const std::size_t rows = std::size_t(s.T * s.B) * sizeof(Real), H = std::size_t(s.H);
    expect_writes(f.tape.gates, f.tape.gates ? rows * H * Cell::gates : 0);
    expect_writes(f.tape.saved, f.tape.saved ? rows * H : 0);
    expect_writes(f.tape.c, f.tape.c ? rows * H : 0);
    if (f.h.step == s.B * s.R()) expect_writes(f.h.data, rows * std::size_t(s.R()));
    run_pass<ForwardPass<Cell, Real>>(f);
}

template <class Cell, class Real>
std::size_t pack(const Shape& shape, const Weights<Real>& weights, void* memory) {
    ForwardPanels<Cell, Real> panels;
    Arena arena(memory);
    panels.take(arena, shape, weights.W_xh || !shape.I, true);
    if (memory) panels.pack(shape, weights, 0, 1);
    return arena.bytes();
}

}  // namespace unrolled::UNROLLED_ISA
