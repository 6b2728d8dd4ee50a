/* Finding and loading the manifest that an open is to serve: the pointer, the walk back, pins. */
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
    expect_message(&run, "the CURRENT pointer names a manifest that is not there");
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
            expect_message(&run, "manifests there: 4");
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

/* The store is asked for nothing, and nothing else is tried. */
static void test_given_manifests(void **state) {
    (void)state;
    static const struct {
        const char *ref;
        bool is_dated;
    } rows[] = {{"a row of a table", false},
                {"2026-11-22T07:32:30.824590Z_run_id=run-01-71", true},
                {"s3://x/manifests/2026-11-22T07:32:30.824590Z_run_id=run-01-71/manifest", true},
                {"no-manifests/2026-11-22T07:32:30.824590Z_run_id=run-01-71", false}};
    size_t size;
    uint8_t *data = peer_read(SHF_TEST_DATA "/snapshot/history/run-01.manifest", &size);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shf_manifest_given given;
        struct run run;
        assert_int_equal(shf_manifest_given_copy(runtime, rows[i].ref, (shf_slice){data, size}, &given), SHF_OK);
        prepare(&run);
        run.load.given = &given;
        assert_int_equal(start_and_wait(&run), SHF_OK);
        assert_string_equal(run.load.manifest->run_id, run_ids[0]);
        assert_string_equal(run.load.manifest_ref, rows[i].ref);
        assert_true(run.load.published_at_us == (rows[i].is_dated ? published_us[0] : run.load.manifest->created_at_us));
        clear(&run);
        prepare(&run);
        run.load.given = &given;
        run.load.known_ref = rows[i].ref;
        assert_int_equal(start_and_wait(&run), SHF_OK);
        assert_true(run.load.unchanged);
        clear(&run);
        shf_manifest_given_free(&given);
    }
    struct shf_manifest_given given;
    struct run run;
    assert_int_equal(shf_manifest_given_copy(runtime, "half", (shf_slice){data, 100}, &given), SHF_OK);
    free(data);
    prepare(&run);
    run.load.given = &given;
    assert_int_equal(start_and_wait(&run), SHF_E_MANIFEST);
    assert_true(run.load.manifest_malformed);
    expect_message(&run, "the manifest half");
    assert_string_equal(shf_error_object(run.load.error), "");
    clear(&run);
    prepare(&run);
    struct shf_cancel cancelled;
    shf_cancel_init(&cancelled);
    shf_cancel_request(&cancelled);
    run.load.given = &given;
    run.load.cancel = &cancelled;
    assert_int_equal(start_and_wait(&run), SHF_E_CANCELLED);
    clear(&run);
    shf_manifest_given_free(&given);
    assert_int_equal(fake->requests, 0);
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
        TEST(test_given_manifests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
