/*
 * One cache directory and several processes. The program starts itself: as "writer" it commits and finds the same keys as
 * its siblings, as "holder" it begins a file and waits to be killed, as "reader" it maps one and waits.
 */
#include "cache_support.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 3
#define KEYS 24u
#define FILE_BYTES 5000u
#define SELF "/proc/self/exe"

/* ---- in a child: exit codes, no cmocka ---- */

static void demand(bool truth, int code) {
    if (!truth) _exit(code);
}

static void child_key(unsigned i, struct shf_cache_key *key) {
    char name[16];
    const char *const parts[] = {"test", name};
    (void)snprintf(name, sizeof name, "key-%u", i);
    demand(shf_cache_key_make(parts, 2, key, NULL) == SHF_OK, 10);
}

/* Content follows from the key, so that everybody knows what must be found. */
static bool is_content_of(const struct shf_buf *buf, unsigned i) {
    if (buf->size != FILE_BYTES) return false;
    for (size_t at = 0; at < buf->size; at++) {
        if (buf->data[at] != (uint8_t)(i * 7 + at)) return false;
    }
    return true;
}

static struct shf_mapped_file child_put(struct shf_disk_cache *cache, unsigned i) {
    uint8_t bytes[FILE_BYTES];
    struct shf_cache_writer writer;
    struct shf_cache_key key;
    struct shf_mapped_file file = {0};
    for (size_t at = 0; at < sizeof bytes; at++) bytes[at] = (uint8_t)(i * 7 + at);
    child_key(i, &key);
    demand(shf_disk_cache_begin(cache, &writer, NULL) == SHF_OK, 11);
    demand(shf_fs_write(writer.fd, bytes, sizeof bytes, 0) == 0, 12);
    demand(shf_disk_cache_commit(&writer, &key, "shard", &file, NULL) == SHF_OK, 13);
    demand(is_content_of(file.buf, i), 14);
    return file;
}

static void be_writer(struct shf_disk_cache *cache) {
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < KEYS; i++) {
            struct shf_cache_key key;
            struct shf_mapped_file file = {0};
            bool found = false;
            child_key(i, &key);
            demand(shf_disk_cache_find(cache, &key, "shard", &found, &file, NULL) == SHF_OK, 15);
            if (found) demand(is_content_of(file.buf, i), 16);
            if (!found) file = child_put(cache, i);
            shf_buf_release(file.buf);
        }
    }
}

static void tell_and_wait(void) {
    demand(write(STDOUT_FILENO, "r", 1) == 1, 17);
    for (;;) (void)pause();
}

static int be_child(const char *role, const char *path, uint64_t max_bytes) {
    shf_runtime *runtime = NULL;
    struct shf_disk_cache *cache = NULL;
    struct shf_cache_writer writer;
    demand(shf_runtime_new(NULL, &runtime) == SHF_OK, 20);
    demand(shf_disk_cache_open(runtime, path, max_bytes, &cache, NULL) == SHF_OK, 21);
    if (strcmp(role, "writer") == 0) be_writer(cache);
    if (strcmp(role, "holder") == 0) {
        demand(shf_disk_cache_begin(cache, &writer, NULL) == SHF_OK, 22);
        demand(shf_fs_write(writer.fd, "half", 4, 0) == 0, 23);
        tell_and_wait();
    }
    if (strcmp(role, "reader") == 0) {
        struct shf_mapped_file file = child_put(cache, 0);
        tell_and_wait();
        shf_buf_release(file.buf);
    }
    shf_disk_cache_release(cache);
    return shf_runtime_free(runtime) == SHF_OK ? 0 : 24;
}

/* ---- in the parent ---- */

/* The child's standard output comes back through *output when it is wanted. */
static pid_t start_child(const char *role, const char *path, uint64_t max_bytes, int *output) {
    char cap[32];
    int ends[2] = {-1, -1};
    pid_t child;
    posix_spawn_file_actions_t actions;
    (void)snprintf(cap, sizeof cap, "%llu", (unsigned long long)max_bytes);
    char *const arguments[] = {(char *)SELF, (char *)role, (char *)path, cap, NULL};
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (output) {
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
        assert_int_equal(posix_spawn_file_actions_addclose(&actions, ends[0]), 0);
    }
    assert_int_equal(posix_spawn(&child, SELF, &actions, NULL, arguments, environ), 0);
    assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
    if (output) {
        assert_int_equal(close(ends[1]), 0);
        *output = ends[0];
    }
    return child;
}

