#include "pool.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>

#include "borrow.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace unrolled {
namespace {

// Long enough for a neighbour that is a few microseconds behind, short enough not to burn a core that others
// want.
constexpr int kSpins = 4000;

// Nanoseconds: more than waking a thread or a few page faults take; the shortest rest; and how often that may
// double.
constexpr std::int64_t kLate = 2'000'000, kRest = 10'000'000;
constexpr int kMostRests = 5;

constexpr std::int64_t kForEver = std::int64_t(1) << 62;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    __asm__ __volatile__("yield");
#endif
}

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// For how long the calling thread has had no core, from some fixed point on.
std::int64_t idle() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
    timespec worked;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &worked);
    return now() - (std::int64_t(worked.tv_sec) * 1'000'000'000 + worked.tv_nsec);
#else
    return now();  // unknown: all of it
#endif
}

// Spins while it is short, then lets others run; after `patience` nanoseconds more, calls late().
template <class Done, class Late> void wait_until(Done done, std::int64_t patience, Late late) {
    for (int i = 0; i < kSpins; ++i) {
        if (done()) return;
        pause();
    }
    const std::int64_t begun = now();
    while (!done()) {
        if (now() - begun >= patience) late();
        std::this_thread::yield();
    }
}
template <class Done> void wait_until(Done done) {
    wait_until(done, 0, [] {});
}

using Function = void (*)(const void*, Member&);

class Pool {
public:
    // How many threads the caller now holds, itself among them; more than one are given back by release.
    int acquire(int wanted) {
        if (wanted <= 1 || now() < crowded_until_.load(std::memory_order_relaxed) || !in_use_.try_lock())
            return 1;
        borrows_ = can_borrow(wanted);
        const int size = borrows_ ? wanted : start(wanted - 1) + 1;
        if (size == 1) in_use_.unlock();
        return size;
    }
    void release() { in_use_.unlock(); }

    void run(int size, Function function, const void* work) {
        Team team(size);
        function_ = function, work_ = work, team_ = &team;
        const std::int64_t begun = now();
        const auto part = [](void* pool, int number) { static_cast<Pool*>(pool)->take_part(number); };
        if (!borrows_ || !on_borrowed(size, part, this)) {
            if (start(size - 1) + 1 < size)
                throw std::runtime_error("native: the system gives no more threads");
            wake(size - 1);
            take_part(0);
            wait_until([&] { return running_.load(std::memory_order_acquire) == 0; });
        }
        // A helper that makes the caller wait as long as the work itself took has no core of its own.
        const std::int64_t waited = now() - done_;
        if (team.parted() || (waited > kLate && waited > done_ - begun)) rest();
        else rests_ = 0;
    }

private:
    void take_part(int number) {
        Member me(*team_, number);
        function_(work_, me);
        if (number == 0) done_ = now();
    }

    void wake(int helpers) {
        running_.store(helpers, std::memory_order_relaxed);
        {
            std::lock_guard<std::mutex> lock(sleep_);
            const std::uint64_t number = (call_.load(std::memory_order_relaxed) >> 16) + 1;
            call_.store(number << 16 | std::uint64_t(helpers), std::memory_order_release);
        }
        if (asleep_.load(std::memory_order_acquire) > 0) wake_.notify_all();
    }

    // Late once is chance. Late again and again means that other work wants the cores: calls do with one thread
    // for a while, twice as long every time.
    void rest() {
        if (rests_ > 0) crowded_until_.store(now() + (kRest << (rests_ - 1)), std::memory_order_relaxed);
        if (rests_ < kMostRests) ++rests_;
    }

    // As many helpers as asked for, or as many as the system gives.
    int start(int wanted) {
        while (started_ < wanted) {
            try {
                const std::uint64_t seen = call_.load(std::memory_order_relaxed);
                std::thread([this, number = started_ + 1, seen] { serve(number, seen); }).detach();
            } catch (const std::exception&) {  // no thread, or no memory for one
                break;
            }
            ++started_;
        }
        return wanted < started_ ? wanted : started_;
    }

    void serve(int number, std::uint64_t seen) {
        for (;;) {
            for (int i = 0; i < kSpins && call_.load(std::memory_order_acquire) == seen; ++i) pause();
            if (call_.load(std::memory_order_acquire) == seen) {
                std::unique_lock<std::mutex> lock(sleep_);
                asleep_.fetch_add(1, std::memory_order_acq_rel);
                wake_.wait(lock, [&] { return call_.load(std::memory_order_acquire) != seen; });
                asleep_.fetch_sub(1, std::memory_order_acq_rel);
            }
            seen = call_.load(std::memory_order_acquire);
            if (number > int(seen & 0xffff)) continue;
            take_part(number);
            running_.fetch_sub(1, std::memory_order_acq_rel);
        }
    }

