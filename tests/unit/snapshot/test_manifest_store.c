/* Finding, loading and listing manifests: every path, with failures at every step. */
#include "fake_store.h"
#include "peer.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "snapshot/manifest_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The four runs of the peer's history-good; the snapshot lies at mem://shop/p, it was written at
 * s3://fixtures. */
static const char *const names[] = {
    "2026-11-22T07:32:30.824590Z_run_id=run-01-71",
    "2026-11-22T07:32:30.892590Z_run_id=run-02-71",
    "2026-11-22T07:32:30.958385Z_run_id=run-03-71",
    "2026-11-22T07:32:31.028107Z_run_id=run-04-71",
};
static const char *const run_ids[] = {"run-01-71", "run-02-71", "run-03-71", "run-04-71"};
static const int64_t published_us[] = {1795332750824590, 1795332750892590, 1795332750958385, 1795332751028107};

static shf_runtime *runtime;
static struct fake_store *fake;
static struct shf_location location;
static char logged[8192];
static unsigned log_lines;

static void take_log(void *context, int level, const char *message) {
    (void)context;
    size_t used = strlen(logged);
    (void)snprintf(logged + used, sizeof logged - used, "%d %s\n", level, message);
    log_lines++;
}

static const char *key_of(unsigned run) { /* 1..4 */
    static char keys[5][128];
    (void)snprintf(keys[run], sizeof keys[run], "p/manifests/%s/manifest", names[run - 1]);
    return keys[run];
}

static const char *ref_of(unsigned run) {
    static char refs[5][160];
    (void)snprintf(refs[run], sizeof refs[run], "mem://shop/%s", key_of(run));
    return refs[run];
}

static void point_at_ref(const char *pointer, const char *ref) {
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":\"%s\","
                   "\"run_id\":\"x\",\"updated_at\":\"2026-11-22T07:32:31.030340Z\"}",
                   ref);
    fake_store_put_text(fake, pointer, text);
}

static void point_at(unsigned run) {
    char ref[256];
    (void)snprintf(ref, sizeof ref, "s3://fixtures/peer/history-good/manifests/%s/manifest", names[run - 1]);
    point_at_ref("p/_CURRENT", ref);
}

/* How a manifest may be broken; 0 = whole. */
static void put_run(unsigned run, unsigned broken) {
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

static int set_up(void **state) {
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

static int tear_down(void **state) {
    (void)state;
    shf_location_free(&location);
    int status = shf_runtime_free(runtime);
    fake_store_free(fake);
    return status;
}

/* ---- running a load ---- */

struct run {
    struct shf_manifest_load load; /* first */
    sem_t finished;
    unsigned calls;
    pthread_t thread;
};

static void load_done(struct shf_manifest_load *load) {
    struct run *run = (struct run *)(void *)load;
    run->calls++;
    run->thread = pthread_self();
    (void)sem_post(&run->finished);
}

static void prepare(struct run *run) {
    memset(run, 0xa5, sizeof *run); /* the out fields need no preparation */
    run->load.store = &fake->store;
    run->load.location = &location;
    run->load.pinned_ref = NULL;
    run->load.pinned_offset = -1;
    run->load.known_ref = NULL;
    run->load.max_fallback_attempts = 3;
    run->load.deadline_ns = SHF_DEADLINE_NONE;
    run->load.cancel = NULL;
    run->load.done = load_done;
    run->calls = 0;
    (void)sem_init(&run->finished, 0, 0);
}

static shf_status start_and_wait(struct run *run) {
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

static void clear(struct run *run) {
    shf_error_free(run->load.error);
    shf_manifest_free(run->load.manifest);
    shf_free(run->load.manifest_ref);
    (void)sem_destroy(&run->finished);
}

static void expect_served(struct run *run, unsigned number, unsigned fallback_attempts) {
    if (run->load.status) fail_msg("%s", shf_error_message(run->load.error));
    assert_string_equal(run->load.manifest->run_id, run_ids[number - 1]);
    assert_string_equal(run->load.manifest_ref, ref_of(number));
    assert_int_equal(run->load.published_at_us, published_us[number - 1]);
    assert_int_equal(run->load.fallback_attempts, fallback_attempts);
    assert_false(run->load.unchanged);
}

static void expect_message(const struct run *run, const char *part) {
    if (!strstr(shf_error_message(run->load.error), part)) {
        fail_msg("no \"%s\" in: %s", part, shf_error_message(run->load.error));
    }
}

static const char *asked(unsigned count, ...) {
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

/* ---- opening ---- */

static void test_open(void **state) {
    (void)state;
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_OK);
    expect_served(&run, 4, 0);
    assert_string_equal(fake->asked, asked(2, "p/_CURRENT", key_of(4)));
    assert_true(run.load.current_ns > 0 && run.load.manifest_ns > 0);
    assert_int_equal(run.load.manifest->num_dbs, 1);
    assert_string_equal(run.load.manifest->s3_prefix, "s3://fixtures/peer/history-good");
    assert_int_equal(log_lines, 0);
    clear(&run);
}

static void test_another_pointer(void **state) {
    (void)state;
    shf_location_free(&location);
    assert_int_equal(shf_location_parse("mem://shop/p/_STAGING", &location, NULL), SHF_OK);
    point_at_ref("p/_STAGING", ref_of(2));
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_OK);
    expect_served(&run, 2, 0);
    clear(&run);
}

static void test_a_directory_without_a_date(void **state) {
    (void)state;
    size_t size;
    uint8_t *data = peer_read(SHF_TEST_DATA "/snapshot/history/run-01.manifest", &size);
    fake_store_put(fake, "p/manifests/by hand/manifest", data, size);
    free(data);
    point_at_ref("p/_CURRENT", "s3://fixtures/manifests/by hand/manifest");
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_OK);
    assert_string_equal(run.load.manifest_ref, "mem://shop/p/manifests/by hand/manifest");
    assert_int_equal(run.load.published_at_us, run.load.manifest->created_at_us);
    assert_true(run.load.published_at_us > INT64_C(1795332000000000));
    clear(&run);
}

static void test_missing_pointer(void **state) {
    (void)state;
    fake_store_remove(fake, "p/_CURRENT");
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_E_STATE);
    expect_message(&run, "CURRENT pointer not found at mem://shop/p/_CURRENT");
    expect_message(&run, "fake store"); /* what the store said: a missing bucket says so there */
    assert_string_equal(shf_error_object(run.load.error), "mem://shop/p/_CURRENT");
    assert_string_equal(fake->asked, asked(1, "p/_CURRENT"));
    clear(&run);
}

