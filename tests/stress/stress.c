#include "stress/stress.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed;

/* ---- numbers ---- */

bool stress_is_full(void) {
    const char *full = getenv("SHF_STRESS_FULL");
    return full && *full && strcmp(full, "0") != 0;
}

unsigned stress_scale(unsigned full, unsigned normal, unsigned sanitized) {
    if (stress_is_full()) return full;
    return STRESS_SANITIZER ? sanitized : normal;
}

/* ---- randomness: splitmix64 ---- */

uint64_t stress_random_next(struct stress_random *random) {
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned stress_random_below(struct stress_random *random, unsigned limit) {
    return (unsigned)((stress_random_next(random) >> 32) * limit >> 32);
}

uint64_t stress_mix(uint64_t a, uint64_t b, uint64_t c) {
    struct stress_random random = {a};
    random.state = stress_random_next(&random) ^ b;
    random.state = stress_random_next(&random) ^ c;
    return stress_random_next(&random);
}

struct stress_random stress_random_stream(uint64_t number) {
    return (struct stress_random){stress_mix(seed, number, 1)};
}

void stress_choose_seed(void) {
    char text[32];
    const char *given = getenv("SHF_STRESS_SEED");
    if (given && *given) {
        seed = strtoull(given, NULL, 0);
    } else if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        seed = (uint64_t)stress_now_ms();
    } else {
        seed &= 0xffffffff; /* easier to type */
    }
    (void)snprintf(text, sizeof text, "%" PRIu64, seed);
    (void)setenv("SHF_STRESS_SEED", text, 1);
}

/* ---- demands ---- */

void stress_fail(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "%s:%d: ", file, line);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\nSHF_STRESS_SEED=%" PRIu64 "%s\n", seed, stress_is_full() ? " SHF_STRESS_FULL=1" : "");
    va_end(arguments);
    (void)fflush(NULL);
    abort();
}

void stress_require_status(const char *file, int line, const char *what, shf_status status, shf_status wanted) {
    if (status == wanted) return;
    stress_fail(file, line, "%s gave %d (%s), wanted is %d", what, status, shf_status_text(status), wanted);
}

void stress_require_success(const char *file, int line, const shf_op *op) {
    if (!op) stress_fail(file, line, "there is no operation");
    if (shf_op_status(op)) stress_fail(file, line, "%s", shf_error_message(shf_op_error(op)));
}

/* ---- scenarios ---- */

static bool is_chosen(int argc, char **argv, const char *name) {
    if (argc < 2) return true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) return true;
    }
    return false;
}

int stress_main(int argc, char **argv, const struct stress_scenario *scenarios, size_t count) {
    stress_choose_seed();
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* so that no child prints what the parent had buffered */
    printf("SHF_STRESS_SEED=%" PRIu64 "%s\n", seed, stress_is_full() ? " SHF_STRESS_FULL=1" : "");
    for (size_t i = 0; i < count; i++) {
        if (!is_chosen(argc, argv, scenarios[i].name)) continue;
        int64_t began = stress_now_ms();
        scenarios[i].run();
        printf("%s: passed in %.1f s\n", scenarios[i].name, (double)(stress_now_ms() - began) / 1000);
    }
    return 0;
}

/* ---- this process ---- */

static unsigned count_names(const char *path) {
    unsigned count = 0;
    struct dirent *entry;
    DIR *names = opendir(path);
    REQUIRE(names);
    while ((entry = readdir(names)) != NULL) count += entry->d_name[0] != '.';
    (void)closedir(names);
    return count;
}

unsigned stress_fd_count(void) { return count_names("/proc/self/fd") - 1; /* but for the listing's own */ }
unsigned stress_thread_count(void) { return count_names("/proc/self/task"); }

uint64_t stress_rss_anonymous_bytes(void) {
    char line[256];
    unsigned long long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    REQUIRE(status);
    while (fgets(line, sizeof line, status)) {
        if (sscanf(line, "RssAnon: %llu kB", &kilobytes) == 1) break;
    }
    (void)fclose(status);
    REQUIRE(kilobytes > 0);
    return (uint64_t)kilobytes * 1024;
}

int64_t stress_now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void stress_nap_us(unsigned us) {
    (void)nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

/* ---- the library ---- */

static void print_log(void *context, int level, const char *message) {
    (void)context;
    if (level <= SHF_LOG_ERROR) (void)fprintf(stderr, "library: %s\n", message);
}

shf_runtime *stress_runtime(uint32_t workers, uint32_t max_inflight_ops, uint64_t budget_bytes) {
    shf_runtime_options options;
    shf_runtime *runtime = NULL;
    SHF_INIT(&options);
    options.worker_threads = workers;
    options.max_inflight_ops = max_inflight_ops;
    options.memory_budget_bytes = budget_bytes;
    options.log = print_log;
    REQUIRE_STATUS(shf_runtime_new(&options, &runtime), SHF_OK);
    return runtime;
}

void stress_wait_until_idle(shf_runtime *runtime) {
    shf_runtime_stats stats;
    for (int64_t end = stress_now_ms() + 10000;;) {
        SHF_INIT(&stats);
        REQUIRE_STATUS(shf_runtime_stats_get(runtime, &stats), SHF_OK);
        if (!stats.inflight_ops && !stats.budget_used_bytes && !stats.mapped_bytes) return;
        if (stress_now_ms() > end) break;
        stress_nap_us(500);
    }
    stress_fail(__FILE__, __LINE__, "still held: %u operations, %llu bytes of the budget, %llu mapped bytes",
                stats.inflight_ops, (unsigned long long)stats.budget_used_bytes, (unsigned long long)stats.mapped_bytes);
}

void stress_runtime_end(shf_runtime *runtime) {
    stress_wait_until_idle(runtime);
    REQUIRE_STATUS(shf_runtime_free(runtime), SHF_OK);
}

shf_reader *stress_open(shf_runtime *runtime, const shf_reader_options *options) {
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    (void)shf_open_sync(runtime, options, 0, &op);
    REQUIRE_SUCCESS(op);
    REQUIRE_STATUS(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    return reader;
}

void stress_close(shf_reader *reader) {
    shf_op *op = NULL;
    REQUIRE_STATUS(shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    shf_reader_release(reader);
}
