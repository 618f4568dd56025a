// The core's own test, without Python: runs the cases of a file (see export.py) in every instruction set of
// this build and on 1 to 3 threads, from several threads at once, and compares with what the reference gave.
//
//     harness FILE [CALLERS]
//
// Every array is a piece of heap of exactly its size, so that a sanitizer sees each step beside it. Outputs
// begin as NaN: what is not written shows, and what must be left alone must still be NaN.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "dispatch.hpp"
#include "kept.hpp"

namespace {

using namespace unrolled;

// --- the file ----------------------------------------------------------------------------------------------

struct Case {
    std::string name;
    std::map<std::string, Index> number;
    std::map<std::string, std::vector<char>> array;  // as it lies in memory; truth in double under "=name"

    Index operator[](const char* key) const { return number.at(key); }
    template <class T> const T* get(const std::string& key) const {
        const auto found = array.find(key);
        return found == array.end() ? nullptr : reinterpret_cast<const T*>(found->second.data());
    }
};

class Reader {
public:
    explicit Reader(const char* path) : file_(path, std::ios::binary) {
        if (!file_) throw std::runtime_error(std::string("cannot read ") + path);
    }
    std::vector<Case> cases() {
        std::vector<Case> all(static_cast<std::size_t>(integer()));
        for (Case& c : all) {
            c.name = text();
            for (Index n = integer(); n > 0; --n) {
                const std::string key = text();
                c.number[key] = integer();
            }
            for (Index n = integer(); n > 0; --n) {
                const std::string key = text();
                c.array[key] = bytes();
            }
        }
        return all;
    }

private:
    Index integer() {
        Index value;
        file_.read(reinterpret_cast<char*>(&value), sizeof value);
        if (!file_) throw std::runtime_error("the file of cases is cut short");
        return value;
    }
    std::vector<char> bytes() {
        std::vector<char> data(static_cast<std::size_t>(integer()));
        file_.read(data.data(), std::streamsize(data.size()));
        return data;
    }
    std::string text() {
        const std::vector<char> data = bytes();
        return {data.begin(), data.end()};
    }
    std::ifstream file_;
};

// --- what a call writes --------------------------------------------------------------------------------------

enum Layout { plain, batch_first, half };  // half: beside another direction's features

// [T, B, features] in one of the layouts.
template <class Real> Rows<Real> rows_of(Real* data, Index T, Index B, Index features, Layout layout) {
    if (layout == batch_first) return {data, features, T * features};
    if (layout == half) return {data + features, B * 2 * features, 2 * features};
    return {data, B * features, features};
}

// A call's outputs by name, and the numbers in them apart from their layout.
template <class Real> class Outputs {
public:
    Real* flat(const std::string& name, Index n) {
        return (memory_[name] = std::vector<Real>(std::size_t(n), kNothing)).data();
    }
    Rows<Real> rows(const std::string& name, Index T, Index B, Index features, Layout layout) {
        Real* const data = flat(name, T * B * features * (layout == half ? 2 : 1));
        return strided_[name] = {rows_of(data, T, B, features, layout), T, B, features}, strided_[name].rows;
    }
    // Takes the strided arrays out of their layout; false where anything beside them was written.
    bool unravel() {
        for (const auto& [name, s] : strided_) {
            std::vector<Real> values;
            for (Index t = 0; t < s.T; ++t)
                for (Index b = 0; b < s.B; ++b)
                    for (Index k = 0; k < s.features; ++k) {
                        values.push_back(s.rows.at(t, b)[k]);
                        s.rows.at(t, b)[k] = kNothing;
                    }
            for (const Real rest : memory_[name])
                if (!std::isnan(rest)) return false;
            memory_[name] = values;
        }
        strided_.clear();
        return true;
    }
    const std::map<std::string, std::vector<Real>>& all() const { return memory_; }

private:
    static constexpr Real kNothing = std::numeric_limits<Real>::quiet_NaN();
    struct Strided {
        Rows<Real> rows;
        Index T, B, features;
    };
    std::map<std::string, std::vector<Real>> memory_;
    std::map<std::string, Strided> strided_;
};

// --- one case ------------------------------------------------------------------------------------------------

std::atomic<int> failures{0}, checks{0};

void fail(const Case& c, const std::string& where, const std::string& what) {
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
        repeat("backward",
               [&](int threads) { return backward(threads, [](const std::string&) { return true; }); });
        repeat("backward of some", [&](int threads) {
            return backward(threads,
                            [&](const std::string& name) { return c_.number.count("wanted " + name) > 0; });
        });
        if (!c_["reverse"] && !c_.get<Index>("lengths") && !c_.get<char>("reset") && T_ * B_ > 2) steps();
        if (T_ * B_ < 50) keeping();
        volatile Real tiny = std::numeric_limits<Real>::min();
        tiny = tiny / 4;
        if (!(tiny > 0)) fail(c_, isa_.name, "the caller's denormals are not back");
    }

private:
    using Results = std::map<std::string, std::vector<Real>>;

