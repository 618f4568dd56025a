// One case in one instruction set, compared with what the reference gave.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "cases.hpp"
#include "dispatch.hpp"
#include "kept.hpp"

namespace unrolled {

inline std::atomic<int> failures{0}, checks{0};

inline void fail(const Case& c, const std::string& where, const std::string& what) {
    ++failures;
    std::printf("FAILED %s: %s: %s\n", c.name.c_str(), where.c_str(), what.c_str());
}

template <class Real> class Examination {
public:
    // With `looks_up` the input comes as ids and a table, in place of rows and their weights.
    Examination(const Case& c, const Isa& isa, bool looks_up)
        : c_(c),
          isa_(isa),
          looks_up_(looks_up),
          passes_(passes<Real>(*isa.kernels, CellId(c["cell"]))),
          T_(c["T"]),
          B_(c["B"]),
          I_(looks_up ? c["N"] : c["I"]),
          H_(c["H"]),
          P_(c["P"]),
          R_(P_ ? P_ : H_),
          kR_(c["order"] * R_),
          G_(c["G"]),
          layout_(Layout(c["layout"])) {
        if (looks_up_) ids_ = placed<Index>("ids", 1);
        else x_ = placed<Real>("x", I_);
        weights_ = {in("W_xh"), in("W_hh"), in("b_xh"), in("b_hh"), in("W_hr")};
        h_ = placed<Real>("h", R_), dh_out_ = placed<Real>("dh_out", R_);
    }

    void run() {
        for (const bool train : {true, false}) {
            repeat(train ? "training" : "inference", [&](int threads) { return forward(threads, train); });
        }
        const auto everything = [](const std::string&) { return true; };
        const auto some = [&](const std::string& name) { return c_.number.count("wanted " + name) > 0; };
        repeat("backward", [&](int threads) { return backward(threads, everything); });
        repeat("backward of some", [&](int threads) { return backward(threads, some); });
        repeat("backward, adding", [&](int threads) { return backward(threads, everything, true); });
        if (!c_["reverse"] && !c_.get<Index>("lengths") && !c_.get<char>("reset") && T_ * B_ > 2) steps();
        if (T_ * B_ < 50) keeping();
        volatile Real tiny = std::numeric_limits<Real>::min();
        tiny = tiny / 4;
        if (!(tiny > 0)) fail(c_, isa_.name, "the caller's denormals are not back");
    }

    // The weights as a stream has them.
    struct Free {
        void operator()(void* memory) const { ::operator delete(memory, std::align_val_t(64)); }
    };
    using Packed = std::unique_ptr<void, Free>;
    Packed pack() const {
        Packed memory(::operator new(passes_.pack(shape(1), weights_, nullptr), std::align_val_t(64)));
        passes_.pack(shape(1), weights_, memory.get());
        return memory;
    }

    // One caller of several at the same layer: what they share gives the bits of a call that packs for itself.
    // With `edits` the weights are others whenever this caller comes.
    void share(Kept& kept, const void* packed, bool edits) {
        if (T_ * B_ >= 50) return;
        const Results before = forward(1, false);
        packed_ = packed;
        same("packed weights of all callers", forward(1, false), before);
        packed_ = nullptr;
        std::vector<Real> edited(weights_.W_hh, weights_.W_hh + G_ * H_ * kR_);
        if (edits) weights_.W_hh = edited.data();
        for (int threads = 1; threads <= 3; ++threads) {
            for (Real& w : edited) w = -w;
            const Results fresh = forward(1, false);
            kept_ = &kept;
            same("kept weights of all callers", forward(threads, false), fresh);
            kept_ = nullptr;
        }
    }

private:
    using Results = std::map<std::string, std::vector<Real>>;

    Shape shape(int threads) const {
        Shape s{T_, B_, I_, H_, P_, c_["reverse"] != 0, nullptr, nullptr, threads};
        s.lengths = c_.get<Index>("lengths"), s.reset = c_.get<std::uint8_t>("reset");
        s.order = c_["order"];
        return s;
    }
    const Real* in(const std::string& name) const { return given(name) ? c_.get<Real>(name) : nullptr; }
    // What stands for the input: the one or the other.
    bool given(const std::string& name) const {
        if (name == "x" || name == "W_xh" || name == "b_xh") return !looks_up_;
        return name != "table" || looks_up_;
    }

    // An input in the layout of the case, in memory of its own.
    template <class T> struct Placed {
        std::vector<T> memory;
        Rows<const T> rows{};
    };
    template <class T> Placed<T> placed(const char* name, Index features) const {
        const T* const from = c_.get<T>(name);
        if (!from) return {};
        Placed<T> p;
        const Index B = std::string(name) == "dh_out" ? B_ : c_["tape_batch"];
        p.memory.assign(std::size_t(T_ * B * features * (layout_ == half ? 2 : 1)),
                        std::numeric_limits<T>::has_quiet_NaN ? std::numeric_limits<T>::quiet_NaN() : T(-1));
        const Rows<T> to = rows_of(p.memory.data(), T_, B, features, layout_);
        for (Index t = 0; t < T_; ++t)
            for (Index b = 0; b < B; ++b)
                std::memcpy(to.at(t, b), from + (t * B + b) * features, std::size_t(features) * sizeof(T));
        p.rows = {to.data, to.step, to.row};
        return p;
    }

    bool expected(const std::string& name) const {
        return c_.array.count("=" + name) > 0 && given(name[0] == 'd' ? name.substr(1) : name);
    }

    Results forward(int threads, bool train) {
        Outputs<Real> out;
        const auto flat = [&](const char* name, Index n) {
            return expected(name) ? out.flat(name, n) : nullptr;
        };
        const Rows<Real> h = out.rows("h", T_, B_, R_, layout_);
        Forward<Real> f{};
        f.shape = shape(threads), f.weights = weights_, f.x = x_.rows, f.h_0 = in("h_0"), f.c_0 = in("c_0");
        f.h = h, f.h_n = flat("h_n", B_ * kR_), f.c_n = flat("c_n", B_ * H_);
        f.ids = ids_.rows, f.table = in("table");
        f.kept = kept_, f.packed = packed_;
        if (train)
            f.tape = {flat("gates", T_ * B_ * G_ * H_), flat("saved", T_ * B_ * H_), flat("c", T_ * B_ * H_)};
        passes_.forward(f);
        return taken(out, "forward");
    }

    template <class Wanted> Results backward(int threads, Wanted wanted, bool add = false) {
        Outputs<Real> out;
        const auto flat = [&](const char* name, Index n) {
            return expected(name) && wanted(name) ? out.flat(name, n) : nullptr;
        };
        // What may be added to begins at 1, and that is taken off again.
        std::vector<std::string> added;
        const auto sum = [&](const char* name, Index n) {
            Real* const to = flat(name, n);
            if (add && to) std::fill(to, to + n, Real(1)), added.emplace_back(name);
            return to;
        };
        Backward<Real> f{};
        f.shape = shape(threads), f.tape_batch = c_["tape_batch"], f.weights = weights_;
        f.x = x_.rows, f.h_0 = in("h_0"), f.c_0 = in("c_0"), f.h = h_.rows;
        f.tape = {in("gates"), in("saved"), in("c")};
        f.dh_out = dh_out_.rows, f.dh_n = in("dh_n"), f.dc_n = in("dc_n");
        f.ids = ids_.rows;
        f.add = add;
        if (looks_up_) f.dtable = sum("dtable", I_ * G_ * H_);
        else if (wanted("dx")) f.dx = out.rows("dx", T_, B_, I_, layout_);
        f.dW_xh = sum("dW_xh", G_ * H_ * I_), f.dW_hh = sum("dW_hh", G_ * H_ * kR_);
        f.db_xh = sum("db_xh", G_ * H_), f.db_hh = sum("db_hh", G_ * H_), f.dW_hr = sum("dW_hr", P_ * H_);
        f.dh_0 = flat("dh_0", B_ * kR_), f.dc_0 = flat("dc_0", B_ * H_);
        f.dh = flat("dh", T_ * B_ * R_), f.dh_carry = flat("dh_carry", T_ * B_ * R_);
        f.dc = flat("dc", T_ * B_ * H_), f.da = flat("da", T_ * B_ * G_ * H_);
        passes_.backward(f);
        Results results = taken(out, "backward");
        for (const std::string& name : added)
            for (Real& value : results[name]) value -= 1;
        return results;
    }

    template <class T> static Rows<const T> later(const Rows<const T>& rows, Index t) {
        return {rows ? rows.at(t, 0) : nullptr, rows.step, rows.row};
    }

    Results taken(Outputs<Real>& out, const char* way) const {
        if (!out.unravel()) fail(c_, where(way), "written beside an array");
        return out.all();
    }

    // The same on 1 to 3 threads: close to the truth, and the same bits.
    template <class Call> void repeat(const std::string& way, Call call) {
        const Results one = call(1);
        for (const auto& [name, values] : one) compare(way, name, values);
        for (const int threads : {2, 3})
            same(way + " on " + std::to_string(threads) + " threads", call(threads), one);
    }

    std::string where(const std::string& way) const {
        return std::string(isa_.name) + (looks_up_ ? " looking up " : " ") + way;
    }

    void compare(const std::string& way, const std::string& name, const std::vector<Real>& values) const {
        const double* const truth = c_.get<double>("=" + name);
        double scale = 1, worst = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (std::abs(truth[i]) > scale) scale = std::abs(truth[i]);
            const double error = std::abs(double(values[i]) - truth[i]);
            if (std::isnan(truth[i]) != std::isnan(double(values[i]))) worst = HUGE_VAL;
            else if (error > worst) worst = error;
        }
        ++checks;
        const double limit = double(c_["limit * 1e18"]) * 1e-18;
        if (worst > limit * scale)
            fail(c_, where(way), name + " is off by " + std::to_string(worst / scale / limit) + " limits");
    }

