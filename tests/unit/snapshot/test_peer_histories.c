/*
 * The histories of the Python project, opened from files where they lie and from a copy in a store: what is
 * served by how many attempts, every pinned manifest, and the listing, as recorded.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "fake_store.h"
#include "peer.h"
#include "snapshot/manifest_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static shf_runtime *runtime;

struct place {
    const char *name;
    struct shf_store *store;
    struct shf_location location;
    json_t *facts, *history;
    size_t *opened;
};

struct run {
    struct shf_manifest_load load; /* first */
    struct shf_manifest_listing listing;
    sem_t finished;
};

static void load_done(struct shf_manifest_load *load) {
    (void)sem_post(&SHF_CONTAINER(load, struct run, load)->finished);
}
static void listing_done(struct shf_manifest_listing *listing) {
    (void)sem_post(&SHF_CONTAINER(listing, struct run, listing)->finished);
}

static void load(struct run *run, const struct place *place, uint32_t attempts, const char *ref, int64_t offset) {
    run->load = (struct shf_manifest_load){.store = place->store,
                                           .location = &place->location,
                                           .pinned_ref = ref,
                                           .pinned_offset = offset,
                                           .max_fallback_attempts = attempts,
                                           .deadline_ns = SHF_DEADLINE_NONE,
                                           .done = load_done};
    (void)sem_init(&run->finished, 0, 0);
    shf_manifest_load_start(&run->load);
    while (sem_wait(&run->finished)) {
    }
    (void)sem_destroy(&run->finished);
}

static void clear(struct run *run) {
    shf_error_free(run->load.error);
    shf_manifest_free(run->load.manifest);
    shf_free(run->load.manifest_ref);
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

/* The recorded ref, below where the snapshot lies now. */
static void expect_ref(const struct place *place, const char *ref, const char *recorded) {
    char expected[2048];
    const char *tail = strstr(recorded, "/manifests/");
    assert_non_null(tail);
    (void)snprintf(expected, sizeof expected, "%s%s", place->location.url, tail);
    assert_string_equal(ref, expected);
}

static json_t *entry_of_run(const struct place *place, json_int_t run) {
    json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(place->history, "newest_first"), i, entry) {
        if (json_integer_value(json_object_get(entry, "run")) == run) return entry;
    }
    fail_msg("%s: run %lld is not in history.json", place->name, (long long)run);
    return NULL;
}

static void expect_run(const struct place *place, const struct run *run, json_t *entry) {
    if (run->load.status) fail_msg("%s: %s", place->name, shf_error_message(run->load.error));
    expect_ref(place, run->load.manifest_ref, text_of(entry, "ref"));
    assert_string_equal(run->load.manifest->run_id, text_of(entry, "run_id"));
    int64_t published_us;
    const char *published = text_of(entry, "published_at");
    assert_true(shf_time_parse(published, strlen(published), &published_us));
    assert_int_equal(run->load.published_at_us, published_us);
    ++*place->opened;
}

static void expect_error(const struct place *place, const struct run *run, const json_t *error) {
    const char *class = text_of(error, "class");
    shf_status expected = strcmp(class, "ManifestParseError") == 0 ? SHF_E_MANIFEST
                          : strcmp(class, "ReaderStateError") == 0 ? SHF_E_STATE
                                                                   : SHF_E_NOT_FOUND;
    assert_true(expected != SHF_E_NOT_FOUND || strcmp(class, "FileNotFoundError") == 0);
    /* Contract section 1: a missing pointer is a state error, which the Python project means to raise. */
    if (strcmp(place->name, "current-missing") == 0) expected = SHF_E_STATE;
    if (run->load.status != expected) {
        fail_msg("%s: %d (%s), recorded %s", place->name, run->load.status, shf_error_message(run->load.error), class);
    }
}

static void check_opens(const struct place *place) {
    json_t *outcome;
    size_t i;
    assert_int_equal(json_array_size(json_object_get(place->facts, "open_by_max_fallback_attempts")), 6);
    json_array_foreach(json_object_get(place->facts, "open_by_max_fallback_attempts"), i, outcome) {
        struct run run;
        json_t *opened = json_object_get(outcome, "opened_run");
        json_int_t attempts = json_integer_value(json_object_get(outcome, "max_fallback_attempts"));
        load(&run, place, (uint32_t)attempts, NULL, -1);
        if (opened) {
            expect_run(place, &run, entry_of_run(place, json_integer_value(opened)));
        } else {
            expect_error(place, &run, json_object_get(outcome, "error"));
        }
        clear(&run);
    }
}