static void test_malformed_pointers(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "\"s3://fixtures/manifests/x/manifest\"",
        "{\"manifest_ref\": \"s3://fixtures/pe",
        "{\"format_version\":1,\"run_id\":\"x\"}",
        "\xff\xfe",
        "{}garbage",
        "{\"manifest_content_type\":\"a\",\"manifest_ref\":7,\"run_id\":\"x\",\"updated_at\":\"2026-11-22T07:32:31Z\"}",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        fake_store_rewind(fake);
        fake_store_put_text(fake, "p/_CURRENT", texts[i]);
        struct run run;
        prepare(&run);
        if (start_and_wait(&run) != SHF_E_MANIFEST) fail_msg("%s: status %d", texts[i], run.load.status);
        assert_false(run.load.manifest_malformed); /* a refresh must not take this for a malformed manifest */
        expect_message(&run, "mem://shop/p/_CURRENT");
        assert_string_equal(fake->asked, asked(1, "p/_CURRENT"));
        clear(&run);
    }
    char *huge = malloc((64u << 10) + 1);
    memset(huge, ' ', (64u << 10) + 1);
    fake_store_put(fake, "p/_CURRENT", huge, (64u << 10) + 1);
    free(huge);
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_E_LIMIT);
    clear(&run);
}

static void test_hostile_refs(void **state) {
    (void)state;
    static const char *const refs[] = {
        "s3://fixtures/manifests/../../secret",
        "http://169.254.169.254/manifests/x",
        "s3://u:p@b/manifests/x",
        "s3://fixtures/manifests/a%2f..%2fb",
        "s3://fixtures/other/x",
        "manifests/x/manifest",
        "s3://fixtures/manifests/x\\r\\nHost: y",
        "s3://fixtures/manifests//x",
        "",
    };
    for (size_t i = 0; i < COUNT(refs); i++) {
        fake_store_rewind(fake);
        point_at_ref("p/_CURRENT", refs[i]);
        struct run run;
        prepare(&run);
        if (start_and_wait(&run) != SHF_E_MANIFEST) fail_msg("%s: status %d", refs[i], run.load.status);
        assert_false(run.load.manifest_malformed);
        assert_string_equal(fake->asked, asked(1, "p/_CURRENT")); /* no request for it */
        clear(&run);
    }
    /* Another bucket in the ref is only where the snapshot was once: it is read from here. */
    point_at_ref("p/_CURRENT", "s3://evil/manifests/x/manifest");
    fake_store_rewind(fake);
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_E_NOT_FOUND);
    assert_string_equal(fake->asked, asked(2, "p/_CURRENT", "p/manifests/x/manifest"));
    clear(&run);
}

