/*
 * Processes that share a cache directory, and processes that are killed while they fill it. The test starts itself again
 * as `test_s3_kill ENDPOINT CACHE`, which opens the sample and checks every answer.
 */
#include "integration/s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS 20
#define TOGETHER 3
#define BYTES_A_SECOND 20000000 /* a shard takes 0.1 seconds */
#define DOWNLOAD_MS 110

extern char **environ;
static const char *self;

/* ---- the child ---- */

/* 0 when every answer is exact. Credentials come in the environment. */
static int run_child(const char *endpoint, const char *cache) {
    shf_runtime *runtime = NULL;
    shf_reader_options options;
    shf_s3_options s3;
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    SHF_INIT(&options);
    SHF_INIT(&s3);
    s3.endpoint_url = endpoint;
    options.url = S3_SAMPLE_URL;
    options.local_root = cache;
    options.s3 = &s3;
    if (!s3_sample_load() || shf_runtime_new(NULL, &runtime)) return 3;
    shf_status status = shf_open_sync(runtime, &options, 0, &op);
    if (status) (void)fprintf(stderr, "%s\n", shf_error_message(shf_op_error(op)));
    bool ok = !status && shf_op_take_reader(op, &reader) == SHF_OK && s3_sample_is_exact(reader);
    shf_op_release(op);
    op = NULL;
    if (reader) (void)shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op);
    shf_op_release(op);
    shf_reader_release(reader);
    s3_sample_free();
    return ok && shf_runtime_free(runtime) == SHF_OK ? 0 : 4;
}

static pid_t start_child(const char *endpoint, const char *cache) {
    char *arguments[] = {strdup(self), strdup(endpoint), strdup(cache), NULL};
    pid_t child = 0;
    s3_server_export(&s3_server);
    int problem = posix_spawn(&child, self, NULL, NULL, arguments, environ);
    s3_server_clean_environment();
    for (int i = 0; i < 3; i++) free(arguments[i]);
    assert_int_equal(problem, 0);
    return child;
}

