#include "support.h"

#include "formats/vector_layout.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t identity[32] = {1, 2, 3, 4, 5, 6, 7, 8};

static void test_plan(void **state) {
    (void)state;
    struct shf_vector_layout layout;
    struct shf_error *error = NULL;
    expect_ok(shf_vector_layout_plan(33, 7, &layout, &error), error);
    assert_int_equal(layout.vectors_offset, 4096);
    assert_int_equal(layout.norms_offset, 4096 + 960); /* 7 * 33 * 4 = 924 */
    assert_int_equal(layout.rowids_offset, 4096 + 960 + 64);
    assert_int_equal(layout.total_size, 4096 + 960 + 128);
    expect_ok(shf_vector_layout_plan(8, 0, &layout, &error), error);
    assert_int_equal(layout.total_size, 4096);
    expect_error(shf_vector_layout_plan(0, 7, &layout, &error), &error, SHF_E_LIMIT, "0 dimensions");
    expect_error(shf_vector_layout_plan(8193, 7, &layout, &error), &error, SHF_E_LIMIT, "8193 dimensions");
    expect_error(shf_vector_layout_plan(8192, UINT64_MAX, &layout, &error), &error, SHF_E_LIMIT, "can not be laid out");
    expect_error(shf_vector_layout_plan(1, UINT64_MAX / 16, &layout, &error), &error, SHF_E_LIMIT, "can not be laid out");
}

static void test_round_trip_and_damage(void **state) {
    (void)state;
    struct shf_vector_layout layout, read;
    struct shf_error *error = NULL;
    expect_ok(shf_vector_layout_plan(4, 10, &layout, &error), error);
    uint8_t *bytes = malloc(layout.total_size);
    memset(bytes, 0xee, layout.total_size);
    shf_vector_layout_write_header(&layout, identity, bytes);
    expect_ok(shf_vector_layout_open(bytes, layout.total_size, identity, &read, &error), error);
    assert_int_equal(read.dimension, layout.dimension);
    assert_int_equal(read.rows, layout.rows);
    assert_int_equal(read.vectors_offset, layout.vectors_offset);
    assert_int_equal(read.norms_offset, layout.norms_offset);
    assert_int_equal(read.rowids_offset, layout.rowids_offset);
    assert_int_equal(read.total_size, layout.total_size);
    uint8_t other[32] = {1};
    expect_error(shf_vector_layout_open(bytes, layout.total_size, other, &read, &error), &error, SHF_E_INDEX,
                 "another shard");
    expect_error(shf_vector_layout_open(bytes, layout.total_size - 1, identity, &read, &error), &error, SHF_E_INDEX,
                 "size");
    expect_error(shf_vector_layout_open(bytes, 4095, identity, &read, &error), &error, SHF_E_INDEX, "shorter");
    for (size_t i = 0; i < 104; i++) { /* every byte that is written is checked */
        bytes[i] ^= 0x10;
        assert_int_equal(shf_vector_layout_open(bytes, layout.total_size, identity, &read, &error), SHF_E_INDEX);
        shf_error_free(error);
        error = NULL;
        bytes[i] ^= 0x10;
    }
    expect_ok(shf_vector_layout_open(bytes, layout.total_size, identity, &read, &error), error);
    free(bytes);
}

/* A header that is well signed and contradicts itself. */
static void test_contradiction(void **state) {
    (void)state;
    struct shf_vector_layout layout, read;
    struct shf_error *error = NULL;
    uint8_t *bytes = calloc(1, 65536);
    expect_ok(shf_vector_layout_plan(4, 10, &layout, &error), error);
    layout.norms_offset += 64;
    shf_vector_layout_write_header(&layout, identity, bytes);
    expect_error(shf_vector_layout_open(bytes, layout.total_size, identity, &read, &error), &error, SHF_E_INDEX,
                 "contradicts itself");
    layout.norms_offset -= 64;
    layout.rows = UINT64_MAX;
    shf_vector_layout_write_header(&layout, identity, bytes);
    expect_error(shf_vector_layout_open(bytes, layout.total_size, identity, &read, &error), &error, SHF_E_INDEX,
                 "contradicts itself");
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan), cmocka_unit_test(test_round_trip_and_damage),
                                       cmocka_unit_test(test_contradiction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
