#include "dispatch.hpp"

#include <atomic>
#include <cstring>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace unrolled {
namespace baseline {
extern const Kernels kernels;
}
#if defined(UNROLLED_HAVE_AVX2)
namespace avx2 {
extern const Kernels kernels;
}
#endif
#if defined(UNROLLED_HAVE_AVX512)
namespace avx512 {
extern const Kernels kernels;
}
#endif

namespace {

#if defined(__GNUC__) && defined(__x86_64__)
bool runs_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool runs_avx512() {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}
#elif defined(_MSC_VER) && defined(_M_X64)
// Bits of CPUID leaf 7; the operating system must also save the registers (XCR0).
bool has(int bit_of_ebx, unsigned long long saved) {
    int leaf[4];
    __cpuid(leaf, 1);
    if (!(leaf[2] & (1 << 27)) || !(leaf[2] & (1 << 12)) || (_xgetbv(0) & saved) != saved) return false;
    __cpuidex(leaf, 7, 0);
    return leaf[1] & (1 << bit_of_ebx);
}
bool runs_avx2() { return has(5, 0x6); }
bool runs_avx512() { return runs_avx2() && has(16, 0xe6) && has(17, 0xe6) && has(30, 0xe6) && has(31, 0xe6); }
#endif

struct Table {
    Isa entry[3];
    int count = 0;
    Table() {
        entry[count++] = {"baseline", &baseline::kernels};
#if defined(UNROLLED_HAVE_AVX2)
        if (runs_avx2()) entry[count++] = {"avx2", &avx2::kernels};
#endif
#if defined(UNROLLED_HAVE_AVX512)
        if (runs_avx512()) entry[count++] = {"avx512", &avx512::kernels};
#endif
    }
};
const Table& table() {
    static const Table t;
    return t;
}
std::atomic<int> chosen{-1};

}  // namespace

const Isa* isas(int& count) {
    count = table().count;
    return table().entry;
}
const Isa& isa() {
    const int choice = chosen.load(std::memory_order_relaxed);
    return table().entry[choice < 0 ? table().count - 1 : choice];
}
bool set_isa(const char* name) {
    for (int i = 0; i < table().count; ++i)
        if (std::strcmp(table().entry[i].name, name) == 0) {
            chosen.store(i, std::memory_order_relaxed);
            return true;
        }
    return false;
}

}  // namespace unrolled