static void test_dangling_pointer(void **state) {
    (void)state;
    fake_store_remove(fake, key_of(4));
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_E_NOT_FOUND);
    expect_message(&run, key_of(4));
    assert_string_equal(fake->asked, asked(2, "p/_CURRENT", key_of(4))); /* no walk back */
    assert_int_equal(run.load.fallback_attempts, 0);
    assert_false(run.load.manifest_malformed);
    clear(&run);
}

/* ---- the walk back ---- */

static void test_fallback(void **state) {
    (void)state;
    for (unsigned bad = 1; bad <= 4; bad++) {
        put_run(5 - bad, bad); /* 4, 3, 2, 1 in turn, each broken in another way */
        for (uint32_t attempts = 0; attempts <= 5; attempts++) {
            fake_store_rewind(fake);
            log_lines = 0;
            logged[0] = '\0';
            struct run run;
            prepare(&run);
            run.load.max_fallback_attempts = attempts;
            shf_status status = start_and_wait(&run);
            if (attempts == 0) {
                assert_int_equal(status, SHF_E_MANIFEST);
                assert_true(run.load.manifest_malformed);
                expect_message(&run, ref_of(4));
                assert_string_equal(shf_error_object(run.load.error), ref_of(4));
                assert_string_equal(fake->asked, asked(2, "p/_CURRENT", key_of(4)));
                assert_int_equal(log_lines, 0);
            } else if (bad <= 3 && attempts >= bad) {
                assert_int_equal(status, SHF_OK);
                expect_served(&run, 4 - bad, bad);
                assert_int_equal(log_lines, bad);
                assert_int_equal(fake->requests, 3 + bad); /* listed once */
            } else {
                unsigned tried = attempts < 3 ? attempts : 3;
                assert_int_equal(status, SHF_E_STATE);
                expect_message(&run, "no valid manifest found under mem://shop/p");
                expect_message(&run, ref_of(4)); /* the first failure */
                assert_int_equal(run.load.fallback_attempts, tried);
                assert_int_equal(log_lines, 1 + tried);
                assert_int_equal(fake->requests, 3 + tried);
            }
            clear(&run);
        }
        if (bad == 3) assert_non_null(strstr(logged, ref_of(2)));
    }
    assert_int_equal(logged[0], '0' + SHF_LOG_WARNING);
}

/* _CURRENT was set back to run 2: runs 3 and 4 are what somebody rolled back from. */
static void test_fallback_never_takes_newer_ones(void **state) {
    (void)state;
    point_at(2);
    put_run(2, 1);
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_OK);
    expect_served(&run, 1, 1);
    assert_string_equal(fake->asked, asked(4, "p/_CURRENT", key_of(2), "p/manifests/", key_of(1)));
    clear(&run);

    point_at(1);
    put_run(1, 4);
    fake_store_rewind(fake);
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_E_STATE);
    assert_string_equal(fake->asked, asked(3, "p/_CURRENT", key_of(1), "p/manifests/"));
    assert_int_equal(run.load.fallback_attempts, 0);
    clear(&run);
}

static void test_fallback_ignores_other_names(void **state) {
    (void)state;
    static const char *const junk[] = {
        "p/manifests/readme.txt",
        "p/manifests/2026-11-22T07:32:31.000000Z_run_id=afile", /* an object, no directory */
        "p/manifests/junk/manifest",
        "p/manifests/2026-11-22T07:32:31Z_run_id=short/manifest",
        "p/manifests/2026-11-22T07:32:31.000000Z_run=x/manifest",
        "p/manifests/2026-11-22 07:32:31.000000Z_run_id=x/manifest",
        "p/manifests/0000/manifest",
        "p/manifests2/2026-11-22T07:32:31.000000Z_run_id=x/manifest",
        "manifests/2026-11-22T07:32:31.000000Z_run_id=x/manifest",
        "q/manifests/2026-11-22T07:32:31.000000Z_run_id=x/manifest",
    };
    for (size_t i = 0; i < COUNT(junk); i++) fake_store_put_text(fake, junk[i], "junk");
    put_run(4, 2);
    struct run run;
    prepare(&run);
    run.load.max_fallback_attempts = 1;
    assert_int_equal(start_and_wait(&run), SHF_OK);
    expect_served(&run, 3, 1);
    clear(&run);
}

