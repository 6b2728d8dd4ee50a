/* Sidecars as they are made: those of real databases come out as they were; errors; a file with a lock page. */
#include "build_support.h"

#include "base/cursor.h"
#include "formats/sidecar.h"
#include "formats/sqlite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- real ones ---- */

/* The lists as the real sidecar has them; false when a chain is not of consecutive pages, which ours can not say. */
static bool take_lists(const struct shf_sidecar *sidecar, struct shf_shard_pages *pages) {
    pages->interior_count = sidecar->page_count;
    pages->chain_count = sidecar->chain_count;
    pages->interior = calloc((size_t)sidecar->page_count + 1, sizeof *pages->interior);
    pages->chains = calloc((size_t)sidecar->chain_count + 1, sizeof *pages->chains);
    for (uint32_t i = 0; i < sidecar->page_count; i++) {
        struct shf_sidecar_page page;
        shf_sidecar_page_at(sidecar, i, &page);
        pages->interior[i] = page.number;
    }
    bool is_consecutive = true;
    for (uint32_t i = 0; i < sidecar->chain_count; i++) {
        struct shf_sidecar_chain chain;
        shf_sidecar_chain_at(sidecar, i, &chain);
        pages->chains[i] = (struct shf_page_chain){shf_sidecar_chain_page(&chain, 0), chain.count};
        for (uint32_t page = 0; page < chain.count; page++) {
            if (shf_sidecar_chain_page(&chain, page) != pages->chains[i].head + page) is_consecutive = false;
        }
    }
    return is_consecutive;
}

static bool rebuild(const char *directory) {
    char path[5000];
    struct shf_error *error = NULL;
    struct shf_sqlite db;
    struct shf_sidecar *expected, *got;
    struct shf_shard_pages pages = {0};
    struct bytes_sink sink = {.base = {bytes_write}};
    size_t size, db_size;
    (void)snprintf(path, sizeof path, "%s/shard.sidecar", directory);
    uint8_t *bytes = load_file(path, &size);
    shf_status status = shf_sidecar_parse(bytes, size, &expected, &error);
    expect_ok(status, error);
    (void)snprintf(path, sizeof path, "%s/shard.db", directory);
    if (!file_exists(path)) (void)snprintf(path, sizeof path, "%s/shard.db.zst", directory);
    uint8_t *db_data = load_file(path, &db_size);
    expect_ok(shf_sqlite_open(&db, db_data, db_size, &error), error);
    pages.page_size = db.page_size;
    pages.page_count = db.page_count;
    bool is_consecutive = take_lists(expected, &pages);
    if (is_consecutive) {
        status = shf_sidecar_build(db_data, db_size, &pages, expected->prefix.tag, &sink.base, &error);
        expect_ok(status, error);
        expect_ok(shf_sidecar_parse(sink.bytes, sink.size, &got, &error), error);
        assert_memory_equal(sink.bytes, bytes, expected->prefix.frame_offset);
        assert_int_equal(got->prefix.body_size, expected->prefix.body_size);
        assert_memory_equal(got->body, expected->body, expected->prefix.body_size);
        shf_sidecar_free(got);
    }
    free(sink.bytes);
    free(pages.interior);
    free(pages.chains);
    free(db_data);
    free(bytes);
    shf_sidecar_free(expected);
    return is_consecutive;
}

/* Every directory below that has a sidecar. */
static size_t rebuild_below(const char *directory, unsigned depth) {
    char path[4200];
    size_t count = 0;
    DIR *handle = opendir(directory);
    for (struct dirent *entry; handle && (entry = readdir(handle));) {
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (strcmp(entry->d_name, "shard.sidecar") == 0) {
            count += rebuild(directory);
        } else if (entry->d_type == DT_DIR && depth > 0) {
            count += rebuild_below(path, depth - 1);
        }
    }
    if (handle) (void)closedir(handle);
    return count;
}

static void test_real(void **state) {
    (void)state;
    static const char *const folders[] = {"fixtures/sqlite", "fixtures/peer"};
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        const char *shared = shared_path(folders[i]);
        char root[4096];
        if (!shared) return;
        (void)snprintf(root, sizeof root, "%s", shared);
        count += rebuild_below(root, 6);
    }
    assert_true(count > 100);
}

/* ---- others ---- */

static bool any_row(void *context, size_t index, struct shf_shard_row *row) {
    static uint8_t key[4], value[700];
    (void)context;
    for (int i = 0; i < 4; i++) key[i] = (uint8_t)(index >> (24 - 8 * i));
    memset(value, (int)index, sizeof value);
    *row = (struct shf_shard_row){.key = key, .key_size = 4, .value = value, .value_size = index % 700};
    return index < 20000;
}

