/* Refresh, giving up, listings, and memory that ends, with failures at every step. */
#include "manifest_run.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
            const struct timespec soon = {0, 1000 * 1000};
            for (int waited = 0; atomic_load(&fake->requests) < at && waited < 10000; waited++)
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
        run.load.deadline_ns = at == 0 ? shf_clock_monotonic_ns() : shf_deadline_after_ms(500);
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