static void test_fallback_from_a_directory_without_a_date(void **state) {
    (void)state;
    static const char *const directories[] = {"0 by hand", "by hand"}; /* before and after every date */
    for (size_t i = 0; i < COUNT(directories); i++) {
        char key[256], ref[256];
        (void)snprintf(key, sizeof key, "p/manifests/%s/manifest", directories[i]);
        (void)snprintf(ref, sizeof ref, "s3://fixtures/manifests/%s/manifest", directories[i]);
        fake_store_put_text(fake, key, "broken");
        point_at_ref("p/_CURRENT", ref);
        struct run run;
        prepare(&run);
        assert_int_equal(start_and_wait(&run), SHF_OK);
        expect_served(&run, 4, 1); /* nothing says which ones are older: the newest */
        clear(&run);
    }
}

static void test_fallback_passes_over_removed_manifests(void **state) {
    (void)state;
    put_run(4, 1);
    fake_store_remove(fake, key_of(3));
    char key[256];
    (void)snprintf(key, sizeof key, "p/manifests/%s/other", names[2]); /* the directory is listed still */
    fake_store_put_text(fake, key, "x");
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_OK);
    expect_served(&run, 2, 2);
    assert_int_equal(log_lines, 2);
    clear(&run);
    prepare(&run);
    run.load.max_fallback_attempts = 1;
    assert_int_equal(start_and_wait(&run), SHF_E_STATE);
    clear(&run);
}

static void test_fallback_ends_at_other_failures(void **state) {
    (void)state;
    put_run(4, 1);
    static const shf_status failures[] = {SHF_E_STORE_RETRY, SHF_E_ACCESS, SHF_E_STORE, SHF_E_DEADLINE, SHF_E_LIMIT};
    for (size_t i = 0; i < COUNT(failures); i++) {
        for (unsigned at = 3; at <= 4; at++) { /* the listing; the next manifest */
            fake_store_rewind(fake);
            fake->fail_at = fake->fail_last = at;
            fake->fail_status = failures[i];
            struct run run;
            prepare(&run);
            assert_int_equal(start_and_wait(&run), failures[i]);
            expect_message(&run, "while looking for an older manifest");
            expect_message(&run, ref_of(4));
            assert_int_equal(fake->requests, at);
            clear(&run);
        }
    }
    fake_store_rewind(fake);
    fake->fail_at = fake->fail_last = 3;
    fake->fail_status = SHF_E_NOT_FOUND; /* a bucket that vanished is no empty history */
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_E_NOT_FOUND);
    clear(&run);
}

static void test_fallback_in_an_empty_history(void **state) {
    (void)state;
    for (unsigned run_number = 1; run_number <= 4; run_number++) fake_store_remove(fake, key_of(run_number));
    point_at_ref("p/_CURRENT", "s3://fixtures/manifests/x/y/manifest");
    fake_store_put_text(fake, "p/manifests/x/y/manifest", "broken");
    struct run run;
    prepare(&run);
    assert_int_equal(start_and_wait(&run), SHF_E_STATE);
    clear(&run);
}

/* ---- pins ---- */

static void test_offsets(void **state) {
    (void)state;
    fake_store_remove(fake, "p/_CURRENT"); /* not looked at */
    for (int64_t offset = 0; offset <= 5; offset++) {
        fake_store_rewind(fake);
        struct run run;
        prepare(&run);
        run.load.pinned_offset = offset;
        shf_status status = start_and_wait(&run);
        if (offset < 4) {
            assert_int_equal(status, SHF_OK);
            expect_served(&run, 4 - (unsigned)offset, 0);
            assert_string_equal(fake->asked, asked(2, "p/manifests/", key_of(4 - (unsigned)offset)));
        } else {
            assert_int_equal(status, SHF_E_STATE);
            expect_message(&run, "has 4 manifests");
        }
        clear(&run);
    }
    struct run run;
    prepare(&run);
    run.load.pinned_offset = INT64_MAX;
    assert_int_equal(start_and_wait(&run), SHF_E_STATE);
    clear(&run);
}

