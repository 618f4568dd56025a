#include "borrow.hpp"

#if defined(__linux__)
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#endif

namespace unrolled {

#if defined(__linux__)
namespace {

// The part of libgomp's interface that every program compiled by GCC calls; LLVM's and Intel's runtimes have it
// too.
struct Runtime {
    void (*parallel)(void (*)(void*), void*, unsigned, unsigned);
    int (*thread_number)();
    int (*team_size)();
    int (*in_parallel)();
    int (*dynamic)();
    int (*thread_limit)();
    int (*levels)();

    bool find() {
        return look_up(parallel, "GOMP_parallel") && look_up(thread_number, "omp_get_thread_num") &&
               look_up(team_size, "omp_get_num_threads") && look_up(in_parallel, "omp_in_parallel") &&
               look_up(dynamic, "omp_get_dynamic") && look_up(thread_limit, "omp_get_thread_limit") &&
               look_up(levels, "omp_get_max_active_levels");
    }

private:
    template <class F> static bool look_up(F& function, const char* name) {
        function = reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name));
        return function != nullptr;
    }
};

// Looked up until it is there: the core may be imported before torch is.
const Runtime* runtime() {
    static std::atomic<const Runtime*> found{nullptr};
    if (const Runtime* r = found.load(std::memory_order_acquire)) return r;
    Runtime here;
    if (!here.find()) return nullptr;
    const Runtime* mine = new Runtime(here);
    const Runtime* none = nullptr;
    if (found.compare_exchange_strong(none, mine, std::memory_order_acq_rel)) return mine;
    delete mine;
    return none;
}

// A forked child has the runtime's memory but none of its threads, and would wait for them for ever.
std::atomic<bool> forked{false};
const int remembered_after_fork = pthread_atfork(nullptr, nullptr, [] { forked.store(true); });

struct Job {
    int threads;
    void (*work)(void*, int);
    void* context;
    const Runtime* runtime;
    std::atomic<bool> all_came;
};

}  // namespace

bool can_borrow(int threads) {
    const Runtime* r = forked.load(std::memory_order_relaxed) ? nullptr : runtime();
    // Inside somebody's parallel region, where none may be opened, or with a team that may shrink, not all of
    // them would come, and the others would wait for ever.
    return r && !r->in_parallel() && r->levels() > 0 && !r->dynamic() && r->thread_limit() >= threads;
}

bool on_borrowed(int threads, void (*work)(void*, int), void* context) {
    Job job{threads, work, context, runtime(), {true}};
    job.runtime->parallel(
        [](void* p) {
            Job& j = *static_cast<Job*>(p);
            if (j.runtime->team_size() == j.threads) j.work(j.context, j.runtime->thread_number());
            else j.all_came.store(false, std::memory_order_relaxed);
        },
        &job, unsigned(threads), 0);
    return job.all_came.load(std::memory_order_relaxed);
}
#else
bool can_borrow(int) { return false; }
bool on_borrowed(int, void (*)(void*, int), void*) { return false; }
#endif

}  // namespace unrolled
