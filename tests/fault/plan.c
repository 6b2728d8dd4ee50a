#include "fault/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_RUN_SECONDS 120 /* of one run; a hang, even under a sanitizer on a busy machine */
#define MOST_MORE_SITES 1000u
#define MOST_COMPLAINTS 100u /* printed */

static struct {
    bool is_exhaustive;
    uint64_t seed;
    const char *only;
    uint64_t sites, faults, errors, answers, complaints;
    char at[512];
} plan;

static void hang(int signal) {
    static const char text[] = "a run hangs: ";
    (void)signal;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    ignored = write(STDERR_FILENO, plan.at, strlen(plan.at));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    abort();
}

void plan_begin(void) {
    const char *exhaustive = getenv("SHF_FAULT_EXHAUSTIVE"), *seed = getenv("SHF_FAULT_SEED");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    memset(&plan, 0, sizeof plan);
    plan.is_exhaustive = exhaustive && strcmp(exhaustive, "1") == 0;
    plan.seed = seed && *seed ? strtoull(seed, NULL, 10) : (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    plan.only = getenv("SHF_FAULT_ONLY");
    if (plan.is_exhaustive) {
        print_message("every fault is injected\n");
    } else {
        print_message("a sample of the faults is injected: SHF_FAULT_SEED=%llu\n", (unsigned long long)plan.seed);
    }
    (void)signal(SIGALRM, hang);
}

void plan_end(const char *title) {
    (void)alarm(0);
    print_message("%s: %llu sites, %llu faults injected: %llu clean errors, %llu right answers\n", title,
                  (unsigned long long)plan.sites, (unsigned long long)plan.faults, (unsigned long long)plan.errors,
                  (unsigned long long)plan.answers);
}

bool plan_wants(const char *sweep) { return !plan.only || strstr(sweep, plan.only); }

void plan_at(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(plan.at, sizeof plan.at, format, arguments);
    va_end(arguments);
    (void)alarm(LONGEST_RUN_SECONDS);
}

void plan_fail(const char *format, ...) {
    char text[1500];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fail_msg("%s (SHF_FAULT_SEED=%llu): %s", plan.at, (unsigned long long)plan.seed, text);
    abort(); /* fail_msg jumps */
}

void plan_complain(const char *format, ...) {
    char text[1500];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (plan.complaints++ < MOST_COMPLAINTS) {
        print_error("%s (SHF_FAULT_SEED=%llu): %s\n", plan.at, (unsigned long long)plan.seed, text);
    }
}

void plan_assert(void) {
    if (plan.complaints) fail_msg("%llu outcomes are not right", (unsigned long long)plan.complaints);
}

void plan_count_site(uint64_t sites) { plan.sites += sites; }
void plan_count_answer(void) { plan.answers++; }
void plan_count_error(void) { plan.errors++; }
void plan_count_fault(void) { plan.faults++; }

/* ---- the sample: of the name and the seed alone, so that one sweep can be run again without the others ---- */

static uint64_t mix(uint64_t value) { /* splitmix64 */
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t start_of(const char *name) {
    uint64_t value = plan.seed;
    for (; *name; name++) value = mix(value ^ (unsigned char)*name);
    return value;
}

/* One of each of `samples` parts of equal length, so that they lie apart. */
static uint32_t pick(uint64_t start, uint32_t part, uint32_t count, uint32_t samples) {
    uint32_t first = (uint32_t)((uint64_t)part * count / samples),
             end = (uint32_t)((uint64_t)(part + 1) * count / samples);
    return first + (uint32_t)(mix(start + part) % (end - first));
}

bool plan_picks(const char *name, uint32_t index, uint32_t count, uint32_t samples) {
    uint64_t start = start_of(name);
    if (plan.is_exhaustive || samples >= count) return true;
    for (uint32_t part = 0; part < samples; part++) {
        if (pick(start, part, count, samples) == index) return true;
    }
    return false;
}

void plan_sweep(const char *name, uint32_t sites, uint32_t samples, plan_run *run, void *context) {
    uint64_t start = start_of(name);
    if (plan.is_exhaustive || samples >= sites) {
        uint32_t ordinal = 1;
        while (run(context, ordinal)) {
            if (++ordinal > sites + MOST_MORE_SITES) plan_fail("%s: there is no end to it", name);
        }
        return;
    }
    for (uint32_t part = 0; part < samples; part++) (void)run(context, 1 + pick(start, part, sites, samples));
}
