// The core's own test, without Python: runs the cases of a file (see export.py) in every instruction set of
// this build and on 1 to 3 threads, from several threads at once, and compares with what the reference gave.
//
//     harness FILE [CALLERS]
//
// Every array is a piece of heap of exactly its size, so that a sanitizer sees each step beside it. Outputs
// begin as NaN: what is not written shows, and what must be left alone must still be NaN.
#include <cstdlib>
#include <thread>

#include "examination.hpp"

namespace {

using namespace unrolled;

// Calls f with an examination of every case in every way, beginning with the case at `first`.
template <class F> void each(const std::vector<Case>& cases, std::size_t first, F f) {
    int count;
    const Isa* const all = isas(count);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const Case& c = cases[(first + i) % cases.size()];
        for (int k = 0; k < count; ++k) {
            for (const bool looks_up : {false, true}) {
                if (c["is_double"]) f(Examination<double>(c, all[k], looks_up));
                else f(Examination<float>(c, all[k], looks_up));
            }
        }
    }
}

// Calls f(number) in so many threads at once.
template <class F> void at_once(int callers, F f) {
    std::vector<std::thread> threads;
    for (int i = 0; i < callers; ++i) threads.emplace_back(f, i);
    for (std::thread& thread : threads) thread.join();
}

// All callers at the same layer: they share what is kept of its weights, or the weights that are packed for a
// stream.
void share(const std::vector<Case>& cases, int callers) {
    each(cases, 0, [&](const auto& examination) {
        Kept kept;
        const auto packed = examination.pack();
        at_once(callers, [&](int number) {
            auto own = examination;
            own.share(kept, packed.get(), number % 2 == 1);
        });
    });
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return std::puts("usage: harness FILE [CALLERS]"), 2;
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // what was said before a crash is not lost
    const std::vector<Case> cases = Reader(argv[1]).cases();
    const int callers = argc > 2 ? std::atoi(argv[2]) : 1;
    at_once(callers, [&](int number) {
        const std::size_t first = std::size_t(number) * cases.size() / std::size_t(callers);
        each(cases, first, [](auto examination) { examination.run(); });
    });
    if (callers > 1) share(cases, callers);
    int count;
    const Isa* const all = isas(count);
    std::printf("%zu cases, %d comparisons,", cases.size(), checks.load());
    for (int k = 0; k < count; ++k) std::printf(" %s", all[k].name);
    std::printf(", %d at once: %d failed\n", callers, failures.load());
    return failures != 0 || checks == 0;
}