    void same(const std::string& way, const Results& ours, const Results& theirs) const {
        for (const auto& [name, values] : theirs) {
            const auto& other = ours.at(name);
            ++checks;
            if (std::memcmp(values.data(), other.data(), values.size() * sizeof(Real)))
                fail(c_, where(way), name + " has other bits");
        }
    }

    // Weights packed once, and a step at a time: the bits of the whole.
    void steps() {
        const Packed packed = pack();
        std::vector<Real> h_state(std::size_t(B_ * kR_)), c_state(std::size_t(B_ * H_));
        if (in("h_0")) h_state.assign(in("h_0"), in("h_0") + B_ * kR_);
        if (in("c_0")) c_state.assign(in("c_0"), in("c_0") + B_ * H_);
        Outputs<Real> out;
        const Rows<Real> h = out.rows("h", T_, B_, R_, layout_);
        const bool has_c = expected("c_n");
        Forward<Real> f{};
        f.shape = shape(1), f.shape.T = 1, f.table = in("table"), f.packed = packed.get();
        f.h_0 = f.h_n = h_state.data();
        if (has_c) f.c_0 = f.c_n = c_state.data();
        for (Index t = 0; t < T_; ++t) {
            f.x = later(x_.rows, t), f.ids = later(ids_.rows, t), f.h = {h.at(t, 0), h.step, h.row};
            passes_.forward(f);
        }
        Results stepped = taken(out, "steps");
        stepped["h_n"] = h_state;
        if (has_c) stepped["c_n"] = c_state;
        same("steps", stepped, forward(1, false));
    }