static void test_refs(void **state) {
    (void)state;
    fake_store_remove(fake, "p/_CURRENT");
    char tail[128], directory[128], original[160];
    (void)snprintf(tail, sizeof tail, "manifests/%s/manifest", names[1]);
    (void)snprintf(directory, sizeof directory, "%s", names[1]);
    (void)snprintf(original, sizeof original, "s3://fixtures/peer/history-good/manifests/%s/manifest", names[1]);
    const char *const refs[] = {ref_of(2), tail, directory, original};
    for (size_t i = 0; i < COUNT(refs); i++) {
        fake_store_rewind(fake);
        struct run run;
        prepare(&run);
        run.load.pinned_ref = refs[i];
        assert_int_equal(start_and_wait(&run), SHF_OK);
        expect_served(&run, 2, 0);
        assert_string_equal(fake->asked, asked(1, key_of(2)));
        clear(&run);
    }
    static const char *const bad[] = {"", "../x", "s3://fixtures/peer/shards/x", "T\r\n", "a%2fb"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        fake_store_rewind(fake);
        struct run run;
        prepare(&run);
        run.load.pinned_ref = bad[i];
        assert_int_equal(start_and_wait(&run), SHF_E_INVALID);
        assert_int_equal(fake->requests, 0);
        clear(&run);
    }
    struct run run;
    prepare(&run);
    run.load.pinned_ref = ref_of(2);
    run.load.pinned_offset = 0;
    assert_int_equal(start_and_wait(&run), SHF_E_INVALID);
    clear(&run);
    prepare(&run);
    run.load.pinned_ref = "gone";
    assert_int_equal(start_and_wait(&run), SHF_E_NOT_FOUND);
    clear(&run);
}

static void test_pins_do_not_fall_back(void **state) {
    (void)state;
    put_run(3, 4);
    for (int with_ref = 0; with_ref < 2; with_ref++) {
        struct run run;
        prepare(&run);
        if (with_ref) {
            run.load.pinned_ref = ref_of(3);
        } else {
            run.load.pinned_offset = 1;
        }
        assert_int_equal(start_and_wait(&run), SHF_E_MANIFEST);
        assert_true(run.load.manifest_malformed);
        assert_int_equal(run.load.fallback_attempts, 0);
        expect_message(&run, ref_of(3));
        clear(&run);
    }
    assert_int_equal(log_lines, 0);
}

/* ---- refresh ---- */

static void test_refresh(void **state) {
    (void)state;
    char original[160];
    (void)snprintf(original, sizeof original, "s3://fixtures/peer/history-good/manifests/%s/manifest", names[3]);
    const char *const known[] = {ref_of(4), original};
    for (size_t i = 0; i < COUNT(known); i++) {
        fake_store_rewind(fake);
        struct run run;
        prepare(&run);
        run.load.known_ref = known[i];
        assert_int_equal(start_and_wait(&run), SHF_OK);
        assert_true(run.load.unchanged);
        assert_string_equal(fake->asked, asked(1, "p/_CURRENT")); /* nothing is loaded */
        clear(&run);
    }
    /* Another one is served, an older one too (a roll-back). */
    static const char *const others[] = {"mem://shop/p/manifests/x/manifest", "no ref at all", ""};
    for (size_t i = 0; i < COUNT(others) + 1; i++) {
        struct run run;
        prepare(&run);
        run.load.known_ref = i < COUNT(others) ? others[i] : ref_of(1);
        assert_int_equal(start_and_wait(&run), SHF_OK);
        expect_served(&run, 4, 0);
        clear(&run);
    }
    /* The same by offset and by ref. */
    struct run run;
    prepare(&run);
    run.load.known_ref = ref_of(3);
    run.load.pinned_offset = 1;
    assert_int_equal(start_and_wait(&run), SHF_OK);
    assert_true(run.load.unchanged);
    clear(&run);
    prepare(&run);
    run.load.known_ref = ref_of(3);
    run.load.pinned_ref = names[2];
    assert_int_equal(start_and_wait(&run), SHF_OK);
    assert_true(run.load.unchanged);
    clear(&run);
    /* What a refresh keeps the old state for. */
    put_run(4, 1);
    prepare(&run);
    run.load.known_ref = ref_of(3);
    run.load.max_fallback_attempts = 0;
    assert_int_equal(start_and_wait(&run), SHF_E_MANIFEST);
    assert_true(run.load.manifest_malformed);
    clear(&run);
}

/* ---- giving up ---- */