    Shape shape(int threads) const {
        Shape s{T_, B_, I_, H_, P_, c_["reverse"] != 0};
        s.lengths = c_.get<Index>("lengths"), s.reset = c_.get<std::uint8_t>("reset");
        s.threads = threads, s.order = c_["order"];
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
        f.ids = ids_.rows, f.table = in("table"), f.kept = kept_;
        if (train)
            f.tape = {flat("gates", T_ * B_ * G_ * H_), flat("saved", T_ * B_ * H_), flat("c", T_ * B_ * H_)};
        passes_.forward(f);
        return taken(out, "forward");
    }

    template <class Wanted> Results backward(int threads, Wanted wanted) {
        Outputs<Real> out;
        const auto flat = [&](const char* name, Index n) {
            return expected(name) && wanted(name) ? out.flat(name, n) : nullptr;
        };
        Backward<Real> f{};
        f.shape = shape(threads), f.tape_batch = c_["tape_batch"], f.weights = weights_;
        f.x = x_.rows, f.h_0 = in("h_0"), f.c_0 = in("c_0"), f.h = h_.rows;
        f.tape = {in("gates"), in("saved"), in("c")};
        f.dh_out = dh_out_.rows, f.dh_n = in("dh_n"), f.dc_n = in("dc_n");
        f.ids = ids_.rows;
        if (looks_up_) f.dtable = flat("dtable", I_ * G_ * H_);
        else if (wanted("dx")) f.dx = out.rows("dx", T_, B_, I_, layout_);
        f.dW_xh = flat("dW_xh", G_ * H_ * I_), f.dW_hh = flat("dW_hh", G_ * H_ * kR_);
        f.db_xh = flat("db_xh", G_ * H_), f.db_hh = flat("db_hh", G_ * H_), f.dW_hr = flat("dW_hr", P_ * H_);
        f.dh_0 = flat("dh_0", B_ * kR_), f.dc_0 = flat("dc_0", B_ * H_);
        f.dh = flat("dh", T_ * B_ * R_), f.dh_carry = flat("dh_carry", T_ * B_ * R_);
        f.dc = flat("dc", T_ * B_ * H_), f.da = flat("da", T_ * B_ * G_ * H_);
        passes_.backward(f);
        return taken(out, "backward");
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
        constexpr std::align_val_t aligned{64};
        void* const packed = ::operator new(passes_.pack(shape(1), weights_, nullptr), aligned);
        passes_.pack(shape(1), weights_, packed);
        std::vector<Real> h_state(std::size_t(B_ * kR_)), c_state(std::size_t(B_ * H_));
        if (in("h_0")) h_state.assign(in("h_0"), in("h_0") + B_ * kR_);
        if (in("c_0")) c_state.assign(in("c_0"), in("c_0") + B_ * H_);
        Outputs<Real> out;
        const Rows<Real> h = out.rows("h", T_, B_, R_, layout_);
        const bool has_c = expected("c_n");
        Forward<Real> f{};
        f.shape = shape(1), f.shape.T = 1, f.table = in("table"), f.packed = packed;
        f.h_0 = f.h_n = h_state.data();
        if (has_c) f.c_0 = f.c_n = c_state.data();
        for (Index t = 0; t < T_; ++t) {
            f.x = later(x_.rows, t), f.ids = later(ids_.rows, t), f.h = {h.at(t, 0), h.step, h.row};
            passes_.forward(f);
        }
        ::operator delete(packed, aligned);
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
    Placed<Real> x_, h_, dh_out_;
    Placed<Index> ids_;
};

// All cases, beginning with another one in every caller.
void examine(const std::vector<Case>& cases, std::size_t first) {
    int count;
    const Isa* const all = isas(count);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const Case& c = cases[(first + i) % cases.size()];
        for (int k = 0; k < count; ++k) {
            for (const bool looks_up : {false, true}) {
                if (c["is_double"]) Examination<double>(c, all[k], looks_up).run();
                else Examination<float>(c, all[k], looks_up).run();
            }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return std::puts("usage: harness FILE [CALLERS]"), 2;
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // what was said before a crash is not lost
    const std::vector<Case> cases = Reader(argv[1]).cases();
    const int callers = argc > 2 ? std::atoi(argv[2]) : 1;
    std::vector<std::thread> threads;
    for (int i = 0; i < callers; ++i)
        threads.emplace_back(examine, std::cref(cases), std::size_t(i) * cases.size() / std::size_t(callers));
    for (std::thread& thread : threads) thread.join();
    int count;
    const Isa* const all = isas(count);
    std::printf("%zu cases, %d comparisons,", cases.size(), checks.load());
    for (int k = 0; k < count; ++k) std::printf(" %s", all[k].name);
    std::printf(", %d at once: %d failed\n", callers, failures.load());
    return failures != 0 || checks == 0;
}
