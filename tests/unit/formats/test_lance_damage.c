/*
 * Lance datasets that are damaged, cut, half there, or read while memory is out: each time an answer or a clean error, never a
 * read outside of the bytes (the sanitizers look).
 */
#include "build_support.h"
#include "lance_support.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN SHF_TEST_DATA "/formats/lance/"

static uint64_t accepted, refused;

/* ---- everything that can be asked ---- */

static void drop(shf_status status, struct shf_error **error) {
    assert_int_equal(shf_error_code(*error), status);
    assert_true(status == SHF_E_CORRUPT || status == SHF_E_INDEX || status == SHF_E_UNSUPPORTED || status == SHF_E_LIMIT);
    assert_true(strlen(shf_error_message(*error)) > 0);
    shf_error_free(*error);
    *error = NULL;
}

static void ask_rows(const struct shf_lance_dataset *dataset, const int64_t *addresses, uint64_t rows) {
    struct shf_error *error = NULL;
    for (uint64_t i = 0; i < rows; i += 1 + rows / 40) {
        struct shf_stored_id id;
        char *payload;
        size_t size;
        shf_status status = shf_lance_dataset_id(dataset, addresses[i], &id, &error);
        if (status) {
            drop(status, &error);
        } else {
            assert_int_equal(id.text[id.text_size], '\0');
            shf_free(id.text);
        }
        status = shf_lance_dataset_payload(dataset, addresses[i], &payload, &size, &error);
        if (status) {
            drop(status, &error);
        } else {
            shf_free(payload);
        }
    }
}

/* Opens the set as it is now, and asks. */
static void ask(struct lance_set *set) {
    struct shf_lance_dataset *dataset;
    struct shf_error *error = NULL;
    bool found;
    int64_t address;
    shf_status status = shf_lance_dataset_open(set->manifest, set->fragments, &set->budget, &dataset, &error);
    if (status) {
        drop(status, &error);
        refused++;
        assert_int_equal(set->budget.used_bytes, 0);
        return;
    }
    uint64_t rows = shf_lance_dataset_count(dataset), bytes = 0;
    for (size_t i = 0; i < set->file_count; i++) bytes += set->files[i].size;
    assert_true(rows * set->manifest->dimension * sizeof(float) <= bytes); /* nobody makes room for what is not there */
    float *vectors = malloc(rows * set->manifest->dimension * sizeof(float) + 1);
    int64_t *addresses = calloc(rows + 1, sizeof *addresses);
    status = shf_lance_dataset_read(dataset, rows, vectors, addresses, &error);
    if (status) {
        drop(status, &error);
        refused++;
    } else {
        ask_rows(dataset, addresses, rows);
        status = shf_lance_dataset_find_id(dataset, "?", 1, &found, &address, &error);
        if (status) drop(status, &error);
        accepted++;
    }
    free(vectors);
    free(addresses);
    shf_lance_dataset_free(dataset);
    assert_int_equal(set->budget.used_bytes, 0);
}

/* ---- damage ---- */

static const char *const small_sets[] = {
    "v20-npm0.14.0_fragments", "v20-npm0.27.2_del",      "v21-npm0.38.0_fragments", "v22-npm0.39.0_one",
    "v22-npm0.39.0_constnull", "v22-npm0.39.0_hugetext", "v22-npm0.39.0_emptystr"};

static void open_golden(struct lance_set *set, const char *name) {
    char path[512];
    (void)snprintf(path, sizeof path, GOLDEN "%s/vector_index.lance", name);
    lance_set_load(set, path);
}

/* The source of a data file whose bytes were moved. */
static void repoint(struct lance_set *set, size_t file) {
    const uint8_t *data = set->files[file].data;
    if (set->sources[file].data) set->sources[file] = shf_lance_source_of(data, set->files[file].size);
}

static void flip_bytes(struct lance_set *set, size_t file) {
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    for (size_t at = 0; at < set->files[file].size; at++) {
        uint8_t *byte = &set->files[file].data[at], was = *byte;
        *byte = was ^ masks[at % 3];
        ask(set);
        *byte = was ^ masks[(at + 1) % 3];
        ask(set);
        *byte = was;
    }
}