    std::mutex in_use_, sleep_;
    std::condition_variable wake_;
    std::atomic<std::uint64_t> call_{0};  // the number of the call, and in the low 16 bits its helpers
    std::atomic<int> running_{0}, asleep_{0};
    std::atomic<std::int64_t> crowded_until_{0};
    int started_ = 0, rests_ = 0;
    bool borrows_ = false;
    std::int64_t done_ = 0;  // when the caller had finished its own part
    Function function_ = nullptr;
    const void* work_ = nullptr;
    Team* team_ = nullptr;
};

// Never destroyed: its threads outlive main. A forked child has none of them and begins a pool of its own.
Pool* pool = new Pool;
#if defined(__unix__) || defined(__APPLE__)
const int renewed_after_fork = pthread_atfork(nullptr, nullptr, [] { pool = new Pool; });
#endif

constexpr std::size_t kKept = std::size_t(64) << 20;
constexpr std::size_t kAlignment = 64;

void* aligned(std::size_t bytes) {
    void* const data = ::operator new(bytes, std::align_val_t(kAlignment));
    expect_writes(data, bytes);
    return data;
}
void release(void* data) { ::operator delete(data, std::align_val_t(kAlignment)); }

struct Kept {
    void* data = nullptr;
    std::size_t bytes = 0;
    bool in_use = false;
    ~Kept() { release(data); }
};
thread_local Kept kept;

}  // namespace

void Member::arrive(std::int64_t patience) {
    if (count == 1) return;
    const unsigned round = team_.round_.load(std::memory_order_relaxed);
    if (team_.waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
        team_.waiting_.store(0, std::memory_order_relaxed);
        // The last to come decides for all, so that all know the same.
        team_.parted_ = team_.late_.exchange(false, std::memory_order_relaxed) && went_without_core();
        team_.round_.store(round + 1, std::memory_order_release);
    } else {
        wait_until([&] { return team_.round_.load(std::memory_order_acquire) != round; }, patience,
                   [&] { team_.late_.store(true, std::memory_order_relaxed); });
    }
}

Member::Member(Team& team, int number)
    : number(number), count(team.size_), team_(team), met_(now()), idle_(idle()) {}

// Half of the time that made it late, and not working.
bool Member::went_without_core() {
    const std::int64_t before = idle_;
    idle_ = idle();
    return 2 * (idle_ - before) >= now() - met_;
}

void Member::meet() {
    arrive(kForEver);
    met_ = now();
}

bool Member::meet_or_part() {
    if (count == 1) return true;
    arrive(kLate + 2 * (now() - met_));
    met_ = now();
    if (!team_.parted_) return true;
    count = 1;
    return number == 0;
}

void expect_writes(void* data, std::size_t bytes) {
#if defined(__linux__)
    constexpr std::uintptr_t page = std::uintptr_t(2) << 20;
    const std::uintptr_t begin = (reinterpret_cast<std::uintptr_t>(data) + page - 1) / page * page;
    const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(data) + bytes) / page * page;
    // Advice only: where the system has no large pages, nothing is lost.
    if (data && end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
    (void)data, (void)bytes;
#endif
}

Threads::Threads(int wanted) : size_(pool->acquire(wanted)) {}
Threads::~Threads() {
    if (size_ > 1) pool->release();
}
void Threads::run(Function function, const void* work) const {
    if (size_ > 1) return pool->run(size_, function, work);
    Team alone(1);
    Member caller(alone, 0);
    function(work, caller);
}

Scratch::Scratch(std::size_t bytes) : kept_(bytes <= kKept && !kept.in_use) {
    if (!kept_) {
        data_ = aligned(bytes);
        return;
    }
    if (kept.bytes < bytes) {
        release(kept.data);
        kept.data = nullptr, kept.bytes = 0;
        kept.data = aligned(bytes);
        kept.bytes = bytes;
    }
    kept.in_use = true;
    data_ = kept.data;
}
Scratch::~Scratch() {
    if (kept_) kept.in_use = false;
    else release(data_);
}

}  // namespace unrolled
