// The contract of the compiled recurrence: what the kernels read, what they write, and who owns it.
//
// One call runs one layer in one direction over a whole sequence: input product, recurrence, gates, and going
// back the gradient of everything that went in. Nothing here knows Python, NumPy or torch.
//
// Letters: T steps, B batch, I input, H hidden, G gates, P projection (0: none), R size of the recurrent
// state h (P with a projection, else H), k order: how many of the last h enter a step, newest first, side by
// side in one product. Every array holds `Real` (float or double) unless said otherwise.
// The features of a row lie side by side; rows may lie apart: element (t, b, k) of a `Rows` is
// data[t * step + b * row + k]. An array whose pointer is null is absent: an input counts as zeros (lengths:
// all T; reset: none), an output is not written. No two arrays of a call may overlap unless said.
//
// Where the input is a token, its product is a row of a table. A call with `ids` has `table` [I, G*H] in place
// of x, W_xh and b_xh, none of which is read: x W_xh' + b_xh of row (t, b) is table[ids(t, b)]. I is then how
// many rows the table has, and the ids lie from 0 to I - 1, past the sequences' ends too: whoever calls has
// looked. Going back, `dtable` takes the place of dx, dW_xh and db_xh, none of which may then be given.
#pragma once

#include <cstdint>

namespace unrolled {

using Index = std::int64_t;

class Kept;

// Same numbers as native.CELLS.
enum class CellId : int { rnn_tanh, rnn_relu, rnn_sigmoid, rnn_identity, lstm, gru, gru_reset_before, count };

// Sizes and everything that both ways through time need to know. All memory is the caller's.
struct Shape {
    Index T, B, I, H, P;
    bool reverse;               // step t then reads its later neighbour t + 1
    const Index* lengths;       // [B], 0..T, any order
    const std::uint8_t* reset;  // [T, B]; 1: the state is cleared before that step, no gradient passes
    int threads;                // at most so many, the calling one among them; never changes a bit
    // [B] or null. Where this call is a stretch of a longer one, the lengths in that; `lengths` are then how
    // many of each sequence's steps lie in the stretch. Rows run and are summed in the order of the whole.
    const Index* whole = nullptr;
    Index order = 1;  // k; above 1 for cells of one stage, which themselves read no h
    Index R() const { return P ? P : H; }
    Index kR() const { return order * R(); }
};

template <class Real> struct Rows {
    Real* data;
    Index step, row;
    Real* at(Index t, Index b) const { return data + t * step + b * row; }
    explicit operator bool() const { return data != nullptr; }
};

template <class Real> Rows<const Real> to_read(const Rows<Real>& rows) {
    return {rows.data, rows.step, rows.row};
}

template <class Real> struct Weights {
    const Real* W_xh;  // [G*H, I]
    const Real* W_hh;  // [G*H, k*R]
    const Real* b_xh;  // [G*H] or null
    const Real* b_hh;  // [G*H] or null
    const Real* W_hr;  // [P, H], only with a projection
};

// The kept arrays of a forward pass, all [T, B, ...] and contiguous; a training pass needs those its cell has.
//
//   cell              gates       saved                          c
//   rnn_*             - (h is it) -                              -
//   lstm              i f g o     m = o tanh(c), if P            c leaving the step
//   gru               r z n       h W_hn' + b_hn                 -
//   gru_reset_before  r z n       r * h_prev                     -
//
// Rows past a sequence's end are left as they are: of a long ragged batch that is much memory never touched.
template <class Real> struct Tape {
    Real* gates;  // [T, B, G, H]
    Real* saved;  // [T, B, H]
    Real* c;      // [T, B, H]
};

template <class Real> struct Forward {
    Shape shape;
    Weights<Real> weights;
    Rows<const Real> x;     // [T, B, I]
    const Real* h_0;        // [B, k*R]
    const Real* c_0;        // [B, H]
    Rows<Real> h;           // [T, B, R] out: the layer's output; zero past a sequence's end. Never null.
    Real* h_n;              // [B, k*R] out; must not alias h, may be h_0
    Real* c_n;              // [B, H] out
    Tape<Real> tape;        // out; all null for inference
    const void* packed;     // the weights as Passes::pack left them, or null: they are packed for this call
    Rows<const Index> ids;  // [T, B] or null
    const Real* table;      // [I, G*H]
    Kept* kept;             // where this call finds the panels of an earlier one and leaves its own, or null
};

// `tape_batch` is B, or 1: then x, h, h_0, c_0 and the tape have one row a step that all B rows of upstream
// gradients share, and weight gradients are sums over the B. Outputs are overwritten, but with `add` those of
// the weights and of a table are added to. Upstream gradients past a sequence's end are ignored; gradients
// there are zero. dh_0 may be dh_n itself, and dc_0 dc_n: a row without steps leaves them as they are.
//
// So a sequence may go back in stretches, the last that ran first, each over a tape of its own: dh_0 of one is
// dh_n of the next, and all but the first add. Where stretches begin a whole number of `block_steps` after the
// step that runs first of all, every gradient has the bits that one call would give.
template <class Real> struct Backward {
    Shape shape;
    Index tape_batch;
    Weights<Real> weights;
    Rows<const Real> x;
    const Real* h_0;
    const Real* c_0;
    Rows<const Real> h;
    Tape<const Real> tape;
    Rows<const Real> dh_out;  // [T, B, R] gradient of the loss with respect to the output
    const Real* dh_n;         // [B, k*R]
    const Real* dc_n;         // [B, H]
    Rows<Real> dx;            // [T, B, I] out
    Real* dW_xh;              // [G*H, I] out
    Real* dW_hh;              // [G*H, k*R] out
    Real* db_xh;              // [G*H] out
    Real* db_hh;              // [G*H] out
    Real* dW_hr;              // [P, H] out
    Real* dh_0;               // [B, k*R] out
    Real* dc_0;               // [B, H] out
    // For those who look inside; all [T, B, ...], contiguous, zero past the end.
    Real* dh;        // [T, B, R] out: dL/dh_t, from this step's output and from the future together
    Real* dh_carry;  // [T, B, R] out: the future's part of it
    Real* dc;        // [T, B, H] out: dL/dc_t in full
    Real* da;        // [T, B, G, H] out: gradient of x W_xh' + b_xh (the hidden half of a GRU's n is da_n * r)
    Rows<const Index> ids;  // [T, B] or null; one row a step where the tape has one
    Real* dtable;           // [I, G*H] out: the sum of da over the rows of each id
    bool add = false;       // to dW_xh, dW_hh, db_xh, db_hh, dW_hr and dtable as they are
};

// Steps whose rows the way back sums up together, from the shape alone; fewer where there are no more.
Index block_steps(Index B, Index H);

}  // namespace unrolled