static void test_flipped_bytes(void **state) {
    (void)state;
    accepted = refused = 0;
    for (size_t i = 0; i < sizeof small_sets / sizeof small_sets[0]; i++) {
        struct lance_set set;
        open_golden(&set, small_sets[i]);
        for (size_t file = 0; file < set.file_count; file++) {
            if (set.files[file].size <= 2500) flip_bytes(&set, file);
        }
        lance_set_close(&set);
    }
    print_message("%llu damaged sets were read, %llu refused\n", (unsigned long long)accepted,
                  (unsigned long long)refused);
    assert_true(accepted > 1000 && refused > 5000);
}

/* Cut at every length, the file in memory of just that size, and its manifest not knowing its size. */
static void test_cut_files(void **state) {
    (void)state;
    accepted = refused = 0;
    for (size_t i = 0; i < sizeof small_sets / sizeof small_sets[0]; i++) {
        struct lance_set set;
        open_golden(&set, small_sets[i]);
        struct shf_lance_fragment *fragment = &set.manifest->fragments[0];
        struct lance_file_bytes whole = set.files[0];
        fragment->files[0].size = 0;
        for (size_t size = 0; size<whole.size; size += whole.size> 2500 ? 7 : 1) {
            set.files[0] = (struct lance_file_bytes){malloc(size + 1), size};
            memcpy(set.files[0].data, whole.data, size);
            set.files[0].data = realloc(set.files[0].data, size ? size : 1);
            repoint(&set, 0);
            ask(&set);
            free(set.files[0].data);
        }
        set.files[0] = whole;
        repoint(&set, 0);
        const void *deletions = set.fragments[0].deletions;
        for (size_t size = 0; size < set.fragments[0].deletions_size; size++) {
            struct shf_lance_deletions out;
            struct shf_error *error = NULL;
            uint8_t *cut = malloc(size ? size : 1);
            memcpy(cut, deletions, size);
            drop(shf_lance_deletions_parse(fragment->deletions.type, cut, size, fragment->rows, &out, &error), &error);
            free(cut);
        }
        lance_set_close(&set);
    }
    assert_true(refused > 5000);
    assert_int_equal(accepted, 0);
}

static void test_damaged_manifests(void **state) {
    (void)state;
    uint64_t parsed = 0, bad = 0;
    for (size_t i = 0; i < sizeof small_sets / sizeof small_sets[0]; i++) {
        struct lance_set set;
        open_golden(&set, small_sets[i]);
        size_t size = set.manifest_bytes.size;
        uint64_t version = set.manifest->version;
        for (size_t at = 0; at < 3 * size; at++) {
            static const uint8_t masks[] = {0x01, 0x80, 0xff};
            struct shf_lance_manifest *manifest = NULL;
            struct shf_error *error = NULL;
            uint8_t *byte = &set.manifest_bytes.data[at % size], was = *byte;
            *byte = was ^ masks[at / size];
            shf_status status = shf_lance_manifest_parse(set.manifest_bytes.data, size, version, &manifest, &error);
            *byte = was;
            if (status) {
                drop(status, &error);
                bad++;
            } else {
                parsed++;
            }
            shf_lance_manifest_free(manifest);
        }
        for (size_t cut = 0; cut < size; cut++) {
            struct shf_lance_manifest *manifest;
            struct shf_error *error = NULL;
            uint8_t *bytes = malloc(cut ? cut : 1);
            memcpy(bytes, set.manifest_bytes.data, cut);
            shf_status status = shf_lance_manifest_parse(bytes, cut, version, &manifest, &error);
            assert_int_not_equal(status, SHF_OK);
            drop(status, &error);
            free(bytes);
        }
        lance_set_close(&set);
    }
    assert_true(parsed > 100 && bad > 1000);
}

/* ---- disagreements between the manifest and its files ---- */