static void test_errors(void **state) {
    (void)state;
    struct built built;
    struct shf_error *error = NULL;
    char long_tag[300];
    build_shard(512, 0, 0, any_row, NULL, &built);
    for (size_t n = 1, failed = 1; failed; n++) { /* every write fails once */
        struct bytes_sink sink = {.base = {bytes_write}, .fail_at = n};
        shf_status status = shf_sidecar_build(built.bytes, built.size, &built.pages, NULL, &sink.base, &error);
        failed = status != SHF_OK;
        if (failed) expect_error(status, &error, SHF_E_LOCAL, "disk is full");
        assert_true(failed || n > 1);
        free(sink.bytes);
    }
    for (unsigned n = 1; n <= 2; n++) {
        struct bytes_sink sink = {.base = {bytes_write}};
        alloc_fail_at(n);
        shf_status status = shf_sidecar_build(built.bytes, built.size, &built.pages, NULL, &sink.base, &error);
        expect_error(status, &error, SHF_E_NO_MEMORY, "sidecar");
        assert_int_equal(alloc_live(), 0);
        alloc_normal();
        free(sink.bytes);
    }
    memset(long_tag, 't', 299);
    long_tag[299] = '\0';
    for (size_t size = 254; size <= 257; size++) {
        struct bytes_sink sink = {.base = {bytes_write}};
        struct shf_sidecar_prefix prefix;
        const char *tag = long_tag + 299 - size;
        expect_ok(shf_sidecar_build(built.bytes, built.size, &built.pages, tag, &sink.base, &error), error);
        expect_ok(shf_sidecar_prefix_parse(sink.bytes, sink.size, &prefix, &error), error);
        assert_string_equal(prefix.tag, size <= 255 ? tag : "");
        free(sink.bytes);
    }
    struct bytes_sink sink = {.base = {bytes_write}};
    struct shf_shard_pages wrong = built.pages;
    expect_error(shf_sidecar_build(built.bytes, built.size - 1, &wrong, NULL, &sink.base, &error), &error,
                 SHF_E_INTERNAL, "lists");
    const uint32_t pages[] = {1, wrong.page_count + 1}, descending[] = {3, 2};
    wrong.interior = (uint32_t *)pages;
    wrong.interior_count = 2;
    expect_error(shf_sidecar_build(built.bytes, built.size, &wrong, NULL, &sink.base, &error), &error, SHF_E_INTERNAL,
                 "lists");
    wrong.interior = (uint32_t *)descending;
    expect_error(shf_sidecar_build(built.bytes, built.size, &wrong, NULL, &sink.base, &error), &error, SHF_E_INTERNAL,
                 "lists");
    wrong.interior_count = 0;
    const struct shf_page_chain chains[] = {{wrong.page_count, 2}};
    wrong.chains = (struct shf_page_chain *)chains;
    wrong.chain_count = 1;
    expect_error(shf_sidecar_build(built.bytes, built.size, &wrong, NULL, &sink.base, &error), &error, SHF_E_INTERNAL,
                 "lists");
    assert_int_equal(sink.writes, 0);
    built_free(&built);
}

/* A chain around the lock page. */
static void test_lock_page(void **state) {
    (void)state;
    enum { PAGE = 65536, LOCK = (1 << 30) / PAGE + 1, COUNT = LOCK + 20 };
    struct shf_error *error = NULL;
    struct bytes_sink sink = {.base = {bytes_write}};
    struct shf_sidecar *sidecar;
    struct shf_sidecar_chain chain;
    size_t size = (size_t)PAGE * COUNT;
    uint8_t *data = calloc(1, size); /* only page 1 is read */
    uint32_t first = 1;
    struct shf_page_chain chains[2] = {{2, LOCK}, {LOCK + 3, 18}};
    struct shf_shard_pages pages = {
        .page_size = PAGE, .page_count = COUNT, .interior = &first, .interior_count = 1, .chains = chains, .chain_count = 2};
    expect_ok(shf_sidecar_build(data, size, &pages, NULL, &sink.base, &error), error);
    expect_ok(shf_sidecar_parse(sink.bytes, sink.size, &sidecar, &error), error);
    shf_sidecar_chain_at(sidecar, 0, &chain);
    assert_int_equal(chain.count, LOCK);
    for (uint32_t i = 0; i < chain.count; i++) {
        assert_int_equal(shf_sidecar_chain_page(&chain, i), 2 + i < LOCK ? 2 + i : 3 + i);
    }
    shf_sidecar_chain_at(sidecar, 1, &chain);
    assert_int_equal(shf_sidecar_chain_page(&chain, 17), COUNT);
    shf_sidecar_free(sidecar);
    chains[1].count = 19;
    free(sink.bytes);
    sink = (struct bytes_sink){.base = {bytes_write}};
    expect_error(shf_sidecar_build(data, size, &pages, NULL, &sink.base, &error), &error, SHF_E_INTERNAL, "lists");
    chains[1] = (struct shf_page_chain){LOCK, 1};
    expect_error(shf_sidecar_build(data, size, &pages, NULL, &sink.base, &error), &error, SHF_E_INTERNAL, "lists");
    free(data);
}

/* Lists whose body would be too long: refused before anything is written. */
static void test_limit(void **state) {
    (void)state;
    enum { PAGE = 65536, COUNT = 16500 }; /* whole pages: their type is no b-tree's */
    struct shf_error *error = NULL;
    struct bytes_sink sink = {.base = {bytes_write}};
    size_t size = (size_t)PAGE * COUNT;
    uint8_t *data = calloc(1, size); /* never touched but for one byte a page */
    uint32_t *numbers = malloc(COUNT * sizeof *numbers);
    for (uint32_t i = 0; i < COUNT; i++) numbers[i] = i + 1;
    struct shf_shard_pages pages = {.page_size = PAGE, .page_count = COUNT, .interior = numbers, .interior_count = COUNT};
    expect_error(shf_sidecar_build(data, size, &pages, NULL, &sink.base, &error), &error, SHF_E_LIMIT, "1073741824");
    assert_int_equal(sink.writes, 0);
    free(numbers);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_lock_page),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
