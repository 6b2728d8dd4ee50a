/* Commands without a shell: their words, their output, their end, and what they inherit. */
#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/command.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static shf_status run_with(struct shf_command command, char **out, struct shf_error **error) {
    size_t size = 0;
    shf_status status = shf_command_run(&command, out, &size, error);
    if (!status) assert_int_equal(strlen(*out), size);
    return status;
}

static struct shf_command command_of(const char *line) {
    return (struct shf_command){.line = line, .most_bytes = 1000, .timeout_ms = 20000};
}

static void expect_output(const char *line, const char *expected) {
    char *out = NULL;
    struct shf_error *error = NULL;
    if (run_with(command_of(line), &out, &error)) fail_msg("%s: %s", line, shf_error_message(error));
    assert_string_equal(out, expected);
    shf_free(out);
}

static void expect_failure(struct shf_command command, shf_status status, const char *part) {
    char *out = NULL;
    struct shf_error *error = NULL;
    assert_int_equal(run_with(command, &out, &error), status);
    assert_null(out);
    assert_null(strstr(shf_error_message(error), "hush"));
    support_expect_error(error, status, part);
}

static void test_words(void **state) {
    (void)state;
    expect_output("printf [%s] a b", "[a][b]");
    expect_output("  printf\t[%s]  'a  b'  \"c d\" ", "[a  b][c d]");
    expect_output("printf [%s] a'b'\"c\"d '' \"\"", "[abcd][][]");
    expect_output("printf [%s] a\\ b \\' \"\\\"\" 'a\\b'", "[a b]['][\"][a\\b]");
    expect_output("printf [%s] $HOME * `id` >x;y", "[$HOME][*][`id`][>x;y]"); /* no shell */
    expect_output("/bin/echo x\\", "x\\\n");
    static const char *const bad[] = {"", "  \t", "printf 'hush", "printf \"hush", "''", "\"\" hush"};
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++)
        expect_failure(command_of(bad[i]), SHF_E_ACCESS, "open quote or no words");
    char line[200] = "echo";
    for (int i = 0; i < 63; i++) strcat(line, " 1");
    char *out = NULL;
    assert_int_equal(run_with(command_of(line), &out, NULL), SHF_OK);
    shf_free(out);
    strcat(line, " 1");
    expect_failure(command_of(line), SHF_E_ACCESS, "open quote or no words");
}

static void test_failures(void **state) {
    (void)state;
    expect_failure(command_of("/no/such/program hush"), SHF_E_ACCESS, "is not there");
    expect_failure(command_of("/etc/passwd"), SHF_E_ACCESS, "could not be started");
    expect_failure(command_of("false hush"), SHF_E_ACCESS, "failed");
    expect_failure(command_of("sh -c 'echo hush; exit 3'"), SHF_E_ACCESS, "failed");
    expect_failure(command_of("sh -c 'kill -9 $$'"), SHF_E_ACCESS, "failed");
}

static void test_output_is_bounded(void **state) {
    (void)state;
    struct shf_command command = command_of("printf 12345");
    char *out = NULL;
    command.most_bytes = 5;
    assert_int_equal(run_with(command, &out, NULL), SHF_OK);
    assert_string_equal(out, "12345");
    shf_free(out);
    command.most_bytes = 4;
    expect_failure(command, SHF_E_ACCESS, "prints too much");
    command = command_of("yes hush");
    expect_failure(command, SHF_E_ACCESS, "prints too much");
    expect_output("true", "");
}

static double seconds_since(int64_t start_ns) { return (double)(shf_clock_monotonic_ns() - start_ns) / 1e9; }

static void test_time_is_bounded(void **state) {
    (void)state;
    int64_t start = shf_clock_monotonic_ns();
    struct shf_command command = command_of("sleep 30");
    command.timeout_ms = 100;
    expect_failure(command, SHF_E_ACCESS, "takes too long");
    /* It closed its output, and goes on: its end is what counts. */
    command.line = "sh -c 'exec >&-; sleep 30'";
    expect_failure(command, SHF_E_ACCESS, "takes too long");
    /* What it started holds the output open; the whole group is killed. */
    command.line = "sh -c 'sleep 30 & sleep 30'";
    expect_failure(command, SHF_E_ACCESS, "takes too long");
    assert_true(seconds_since(start) < 10);
}

static void test_a_slow_end_is_waited_for(void **state) {
    (void)state;
    expect_output("sh -c 'echo early; exec >&-; sleep 0.1'", "early\n");
    expect_failure(command_of("sh -c 'echo hush; exec >&-; sleep 0.1; exit 1'"), SHF_E_ACCESS, "failed");
}

static atomic_bool abandoned;
static void *abandon_soon(void *context) {
    const struct timespec pause = {.tv_nsec = 50000000};
    (void)nanosleep(&pause, NULL);
    atomic_store(&abandoned, true);
    return context;
}

static void test_abandoned(void **state) {
    (void)state;
    int64_t start = shf_clock_monotonic_ns();
    pthread_t thread;
    struct shf_command command = command_of("sleep 30");
    atomic_store(&abandoned, false);
    command.abandon = &abandoned;
    assert_int_equal(pthread_create(&thread, NULL, abandon_soon, NULL), 0);
    expect_failure(command, SHF_E_CANCELLED, "abandoned");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(seconds_since(start) < 10);
}

/* Empty input; none of our descriptors; none of our blocked signals; SIGPIPE kills as usual. */
static void test_what_it_inherits(void **state) {
    (void)state;
    sigset_t all, before;
    assert_int_equal(sigfillset(&all), 0);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &all, &before), 0);
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    int fd = open("/dev/null", O_RDONLY); /* NOLINT: without O_CLOEXEC on purpose */
    assert_true(fd > 2);
    char *line = support_path("sh -c 'cat; [ -e /proc/self/fd/%d ] && echo leak; kill -TERM $$'", fd);
    expect_failure(command_of(line), SHF_E_ACCESS, "failed");
    free(line);
    line = support_path("sh -c '[ -e /proc/self/fd/%d ] && echo leak; grep SigIgn /proc/self/status'", fd);
    char *out = NULL;
    assert_int_equal(run_with(command_of(line), &out, NULL), SHF_OK);
    unsigned long ignored = 0;
    assert_int_equal(sscanf(out, "SigIgn: %lx", &ignored), 1);
    assert_int_equal(ignored & (1ul << (SIGPIPE - 1)), 0);
    shf_free(out);
    free(line);
    expect_output("cat", "");
    assert_int_equal(close(fd), 0);
    (void)signal(SIGPIPE, handler);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

/* A program that leaves the reaping of children to the kernel: the output still comes. */
static void test_children_that_somebody_else_reaps(void **state) {
    (void)state;
    void (*handler)(int) = signal(SIGCHLD, SIG_IGN);
    expect_output("echo here", "here\n");
    (void)signal(SIGCHLD, handler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_output_is_bounded),
        cmocka_unit_test(test_time_is_bounded),
        cmocka_unit_test(test_a_slow_end_is_waited_for),
        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_what_it_inherits),
        cmocka_unit_test(test_children_that_somebody_else_reaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