static void expect_refused(struct lance_set *set, shf_status code, const char *says) {
    struct shf_lance_dataset *dataset;
    struct shf_error *error = NULL;
    expect_error(shf_lance_dataset_open(set->manifest, set->fragments, &set->budget, &dataset, &error), &error, code,
                 says);
    assert_int_equal(set->budget.used_bytes, 0);
}

static void test_disagreements(void **state) {
    (void)state;
    struct lance_set set;
    open_golden(&set, "v20-npm0.27.2_del");
    struct shf_lance_fragment *fragment = &set.manifest->fragments[0];
    struct shf_lance_data_file *file = &fragment->files[0];
    file->size++;
    expect_refused(&set, SHF_E_CORRUPT, "the manifest says");
    file->size--;
    fragment->rows--;
    expect_refused(&set, SHF_E_CORRUPT, "rows, the manifest says");
    fragment->rows++;
    set.manifest->dimension++;
    expect_refused(&set, SHF_E_CORRUPT, "another dimension");
    set.manifest->dimension--;
    fragment->deletions.deleted_rows++;
    expect_refused(&set, SHF_E_CORRUPT, "_deletions/0-2-");
    fragment->deletions.deleted_rows--;
    file->columns[SHF_LANCE_ID] = 77;
    expect_refused(&set, SHF_E_CORRUPT, "number 77");
    file->columns[SHF_LANCE_ID] = file->columns[SHF_LANCE_VECTOR];
    expect_refused(&set, SHF_E_UNSUPPORTED, "\"fixed size list\" of texts");
    lance_set_close(&set);
}

static void test_absent_rows(void **state) {
    (void)state;
    struct lance_set set;
    struct shf_error *error = NULL;
    struct shf_stored_id id;
    char *payload;
    size_t size;
    lance_set_open(&set, GOLDEN "v20-npm0.27.2_del/vector_index.lance");
    int64_t gone = -1,
            beyond = shf_lance_row_address(set.manifest->fragments[0].id, (uint32_t)set.manifest->fragments[0].rows);
    for (uint64_t i = 1; i < set.rows && gone < 0; i++) {
        if (set.addresses[i] == set.addresses[i - 1] + 2) gone = set.addresses[i] - 1;
    }
    assert_true(gone >= 0);
    const int64_t absent[] = {gone, beyond, INT64_MIN, -1, shf_lance_row_address(77, 0)};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        expect_error(shf_lance_dataset_id(set.dataset, absent[i], &id, &error), &error, SHF_E_INDEX, "has no row");
        expect_error(shf_lance_dataset_payload(set.dataset, absent[i], &payload, &size, &error), &error, SHF_E_INDEX,
                     "has no row");
    }
    expect_error(shf_lance_dataset_read(set.dataset, set.rows + 1, set.vectors, set.addresses, &error), &error,
                 SHF_E_INDEX, "rows");
    /* A fragment without a column of payloads. */
    struct shf_lance_dataset *without;
    set.manifest->fragments[0].files[0].columns[SHF_LANCE_PAYLOAD] = SHF_LANCE_NO_COLUMN;
    expect_ok(shf_lance_dataset_open(set.manifest, set.fragments, &set.budget, &without, &error), error);
    char unset[] = "unset";
    payload = unset;
    expect_ok(shf_lance_dataset_payload(without, set.addresses[0], &payload, &size, &error), error);
    assert_true(payload == NULL && size == 0);
    assert_null(shf_lance_dataset_column(without, 0, SHF_LANCE_PAYLOAD));
    assert_non_null(shf_lance_dataset_column(without, 0, SHF_LANCE_ID));
    shf_lance_dataset_free(without);
    lance_set_close(&set);
}

/* ---- pieces ---- */

