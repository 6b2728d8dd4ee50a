/*
 * Two processes share a cache that is too small for what they open. One is killed at random moments, over and over; the other
 * verifies every answer all the while. At the end the cache holds valid entries, and nothing else.
 *
 * The program starts itself: `test_stress_processes child ROOT NUMBER` opens and checks until it is killed or told to stop.
 */
#include "stress/snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define VERIFIER 0u

extern char **environ;

static const struct stress_shape shape = {
    .snapshots = 4, .keys = 300, .vectors = 200, .dimension = 8, .queries = 2, .top_k = 5, .large_value_bytes = 8000};

static struct stress_prefix prefix;
static char *root, *cache;

/* ---- shared between the processes ---- */

enum moment { STARTING, OPENING, LOOKING_UP, CLOSING, MOMENTS };

struct shared {
    _Atomic uint64_t cap;         /* of the cache, in bytes */
    atomic_uint stop;             /* the verifier ends */
    atomic_uint moment;           /* of the one that is killed */
    atomic_uint verified, killed; /* rounds of each that were right */
    _Atomic uint64_t hits, misses;
};
static struct shared *shared;

static void map_shared(void) {
    char *path = support_path("%s/shared", root);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && ftruncate(fd, sizeof *shared) == 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(shared != MAP_FAILED);
    (void)close(fd);
    free(path);
}

/* ---- opening ---- */

static shf_reader *open_snapshot(shf_runtime *runtime, unsigned snapshot, uint32_t flags) {
    shf_reader_options options = stress_options(&prefix, cache);
    options.flags = SHF_OPEN_PRIVATE_COPY | flags;
    options.manifest_ref = prefix.ref[snapshot];
    options.cache_max_bytes = shared->cap;
    return stress_open(runtime, &options);
}

static void set_moment(unsigned number, enum moment moment) {
    if (number != VERIFIER) atomic_store(&shared->moment, moment);
}

static void one_round(shf_runtime *runtime, struct stress_random *random, unsigned number) {
    unsigned snapshot = stress_random_below(random, shape.snapshots);
    set_moment(number, OPENING);
    shf_reader *reader = open_snapshot(runtime, snapshot, stress_random_below(random, 3) ? 0 : SHF_OPEN_LAZY);
    set_moment(number, LOOKING_UP);
    stress_require_serves(&prefix, reader, UINT32_C(1) << snapshot);
    set_moment(number, CLOSING);
    stress_close(reader);
}

static int be_child(char **argv) {
    unsigned number = (unsigned)strtoul(argv[3], NULL, 10);
    struct stress_random random = stress_random_stream(number);
    shf_runtime_stats stats;
    stress_choose_seed();
    root = argv[2];
    cache = support_path("%s/cache", root);
    map_shared();
    stress_prefix_know(&prefix, root, &shape);
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    while (!atomic_load(&shared->stop)) {
        one_round(runtime, &random, number);
        atomic_fetch_add(number == VERIFIER ? &shared->verified : &shared->killed, 1);
    }
    SHF_INIT(&stats);
    REQUIRE_STATUS(shf_runtime_stats_get(runtime, &stats), SHF_OK);
    shared->hits = stats.cache_hits;
    shared->misses = stats.cache_misses;
    stress_runtime_end(runtime);
    stress_prefix_free(&prefix);
    free(cache);
    return 0;
}

/* ---- the parent ---- */

static pid_t start(unsigned number) {
    char text[16];
    pid_t child = 0;
    (void)snprintf(text, sizeof text, "%u", number);
    char *const arguments[] = {strdup(SELF), strdup("child"), root, text, NULL};
    REQUIRE(posix_spawn(&child, SELF, NULL, NULL, arguments, environ) == 0);
    free(arguments[0]);
    free(arguments[1]);
    return child;
}

static int wait_for(pid_t child) {
    int result = 0;
    while (waitpid(child, &result, 0) < 0) REQUIRE(errno == EINTR);
    return result;
}

static uint64_t snapshot_bytes(const char *directory) {
    uint64_t sum = 0;
    char *path = support_path("%s/shards", directory);
    for (int i = 0; i < (int)STRESS_SHARDS; i++) {
        char *file = support_find_file(path, "shard.db", i);
        struct stat facts;
        REQUIRE(stat(file, &facts) == 0);
        sum += (uint64_t)facts.st_size;
        free(file);
    }
    free(path);
    return sum;
}

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), tail = strlen(end);
    return size >= tail && strcmp(text + size - tail, end) == 0;
}

