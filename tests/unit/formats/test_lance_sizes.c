/* Sizes that foreign bytes say: what they make room for is charged, and refused where it is too much. */
#include "lance_pages.h"

#include "base/alloc.h"
#include "formats/lance/dataset.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define SMALL_BUDGET 2000u /* bytes: a few pages */

/* With little memory it is refused like this; with much it is sound. */
static void expect_too_much(const struct page_made *page, const char *says) {
    struct opened opened;
    struct shf_error *error = NULL;
    for (uint64_t budget_bytes = SMALL_BUDGET; budget_bytes <= 1 << 20; budget_bytes <<= 9) {
        struct shf_lance_text text = {0};
        if (page) make_file(page, &opened.bytes);
        shf_status status = open_bytes(&opened, 0, budget_bytes, &error);
        if (!status) status = shf_lance_column_text(&opened.column, 0, &text, &error);
        if (budget_bytes == SMALL_BUDGET) {
            expect_error(status, &error, SHF_E_INVALID, says);
        } else {
            expect_ok(status, error);
            expect_ok(shf_lance_column_prepare(&opened.column, &error), error); /* once more does nothing */
        }
        assert_true(opened.budget.used_bytes <= budget_bytes);
        shf_lance_text_free(&text);
        close_page(&opened);
    }
}

/* Two bytes of metadata each are a page before they are looked at. */
static void test_many_pages(void **state) {
    (void)state;
    struct opened opened = {.bytes = {.size = 0}};
    struct bytes *out = &opened.bytes;
    struct shf_error *error = NULL;
    put_number(out, 2, 1);
    uint64_t metadata = out->size;
    for (size_t i = 0; i < 2000; i++) put_bytes(out, 2, "", 0);
    uint64_t tables = out->size;
    put_u64(out, metadata);
    put_u64(out, tables - metadata);
    put_u64(out, 0);
    put_u64(out, metadata);
    put_u64(out, metadata);
    put_u64(out, tables);
    put_u64(out, tables + 16);
    put_u32(out, 1);
    put_u32(out, 1);
    put_text(out, "\2");
    put(out, "\0\1\0LANC", 7);
    expect_error(open_bytes(&opened, 0, 100000, &error), &error, SHF_E_INVALID, "the pages of a Lance column");
    close_page(&opened);
    expect_error(open_bytes(&opened, 0, 1 << 20, &error), &error, SHF_E_CORRUPT, "page 0");
    close_page(&opened);
}

static void test_many_chunks(void **state) {
    (void)state;
    struct page_made page;
    struct bytes texts = three_texts("one", "", "three"), encoding = variable();
    enum { CHUNKS = 150 };
    make_mini(&page, NULL, NULL, &encoding, &texts);
    struct bytes chunk = page.buffers[1], layout = {.size = 0};
    page.buffers[0].size = page.buffers[1].size = 0;
    page.rows = CHUNKS + 2;
    for (size_t i = 0; i < CHUNKS; i++) {
        bool is_last = i + 1 == CHUNKS;
        struct bytes one = {.size = 0};
        put(&one, "\0\0\10\0\0\0\xfe\xfe\10\0\0\0\10\0\0\0", 16); /* one empty text */
        if (is_last) one = chunk;
        put_u32(&page.buffers[0], (uint32_t)(one.size / 8 - 1) << 4);
        put(&page.buffers[1], one.data, one.size);
    }
    put_message(&layout, 3, &encoding);
    put_bytes(&layout, 6, "\1", 1);
    put_number(&layout, 7, 1);
    put_number(&layout, 9, page.rows);
    put_number(&layout, 10, 1);
    page.encoding = wrap(1, &layout);
    expect_too_much(&page, "the chunks of a Lance page");
}

static void test_large_dictionaries(void **state) {
    (void)state;
    struct page_made page;
    struct bytes packed = {.size = 0}, lz4 = general(1);
    static char plain[5000];
    memset(plain, 'z', sizeof plain);
    memcpy(plain, "\40\0\0\0\20\0\0\0\0\0\0\0\5\0\0\0", 16); /* one text of five */
    put_u32(&packed, sizeof plain);
    packed.size += (size_t)LZ4_compress_default(plain, (char *)packed.data + 4, sizeof plain, 1000);
    make_dictionary(&page, &lz4, &packed, 1, (const uint8_t *)"\0\0\0");
    expect_too_much(&page, "the dictionary of a Lance page");
}

static void test_long_runs_of_nulls(void **state) {
    (void)state;
    struct bytes layout = {.size = 0}, level_encoding = runs(16, 8), *levels;
    struct page_made page = {.version = 2, .rows = 100 * UINT64_C(255), .buffer_count = 3};
    levels = &page.buffers[2];
    put_bytes(&layout, 5, "\3", 1);
    put_message(&layout, 8, &level_encoding);
    put_number(&layout, 10, page.rows);
    page.encoding = wrap(2, &layout);
    put_text(&page.buffers[0], "no text");
    put_u64(levels, 200);
    for (unsigned i = 0; i < 100; i++) put_u16(levels, 1);
    for (unsigned i = 0; i < 100; i++) put(levels, "\xff", 1);
    expect_too_much(&page, "the nulls of a Lance page");
}