/* Vectors need the metadata and their own ranges, and nothing else. */
static void test_pieces(void **state) {
    (void)state;
    static const char *const names[] = {"v20-npm0.27.2_del", "v21-npm0.38.0_dict", "v22-npm0.39.0_d384"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct lance_set set;
        char path[512];
        (void)snprintf(path, sizeof path, GOLDEN "%s/vector_index.lance", names[i]);
        lance_set_open(&set, path);
        const struct shf_lance_data_file *description = &set.manifest->fragments[0].files[0];
        const uint8_t *data = set.files[0].data;
        uint64_t size = set.files[0].size;
        struct shf_lance_piece pieces[16] = {
            {size - SHF_LANCE_FOOTER_BYTES, data + size - SHF_LANCE_FOOTER_BYTES, SHF_LANCE_FOOTER_BYTES}};
        struct shf_lance_source source = {.size = size, .pieces = pieces, .piece_count = 1};
        struct shf_lance_footer footer;
        struct shf_lance_range ranges[8];
        struct shf_lance_file file;
        struct shf_lance_column column, texts;
        struct shf_error *error = NULL;
        expect_error(shf_lance_file_open(&file, &source, &error), &error, SHF_E_INVALID, "not been fetched");
        expect_ok(shf_lance_footer_parse(pieces[0].data, SHF_LANCE_FOOTER_BYTES, size, &footer, &error), error);
        pieces[0] = (struct shf_lance_piece){footer.metadata.offset, data + footer.metadata.offset,
                                             (size_t)footer.metadata.size};
        expect_ok(shf_lance_descriptor_range(&source, &footer, &ranges[0], &error), error);
        pieces[1] = (struct shf_lance_piece){ranges[0].offset, data + ranges[0].offset, (size_t)ranges[0].size};
        source.piece_count = 2;
        expect_ok(shf_lance_file_open(&file, &source, &error), error);
        expect_ok(shf_lance_column_open(&column, &file, description->columns[SHF_LANCE_VECTOR], set.manifest->dimension,
                                        &error),
                  error);
        expect_ok(shf_lance_column_open(&texts, &file, description->columns[SHF_LANCE_ID], 0, &error), error);
        size_t count = shf_lance_column_ranges(&column, SHF_LANCE_RANGES_ALL, ranges, 8);
        assert_true(count >= 1 && count <= 8);
        for (size_t range = 0; range < count; range++) {
            pieces[2 + range] =
                (struct shf_lance_piece){ranges[range].offset, data + ranges[range].offset, (size_t)ranges[range].size};
        }
        float *vectors = malloc(file.rows * set.manifest->dimension * sizeof(float));
        if (column.pages[0].shape == SHF_LANCE_MINI_BLOCK) {
            expect_error(shf_lance_column_prepare(&column, &error), &error, SHF_E_INVALID, "not been fetched");
        } else {
            expect_ok(shf_lance_column_prepare(&column, &error), error);
            expect_error(shf_lance_column_vectors(&column, 0, file.rows, vectors, &error), &error, SHF_E_INVALID,
                         "not been fetched");
        }
        source.piece_count = file.source.piece_count = 2 + count;
        expect_ok(shf_lance_column_prepare(&column, &error), error);
        expect_ok(shf_lance_column_vectors(&column, 0, file.rows, vectors, &error), error);
        for (uint64_t row = 0; row < set.rows && set.addresses[row] < (int64_t)file.rows; row++) {
            assert_memory_equal(vectors + (uint64_t)set.addresses[row] * set.manifest->dimension,
                                set.vectors + row * set.manifest->dimension, set.manifest->dimension * sizeof(float));
        }
        shf_status status = shf_lance_column_prepare(&texts, &error); /* theirs were not fetched */
        struct shf_lance_text text = {0};
        if (!status) status = shf_lance_column_text(&texts, 0, &text, &error);
        expect_error(status, &error, SHF_E_INVALID, "not been fetched");
        shf_lance_text_free(&text);
        shf_lance_column_close(&column);
        shf_lance_column_close(&texts);
        free(vectors);
        lance_set_close(&set);
    }
}

/* ---- memory ---- */

