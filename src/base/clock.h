/* Time and randomness, behind seams that tests replace. */
#ifndef SHF_BASE_CLOCK_H
#define SHF_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shf_clock_seam {
    int64_t (*monotonic_ns)(void);
    int64_t (*wall_us)(void);                     /* microseconds since 1970 UTC */
    bool (*random_bytes)(void *out, size_t size); /* unpredictable; false when the system has none */
};
void shf_clock_set_seam(const struct shf_clock_seam *seam); /* NULL (members too) = the system's */

int64_t shf_clock_monotonic_ns(void);
int64_t shf_clock_wall_us(void);
bool shf_random_bytes(void *out, size_t size);

/* An absolute monotonic time; SHF_DEADLINE_NONE = never. */
#define SHF_DEADLINE_NONE INT64_MAX
int64_t shf_deadline_after_ms(int64_t timeout_ms); /* < 0 = none */
/* Milliseconds until the deadline: 0 when it is over, INT64_MAX when there is none. Rounded up. */
int64_t shf_deadline_left_ms(int64_t deadline_ns);
static inline bool shf_deadline_over(int64_t deadline_ns) {
    return deadline_ns != SHF_DEADLINE_NONE && shf_clock_monotonic_ns() >= deadline_ns;
}

#endif