static void test_cancel_and_deadline(void **state) {
    (void)state;
    put_run(4, 1);
    /* Requests of this load: _CURRENT, run 4, the listing, run 3. */
    for (unsigned at = 0; at <= 4; at++) {
        struct shf_cancel cancel;
        shf_cancel_init(&cancel);
        struct run run;
        fake_store_rewind(fake);
        fake->stall_at = at;
        prepare(&run);
        run.load.cancel = &cancel;
        if (at == 0) {
            shf_cancel_request(&cancel);
        } else {
            shf_manifest_load_start(&run.load);
            struct timespec soon = {0, 5 * 1000 * 1000};
            (void)nanosleep(&soon, NULL);
            assert_int_equal(run.calls, 0);
            shf_cancel_request(&cancel);
            while (sem_wait(&run.finished)) {
            }
        }
        if (at == 0) (void)start_and_wait(&run);
        assert_int_equal(run.load.status, SHF_E_CANCELLED);
        assert_int_equal(run.calls, 1);
        assert_int_equal(fake->requests, at);
        assert_null(run.load.manifest);
        clear(&run);

        fake_store_rewind(fake);
        fake->stall_at = at;
        prepare(&run);
        run.load.deadline_ns = at == 0 ? shf_clock_monotonic_ns() : shf_deadline_after_ms(150);
        assert_int_equal(start_and_wait(&run), SHF_E_DEADLINE);
        assert_int_equal(fake->requests, at);
        assert_true(shf_error_retryable(run.load.error));
        clear(&run);
    }
}

/* Cancelled while a worker parses: no further request is sent. */
static struct shf_cancel cancel_between;
static void cancel_after_manifest(struct fake_store *self, unsigned number) {
    (void)self;
    if (number == 2) shf_cancel_request(&cancel_between);
}

static void test_cancel_between_requests(void **state) {
    (void)state;
    put_run(4, 1);
    shf_cancel_init(&cancel_between);
    struct run run;
    prepare(&run);
    run.load.cancel = &cancel_between;
    fake->before = cancel_after_manifest;
    assert_int_equal(start_and_wait(&run), SHF_E_CANCELLED);
    assert_int_equal(fake->requests, 2);
    clear(&run);
}

static void test_the_store_fails_at_each_step(void **state) {
    (void)state;
    static const shf_status failures[] = {SHF_E_STORE_RETRY, SHF_E_STORE,    SHF_E_ACCESS,   SHF_E_LIMIT,
                                          SHF_E_NO_MEMORY,   SHF_E_DEADLINE, SHF_E_CANCELLED};
    for (size_t i = 0; i < COUNT(failures); i++) {
        for (unsigned at = 1; at <= 2; at++) {
            fake_store_rewind(fake);
            fake->fail_at = fake->fail_last = at;
            fake->fail_status = failures[i];
            struct run run;
            prepare(&run);
            assert_int_equal(start_and_wait(&run), failures[i]);
            expect_message(&run, "fake store");
            assert_int_equal(fake->requests, at);
            clear(&run);
        }
        fake_store_rewind(fake);
        fake->fail_at = fake->fail_last = 1;
        fake->fail_status = failures[i];
        struct run run;
        prepare(&run);
        run.load.pinned_offset = 1;
        assert_int_equal(start_and_wait(&run), failures[i]);
        clear(&run);
    }
}

/* ---- the load may be freed by its done ---- */

struct heap_run {
    struct shf_manifest_load load; /* first */
    sem_t *finished;
};

static void done_and_free(struct shf_manifest_load *load) {
    struct heap_run *run = (struct heap_run *)(void *)load;
    sem_t *finished = run->finished;
    shf_error_free(load->error);
    shf_manifest_free(load->manifest);
    shf_free(load->manifest_ref);
    free(run);
    (void)sem_post(finished);
}

static void test_done_may_free(void **state) {
    (void)state;
    put_run(4, 1);
    sem_t finished;
    (void)sem_init(&finished, 0, 0);
    static const int64_t offsets[] = {-1, 0, 2, 99};
    for (size_t i = 0; i < COUNT(offsets); i++) {
        struct heap_run *run = calloc(1, sizeof *run);
        run->finished = &finished;
        run->load = (struct shf_manifest_load){.store = &fake->store,
                                               .location = &location,
                                               .pinned_offset = offsets[i],
                                               .max_fallback_attempts = 3,
                                               .deadline_ns = SHF_DEADLINE_NONE,
                                               .done = done_and_free};
        shf_manifest_load_start(&run->load);
        while (sem_wait(&finished)) {
        }
    }
    (void)sem_destroy(&finished);
}

