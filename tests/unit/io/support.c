#include "support.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_WAIT_S 30

shf_runtime *support_runtime(shf_log_function *log, void *context) {
    shf_runtime_options options;
    shf_runtime *runtime = NULL;
    SHF_INIT(&options);
    options.worker_threads = 2;
    options.log = log;
    options.log_level = SHF_LOG_DEBUG;
    options.log_context = context;
    assert_int_equal(shf_runtime_new(&options, &runtime), SHF_OK);
    return runtime;
}

void support_runtime_free(shf_runtime *runtime) { assert_int_equal(shf_runtime_free(runtime), SHF_OK); }

shf_runtime_stats support_stats(shf_runtime *runtime) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(runtime, &stats), SHF_OK);
    return stats;
}

char *support_directory(void) {
    const char *base = getenv("TMPDIR");
    char *path = support_path("%s/shf-io-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found, (void)kind, (void)place;
    return remove(path);
}

void support_remove(char *directory) {
    assert_int_equal(nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(directory);
}

char *support_path(const char *format, ...) {
    char *path = NULL;
    va_list arguments;
    va_start(arguments, format);
    assert_true(vasprintf(&path, format, arguments) >= 0);
    va_end(arguments);
    return path;
}

void support_write(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void support_write_text(const char *path, const char *text) { support_write(path, text, strlen(text)); }

int support_open_new(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

void support_expect_file(int fd, const void *data, size_t size) {
    uint8_t *found = malloc(size + 1);
    assert_non_null(found);
    assert_int_equal(pread(fd, found, size + 1, 0), size);
    if (size) assert_memory_equal(found, data, size);
    free(found);
}

uint8_t *support_pattern(size_t size, unsigned seed) {
    uint8_t *bytes = malloc(size ? size : 1);
    uint32_t word = seed * 2654435761u + 1;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        word = word * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(word >> 24);
    }
    return bytes;
}

void support_environment(const char *home) {
    static const char *const names[] = {"S3_ACCESS_KEY_ID",
                                        "S3_SECRET_ACCESS_KEY",
                                        "S3_SESSION_TOKEN",
                                        "S3_REGION",
                                        "AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ENDPOINT_URL_S3",
                                        "AWS_ENDPOINT_URL",
                                        "SLATEDB_S3_ENDPOINT_URL",
                                        "AWS_PROFILE",
                                        "AWS_CONFIG_FILE",
                                        "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_CA_BUNDLE",
                                        "XDG_CACHE_HOME",
                                        "http_proxy",
                                        "https_proxy",
                                        "HTTPS_PROXY",
                                        "all_proxy",
                                        "ALL_PROXY"};
    for (size_t i = 0; i < SUPPORT_COUNT(names); i++) assert_int_equal(unsetenv(names[i]), 0);
    support_setenv("HOME", home);
}

void support_setenv(const char *name, const char *value) { assert_int_equal(setenv(name, value, 1), 0); }

static void call_ended(struct shf_store_request *request) {
    struct support_call *call = SHF_CONTAINER(request, struct support_call, request);
    call->done_count++;
    (void)sem_post(&call->ended);
}

void support_call_init(struct support_call *call, enum shf_store_verb verb, const char *key) {
    *call = (struct support_call){.request = {.verb = verb,
                                              .key = key,
                                              .body_fd = -1,
                                              .max_bytes = UINT64_MAX,
                                              .deadline_ns = SHF_DEADLINE_NONE,
                                              .done = call_ended}};
    assert_int_equal(sem_init(&call->ended, 0, 0), 0);
}

void support_submit(struct shf_store *store, struct support_call *call) { shf_store_submit(store, &call->request); }

shf_status support_wait(struct support_call *call) {
    struct timespec until;
    int result;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += LONGEST_WAIT_S;
    do result = sem_timedwait(&call->ended, &until);
    while (result != 0 && errno == EINTR);
    assert_int_equal(result, 0);
    assert_int_equal(call->done_count, 1);
    /* An error object comes with a failure, and only then. */
    assert_int_equal(call->request.error != NULL, call->request.status != SHF_OK);
    if (call->request.error) assert_int_equal(shf_error_code(call->request.error), call->request.status);
    return call->request.status;
}

shf_status support_ask(struct shf_store *store, struct support_call *call) {
    support_submit(store, call);
    return support_wait(call);
}

void support_call_clear(struct support_call *call) {
    shf_store_request_clear(&call->request);
    (void)sem_destroy(&call->ended);
}

static void expect_version(struct shf_store *store, const char *prefix, const char *name, const char *version) {
    struct support_call head;
    char *key = support_path("%s%s", prefix, name);
    support_call_init(&head, SHF_STORE_HEAD, key);
    assert_int_equal(support_ask(store, &head), SHF_OK);
    assert_non_null(version);
    assert_string_equal(version, head.request.version);
    support_call_clear(&head);
    free(key);
}

size_t support_expect_versions(struct shf_store *store, const char *prefix) {
    struct support_call plain, call;
    size_t objects = 0;
    support_call_init(&plain, SHF_STORE_LIST, prefix);
    support_call_init(&call, SHF_STORE_LIST, prefix);
    call.request.wants_versions = true;
    assert_int_equal(support_ask(store, &plain), SHF_OK);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_null(plain.request.versions);
    assert_int_equal(call.request.name_count, plain.request.name_count);
    for (size_t i = 0; i < call.request.name_count; i++) {
        const char *name = call.request.names[i];
        assert_string_equal(name, plain.request.names[i]);
        if (name[strlen(name) - 1] == '/') {
            assert_null(call.request.versions[i]);
        } else {
            expect_version(store, prefix, name, call.request.versions[i]);
            objects++;
        }
    }
    support_call_clear(&plain);
    support_call_clear(&call);
    assert_null(call.request.versions);
    return objects;
}

static void expect_part(const char *message, const char *part) {
    if (!strstr(message, part)) fail_msg("\"%s\" is not in \"%s\"", part, message);
}

void support_expect_failure(const struct support_call *call, shf_status status, const char *part) {
    const char *message = shf_error_message(call->request.error);
    if (call->request.status != status) fail_msg("status %d, not %d: %s", call->request.status, status, message);
    expect_part(message, part);
    assert_null(call->request.body);
}

void support_expect_error(struct shf_error *error, shf_status status, const char *part) {
    assert_non_null(error);
    if (shf_error_code(error) != status) {
        fail_msg("status %d, not %d: %s", shf_error_code(error), status, shf_error_message(error));
    }
    expect_part(shf_error_message(error), part);
    shf_error_free(error);
}
