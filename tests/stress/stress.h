/*
 * What the stress tests share: one seed for all randomness, numbers that depend on the mode, demands that any thread
 * and any child may make, and what the kernel says of this process.
 *
 *   SHF_STRESS_FULL=1   the full numbers (minutes); otherwise seconds, and less under a sanitizer
 *   SHF_STRESS_SEED=N   repeats a run; without it the seed is a new one, and printed
 */
#ifndef SHF_TESTS_STRESS_H
#define SHF_TESTS_STRESS_H

#include "integration/support.h"

#include <stdatomic.h>
#include <stdint.h>

#if defined(__SANITIZE_THREAD__)
#define STRESS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STRESS_THREAD_SANITIZER 1
#endif
#endif
#ifndef STRESS_THREAD_SANITIZER
#define STRESS_THREAD_SANITIZER 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define STRESS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STRESS_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef STRESS_ADDRESS_SANITIZER
#define STRESS_ADDRESS_SANITIZER 0
#endif

#define STRESS_SANITIZER (STRESS_THREAD_SANITIZER || STRESS_ADDRESS_SANITIZER)

/* ---- numbers ---- */

bool stress_is_full(void);
unsigned stress_scale(unsigned full, unsigned normal, unsigned sanitized);

/* ---- randomness ---- */

struct stress_random {
    uint64_t state;
};
/* Takes the seed from the environment, or chooses one and puts it there for children; stress_main does it. */
void stress_choose_seed(void);
/* Stream `number` of the seed: each thread has its own. */
struct stress_random stress_random_stream(uint64_t number);
uint64_t stress_random_next(struct stress_random *random);
/* 0 to limit - 1; limit > 0. */
unsigned stress_random_below(struct stress_random *random, unsigned limit);
/* A number that follows from its three arguments alone: contents of snapshots. */
uint64_t stress_mix(uint64_t a, uint64_t b, uint64_t c);

/* ---- demands: any thread, any process ---- */

void stress_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn, cold));
#define REQUIRE(truth)                                                                                                 \
    do {                                                                                                               \
        if (!(truth)) stress_fail(__FILE__, __LINE__, "%s", #truth);                                                   \
    } while (0)
#define REQUIRE_STATUS(call, wanted) stress_require_status(__FILE__, __LINE__, #call, (call), (wanted))
void stress_require_status(const char *file, int line, const char *what, shf_status status, shf_status wanted);
/* The operation must have succeeded; its error is printed otherwise. */
void stress_require_success(const char *file, int line, const shf_op *op);
#define REQUIRE_SUCCESS(op) stress_require_success(__FILE__, __LINE__, (op))

/* ---- scenarios ---- */

struct stress_scenario {
    const char *name;
    void (*run)(void);
};
/* Prints the seed, runs each (or just those whose names are arguments), prints how long each took. */
int stress_main(int argc, char **argv, const struct stress_scenario *scenarios, size_t count);

/* ---- this process ---- */

unsigned stress_fd_count(void);
unsigned stress_thread_count(void);
uint64_t stress_rss_anonymous_bytes(void);
int64_t stress_now_ms(void);
void stress_nap_us(unsigned us);

/* ---- the library ---- */

/* A runtime with defaults but for the numbers that are not 0. */
shf_runtime *stress_runtime(uint32_t workers, uint32_t max_inflight_ops, uint64_t budget_bytes);
/* Frees it; nothing may be held any more. What was cancelled may take a moment to give its budget back. */
void stress_runtime_end(shf_runtime *runtime);
/* Until that is so; fails after ten seconds. */
void stress_wait_until_idle(shf_runtime *runtime);
shf_reader *stress_open(shf_runtime *runtime, const shf_reader_options *options);
void stress_close(shf_reader *reader);

#endif
