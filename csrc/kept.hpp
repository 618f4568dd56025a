// Packed weights that stay from call to call.
#pragma once

#include <cstddef>
#include <mutex>

#include "kernels.h"

namespace unrolled {

class Kept {
public:
    // All that decides how packed weights lie in memory.
    struct Content {
        int gates, stages, lanes, bytes;  // of the cell; and of a register, and of a number in it
        Index I, H, P, order;             // no I: no W_xh
    };

    Kept() = default;
    ~Kept();
    Kept(const Kept&) = delete;

    // The memory with what the last call with that content left there, all zero if that was another or none;
    // the caller's until it gives it back. Null where another call has it, or the system has none.
    void* take(const Content& content, std::size_t bytes);
    void give_back();
    std::size_t bytes() const { return bytes_; }

private:
    std::mutex in_use_;
    std::size_t bytes_ = 0;
    Content content_ = {};
    void* memory_ = nullptr;
};

// The memory of a `Kept` for one call; null without one.
class Keeping {
public:
    Keeping(Kept* kept, const Kept::Content& content, std::size_t bytes);
    ~Keeping();
    Keeping(const Keeping&) = delete;
    void* memory() const { return memory_; }

private:
    Kept* kept_;
    void* memory_;
};

}  // namespace unrolled