static shf_status do_everything(const struct lance_set *set, struct shf_budget *budget, struct shf_error **error) {
    struct shf_lance_manifest *manifest = NULL;
    struct shf_lance_dataset *dataset = NULL;
    struct shf_stored_id id = {0};
    char *payload = NULL;
    size_t size;
    bool found;
    int64_t address;
    shf_status status = shf_lance_manifest_parse(set->manifest_bytes.data, set->manifest_bytes.size,
                                                 set->manifest->version, &manifest, error);
    if (!status) status = shf_lance_dataset_open(manifest, set->fragments, budget, &dataset, error);
    if (!status) status = shf_lance_dataset_read(dataset, set->rows, set->vectors, set->addresses, error);
    if (!status) status = shf_lance_dataset_id(dataset, set->addresses[set->rows - 1], &id, error);
    if (!status) status = shf_lance_dataset_payload(dataset, set->addresses[set->rows - 1], &payload, &size, error);
    if (!status) status = shf_lance_dataset_find_id(dataset, "?", 1, &found, &address, error);
    shf_free(id.text);
    shf_free(payload);
    shf_lance_dataset_free(dataset);
    shf_lance_manifest_free(manifest);
    return status;
}

static const char *const memory_sets[] = {"v20-npm0.27.2_del",      "v21-npm0.38.0_dict", "v22-npm0.39.0_dict",
                                          "v22-npm0.39.0_hugetext", "v22-npm0.39.0_fsst", "v22-npm0.39.0_delbitmap"};
enum { MEMORY_SETS = sizeof memory_sets / sizeof memory_sets[0] };

static void open_memory_set(struct lance_set *set, const char *name) {
    char path[512];
    (void)snprintf(path, sizeof path, GOLDEN "%s/vector_index.lance", name);
    lance_set_open(set, path);
    shf_lance_dataset_free(set->dataset);
    set->dataset = NULL;
}

static void test_failing_allocations(void **state) {
    (void)state;
    unsigned failures = 0;
    for (size_t i = 0; i < MEMORY_SETS; i++) {
        struct lance_set set;
        open_memory_set(&set, memory_sets[i]);
        shf_status status = SHF_E_NO_MEMORY;
        for (unsigned n = 1; status && n < 1000; n++, failures++) {
            struct shf_error *error = NULL;
            alloc_fail_at(n);
            status = do_everything(&set, &set.budget, &error);
            if (status) {
                assert_int_equal(status, SHF_E_NO_MEMORY);
                assert_int_equal(shf_error_code(error), SHF_E_NO_MEMORY);
            }
            shf_error_free(error);
            assert_int_equal(alloc_live(), 0);
            assert_int_equal(set.budget.used_bytes, 0);
            alloc_normal();
        }
        assert_int_equal(status, SHF_OK);
        lance_set_close(&set);
    }
    assert_true(failures > 60);
}

/* A budget that grows: refused cleanly, within it, until it is enough. */
static void test_budget(void **state) {
    (void)state;
    unsigned refusals = 0;
    for (size_t i = 0; i < MEMORY_SETS; i++) {
        struct lance_set set;
        open_memory_set(&set, memory_sets[i]);
        shf_status status = SHF_E_INVALID;
        uint64_t limit = 0;
        for (; status && limit < 1 << 20; limit += 64) {
            struct shf_budget budget;
            struct shf_error *error = NULL;
            shf_budget_init(&budget, limit);
            status = do_everything(&set, &budget, &error);
            if (status) {
                assert_true(status == SHF_E_INVALID || status == SHF_E_NO_MEMORY);
                assert_int_equal(shf_error_code(error), status);
                assert_non_null(strstr(shf_error_message(error), "memory budget"));
                refusals++;
            }
            shf_error_free(error);
            assert_int_equal(budget.used_bytes, 0);
        }
        assert_int_equal(status, SHF_OK);
        assert_true(limit > sizeof(struct shf_lance_page)); /* of each of three columns, at least */
        lance_set_close(&set);
    }
    assert_true(refusals > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped_bytes),       cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_damaged_manifests),   cmocka_unit_test(test_disagreements),
        cmocka_unit_test(test_absent_rows),         cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