static void test_many_at_once(void **state) {
    (void)state;
    put_run(4, 1);
    put_run(3, 2);
    enum { LOADS = 32 };
    static struct run runs[LOADS];
    for (size_t i = 0; i < LOADS; i++) {
        prepare(&runs[i]);
        shf_manifest_load_start(&runs[i].load);
    }
    for (size_t i = 0; i < LOADS; i++) {
        while (sem_wait(&runs[i].finished)) {
        }
        expect_served(&runs[i], 2, 2);
        clear(&runs[i]);
    }
}

/* ---- listing ---- */

struct listing_run {
    struct shf_manifest_listing listing; /* first */
    sem_t finished;
};

static void listing_done(struct shf_manifest_listing *listing) {
    (void)sem_post(&((struct listing_run *)(void *)listing)->finished);
}

static shf_status list_all(struct listing_run *run, const struct shf_cancel *cancel) {
    memset(run, 0xa5, sizeof *run);
    run->listing.store = &fake->store;
    run->listing.location = &location;
    run->listing.deadline_ns = SHF_DEADLINE_NONE;
    run->listing.cancel = cancel;
    run->listing.done = listing_done;
    (void)sem_init(&run->finished, 0, 0);
    shf_manifest_listing_start(&run->listing);
    while (sem_wait(&run->finished)) {
    }
    (void)sem_destroy(&run->finished);
    assert_int_equal(run->listing.status == SHF_OK, run->listing.error == NULL);
    if (run->listing.status) assert_int_equal(run->listing.count, 0);
    return run->listing.status;
}

static void test_history(void **state) {
    (void)state;
    fake_store_put_text(fake, "p/manifests/junk/manifest", "x");
    fake_store_put_text(fake, "p/manifests/file", "x");
    fake_store_put_text(fake, "p/manifests/2026-11-22T07:32:31.028107Z_run_id=run-04-71-b/manifest", "x");
    struct listing_run run;
    assert_int_equal(list_all(&run, NULL), SHF_OK);
    assert_int_equal(run.listing.count, 5);
    /* Equal times: by the rest of the name, descending. */
    assert_string_equal(run.listing.items[0].run_id, "run-04-71-b");
    for (unsigned i = 0; i < 4; i++) {
        assert_string_equal(run.listing.items[i + 1].ref, ref_of(4 - i));
        assert_string_equal(run.listing.items[i + 1].run_id, run_ids[3 - i]);
        assert_int_equal(run.listing.items[i + 1].published_at_us, published_us[3 - i]);
    }
    assert_string_equal(fake->asked, asked(1, "p/manifests/"));
    shf_manifest_listing_clear(&run.listing);
    shf_manifest_listing_clear(&run.listing); /* twice is fine */

    shf_location_free(&location);
    assert_int_equal(shf_location_parse("mem://shop/nothing/here", &location, NULL), SHF_OK);
    assert_int_equal(list_all(&run, NULL), SHF_OK);
    assert_int_equal(run.listing.count, 0);
    shf_manifest_listing_clear(&run.listing);
}

static void test_history_failures(void **state) {
    (void)state;
    static const shf_status failures[] = {SHF_E_STORE_RETRY, SHF_E_NOT_FOUND, SHF_E_ACCESS, SHF_E_LIMIT};
    for (size_t i = 0; i < COUNT(failures); i++) {
        fake_store_rewind(fake);
        fake->fail_at = fake->fail_last = 1;
        fake->fail_status = failures[i];
        struct listing_run run;
        assert_int_equal(list_all(&run, NULL), failures[i]);
        shf_manifest_listing_clear(&run.listing);
    }
    fake_store_rewind(fake);
    struct shf_cancel cancel;
    shf_cancel_init(&cancel);
    shf_cancel_request(&cancel);
    struct listing_run run;
    assert_int_equal(list_all(&run, &cancel), SHF_E_CANCELLED);
    shf_manifest_listing_clear(&run.listing);
}

/* ---- memory ---- */

static atomic_long allocations_left;
static bool only_one; /* the allocation after those fails alone; else the later ones fail too */
static bool may_allocate(void) {
    long left = atomic_fetch_sub(&allocations_left, 1);
    return left > 0 || (only_one && left < 0);
}
static void *count_down(size_t size) { return may_allocate() ? malloc(size) : NULL; }
static void *count_down_again(void *old, size_t size) { return may_allocate() ? realloc(old, size) : NULL; }
static const struct shf_alloc_seam failing = {count_down, count_down_again, NULL};

