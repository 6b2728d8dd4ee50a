/* Names of a listing: versions go where their names go, and nothing is lost without memory. */
#include "support.h"

#include "base/alloc.h"
#include "io/store_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 1000u

static unsigned calls, failing; /* the failing-th allocation fails; 0: none does */
static bool fails(void) { return ++calls == failing; }
static void *allocate(size_t size) { return fails() ? NULL : malloc(size); }
static void *reallocate(void *old, size_t size) { return fails() ? NULL : realloc(old, size); }

/* MANY names in another order, each of them twice; the second time every third one without a version. */
static bool gather(struct shf_store_names *list) {
    for (unsigned i = 0; i < 2 * MANY; i++) {
        char name[16], version[16];
        unsigned number = i * 7 % MANY;
        bool has_version = list->wants_versions && (i < MANY || number % 3);
        (void)snprintf(name, sizeof name, "%04u", number);
        (void)snprintf(version, sizeof version, "%04u-%u", number, i / MANY);
        char *made = has_version ? shf_strdup(version) : NULL;
        if (has_version && !made) return false;
        if (!shf_store_names_add(list, shf_strdup(name), made)) return false;
    }
    return true;
}

static void expect(const struct shf_store_names *list) {
    assert_int_equal(list->count, MANY);
    assert_int_equal(list->versions != NULL, list->wants_versions);
    for (unsigned i = 0; i < MANY; i++) {
        char name[16], version[16];
        (void)snprintf(name, sizeof name, "%04u", i);
        (void)snprintf(version, sizeof version, "%04u-%u", i, i % 3 ? 1 : 0);
        assert_string_equal(list->names[i], name);
        if (list->versions) assert_string_equal(list->versions[i], version);
    }
}

static void test_sorted_without_doubles(void **state) {
    (void)state;
    for (int wants = 0; wants < 2; wants++) {
        struct shf_store_names list = {.wants_versions = wants};
        assert_true(gather(&list));
        assert_true(shf_store_names_add(&list, shf_strdup(""), wants ? shf_strdup("of nothing") : NULL));
        assert_true(shf_store_names_sort(&list));
        shf_store_names_drop_doubles(&list);
        expect(&list);
        shf_store_names_free(&list);
        assert_null(list.names);
        assert_int_equal(list.wants_versions, wants);
    }
}

static void test_none(void **state) {
    (void)state;
    struct shf_store_names list = {.wants_versions = true};
    struct shf_store_request request = {0};
    assert_true(shf_store_names_sort(&list));
    shf_store_names_drop_doubles(&list);
    shf_store_names_give(&list, &request);
    assert_null(request.names);
    assert_null(request.versions);
    assert_int_equal(request.name_count, 0);
    shf_store_request_clear(&request);
}

static void test_a_request_gets_them(void **state) {
    (void)state;
    struct shf_store_names list = {.wants_versions = true};
    struct shf_store_request request = {0};
    assert_true(gather(&list));
    shf_store_names_give(&list, &request);
    assert_int_equal(request.name_count, 2 * MANY);
    assert_string_equal(request.names[1], "0007");
    assert_string_equal(request.versions[1], "0007-0");
    assert_null(list.names);
    assert_int_equal(list.count, 0);
    shf_store_names_free(&list);
    shf_store_request_clear(&request);
    assert_null(request.versions);
}

/* Where versions are not wanted, they cost no allocation: one for each name, and those that the array grows by. */
static void test_failing_allocations(void **state) {
    (void)state;
    static const struct shf_alloc_seam seam = {allocate, reallocate, free};
    unsigned needed[2];
    shf_alloc_set_seam(&seam);
    for (int wants = 0; wants < 2; wants++) {
        bool over = false;
        for (failing = 1; !over; failing += failing < 200 ? 1u : 97u) {
            struct shf_store_names list = {.wants_versions = wants};
            calls = 0;
            bool ok = gather(&list) && shf_store_names_sort(&list);
            over = calls < failing;
            assert_int_equal(ok, over);
            shf_store_names_free(&list);
        }
        needed[wants] = calls;
    }
    failing = 0;
    shf_alloc_set_seam(NULL);
    assert_int_equal(needed[0], 2 * MANY + 6);                                  /* 64 names, doubled five times */
    assert_int_equal(needed[1], needed[0] + 6 + (2 * MANY - MANY / 3 - 1) + 1); /* sorting takes one */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_without_doubles),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_a_request_gets_them),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