    // Packed weights that stay from call to call: the bits of a call that packs, whatever became of them.
    void keeping() {
        const Weights<Real> before = weights_;
        Kept kept;
        int threads = 1;
        const auto check = [&](const std::string& after) {
            const Results fresh = forward(1, false);
            kept_ = &kept, threads = 3 - threads;
            same("kept weights after " + after, forward(threads, false), fresh);
            kept_ = nullptr;
        };
        const auto edit = [&](const Real*& W, Index n) {
            if (!W) return;
            std::vector<Real> edited(W, W + n);
            W = edited.data();
            for (Real& w : edited) w = -w;
            check("a change of sign");
            edited.back() += 1;
            check("a change of one number");
            weights_ = before;
        };
        check("nothing");
        edit(weights_.W_xh, G_ * H_ * I_), edit(weights_.W_hh, G_ * H_ * kR_), edit(weights_.W_hr, P_ * H_);
        edit(weights_.b_xh, G_ * H_), edit(weights_.b_hh, G_ * H_);
        check("changes undone");
    }

    const Case& c_;
    const Isa& isa_;
    const bool looks_up_;
    const Passes<Real>& passes_;
    const Index T_, B_, I_, H_, P_, R_, kR_, G_;
    const Layout layout_;
    Weights<Real> weights_;
    Kept* kept_ = nullptr;
    const void* packed_ = nullptr;
    Placed<Real> x_, h_, dh_out_;
    Placed<Index> ids_;
};

}  // namespace unrolled
