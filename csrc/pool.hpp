// Threads that wait for work: borrowed from the process, or started once, woken for a call, and asleep again
// soon after it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace unrolled {

// What the threads of one call share.
class Team {
public:
    explicit Team(int size) : size_(size) {}
    bool parted() const { return parted_; }

private:
    friend class Member;
    const int size_;
    std::atomic<int> waiting_{0};
    std::atomic<unsigned> round_{0};
    std::atomic<bool> late_{false};
    bool parted_ = false;
};

// A thread's place in its team; number 0 is the calling thread.
class Member {
public:
    Member(Team& team, int number);
    const int number;
    int count;  // members still at work together

    // Returns once all have come. What any member wrote before, every member sees after.
    void meet();

    // The same where a member whose core is busy with other work would cost the others a time slice each time.
    // If one is late, the team parts for good: member 0 goes on alone (its count is then 1), and the others are
    // told false: leave. Late is who had no core for three times as long as the waiting member worked, and for
    // as long as waking a thread takes; who was busy all the while, say with page faults, is not.
    bool meet_or_part();

private:
    void arrive(std::int64_t patience);
    bool went_without_core();
    Team& team_;
    std::int64_t met_;   // when this member last met the others
    std::int64_t idle_;  // what it had gone without a core by then
};

// Threads held for one call. Where the cores are wanted by others, another call holds the pool, or the system
// gives none, they are fewer than asked for, perhaps the calling one alone.
class Threads {
public:
    explicit Threads(int wanted);
    ~Threads();
    Threads(const Threads&) = delete;
    int size() const { return size_; }

    // Runs work(member) on every thread, the calling one as member 0; returns when all are done.
    template <class Work> void run(const Work& work) const {
        run([](const void* w, Member& me) { (*static_cast<const Work*>(w))(me); }, &work);
    }

private:
    using Function = void (*)(const void*, Member&);
    void run(Function function, const void* work) const;
    int size_;
};

// Memory of the calling thread for one call, aligned for any register. Kept for the next call while it is
// small.
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

// Asks for large pages behind memory that is about to be written for the first time: with small ones, the
// faults of a tape of some tens of megabytes cost as much as its arithmetic. Does nothing for little memory.
void expect_writes(void* data, std::size_t bytes);

}  // namespace unrolled