/* What waitpid says of its end. */
static int wait_for_child(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

static void assert_child_is_content(pid_t child) {
    int status = wait_for_child(child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the tests ---- */

static void nap_us(unsigned us) {
    (void)nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

static unsigned random_below(unsigned limit) {
    unsigned value = 0;
    assert_int_equal(getrandom(&value, sizeof value, 0), sizeof value);
    return value % limit;
}

static bool has_ended(pid_t child) {
    siginfo_t facts = {0};
    return waitid(P_PID, (id_t)child, &facts, WEXITED | WNOHANG | WNOWAIT) == 0 && facts.si_pid == child;
}

/* Until a shard is asked for; a child that finds all of them in the cache asks for none. */
static void wait_for_a_download(pid_t child) {
    int64_t end = s3_now_ms() + 20000;
    while (!fault_proxy_requests_of(s3_proxy, "GET", "shard.db") && !has_ended(child) && s3_now_ms() < end) nap_us(500);
}

/* Most of them while a shard comes in, some before and some after. */
static void kill_at_a_random_moment(const char *cache) {
    const struct fault slow = {.kind = FAULT_SLOW, .target = "shard.db", .method = "GET", .number = BYTES_A_SECOND};
    fault_proxy_set(s3_proxy, &slow, 1);
    pid_t child = start_child(fault_proxy_endpoint(s3_proxy), cache);
    wait_for_a_download(child);
    nap_us(random_below(DOWNLOAD_MS * 1300));
    assert_int_equal(kill(child, SIGKILL), 0);
    int status = wait_for_child(child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    fault_proxy_heal(s3_proxy);
}

static void test_killed_in_the_middle_of_downloads(void **state) {
    (void)state;
    int torn = 0, whole = 0;
    for (int i = 0; i < KILLS; i++) {
        kill_at_a_random_moment(s3_cache);
        struct s3_cache_files left = s3_count_cache(s3_cache);
        torn += left.temporaries > 0;
        whole += left.shards;
        shf_s3_options s3 = s3_options(fault_proxy_endpoint(s3_proxy)); /* the endpoint is part of what the cache knows */
        struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
        if (opened.status) print_message("%s\n", opened.message);
        assert_int_equal(opened.status, SHF_OK);
        assert_true(s3_sample_is_exact(opened.reader));
        support_close(opened.reader);
        struct s3_cache_files files = s3_count_cache(s3_cache);
        assert_int_equal(files.temporaries, 0);
        assert_int_equal(files.shards, S3_SAMPLE_SHARDS);
        assert_true(files.records >= S3_SAMPLE_SHARDS);
        support_remove_tree(s3_cache);
    }
    print_message("%d kills: %d left temporaries behind, %d shards were in place already\n", KILLS, torn, whole);
    assert_true(torn >= KILLS / 4);
}

/* A half-written file under its final name would be the worst; a kill between two renames must not make one. */
static void test_killed_again_and_again_over_one_cache(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        kill_at_a_random_moment(s3_cache);
        fault_proxy_heal(s3_proxy);
    }
    assert_child_is_content(start_child(fault_proxy_endpoint(s3_proxy), s3_cache));
    struct s3_cache_files files = s3_count_cache(s3_cache);
    assert_int_equal(files.temporaries, 0);
    assert_int_equal(files.shards, S3_SAMPLE_SHARDS);
}

static void test_several_processes_open_at_once(void **state) {
    (void)state;
    const struct fault slow = {.kind = FAULT_SLOW, .target = "shard.db", .method = "GET", .number = BYTES_A_SECOND};
    pid_t children[TOGETHER];
    fault_proxy_set(s3_proxy, &slow, 1);
    for (int i = 0; i < TOGETHER; i++) children[i] = start_child(fault_proxy_endpoint(s3_proxy), s3_cache);
    for (int i = 0; i < TOGETHER; i++) assert_child_is_content(children[i]);
    struct s3_cache_files files = s3_count_cache(s3_cache);
    assert_int_equal(files.temporaries, 0);
    assert_int_equal(files.shards, S3_SAMPLE_SHARDS);
    /* The next one downloads nothing. */
    fault_proxy_heal(s3_proxy);
    assert_child_is_content(start_child(fault_proxy_endpoint(s3_proxy), s3_cache));
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "GET", "shard.db"), 0);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "HEAD", "shard.db"), S3_SAMPLE_SHARDS);
}

/* One of two dies; the other does not mind, nor does it take away what it itself still writes. */
static void test_one_of_two_processes_is_killed(void **state) {
    (void)state;
    const struct fault slow = {.kind = FAULT_SLOW, .target = "shard.db", .method = "GET", .number = BYTES_A_SECOND};
    fault_proxy_set(s3_proxy, &slow, 1);
    pid_t first = start_child(fault_proxy_endpoint(s3_proxy), s3_cache);
    pid_t second = start_child(fault_proxy_endpoint(s3_proxy), s3_cache);
    wait_for_a_download(first);
    nap_us(DOWNLOAD_MS * 500);
    assert_int_equal(kill(first, SIGKILL), 0);
    (void)wait_for_child(first);
    assert_child_is_content(second);
    /* Nothing is left to download, so that the open is the only one who could tidy up. */
    char *temporary = support_path("%s/tmp-0123456789abcdef0123456789abcdef", s3_cache);
    support_write_file(temporary, "half a sh", 9);
    free(temporary);
    shf_s3_options s3 = s3_options(fault_proxy_endpoint(s3_proxy));
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_int_equal(opened.status, SHF_OK);
    assert_int_equal(opened.info.downloaded_bytes, 0);
    assert_int_equal(s3_count_cache(s3_cache).temporaries, 0);
    assert_true(s3_sample_is_exact(opened.reader));
    support_close(opened.reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_begin, s3_end)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_killed_in_the_middle_of_downloads),
        TEST(test_killed_again_and_again_over_one_cache),
        TEST(test_several_processes_open_at_once),
        TEST(test_one_of_two_processes_is_killed),
    };
    if (argc == 3) return run_child(argv[1], argv[2]);
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    self = argv[0];
    return cmocka_run_group_tests(tests, s3_group_begin, s3_group_end);
}