/* A page of two texts that zstd unpacks: one of `size` times z, then "one". */
static void make_packed_texts(struct page_made *page, size_t size) {
    struct bytes encoding = general(2), value = {.size = 0};
    char *plain = malloc(size);
    memset(plain, 'z', size);
    make_zip(page, 2, 2, 0, 0, &encoding);
    put_u64(&value, size);
    value.size += ZSTD_compress(value.data + 8, sizeof value.data - 8, plain, size, 3);
    put_row(page, "", 0, value.data, value.size);
    value.size = 0;
    put_u64(&value, 3);
    value.size += ZSTD_compress(value.data + 8, sizeof value.data - 8, "one", 3, 3);
    put_row(page, "", 0, value.data, value.size);
    free(plain);
}

static void test_texts_that_unpack_to_much(void **state) {
    (void)state;
    struct page_made page;
    make_packed_texts(&page, 100000);
    expect_too_much(&page, "unpacking a text");
    struct bytes encoding = fsst();
    char codes[500];
    memset(codes, 0, sizeof codes); /* "abc" each */
    make_zip(&page, 2, 1, 0, 0, &encoding);
    put_row(&page, "", 0, codes, sizeof codes);
    expect_too_much(&page, "unpacking a text");
}

/* Of texts that are packed or not, no more is made than the caller wants. */
static void test_most_bytes_of_a_text(void **state) {
    (void)state;
    struct page_made page;
    struct bytes encodings[] = {variable(), fsst(), general(2)};
    for (size_t i = 0; i < 3; i++) {
        struct opened opened;
        struct shf_error *error = NULL;
        make_zip(&page, 2, 1, 0, 0, &encodings[i]);
        if (i == 0) put_row(&page, "", 0, "abcabc", 6);
        if (i == 1) put_row(&page, "", 0, "\0\0", 2);
        if (i == 2) make_packed_texts(&page, 6);
        expect_ok(open_page(&opened, &page, 0, &error), error);
        for (size_t most = 1; most < 9; most++) {
            struct shf_lance_text text = {.max_bytes = most};
            shf_status status = shf_lance_column_text(&opened.column, 0, &text, &error);
            assert_int_equal(text.is_too_large, most < 6);
            if (most < 6) {
                expect_error(status, &error, SHF_E_LIMIT, "at most");
            } else {
                expect_ok(status, error);
                assert_int_equal(text.size, 6);
            }
            shf_lance_text_free(&text);
        }
        close_page(&opened);
    }
}

/* An id that is too long to be one does not keep the others from being found. */
static void test_ids_that_are_too_long(void **state) {
    (void)state;
    struct page_made page;
    struct bytes ids, vectors;
    struct shf_error *error = NULL;
    struct shf_budget budget;
    struct shf_stored_id id;
    make_packed_texts(&page, SHF_LIMIT_ID_BYTES + 1);
    make_file(&page, &ids);
    struct bytes items = old_flat(32, 0), list = number(1, 1);
    put_message(&list, 2, &items);
    struct bytes encoding = wrap(3, &list);
    page = (struct page_made){.version = 0, .rows = 2, .buffer_count = 1, .encoding = no_nulls(&encoding)};
    put_u64(&page.buffers[0], 0);
    make_file(&page, &vectors);
    struct shf_lance_data_file files[2] = {{.name = "a.lance", .columns = {0, SHF_LANCE_NO_COLUMN, SHF_LANCE_NO_COLUMN}},
                                           {.name = "b.lance", .columns = {SHF_LANCE_NO_COLUMN, 0, SHF_LANCE_NO_COLUMN}}};
    struct shf_lance_fragment fragment = {.id = 5, .rows = 2, .files = files, .file_count = 2};
    const struct shf_lance_manifest manifest = {.dimension = 1, .fragments = &fragment, .fragment_count = 1};
    const struct shf_lance_source sources[2] = {shf_lance_source_of(ids.data, ids.size),
                                                shf_lance_source_of(vectors.data, vectors.size)};
    const struct shf_lance_fragment_bytes bytes = {.files = sources};
    struct shf_lance_dataset *dataset;
    shf_budget_init(&budget, 1 << 20);
    expect_ok(shf_lance_dataset_open(&manifest, &bytes, &budget, &dataset, &error), error);
    bool found = false;
    int64_t address = 0;
    expect_ok(shf_lance_dataset_find_id(dataset, "one", 3, &found, &address, &error), error);
    assert_true(found && address == shf_lance_row_address(5, 1));
    expect_ok(shf_lance_dataset_find_id(dataset, "one", 3, &found, &address, NULL), NULL);
    expect_ok(shf_lance_dataset_find_id(dataset, "two", 3, &found, &address, &error), error);
    assert_false(found);
    char *longest = calloc(1, SHF_LIMIT_ID_BYTES + 1);
    memset(longest, 'z', SHF_LIMIT_ID_BYTES + 1);
    expect_ok(shf_lance_dataset_find_id(dataset, longest, SHF_LIMIT_ID_BYTES + 1, &found, &address, &error), error);
    assert_false(found);
    free(longest);
    expect_error(shf_lance_dataset_id(dataset, shf_lance_row_address(5, 0), &id, &error), &error, SHF_E_LIMIT, "at most");
    expect_ok(shf_lance_dataset_id(dataset, shf_lance_row_address(5, 1), &id, &error), error);
    assert_string_equal(id.text, "one");
    shf_free(id.text);
    shf_lance_dataset_free(dataset);
    assert_int_equal(budget.used_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_pages),
        cmocka_unit_test(test_many_chunks),
        cmocka_unit_test(test_large_dictionaries),
        cmocka_unit_test(test_long_runs_of_nulls),
        cmocka_unit_test(test_texts_that_unpack_to_much),
        cmocka_unit_test(test_most_bytes_of_a_text),
        cmocka_unit_test(test_ids_that_are_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