static void fail_allocations(long allowed, bool one) {
    fake_store_rewind(fake);
    only_one = one;
    atomic_store(&allocations_left, allowed);
    shf_alloc_set_seam(&failing);
}

/* True when an allocation failed since. */
static bool allocation_failed(void) {
    shf_alloc_set_seam(NULL);
    return atomic_load(&allocations_left) < 0;
}

static void check_load_without_memory(const char *ref, int64_t offset, bool one) {
    long failures = 0;
    for (long allowed = 0;; allowed++) {
        assert_true(allowed < 5000);
        struct run run;
        prepare(&run);
        run.load.pinned_ref = ref;
        run.load.pinned_offset = offset;
        run.load.known_ref = "s3://other/manifests/known/manifest";
        fail_allocations(allowed, one);
        shf_manifest_load_start(&run.load);
        while (sem_wait(&run.finished)) {
        }
        bool failed = allocation_failed();
        assert_int_equal(run.calls, 1);
        /* One that fails alone may have been for the text of an error that was got over. */
        if (run.load.status == SHF_OK) expect_served(&run, 2, ref || offset >= 0 ? 0 : 2);
        if (run.load.status == SHF_OK && !one) assert_false(failed);
        if (run.load.status && run.load.status != SHF_E_NO_MEMORY) {
            fail_msg("allocation %ld: status %d", allowed, run.load.status);
        }
        if (run.load.status) {
            assert_non_null(run.load.error);
            assert_null(run.load.manifest);
            assert_null(run.load.manifest_ref);
            failures++;
        }
        clear(&run);
        if (!failed) break;
    }
    assert_true(failures > 10);
}

/* A refresh that finds nothing new never loads anything, not even without memory to compare the refs. */
static void check_refresh_without_memory(bool one) {
    for (long allowed = 0;; allowed++) {
        assert_true(allowed < 1000);
        struct run run;
        prepare(&run);
        run.load.known_ref = ref_of(4);
        fail_allocations(allowed, one);
        shf_manifest_load_start(&run.load);
        while (sem_wait(&run.finished)) {
        }
        bool failed = allocation_failed();
        assert_int_equal(fake->requests <= 1, 1);
        assert_int_equal(run.load.status, failed ? SHF_E_NO_MEMORY : SHF_OK);
        assert_int_equal(run.load.unchanged, !failed);
        clear(&run);
        if (!failed) break;
    }
}

static void check_listing_without_memory(bool one) {
    for (long allowed = 0;; allowed++) {
        assert_true(allowed < 1000);
        struct listing_run run;
        fail_allocations(allowed, one);
        shf_status status = list_all(&run, NULL);
        bool failed = allocation_failed();
        if (status == SHF_OK) {
            assert_false(failed);
            assert_int_equal(run.listing.count, 4);
        } else {
            assert_int_equal(status, SHF_E_NO_MEMORY);
        }
        shf_manifest_listing_clear(&run.listing);
        if (!failed) break;
    }
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    put_run(4, 1);
    put_run(3, 2);
    for (int one = 0; one < 2; one++) {
        check_load_without_memory(NULL, -1, one);
        check_load_without_memory(NULL, 2, one);
        check_load_without_memory("manifests/2026-11-22T07:32:30.892590Z_run_id=run-02-71", -1, one);
        check_refresh_without_memory(one);
        check_listing_without_memory(one);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_open),
        TEST(test_another_pointer),
        TEST(test_a_directory_without_a_date),
        TEST(test_missing_pointer),
        TEST(test_malformed_pointers),
        TEST(test_hostile_refs),
        TEST(test_dangling_pointer),
        TEST(test_fallback),
        TEST(test_fallback_never_takes_newer_ones),
        TEST(test_fallback_ignores_other_names),
        TEST(test_fallback_from_a_directory_without_a_date),
        TEST(test_fallback_passes_over_removed_manifests),
        TEST(test_fallback_ends_at_other_failures),
        TEST(test_fallback_in_an_empty_history),
        TEST(test_offsets),
        TEST(test_refs),
        TEST(test_pins_do_not_fall_back),
        TEST(test_refresh),
        TEST(test_cancel_and_deadline),
        TEST(test_cancel_between_requests),
        TEST(test_the_store_fails_at_each_step),
        TEST(test_done_may_free),
        TEST(test_many_at_once),
        TEST(test_history),
        TEST(test_history_failures),
        TEST(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