static void wait_until_ready(int output) {
    char byte;
    struct pollfd entry = {.fd = output, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 20000), 1);
    assert_int_equal(read(output, &byte, 1), 1);
    assert_int_equal(close(output), 0);
}

static void expect_exit(pid_t child) {
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    if (!WIFEXITED(result) || WEXITSTATUS(result)) fail_msg("a child ended with %#x", (unsigned)result);
}

static void kill_child(pid_t child) {
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void expect_content(struct cache_test *t, unsigned i) {
    struct shf_mapped_file file = {0};
    char *name = support_path("key-%u", i);
    if (cache_find(t, name, &file)) {
        assert_true(is_content_of(file.buf, i));
        shf_buf_release(file.buf);
    } else {
        fail_msg("%s is gone", name);
    }
    free(name);
}

static void test_the_same_keys(void **state) {
    (void)state;
    struct cache_test t;
    pid_t children[WRITERS];
    cache_begin(&t, 0);
    for (int i = 0; i < WRITERS; i++) children[i] = start_child("writer", t.path, 0, NULL);
    for (int i = 0; i < WRITERS; i++) expect_exit(children[i]);
    for (unsigned i = 0; i < KEYS; i++) expect_content(&t, i);
    assert_int_equal(cache_count(&t, ""), 2 * KEYS + 1); /* with their records, and the lock: no temporary is left */
    cache_end(&t);
}

/* The same under a cap that all of them pass: whatever is found is right. */
static void test_the_same_keys_under_a_cap(void **state) {
    (void)state;
    const uint64_t cap = 8 * FILE_BYTES;
    struct cache_test t;
    pid_t children[WRITERS];
    cache_begin(&t, cap);
    for (int i = 0; i < WRITERS; i++) children[i] = start_child("writer", t.path, cap, NULL);
    for (int i = 0; i < WRITERS; i++) expect_exit(children[i]);
    assert_int_equal(cache_count(&t, "tmp-"), 0);
    assert_in_range(cache_count(&t, ""), 2 * 5, 2 * 13 + 1); /* each process may add a sixteenth before it looks */
    cache_end(&t);
}

static void test_a_killed_writer(void **state) {
    (void)state;
    struct cache_test t;
    struct shf_disk_cache *again = NULL;
    int output;
    cache_begin(&t, 0);
    pid_t child = start_child("holder", t.path, 0, &output);
    wait_until_ready(output);
    assert_int_equal(shf_disk_cache_open(t.runtime, t.path, 0, &again, NULL), SHF_OK);
    shf_disk_cache_release(again);
    assert_int_equal(cache_count(&t, "tmp-"), 1); /* it lives */
    kill_child(child);
    assert_int_equal(shf_disk_cache_open(t.runtime, t.path, 0, &again, NULL), SHF_OK);
    shf_disk_cache_release(again);
    assert_int_equal(cache_count(&t, "tmp-"), 0);
    cache_end(&t);
}

/* What another process maps is not evicted, until it ends. */
static void test_a_reader_elsewhere(void **state) {
    (void)state;
    struct cache_test t;
    uint8_t *bytes = support_pattern(FILE_BYTES, 1);
    int output;
    cache_begin(&t, FILE_BYTES);
    pid_t child = start_child("reader", t.path, 0, &output);
    wait_until_ready(output);
    char *path = cache_file_path(&t, "key-0", false);
    for (int i = 0; i < 4; i++) {
        char *name = support_path("other-%d", i);
        cache_put_only(&t, name, bytes, FILE_BYTES);
        free(name);
    }
    assert_int_equal(access(path, F_OK), 0);
    kill_child(child);
    cache_put_only(&t, "last", bytes, FILE_BYTES);
    cache_put_only(&t, "very-last", bytes, FILE_BYTES);
    assert_int_equal(access(path, F_OK), -1);
    free(path);
    free(bytes);
    cache_end(&t);
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_keys),
        cmocka_unit_test(test_the_same_keys_under_a_cap),
        cmocka_unit_test(test_a_killed_writer),
        cmocka_unit_test(test_a_reader_elsewhere),
    };
    if (count == 4) return be_child(arguments[1], arguments[2], strtoull(arguments[3], NULL, 10));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
