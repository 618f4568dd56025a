// Threads that wait for work: started once, woken for a call, asleep again soon after it.
#pragma once

#include <atomic>
#include <cstddef>

namespace unrolled {

// The threads of one call, the calling one being number 0.
class Team {
public:
    explicit Team(int size) : size_(size) {}
    int size() const { return size_; }
    // Returns once all have come. What any thread wrote before, every thread sees after.
    void barrier();

private:
    const int size_;
    std::atomic<int> waiting_{0};
    std::atomic<unsigned> round_{0};
};

// Threads held for one call. Where another call holds the pool, or the system gives none, they are fewer than
// asked for, perhaps the calling one alone.
class Threads {
public:
    explicit Threads(int wanted);
    ~Threads();
    Threads(const Threads&) = delete;
    int size() const { return size_; }

    // Runs work(team, member) on every thread, the calling one as member 0; returns when all are done.
    template <class Work> void run(const Work& work) const {
        run([](const void* w, Team& team, int member) { (*static_cast<const Work*>(w))(team, member); }, &work);
    }

private:
    using Function = void (*)(const void*, Team&, int);
    void run(Function function, const void* work) const;
    int size_;
};

// Memory of the calling thread for one call, aligned for any register. Kept for the next call while it is small.
class Scratch {
public:
    explicit Scratch(std::size_t bytes);
    ~Scratch();
    Scratch(const Scratch&) = delete;
    void* data() const { return data_; }

private:
    void* data_;
    bool kept_;
};

}  // namespace unrolled
