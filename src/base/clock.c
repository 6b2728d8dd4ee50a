#include "base/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static int64_t system_monotonic_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t system_wall_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool system_random_bytes(void *out, size_t size) {
    uint8_t *p = out;
    while (size) {
        ssize_t got = getrandom(p, size, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        p += got;
        size -= (size_t)got;
    }
    return true;
}

static struct shf_clock_seam clock_seam = {system_monotonic_ns, system_wall_us, system_random_bytes};

void shf_clock_set_seam(const struct shf_clock_seam *seam) {
    clock_seam.monotonic_ns = seam && seam->monotonic_ns ? seam->monotonic_ns : system_monotonic_ns;
    clock_seam.wall_us = seam && seam->wall_us ? seam->wall_us : system_wall_us;
    clock_seam.random_bytes = seam && seam->random_bytes ? seam->random_bytes : system_random_bytes;
}

int64_t shf_clock_monotonic_ns(void) { return clock_seam.monotonic_ns(); }
int64_t shf_clock_wall_us(void) { return clock_seam.wall_us(); }
bool shf_random_bytes(void *out, size_t size) { return clock_seam.random_bytes(out, size); }

int64_t shf_deadline_after_ms(int64_t timeout_ms) {
    if (timeout_ms < 0) return SHF_DEADLINE_NONE;
    int64_t span, deadline;
    if (__builtin_mul_overflow(timeout_ms, (int64_t)1000000, &span)) return SHF_DEADLINE_NONE;
    if (__builtin_add_overflow(shf_clock_monotonic_ns(), span, &deadline)) return SHF_DEADLINE_NONE;
    return deadline;
}

int64_t shf_deadline_left_ms(int64_t deadline_ns) {
    if (deadline_ns == SHF_DEADLINE_NONE) return INT64_MAX;
    int64_t left = deadline_ns - shf_clock_monotonic_ns();
    return left <= 0 ? 0 : (left - 1) / 1000000 + 1;
}
