#include "s3_support.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static atomic_int_least64_t ahead_ns;
static atomic_uint random_word;

static int64_t read_clock(clockid_t clock) {
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + atomic_load(&ahead_ns);
}
static int64_t monotonic_ns(void) { return read_clock(CLOCK_MONOTONIC); }
static int64_t wall_us(void) { return read_clock(CLOCK_REALTIME) / 1000; }
static bool random_bytes(void *out, size_t size) {
    uint32_t word = atomic_load(&random_word);
    for (size_t i = 0; i < size; i++) ((uint8_t *)out)[i] = (uint8_t)(word >> (i % 4 * 8));
    return true;
}

void s3_clock_add_ms(int64_t ms) { atomic_fetch_add(&ahead_ns, ms * 1000000); }
void s3_set_random(uint32_t word) { atomic_store(&random_word, word); }

void s3_sleep_ms(int ms) {
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&pause, NULL);
}

void s3_begin(struct s3_test *test, const struct scripted_answer *answers, size_t count) {
    static const struct shf_clock_seam seam = {monotonic_ns, wall_us, random_bytes};
    atomic_store(&ahead_ns, 0);
    s3_set_random(0);
    shf_clock_set_seam(&seam);
    memset(test, 0, sizeof *test);
    test->home = support_directory();
    support_environment(test->home);
    test->server = scripted_server_start(answers, count);
    test->endpoint = support_path("http://127.0.0.1:%d", scripted_server_port(test->server));
    test->runtime = support_runtime(NULL, NULL);
    SHF_INIT(&test->options);
    test->options.endpoint_url = test->endpoint;
    test->options.access_key_id = "AKIDEXAMPLE";
    test->options.secret_access_key = "hush-secret";
    test->options.max_attempts = 3;
}

void s3_open(struct s3_test *test) {
    struct shf_error *error = NULL;
    shf_status status = shf_store_s3_new(test->runtime, "bucket", &test->options, &test->store, &error);
    if (status) fail_msg("%s", shf_error_message(error));
}

void s3_start(struct s3_test *test, const struct scripted_answer *answers, size_t count) {
    s3_begin(test, answers, count);
    s3_open(test);
}

void s3_end(struct s3_test *test) {
    shf_store_release(test->store);
    if (test->runtime) {
        assert_int_equal(support_stats(test->runtime).budget_used_bytes, 0);
        support_runtime_free(test->runtime);
    }
    scripted_server_stop(test->server);
    shf_clock_set_seam(NULL);
    support_remove(test->home);
    free(test->endpoint);
}

shf_status s3_get(struct s3_test *test, struct support_call *call) {
    support_call_init(call, SHF_STORE_GET, "key");
    return support_ask(test->store, call);
}

void s3_expect_body(const struct support_call *call, const char *body) {
    if (call->request.status) fail_msg("%s", shf_error_message(call->request.error));
    assert_non_null(call->request.body);
    assert_int_equal(call->request.body->size, strlen(body));
    assert_int_equal(call->request.body_size, strlen(body));
    assert_memory_equal(call->request.body->data, body, strlen(body));
}

char *s3_header(const char *request, const char *name) {
    size_t size = strlen(name);
    for (const char *line = strstr(request, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        const char *text = line + 2;
        if (strncasecmp(text, name, size) != 0 || text[size] != ':') continue;
        text += size + 1;
        text += strspn(text, " ");
        return strndup(text, strcspn(text, "\r"));
    }
    return NULL;
}

void s3_wait_for_retries(struct s3_test *test, uint64_t retries) {
    for (int i = 0; i < 2000 && support_stats(test->runtime).store_retries < retries; i++) s3_sleep_ms(5);
    assert_int_equal(support_stats(test->runtime).store_retries, retries);
}
