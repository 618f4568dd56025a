// The door from Python: addresses in, nothing out. native.py says what each argument is; kernels.h what it
// means.
#include <nanobind/nanobind.h>

#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>

#include "dispatch.hpp"
#include "kept.hpp"

namespace nb = nanobind;

namespace unrolled {
namespace {

using Address = std::uintptr_t;

template <class T> T* at(Address address) { return reinterpret_cast<T*>(address); }

template <class Real>
Weights<Real> weights(Address W_xh, Address W_hh, Address b_xh, Address b_hh, Address W_hr) {
    return {at<const Real>(W_xh), at<const Real>(W_hh), at<const Real>(b_xh), at<const Real>(b_hh),
            at<const Real>(W_hr)};
}

// A cell and a dtype as one number, native.code.
struct Code {
    CellId cell;
    bool is_double;
    explicit Code(int code) : cell(CellId(code / 2)), is_double(code % 2) {
        if (code < 0 || code >= 2 * int(CellId::count))
            throw std::invalid_argument("native: no cell has that code");
    }
    // Calls f(Real()) with the dtype's type.
    template <class F> auto with_real(F f) const { return is_double ? f(double()) : f(float()); }
};

void forward(int code, int threads, Index T, Index B, Index I, Index H, Index P, int reverse, Address lengths,
             Address reset, Address W_xh, Address W_hh, Address b_xh, Address b_hh, Address W_hr, Address x,
             Index x_step, Index x_row, Address h_0, Address c_0, Address h, Index h_step, Index h_row,
             Address h_n, Address c_n, Address gates, Address saved, Address c, Address ids, Index ids_step,
             Index ids_row, Address table, Address kept, Address whole, Index order) {
    const Code which(code);
    Shape shape{T, B, I, H, P, reverse != 0, nullptr, nullptr, threads, at<const Index>(whole), order};
    shape.lengths = at<const Index>(lengths), shape.reset = at<const std::uint8_t>(reset);
    which.with_real([&](auto real) {
        using Real = decltype(real);
        const Forward<Real> f{shape,
                              weights<Real>(W_xh, W_hh, b_xh, b_hh, W_hr),
                              {at<const Real>(x), x_step, x_row},
                              at<const Real>(h_0),
                              at<const Real>(c_0),
                              {at<Real>(h), h_step, h_row},
                              at<Real>(h_n),
                              at<Real>(c_n),
                              {at<Real>(gates), at<Real>(saved), at<Real>(c)},
                              nullptr,
                              {at<const Index>(ids), ids_step, ids_row},
                              at<const Real>(table),
                              at<Kept>(kept)};
        passes<Real>(*isa().kernels, which.cell).forward(f);
    });
}

void backward(int code, int threads, Index T, Index B, Index I, Index H, Index P, int reverse, Address lengths,
              Address reset, Index tape_batch, Address W_xh, Address W_hh, Address b_xh, Address b_hh,
              Address W_hr, Address x, Index x_step, Index x_row, Address h_0, Address c_0, Address h,
              Index h_step, Index h_row, Address gates, Address saved, Address c, Address dh_out,
              Index dh_out_step, Index dh_out_row, Address dh_n, Address dc_n, Address dx, Index dx_step,
              Index dx_row, Address dW_xh, Address dW_hh, Address db_xh, Address db_hh, Address dW_hr,
              Address dh_0, Address dc_0, Address dh, Address dh_carry, Address dc, Address da, Address ids,
              Index ids_step, Index ids_row, Address dtable, Address whole, int add, Index order) {
    const Code which(code);
    Shape shape{T, B, I, H, P, reverse != 0, nullptr, nullptr, threads, at<const Index>(whole), order};
    shape.lengths = at<const Index>(lengths), shape.reset = at<const std::uint8_t>(reset);
    which.with_real([&](auto real) {
        using Real = decltype(real);
        const Backward<Real> f{shape,
                               tape_batch,
                               weights<Real>(W_xh, W_hh, b_xh, b_hh, W_hr),
                               {at<const Real>(x), x_step, x_row},
                               at<const Real>(h_0),
                               at<const Real>(c_0),
                               {at<const Real>(h), h_step, h_row},
                               {at<const Real>(gates), at<const Real>(saved), at<const Real>(c)},
                               {at<const Real>(dh_out), dh_out_step, dh_out_row},
                               at<const Real>(dh_n),
                               at<const Real>(dc_n),
                               {at<Real>(dx), dx_step, dx_row},
                               at<Real>(dW_xh),
                               at<Real>(dW_hh),
                               at<Real>(db_xh),
                               at<Real>(db_hh),
                               at<Real>(dW_hr),
                               at<Real>(dh_0),
                               at<Real>(dc_0),
                               at<Real>(dh),
                               at<Real>(dh_carry),
                               at<Real>(dc),
                               at<Real>(da),
                               {at<const Index>(ids), ids_step, ids_row},
                               at<Real>(dtable),
                               add != 0};
        passes<Real>(*isa().kernels, which.cell).backward(f);
    });
}

// Weights packed once, for a state that goes on from call to call.
class Stream {
public:
    Stream(int code, Index B, Index I, Index H, Index P, Index order, Address W_xh, Address W_hh, Address b_xh,
           Address b_hh, Address W_hr)
        : which_(code),
          shape_{0, B, I, H, P, false, nullptr, nullptr, 1, nullptr, order},
          kernels_(isa().kernels) {
        which_.with_real([&](auto real) {
            using Real = decltype(real);
            const auto w = weights<Real>(W_xh, W_hh, b_xh, b_hh, W_hr);
            const auto pack = passes<Real>(*kernels_, which_.cell).pack;
            packed_.reset(::operator new(pack(shape_, w, nullptr), kAlignment));
            pack(shape_, w, packed_.get());
        });
    }