static void check_pins(const struct place *place) {
    json_t *entry;
    size_t offset;
    json_array_foreach(json_object_get(place->history, "newest_first"), offset, entry) {
        for (int by_ref = 0; by_ref < 2; by_ref++) {
            struct run run;
            load(&run, place, 3, by_ref ? text_of(entry, "ref") : NULL, by_ref ? -1 : (int64_t)offset);
            if (json_object_get(entry, "broken")) {
                assert_int_equal(run.load.status, SHF_E_MANIFEST);
                assert_true(run.load.manifest_malformed);
            } else {
                expect_run(place, &run, entry);
            }
            clear(&run);
        }
    }
}

static void check_listing(const struct place *place) {
    struct run run;
    run.listing = (struct shf_manifest_listing){
        .store = place->store, .location = &place->location, .deadline_ns = SHF_DEADLINE_NONE, .done = listing_done};
    (void)sem_init(&run.finished, 0, 0);
    shf_manifest_listing_start(&run.listing);
    while (sem_wait(&run.finished)) {
    }
    (void)sem_destroy(&run.finished);
    if (run.listing.status) fail_msg("%s: %s", place->name, shf_error_message(run.listing.error));
    json_t *entries = json_object_get(place->history, "newest_first"), *entry;
    assert_int_equal(run.listing.count, json_array_size(entries));
    size_t i;
    json_array_foreach(entries, i, entry) {
        expect_ref(place, run.listing.items[i].ref, text_of(entry, "ref"));
        assert_string_equal(run.listing.items[i].run_id, text_of(entry, "run_id"));
    }
    shf_manifest_listing_clear(&run.listing);
}

static void check_place(struct place *place) {
    place->facts = peer_json(place->name, "case.json");
    place->history = peer_json(place->name, "history.json");
    check_opens(place);
    check_pins(place);
    check_listing(place);
    json_decref(place->facts);
    json_decref(place->history);
}

static void from_files(const char *name, void *context) {
    char path[2048];
    (void)snprintf(path, sizeof path, "%s/%s/snapshot", peer_root(), name);
    struct place place = {.name = name, .opened = context};
    assert_int_equal(shf_location_parse(path, &place.location, NULL), SHF_OK);
    assert_int_equal(shf_store_file_new(runtime, &place.store, NULL), SHF_OK);
    check_place(&place);
    shf_store_release(place.store);
    shf_location_free(&place.location);
}

static void put_file(struct fake_store *fake, const char *root, const char *tail) {
    char path[4096], key[2048];
    size_t size;
    (void)snprintf(path, sizeof path, "%s/%s", root, tail);
    (void)snprintf(key, sizeof key, "a/copy/%s", tail);
    uint8_t *data = peer_read(path, &size);
    if (data) fake_store_put(fake, key, data, size);
    free(data);
}

static void from_a_copy(const char *name, void *context) {
    char root[2048], path[4096];
    (void)snprintf(root, sizeof root, "%s/%s/snapshot", peer_root(), name);
    (void)snprintf(path, sizeof path, "%s/manifests", root);
    struct fake_store *fake = fake_store_new(runtime);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, NULL);
    for (int i = 0; i < count; i++) {
        char tail[512];
        (void)snprintf(tail, sizeof tail, "manifests/%s/manifest", entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') put_file(fake, root, tail);
        free(entries[i]);
    }
    free(entries);
    put_file(fake, root, "_CURRENT");
    struct place place = {.name = name, .store = &fake->store, .opened = context};
    assert_int_equal(shf_location_parse("mem://shop/a/copy", &place.location, NULL), SHF_OK);
    check_place(&place);
    shf_location_free(&place.location);
    fake_store_free(fake);
}

static void check_all(void (*each)(const char *name, void *context)) {
    if (!peer_root()) skip();
    static const char *const prefixes[] = {"history-", "fallback-", "current-"};
    size_t opened = 0, cases = 0;
    for (size_t i = 0; i < 3; i++) cases += peer_each(prefixes[i], each, &opened);
    print_message("%zu cases, %zu manifests opened\n", cases, opened);
    assert_int_equal(cases, 10);
    assert_true(opened > 60);
}

static void test_from_files(void **state) {
    (void)state;
    check_all(from_files);
}

static void test_from_a_copy(void **state) {
    (void)state;
    check_all(from_a_copy);
}

static int set_up(void **state) {
    (void)state;
    return shf_runtime_new(NULL, &runtime);
}
static int tear_down(void **state) {
    (void)state;
    return shf_runtime_free(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_from_a_copy, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
