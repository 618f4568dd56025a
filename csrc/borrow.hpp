// Threads that the process already has.
//
// torch computes on an OpenMP runtime, whose idle threads spin for milliseconds after every operation. Threads
// of our own would share the cores with them: on two cores a call right after one of torch's took two to four
// times as long. So where somebody has brought such a runtime into the process, its threads are borrowed.
// Nothing here is compiled with OpenMP or linked to it, and without it the pool starts threads of its own.
#pragma once

namespace unrolled {

// Whether `threads` threads can be borrowed by the calling thread now, all of them.
bool can_borrow(int threads);

// Runs work(context, number) on so many borrowed threads, the calling one as number 0; returns when all are
// done. False where fewer came than were promised: then nothing has run.
bool on_borrowed(int threads, void (*work)(void*, int), void* context);

}  // namespace unrolled