    void forward(Index T, Address x, Index x_step, Index x_row, Address h, Index h_step, Index h_row,
                 Address h_state, Address c_state) const {
        run(T, x, x_step, x_row, h, h_step, h_row, h_state, c_state, 0, 0, 0, 0);
    }
    void look_up(Index T, Address ids, Index ids_step, Index ids_row, Address table, Address h, Index h_step,
                 Index h_row, Address h_state, Address c_state) const {
        run(T, 0, 0, 0, h, h_step, h_row, h_state, c_state, ids, ids_step, ids_row, table);
    }

private:
    static constexpr std::align_val_t kAlignment{64};
    struct Free {
        void operator()(void* memory) const { ::operator delete(memory, kAlignment); }
    };

    void run(Index T, Address x, Index x_step, Index x_row, Address h, Index h_step, Index h_row,
             Address h_state, Address c_state, Address ids, Index ids_step, Index ids_row,
             Address table) const {
        Shape shape = shape_;
        shape.T = T;
        which_.with_real([&](auto real) {
            using Real = decltype(real);
            const Forward<Real> f{shape,
                                  {},
                                  {at<const Real>(x), x_step, x_row},
                                  at<const Real>(h_state),
                                  at<const Real>(c_state),
                                  {at<Real>(h), h_step, h_row},
                                  at<Real>(h_state),
                                  at<Real>(c_state),
                                  {},
                                  packed_.get(),
                                  {at<const Index>(ids), ids_step, ids_row},
                                  at<const Real>(table),
                                  nullptr};
            passes<Real>(*kernels_, which_.cell).forward(f);
        });
    }

    Code which_;
    Shape shape_;
    const Kernels* kernels_;
    std::unique_ptr<void, Free> packed_;
};

}  // namespace
}  // namespace unrolled

NB_MODULE(_native, m) {
    using namespace unrolled;
    using Release = nb::call_guard<nb::gil_scoped_release>;
    m.def("forward", &unrolled::forward, Release());
    m.def("backward", &unrolled::backward, Release());
    m.def("block_steps", &unrolled::block_steps);
    m.def("isas", [] {
        nb::list names;
        int count;
        const Isa* all = isas(count);
        for (int i = 0; i < count; ++i) names.append(all[i].name);
        return names;
    });
    m.def("isa", [] { return isa().name; });
    m.def("set_isa", [](const char* name) {
        if (!set_isa(name))
            throw std::invalid_argument("native.set_isa: this machine has no such instruction set");
    });
    nb::class_<Kept>(m, "Kept")
        .def(nb::init<>())
        .def("address", [](Kept& kept) { return reinterpret_cast<unrolled::Address>(&kept); })
        .def("bytes", &Kept::bytes);
    nb::class_<Stream>(m, "Stream")
        .def(nb::init<int, Index, Index, Index, Index, Index, Address, Address, Address, Address, Address>(),
             Release())
        .def("forward", &Stream::forward, Release())
        .def("look_up", &Stream::look_up, Release());
}
