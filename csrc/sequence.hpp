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
    Part(Index n, const Member& me, Index grain = 1) : Part(n, me.number, me.count, grain) {}
    Part(Index n, int member, int members, Index grain = 1) {
        const Index grains = (n + grain - 1) / grain;
        from = grains * member / members * grain;
        to = grains * (member + 1) / members * grain;
        from = from < n ? from : n, to = to < n ? to : n;
    }
    Index size() const { return to - from; }
};

// Floating point operations that repay waking a thread, and meeting it once.
constexpr double kWorthAThread = 1e6, kWorthAMeeting = 1e5;

// How a team divides a pass.
enum class By {
    rows,     // each runs its own sequences from end to end and waits for nobody
    units,    // each runs every row, but its own hidden units, and all meet at every step: for weights that too
              // few rows would have to pay for twice
    products  // the first runs the recurrence, the others the products before or behind it: for few small rows
};
struct Division {
    By by;
    int threads;
};
template <class Cell, class Real>
Division divide(const Shape& s, Index inputs, const Order& order, int threads) {
    const double gh = double(Cell::gates) * double(s.H),
                 step = gh * double(s.kR()) * 2;  // one row's recurrent product
    const double work = double(order.total) * (step + gh * double(inputs) * 2);
    if (work < kWorthAThread * threads) threads = int(work / kWorthAThread);
    if (threads <= 1 || order.rows == 0) return {By::rows, 1};
    const bool units_can = !s.P && s.order == 1 && vectors_for<Real>(s.H) / kPanelVectors >= threads;
    const double between_meetings = double(order.total) / double(order.steps) * step / threads / Cell::stages;
    const bool beyond_cache = gh * double(s.kR()) * sizeof(Real) > 1e6;
    if (units_can && between_meetings > kWorthAMeeting &&
        (order.rows < threads || (beyond_cache && order.rows < 12 * threads)))
        return {By::units, threads};
    if (order.rows < threads && order.steps >= 64) return {By::products, threads};
    return {By::rows, order.rows < threads ? int(order.rows) : threads};
}

// Rows of the batch that a thread owns: positions in the order, every stride-th from first.
struct Share {
    Index first, stride, count;
    Share(const Order& order, By by, const Member& me) {
        // A ragged batch is dealt out like cards, so that all have long and short rows; a full one is cut.
        if (by != By::rows) first = 0, stride = 1, count = order.rows;
        else if (order.ragged)
            first = me.number, stride = me.count, count = (order.rows - first + stride - 1) / stride;
        else {
            const Part part(order.rows, me);
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

// The steps in the order they are run, and the state that enters each of them. A tape of one row (tape_batch 1)
// serves every row of the batch.
template <class Real> struct Walk {
    const Shape& shape;
    const Order& order;
    Index tape_batch;
    Real* zeros;  // as many as the widest state

    Index time(Index i) const { return shape.reverse ? order.steps - 1 - i : i; }
    Index row(Index t, Index b) const { return t * shape.B + b; }
    Index on_tape(Index b) const { return tape_batch == shape.B ? b : 0; }
    Index tape_row(Index t, Index b) const { return t * tape_batch + on_tape(b); }

    // What enters step t of the sequence at that place of the order: `state` leaves a step, `initial` is [B,
    // size].
    const Real* entering(Index t, Index place, Rows<const Real> state, const Real* initial, Index size) const {
        const Index b = order.row(place);
        if (shape.reset && shape.reset[row(t, b)]) return zeros;
        if (t == (shape.reverse ? order.length(place) - 1 : 0))
            return initial ? initial + on_tape(b) * size : zeros;
        return state.at(shape.reverse ? t + 1 : t - 1, on_tape(b));
    }
    // The same of h, all of the last k: h_{t-1} at to[0], the one before at to[apart], ...; h_0 is [B, k*R].
    void entering(Index t, Index place, Rows<const Real> h, const Real* h_0, const Real** to,
                  Index apart) const {
        if (shape.order == 1) {
            *to = entering(t, place, h, h_0, shape.R());
            return;
        }
        const Index b = order.row(place), length = order.length(place);
        const bool passes = !(shape.reset && shape.reset[row(t, b)]);
        past(b, length, shape.reverse ? length - 1 - t : t, passes, h, h_0, to, apart);
    }
    // The last k states of sequence b once `ran` of its steps have run, zeros for those behind a reset; all are
    // where nothing `passes`.
    void past(Index b, Index length, Index ran, bool passes, Rows<const Real> h, const Real* h_0,
              const Real** to, Index apart) const {
        for (Index j = 0; j < shape.order; ++j) {
            const Index nth = ran - 1 - j;  // of the steps that have run; below 0, an initial state
            const Index t = shape.reverse ? length - 1 - nth : nth;
            const Real*& state = to[j * apart];
            if (!passes) state = zeros;
            else if (nth >= 0) state = h.at(t, on_tape(b));
            else state = h_0 ? h_0 + on_tape(b) * shape.kR() - (nth + 1) * shape.R() : zeros;
            if (nth >= 0 && shape.reset && shape.reset[row(t, b)]) passes = false;
        }
    }
};

// Threads, memory and the run itself. Pass says what it shares and what each thread needs for itself.
template <class Pass, class Args> void run_pass(const Args& args) {
    const Order order(args.shape);
    const Threads threads(Pass::divide(args, order, args.shape.threads).threads);
    Pass pass(args, order, Pass::divide(args, order, threads.size()));
    Arena shared(nullptr), own(nullptr);
    pass.take_shared(shared);
    pass.take_own(own);
    const Scratch memory(shared.bytes() + std::size_t(threads.size()) * own.bytes());
    char* const begin = static_cast<char*>(memory.data());
    Arena real(begin);
    pass.take_shared(real);
    const auto work = [&](Member& me) {
        const DenormalsAreZero mode;
        Arena mine(begin + shared.bytes() + std::size_t(me.number) * own.bytes());
        pass.run(me, pass.take_own(mine));
    };
    threads.run(work);
}

// Sets n values to zero.
template <class Real> UNROLLED_INLINE void clear(Real* to, Index n) {
    std::memset(to, 0, std::size_t(n) * sizeof(Real));
}
template <class Real> UNROLLED_INLINE void copy(Real* to, const Real* from, Index n) {
    std::memcpy(to, from, std::size_t(n) * sizeof(Real));
}
template <class Real> UNROLLED_INLINE void copy_or_clear(Real* to, const Real* from, Index n) {
    if (!from) clear(to, n);
    else if (from != to) copy(to, from, n);
}

}  // namespace unrolled::UNROLLED_ISA
