// No allocation per step: as many in a call of 1000 steps as in one of 10, in every cell, either way through
// time, however the threads divide it.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "dispatch.hpp"

namespace {

std::atomic<int> allocations{0};

void* counted(void* memory) {
    ++allocations;
    return memory ? memory : throw std::bad_alloc();
}

}  // namespace

// The other forms of new and delete come down to these.
void* operator new(std::size_t bytes) { return counted(std::malloc(bytes ? bytes : 1)); }
void* operator new(std::size_t bytes, std::align_val_t aligned) {
    const std::size_t grain = std::size_t(aligned);
    return counted(std::aligned_alloc(grain, (bytes + grain - 1) / grain * grain));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

using namespace unrolled;

constexpr Index kSteps = 1000, I = 3, H = 16, G = 4;  // the most gates of a cell

// A training pass, one for inference, and one back, of T steps of B sequences; how often they allocate.
class Calls {
public:
    Calls(CellId cell, Index B, bool ragged)
        : passes_(passes<float>(*isa().kernels, cell)), B_(B), lengths_(std::size_t(B)), ragged_(ragged) {}

    int count(Index T, int threads) {
        Shape shape{T, B_, I, H, 0, false, nullptr, nullptr, threads};
        for (Index b = 0; b < B_; ++b) lengths_[std::size_t(b)] = T - b;
        if (ragged_) shape.lengths = lengths_.data();
        const Weights<float> weights{at(0), at(1), at(2), at(3), nullptr};
        const Tape<float> tape{at(4), at(5), at(6)};
        const Rows<float> x{at(7), B_ * I, I}, h{at(8), B_ * H, H};
        Forward<float> f{};
        f.shape = shape, f.weights = weights, f.x = to_read(x), f.h = h, f.h_n = at(9), f.c_n = at(10);
        Backward<float> b{};
        b.shape = shape, b.tape_batch = B_, b.weights = weights, b.x = to_read(x), b.h = to_read(h);
        b.tape = {tape.gates, tape.saved, tape.c}, b.dh_out = to_read(h), b.dx = {at(11), B_ * I, I};
        b.dW_xh = at(12), b.dW_hh = at(13), b.db_xh = at(14), b.db_hh = at(15);
        const int before = allocations;
        passes_.forward(f);
        f.tape = tape;
        passes_.forward(f);
        passes_.backward(b);
        return allocations - before;
    }

private:
    // One of 16 arrays, each with room for the largest.
    float* at(std::size_t number) {
        const std::size_t room = std::size_t(kSteps * B_ * G * H);
        memory_.resize(16 * room);
        return memory_.data() + number * room;
    }

    const Passes<float>& passes_;
    const Index B_;
    std::vector<Index> lengths_;
    const bool ragged_;
    std::vector<float> memory_;
};

}  // namespace

int main() {
    struct {
        Index B;
        bool ragged;
    } const batches[] = {{1, false}, {3, false}, {3, true}};
    int failures = 0, checks = 0;
    for (int cell = 0; cell < int(CellId::count); ++cell)
        for (const auto& batch : batches)
            for (const int threads : {1, 2}) {
                Calls calls(CellId(cell), batch.B, batch.ragged);
                calls.count(kSteps, threads);  // threads start, and scratch memory stays
                const int few = calls.count(10, threads), many = calls.count(kSteps, threads);
                ++checks;
                if (few == many) continue;
                ++failures;
                std::printf("FAILED cell %d, B=%d, %d threads: %d allocations in 10 steps, %d in 1000\n", cell,
                            int(batch.B), threads, few, many);
            }
    std::printf("%d counts of allocations: %d failed\n", checks, failures);
    return failures != 0 || checks == 0;
}
