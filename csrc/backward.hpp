// The way back: backpropagation through time over a whole sequence, for any cell.
//
// Steps are taken in fixed blocks, last first. Within a block the recurrence goes back step by step and leaves
// the gradients of its pre-activations (da) side by side; then the block's share of every weight's gradient,
// and the gradient of its inputs, are three ordinary products. Blocks begin at whole multiples of their length,
// so a run that recomputes its states from checkpoints sums in the same order and gives the same bits.
#pragma once

#include <algorithm>

#include "sums.hpp"

namespace unrolled::UNROLLED_ISA {

template <class Cell, class Real> class BackwardPass {
public:
    BackwardPass(const Backward<Real>& f, const Order& order, Division how)
        : f_(f),
          s_(f.shape),
          order_(order),
          walk_{s_, order, f.tape_batch, nullptr},
          how_(how),
          block_steps_(std::min(block_steps(s_.B, s_.H), order.steps)),
          sums_(f) {}

    static Division divide(const Backward<Real>& f, const Order& order, int threads) {
        return UNROLLED_ISA::divide<Cell, Real>(f.shape, f.ids ? 0 : f.shape.I, order, threads);
    }

    // The rows of the current step, each thread its own; and buffers for its part of the weights' gradients.
    struct Own {
        const Real **gates, **saved, **h_before, **c_before, **c, **h, **dh_out, **dh;
        Real **da, **dh_before, **gated;
        Index* b;
        typename Sums<Cell, Real>::Own sums;
    };

    void take_shared(Arena& arena) {
        panels_.take(arena, s_, order_.steps > 1 || f_.dh_0 || (kGated && f_.h_0), bool(f_.dx));
        walk_.zeros = arena.take<Real>(s_.R() > s_.H ? s_.R() : s_.H);
        carry_ = arena.take<Real>(order_.rows * s_.kR());
        if (Cell::has_c) dc_ = arena.take<Real>(order_.rows * s_.H);
        if (Cell::stages == 2) dgated_ = arena.take<Real>(order_.rows * s_.H);
        if (s_.P) dm_ = arena.take<Real>(order_.rows * s_.H);
        sums_.take_shared(arena);
        for (Block<Real>& block : blocks_)
            if (&block == blocks_ || how_.by == By::products)
                block = Block<Real>::take(arena, block_rows(), d_h(), s_.P, s_.order);
    }
    Own take_own(Arena& arena) const {
        Own own;
        const Index rows = order_.rows;
        for (const Real*** each : {&own.gates, &own.saved, &own.c_before, &own.c, &own.h, &own.dh_out, &own.dh})
            *each = arena.take<const Real*>(rows);
        own.h_before = arena.take<const Real*>(rows * s_.order);
        for (Real*** each : {&own.da, &own.dh_before, &own.gated}) *each = arena.take<Real*>(rows);
        own.b = arena.take<Index>(rows);
        own.sums = sums_.take_own(arena, block_rows(), how_.by == By::rows ? how_.threads : 1);
        return own;
    }

    void run(Member& me, const Own& own) {
        panels_.pack(s_, f_.weights, own.sums.list, me.number, me.count);
        begin(Part(order_.rows, me), me.number);
        sums_.begin(Part(s_.I, me), me.number);
        clear_padding(me);
        me.meet();
        const Share share(order_, how_.by, me);
        const bool stays = how_.by == By::products ? run_behind(me, own, share) : run_together(me, own, share);
        if (!stays) return;
        me.meet();
        finish(Part(s_.B, me), Part(order_.rows, me), me.number);
    }

private:
    static constexpr bool kGated = Cell::stages == 2;

    Index block_rows() const { return block_steps_ * order_.rows; }
    Index d_h() const { return Cell::da_columns * s_.H; }
    Index gh() const { return Cell::gates * s_.H; }

    // The block of steps that ends before `to`.
    Part block_before(Index to) const {
        Part steps(to, 0, 1);
        steps.from = (to - 1) / block_steps_ * block_steps_;
        return steps;
    }

    // A part of what is summed over a block, as number `number` of `count`.
    void sum_up(const Own& own, const Block<Real>& block, const Part& steps, int number, int count) const {
        Index rows = 0;
        for (Index i = steps.from; i < steps.to; ++i) rows += order_.active(walk_.time(i));
        sums_.add(own.sums, block, rows, steps.to == order_.steps, panels_.xh, number, count);
    }

    // All steps of a block, last first. False: this member is to leave.
    bool go_through(Member& me, const Own& own, const Share& share, Block<Real>& block, const Part& steps) {
        Index row = 0;
        for (Index i = steps.to - 1; i >= steps.from; --i) {
            if (!step(me, own, share, block, i, row)) return false;
            row += order_.active(walk_.time(i));
        }
        return true;
    }

    // Divided by rows or units: all go through a block, then all sum it up.
    bool run_together(Member& me, const Own& own, const Share& share) {
        for (Index to = order_.steps; to > 0;) {
            if (to < order_.steps) me.meet();  // nobody still reads the block
            const Part steps = block_before(to);
            if (!go_through(me, own, share, blocks_[0], steps)) return false;
            me.meet();
            sum_up(own, blocks_[0], steps, me.number, me.count);
            to = steps.from;
        }
        return true;
    }

    // A relay: member 0 goes through the steps, the others sum up the block before. False: this member is to
    // leave.
    bool run_behind(Member& me, const Own& own, const Share& share) {
        int which = 0;
        Part behind(0, 0, 1);
        const auto sum_up_behind = [&](int number, int count) {
            if (behind.size() > 0) sum_up(own, blocks_[which ^ 1], behind, number, count);
        };
        for (Index to = order_.steps; to > 0; which ^= 1) {
            const Part steps = block_before(to);
            if (me.number == 0) go_through(me, own, share, blocks_[which], steps);
            if (me.count == 1) sum_up_behind(0, 1);  // the others have left
            else if (me.number > 0) sum_up_behind(me.number - 1, me.count - 1);
            behind = steps;
            to = steps.from;
            if (!me.meet_or_part()) return false;
        }
        sum_up_behind(me.number, me.count);
        return true;
    }

    // What comes back into the last step of every sequence.
    void begin(const Part& part, int member) {
        if (member == 0) clear(walk_.zeros, s_.R() > s_.H ? s_.R() : s_.H);
        for (Index i = part.from; i < part.to; ++i) {
            const Index b = order_.row(i);
            copy_or_clear(carry_ + i * s_.kR(), f_.dh_n ? f_.dh_n + b * s_.kR() : nullptr, s_.kR());
            if (Cell::has_c) copy_or_clear(dc_ + i * s_.H, f_.dc_n ? f_.dc_n + b * s_.H : nullptr, s_.H);
        }
    }

    // One step back: from dL/dh_t to da_t, and from there to dL/dh of the step before. False: leave.
    bool step(Member& me, const Own& own, const Share& share, Block<Real>& block, Index i, Index block_row) {
        const Index t = walk_.time(i), rows = share.among(order_.active(t)), H = s_.H;
        const bool records =
            how_.by != By::units || me.number == 0;  // one thread fills in what the block shares
        for (Index k = 0; k < rows; ++k) {
            const Index place = share.at(k), b = order_.row(place), r = block_row + place;
            own.b[k] = b;
            walk_.entering(t, place, f_.h, f_.h_0, own.h_before + k, order_.rows);
            if (Cell::has_saved || s_.P) own.saved[k] = f_.tape.saved + walk_.tape_row(t, b) * H;
            if (records) {
                for (Index j = 0; j < s_.order; ++j)
                    block.h_before[j * block.rows + r] = own.h_before[j * order_.rows + k];
                block.x[r] = f_.x ? f_.x.at(t, walk_.on_tape(b)) : nullptr;
                block.dx[r] = f_.dx ? f_.dx.at(t, b) : nullptr;
                if (f_.dtable) block.dtable[r] = f_.dtable + *f_.ids.at(t, walk_.on_tape(b)) * gh();
                if (Cell::has_saved || s_.P) block.saved[r] = own.saved[k];
            }
            own.h[k] = f_.h.at(t, walk_.on_tape(b));
            own.dh_out[k] = f_.dh_out ? f_.dh_out.at(t, b) : walk_.zeros;
            own.da[k] = block.da + r * d_h();
            own.dh_before[k] = carry_ + place * s_.kR();
            if constexpr (Cell::keeps_gates) own.gates[k] = f_.tape.gates + walk_.tape_row(t, b) * gh();
            if constexpr (Cell::has_c) {
                own.c_before[k] = walk_.entering(t, place, {f_.tape.c, f_.tape_batch * H, H}, f_.c_0, H);
                own.c[k] = f_.tape.c + walk_.tape_row(t, b) * H;
            }
            if constexpr (kGated) own.gated[k] = dgated_ + place * H;
            if (s_.P) project_row(own, block, k, r, place, t);
        }
        if (s_.P) product(rows, own.dh, panels_.hr, 0, panels_.hr.count(), H, own.gated);
        Part units = own_units(me);
        const bool back = i > 0 || f_.dh_0;
        for (Index k = 0; k < rows; ++k)
            for (Index u = units.from; u < units.to; u += kLanes<Real>)
                apply<Cell::stages - 1>(own, share, k, u, t);
        if (how_.by == By::units && !me.meet_or_part()) return false;
        units = own_units(me);  // all of them, if the team has parted
        if constexpr (kGated) {
            go_back(me, own, 1, rows, own.gated, s_.H, Into::fresh);
            for (Index k = 0; k < rows; ++k)
                for (Index u = units.from; u < units.to; u += kLanes<Real>) apply<0>(own, share, k, u, t);
            if (how_.by == By::units && !me.meet_or_part()) return false;
            units = own_units(me);
        }
        if (back && s_.order > 1) age(own, rows);
        const Into into = Cell::reads_h || s_.order > 1 ? Into::resumed : Into::fresh;
        if (back) go_back(me, own, 0, rows, own.dh_before, s_.kR(), into);
        if (s_.reset) cut(own, rows, t, share, units);
        return true;
    }

    // The state that this step gave is none of those before it: what its k - 1 elder ones get moves up.
    void age(const Own& own, Index rows) const {
        const Index elder = s_.kR() - s_.R();
        for (Index k = 0; k < rows; ++k) {
            std::memmove(own.dh_before[k], own.dh_before[k] + s_.R(), std::size_t(elder) * sizeof(Real));
            clear(own.dh_before[k] + elder, s_.R());
        }
    }

    // The hidden units that this member computes.
    Part own_units(const Member& me) const {
        return how_.by == By::units ? Part(s_.H, me, kPanelWidth<Real>) : Part(s_.H, 0, 1);
    }

    // dL/dh of a row under a projection, in full, which both W_hr and its gradient want.
    void project_row(const Own& own, Block<Real>& block, Index k, Index r, Index place, Index t) const {
        Real* dh = block.dh + r * s_.P;
        const Real* carry = carry_ + place * s_.kR();
        const Index kept = walk_.row(t, own.b[k]) * s_.P;
        for (Index j = 0; j < s_.P; ++j) dh[j] = carry[j] + own.dh_out[k][j];
        if (f_.dh_carry) copy(f_.dh_carry + kept, carry, s_.P);
        if (f_.dh) copy(f_.dh + kept, dh, s_.P);
        own.dh[k] = dh;
        own.gated[k] = dm_ + place * s_.H;
    }

    // The recurrent product of a stage, backwards: out = (out +) da W_hh.
    void go_back(const Member& me, const Own& own, int stage, Index rows, Real* const* out, Index columns,
                 Into into) {
        const Panels<Real>& panels = panels_.hh[stage];
        const Index column = Cell::h_column[Cell::stage_begin[stage]] * s_.H;
        for (Index k = 0; k < rows; ++k) own.sums.list[k] = own.da[k] + column;
        const Part part = how_.by == By::units ? Part(panels.count(), me) : Part(panels.count(), 0, 1);
        product(rows, own.sums.list, panels, part.from, part.to, columns, out, into);
    }

    template <int stage_number>
    UNROLLED_INLINE void apply(const Own& own, const Share& share, Index k, Index unit, Index t) {
        const Index left = s_.H - unit, H = s_.H;
        const auto get = [&](const Real* from) { return load_up_to(from + unit, left); };
        const auto put = [&](Real* to, Vec<Real> v) { store_up_to(to + unit, v, left); };
        constexpr bool last = stage_number == Cell::stages - 1;
        const Index place = share.at(k), kept = walk_.row(t, own.b[k]);
        PointBackward<Real> p;
        if constexpr (Cell::keeps_gates)
            for (int g = 0; g < Cell::gates; ++g) p.gate[g] = get(own.gates[k] + g * H);
        else p.h = get(own.h[k]);
        if constexpr (Cell::has_saved) p.saved = get(own.saved[k]);
        if constexpr (Cell::reads_h) p.h_before = get(own.h_before[k]);
        if constexpr (Cell::has_c) {
            p.c_before = get(own.c_before[k]);
            p.c = get(own.c[k]);
            p.dc = get(dc_ + place * H);
        }
        if constexpr (last) {
            if (s_.P) p.dh = get(own.gated[k]);
            else {
                const Vec<Real> carry = get(own.dh_before[k]);
                p.dh = get(own.dh_out[k]) + carry;
                if (f_.dh_carry) put(f_.dh_carry + kept * H, carry);
                if (f_.dh) put(f_.dh + kept * H, p.dh);
            }
        } else {
            p.dgated = get(own.gated[k]);
            p.dh_before = get(own.dh_before[k]);
        }
        Cell::template point_backward<stage_number, Real>(p);
        for (int g = 0; g < Cell::gates; ++g) {
            if (Cell::da_stage[g] != stage_number) continue;
            put(own.da[k] + Cell::x_column[g] * H, p.da[Cell::x_column[g]]);
            if (Cell::h_column[g] != Cell::x_column[g])
                put(own.da[k] + Cell::h_column[g] * H, p.da[Cell::h_column[g]]);
            if (f_.da) put(f_.da + kept * gh() + g * H, p.da[Cell::x_column[g]]);
        }
        if constexpr (Cell::reads_h) put(own.dh_before[k], p.dh_before);
        if constexpr (Cell::has_c) {
            put(dc_ + place * H, p.dc);
            if (f_.dc) put(f_.dc + kept * H, p.dc_full);
        }
    }

    // Nothing passes a reset.
    void cut(const Own& own, Index rows, Index t, const Share& share, const Part& units) {
        for (Index k = 0; k < rows; ++k) {
            if (!s_.reset[walk_.row(t, own.b[k])]) continue;
            const Part carry = s_.P || s_.order > 1 ? Part(s_.kR(), 0, 1) : units;
            clear(own.dh_before[k] + carry.from, carry.size());
            if (Cell::has_c) clear(dc_ + share.at(k) * s_.H + units.from, units.size());
        }
    }

    // Nothing comes from beyond a sequence's end; in the order in which it lies in memory.
    void clear_padding(const Member& me) const {
        if (!order_.ragged && order_.steps) return;
        for (Index t = me.number; t < s_.T; t += me.count)
            for (Index b = 0; b < s_.B; ++b) {
                if (s_.lengths && t < s_.lengths[b]) continue;
                const Index row = walk_.row(t, b);
                if (f_.dx) clear(f_.dx.at(t, b), s_.I);
                if (f_.dh) clear(f_.dh + row * s_.R(), s_.R());
                if (f_.dh_carry) clear(f_.dh_carry + row * s_.R(), s_.R());
                if (f_.dc) clear(f_.dc + row * s_.H, s_.H);
                if (f_.da) clear(f_.da + row * gh(), gh());
            }
    }

    void finish(const Part& batch, const Part& places, int member) const {
        const Index kR = s_.kR(), H = s_.H;
        for (Index i = places.from; i < places.to; ++i) {
            const Index b = order_.row(i);
            if (f_.dh_0) copy(f_.dh_0 + b * kR, carry_ + i * kR, kR);
            if (Cell::has_c && f_.dc_0) copy(f_.dc_0 + b * H, dc_ + i * H, H);
        }
        for (Index b = batch.from; b < batch.to; ++b) {
            if (s_.lengths ? s_.lengths[b] > 0 : s_.T > 0) continue;
            if (f_.dh_0) copy_or_clear(f_.dh_0 + b * kR, f_.dh_n ? f_.dh_n + b * kR : nullptr, kR);
            if (Cell::has_c && f_.dc_0) copy_or_clear(f_.dc_0 + b * H, f_.dc_n ? f_.dc_n + b * H : nullptr, H);
        }
        if (member == 0) sums_.finish(order_.steps > 0);
    }

    const Backward<Real>& f_;
    const Shape& s_;
    const Order& order_;
    Walk<Real> walk_;
    const Division how_;
    const Index block_steps_;
    BackwardPanels<Cell, Real> panels_;
    Sums<Cell, Real> sums_;
    Block<Real> blocks_[2] = {};
    Real* carry_ = nullptr;   // [rows, R] by place in the order: dL/dh that comes from the future
    Real* dc_ = nullptr;      // [rows, H]
    Real* dgated_ = nullptr;  // [rows, H], of the gated state
    Real* dm_ = nullptr;      // [rows, H], of the state before the projection
};

template <class Cell, class Real> void backward(const Backward<Real>& f) {
    run_pass<BackwardPass<Cell, Real>>(f);
}

}  // namespace unrolled::UNROLLED_ISA