/* Pairs of data and record, the lock, and nothing else. */
static uint64_t require_tidy(unsigned *entries) {
    uint64_t bytes = 0;
    struct dirent *entry;
    DIR *names = opendir(cache);
    REQUIRE(names);
    *entries = 0;
    while ((entry = readdir(names)) != NULL) {
        struct stat facts, partner;
        const char *name = entry->d_name;
        if (name[0] == '.' || strcmp(name, "lock") == 0) continue;
        bool is_record = ends_with(name, ".record");
        char *path = support_path("%s/%s", cache, name), *other = support_path("%s.record", path);
        if (is_record) path[strlen(path) - strlen(".record")] = '\0'; /* its data */
        if (strncmp(name, "tmp-", 4) == 0) stress_fail(__FILE__, __LINE__, "left behind: %s", name);
        if (stat(path, &facts) != 0 || (!is_record && stat(other, &partner) != 0)) {
            stress_fail(__FILE__, __LINE__, "alone: %s", name);
        }
        if (!is_record) bytes += (uint64_t)facts.st_size;
        *entries += !is_record;
        free(path);
        free(other);
    }
    (void)closedir(names);
    return bytes;
}

/* Opens every snapshot once more, so that there is something to commit and the directory is measured; then looks. */
static void look_at_what_is_left(uint64_t one) {
    unsigned entries;
    shf_runtime_stats before, after;
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    for (unsigned i = 0; i < 2 * shape.snapshots; i++) {
        shf_reader *reader = open_snapshot(runtime, i % shape.snapshots, 0);
        stress_require_serves(&prefix, reader, UINT32_C(1) << i % shape.snapshots);
        stress_close(reader);
        stress_wait_until_idle(runtime);
    }
    uint64_t bytes = require_tidy(&entries);
    printf("  left: %u entries of %" PRIu64 " bytes in all, cap %" PRIu64 "\n", entries, bytes, shared->cap);
    REQUIRE(bytes <= shared->cap + shared->cap / 16 + one);
    SHF_INIT(&before);
    SHF_INIT(&after);
    REQUIRE_STATUS(shf_runtime_stats_get(runtime, &before), SHF_OK);
    shf_reader *reader = open_snapshot(runtime, shape.snapshots - 1, 0); /* what is there is good */
    REQUIRE_STATUS(shf_runtime_stats_get(runtime, &after), SHF_OK);
    stress_require_serves(&prefix, reader, UINT32_C(1) << (shape.snapshots - 1));
    REQUIRE(after.cache_hits - before.cache_hits >= STRESS_SHARDS && after.cache_misses == before.cache_misses);
    stress_close(reader);
    stress_runtime_end(runtime);
}

static void one_of_two_is_killed(void) {
    unsigned kills = stress_scale(200, 40, 20), moments[MOMENTS] = {0}, longest_us = STRESS_SANITIZER ? 120000 : 50000;
    struct stress_random random = stress_random_stream(77);
    uint64_t one = snapshot_bytes(prefix.path);
    shared->cap = one * 2; /* of shards; their vectors come on top */
    pid_t verifier = start(VERIFIER);
    for (unsigned i = 0; i < kills; i++) {
        atomic_store(&shared->moment, STARTING);
        pid_t victim = start(VERIFIER + 1 + i);
        while (atomic_load(&shared->moment) == STARTING && waitpid(victim, NULL, WNOHANG) == 0) stress_nap_us(200);
        stress_nap_us(stress_random_below(&random, longest_us));
        REQUIRE(kill(victim, SIGKILL) == 0);
        int result = wait_for(victim);
        REQUIRE(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
        moments[atomic_load(&shared->moment)]++;
    }
    atomic_store(&shared->stop, 1);
    int result = wait_for(verifier);
    REQUIRE(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    printf("  %u kills: %u while opening, %u while looking up, %u while closing\n", kills, moments[OPENING],
           moments[LOOKING_UP], moments[CLOSING]);
    printf("  verified %u opens (%" PRIu64 " shards found, %" PRIu64 " copied) beside %u of those killed\n",
           shared->verified, shared->hits, shared->misses, shared->killed);
    REQUIRE(moments[OPENING] > 0 && shared->verified > 0 && shared->misses > 2 * STRESS_SHARDS * shape.snapshots);
    look_at_what_is_left(one);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {{"one-of-two-is-killed", one_of_two_is_killed}};
    if (argc == 4 && strcmp(argv[1], "child") == 0) return be_child(argv);
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    map_shared();
    stress_prefix_make(&prefix, root, &shape);
    int result = stress_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
    stress_prefix_free(&prefix);
    support_remove_tree(root);
    free(root);
    free(cache);
    return result;
}
