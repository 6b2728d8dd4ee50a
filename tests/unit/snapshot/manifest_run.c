#include "manifest_run.h"
#include "peer.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const names[] = {
    "2026-11-22T07:32:30.824590Z_run_id=run-01-71",
    "2026-11-22T07:32:30.892590Z_run_id=run-02-71",
    "2026-11-22T07:32:30.958385Z_run_id=run-03-71",
    "2026-11-22T07:32:31.028107Z_run_id=run-04-71",
};
const char *const run_ids[] = {"run-01-71", "run-02-71", "run-03-71", "run-04-71"};
const int64_t published_us[] = {1795332750824590, 1795332750892590, 1795332750958385, 1795332751028107};

shf_runtime *runtime;
struct fake_store *fake;
struct shf_location location;
char logged[8192];
unsigned log_lines;

static void take_log(void *context, int level, const char *message) {
    (void)context;
    size_t used = strlen(logged);
    (void)snprintf(logged + used, sizeof logged - used, "%d %s\n", level, message);
    log_lines++;
}

const char *key_of(unsigned run) { /* 1..4 */
    static char keys[5][128];
    (void)snprintf(keys[run], sizeof keys[run], "p/manifests/%s/manifest", names[run - 1]);
    return keys[run];
}

const char *ref_of(unsigned run) {
    static char refs[5][160];
    (void)snprintf(refs[run], sizeof refs[run], "mem://shop/%s", key_of(run));
    return refs[run];
}

void point_at_ref(const char *pointer, const char *ref) {
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":\"%s\","
                   "\"run_id\":\"x\",\"updated_at\":\"2026-11-22T07:32:31.030340Z\"}",
                   ref);
    fake_store_put_text(fake, pointer, text);
}

void point_at(unsigned run) {
    char ref[256];
    (void)snprintf(ref, sizeof ref, "s3://fixtures/peer/history-good/manifests/%s/manifest", names[run - 1]);
    point_at_ref("p/_CURRENT", ref);
}

/* How a manifest may be broken; 0 = whole. */
void put_run(unsigned run, unsigned broken) {
    char path[512];
    size_t size;
    (void)snprintf(path, sizeof path, "%s/snapshot/history/run-0%u.manifest", SHF_TEST_DATA, run);
    uint8_t *data = peer_read(path, &size);
    assert_non_null(data);
    if (broken == 1) memcpy(data, "this is not SQLite", 18);
    if (broken == 2) size = 100;
    if (broken == 3) size = 0;
    if (broken == 4) memset(data + size / 2, 0, size - size / 2);
    fake_store_put(fake, key_of(run), data, size);
    free(data);
}

int set_up(void **state) {
    (void)state;
    shf_runtime_options options;
    SHF_INIT(&options);
    options.worker_threads = 2;
    options.log = take_log;
    if (shf_runtime_new(&options, &runtime)) return -1;
    if (shf_location_parse("mem://shop/p", &location, NULL)) return -1;
    fake = fake_store_new(runtime);
    logged[0] = '\0';
    log_lines = 0;
    for (unsigned run = 1; run <= 4; run++) put_run(run, 0);
    point_at(4);
    return 0;
}

int tear_down(void **state) {
    (void)state;
    shf_location_free(&location);
    int status = shf_runtime_free(runtime);
    fake_store_free(fake);
    return status;
}

/* ---- running a load ---- */

static void load_done(struct shf_manifest_load *load) {
    struct run *run = (struct run *)(void *)load;
    run->calls++;
    run->thread = pthread_self();
    (void)sem_post(&run->finished);
}

void prepare(struct run *run) {
    memset(run, 0xa5, sizeof *run); /* the out fields need no preparation */
    run->load.store = &fake->store;
    run->load.location = &location;
    run->load.pinned_ref = NULL;
    run->load.given = NULL;
    run->load.pinned_offset = -1;
    run->load.known_ref = NULL;
    run->load.max_fallback_attempts = 3;
    run->load.deadline_ns = SHF_DEADLINE_NONE;
    run->load.cancel = NULL;
    run->load.done = load_done;
    run->calls = 0;
    (void)sem_init(&run->finished, 0, 0);
}

shf_status start_and_wait(struct run *run) {
    shf_manifest_load_start(&run->load);
    while (sem_wait(&run->finished)) {
    }
    assert_int_equal(run->calls, 1);
    assert_false(pthread_equal(run->thread, pthread_self()));
    assert_int_equal(run->load.status == SHF_OK, run->load.error == NULL);
    assert_int_equal(shf_error_code(run->load.error), run->load.status);
    if (run->load.status || run->load.unchanged) {
        assert_null(run->load.manifest);
        assert_null(run->load.manifest_ref);
    } else {
        assert_non_null(run->load.manifest);
        assert_non_null(run->load.manifest_ref);
    }
    if (run->load.manifest_malformed) assert_int_equal(run->load.status, SHF_E_MANIFEST);
    return run->load.status;
}

void clear(struct run *run) {
    shf_error_free(run->load.error);
    shf_manifest_free(run->load.manifest);
    shf_free(run->load.manifest_ref);
    (void)sem_destroy(&run->finished);
}

void expect_served(struct run *run, unsigned number, unsigned fallback_attempts) {
    if (run->load.status) fail_msg("%s", shf_error_message(run->load.error));
    assert_string_equal(run->load.manifest->run_id, run_ids[number - 1]);
    assert_string_equal(run->load.manifest_ref, ref_of(number));
    assert_int_equal(run->load.published_at_us, published_us[number - 1]);
    assert_int_equal(run->load.fallback_attempts, fallback_attempts);
    assert_false(run->load.unchanged);
}

void expect_message(const struct run *run, const char *part) {
    if (!strstr(shf_error_message(run->load.error), part)) {
        fail_msg("no \"%s\" in: %s", part, shf_error_message(run->load.error));
    }
}

const char *asked(unsigned count, ...) {
    static char text[4096];
    va_list keys;
    va_start(keys, count);
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        const char *key = va_arg(keys, const char *);
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s %s\n", key[strlen(key) - 1] == '/' ? "LIST" : "GET", key);
    }
    va_end(keys);
    return text;
}
