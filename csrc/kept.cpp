#include "kept.hpp"

#include <cstring>
#include <new>

namespace unrolled {
namespace {

constexpr std::align_val_t kAlignment{64};

bool same(const Kept::Content& a, const Kept::Content& b) {
    return a.gates == b.gates && a.stages == b.stages && a.lanes == b.lanes && a.bytes == b.bytes &&
           a.I == b.I && a.H == b.H && a.P == b.P && a.order == b.order;
}

}  // namespace

Kept::~Kept() { ::operator delete(memory_, kAlignment); }

void* Kept::take(const Content& content, std::size_t bytes) {
    if (!in_use_.try_lock()) return nullptr;
    if (memory_ && same(content, content_)) return memory_;
    ::operator delete(memory_, kAlignment);
    memory_ = ::operator new(bytes, kAlignment, std::nothrow);
    bytes_ = memory_ ? bytes : 0;
    if (!memory_) {
        in_use_.unlock();
        return nullptr;
    }
    std::memset(memory_, 0, bytes);
    content_ = content;
    return memory_;
}

void Kept::give_back() { in_use_.unlock(); }

Keeping::Keeping(Kept* kept, const Kept::Content& content, std::size_t bytes)
    : kept_(kept), memory_(kept ? kept->take(content, bytes) : nullptr) {}
Keeping::~Keeping() {
    if (memory_) kept_->give_back();
}

}  // namespace unrolled
