/* FlatBuffers: what is there, what is absent, what is damaged. */
#include "slatedb/make.h"

#include "formats/flatbuffer.h"

#include <stdlib.h>
#include <string.h>

static void test_every_kind_of_field(void **state) {
    (void)state;
    struct bytes fb = {0};
    fb_begin(&fb);
    size_t root = fb_table(
        &fb,
        (struct field[]){
            {0, 8, UINT64_C(0x0102030405060708)}, {2, 4, 77}, {3, 2, 5}, {4, 1, 9}, {6, 4, 0}, {7, 4, 0}, {9, 4, 0}},
        7);
    size_t text = fb_bytes(&fb, "hello", 5), vector = fb_vector(&fb, 2);
    size_t inner = fb_table(&fb, (struct field[]){{0, 1, 3}}, 1);
    fb_link(&fb, root, 6, text);
    fb_link(&fb, root, 7, inner);
    fb_link(&fb, root, 9, vector);
    fb_link_at(&fb, vector + 4, inner);
    fb_link_at(&fb, vector + 8, inner);
    struct shf_flat flat = shf_flat_of(fb.data, fb.size);
    struct shf_flat_table table, child;
    struct shf_flat_vector tables;
    const uint8_t *bytes;
    size_t size;
    uint32_t count;
    assert_true(shf_flat_root(&flat, &table));
    assert_true(shf_flat_u64(&table, 0) == UINT64_C(0x0102030405060708));
    assert_int_equal(shf_flat_u64(&table, 1), 0);
    assert_int_equal(shf_flat_u32(&table, 2), 77);
    assert_int_equal(shf_flat_u16(&table, 3, 1), 5);
    assert_int_equal(shf_flat_u16(&table, 5, 1), 1);
    assert_int_equal(shf_flat_u8(&table, 4), 9);
    assert_true(shf_flat_has(&table, 4) && !shf_flat_has(&table, 5) && !shf_flat_has(&table, 300));
    assert_true(shf_flat_bytes(&table, 6, &bytes, &size) && size == 5 && memcmp(bytes, "hello", 5) == 0);
    assert_true(shf_flat_structs(&table, 6, 1, &bytes, &count) && count == 5);
    assert_true(shf_flat_structs(&table, 9, 4, &bytes, &count) && count == 2);
    assert_false(shf_flat_bytes(&table, 8, &bytes, &size));
    assert_true(!bytes && size == 0);
    assert_false(shf_flat_structs(&table, 8, 24, &bytes, &count));
    assert_true(!bytes && count == 0);
    assert_true(shf_flat_table(&table, 7, &child) && shf_flat_u8(&child, 0) == 3);
    assert_true(shf_flat_tables(&table, 9, &tables) && tables.count == 2);
    assert_true(shf_flat_table_at(&tables, 1, &child) && shf_flat_u8(&child, 0) == 3);
    assert_false(shf_flat_table_at(&tables, 2, &child));
    assert_false(shf_flat_table(&table, 8, &child));
    assert_int_equal(shf_flat_u64(&child, 0), 0); /* an absent table reads as an empty one */
    expect_ok(shf_flat_status(&flat, "x", 0, NULL), NULL);
    bytes_free(&fb);
}

/* One flatbuffer with one thing wrong: what reading all of it says. */
static void flat_is_bad(size_t at, uint32_t value, unsigned width, size_t size, const char *text) {
    uint8_t bytes[40] = {4,    0,    0,    0,                                             /* root */
                         0xf0, 0xff, 0xff, 0xff, 24, 0, 0, 0, 7,   0,   0, 0, 8, 0, 0, 0, /* table at 4, 16 bytes */
                         8,    0,    16,   0,    4,  0, 8, 0,                             /* vtable at 20 */
                         0,    0,    0,    0,    2,  0, 0, 0, 'a', 'b', 0, 0};            /* vector at 32 */
    struct shf_error *error = NULL;
    struct shf_flat_table table;
    const uint8_t *key;
    size_t key_size;
    for (unsigned i = 0; i < width; i++) bytes[at + i] = (uint8_t)(value >> (8 * i));
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, bytes, size);
    struct shf_flat flat = shf_flat_of(exact, size);
    (void)shf_flat_root(&flat, &table);
    (void)shf_flat_bytes(&table, 0, &key, &key_size);
    (void)shf_flat_u64(&table, 1);
    if (text) {
        expect_error(shf_flat_status(&flat, "manifest", 2, &error), &error, SHF_E_CORRUPT, text);
        assert_false(shf_flat_root(&flat, &table)); /* everything is absent from now on */
    } else {
        expect_ok(shf_flat_status(&flat, "manifest", 2, &error), error);
        assert_int_equal(key_size, 2);
    }
    free(exact);
}

static void test_damage(void **state) {
    (void)state;
    flat_is_bad(0, 4, 4, 40, NULL);
    flat_is_bad(0, 4, 4, 3, "offset 2: there is no root table");
    flat_is_bad(0, 4, 4, 0, "there is no root table");
    flat_is_bad(0, 37, 4, 40, "offset 39: a table lies beyond the end");
    flat_is_bad(0, 0xffffffff, 4, 40, "a table lies beyond the end");
    flat_is_bad(4, 5, 4, 40, "offset 6: a table's vtable lies outside");
    flat_is_bad(4, (uint32_t)-33, 4, 40, "a table's vtable lies outside");
    flat_is_bad(4, 0x80000000u, 4, 40, "a table's vtable lies outside");
    flat_is_bad(20, 3, 2, 40, "offset 22: the size of a vtable is wrong");
    flat_is_bad(20, 7, 2, 40, "the size of a vtable is wrong");
    flat_is_bad(20, 22, 2, 40, "the size of a vtable is wrong");
    flat_is_bad(22, 3, 2, 40, "a table ends beyond the end");
    flat_is_bad(22, 37, 2, 40, "a table ends beyond the end");
    flat_is_bad(24, 13, 2, 40, "offset 6: a field lies outside of its table");
    flat_is_bad(24, 3, 2, 40, "a field lies outside of its table");
    flat_is_bad(26, 9, 2, 40, "a field lies outside of its table");
    flat_is_bad(8, 29, 4, 40, "a vector lies beyond the end");
    flat_is_bad(8, 0xffffffff, 4, 40, "a vector lies beyond the end");
    flat_is_bad(32, 5, 4, 40, "offset 34: a vector ends beyond the end");
    flat_is_bad(32, 0xffffffff, 4, 40, "a vector ends beyond the end");
}

/* Structs are counted in whole ones: what their elements say they have must be there. */
static void test_structs_beyond_the_end(void **state) {
    (void)state;
    struct bytes fb = {0};
    fb_begin(&fb);
    size_t root = fb_table(&fb, (struct field[]){{0, 4, 0}}, 1);
    fb_link(&fb, root, 0, fb_bytes(&fb, "0123456789abcdef0123456789abcdef", 2));
    const uint8_t *structs;
    uint32_t count;
    for (size_t struct_bytes = 1; struct_bytes <= 16; struct_bytes *= 16) {
        struct shf_flat flat = shf_flat_of(fb.data, fb.size);
        struct shf_flat_table table;
        struct shf_error *error = NULL;
        assert_true(shf_flat_root(&flat, &table));
        assert_int_equal(shf_flat_structs(&table, 0, struct_bytes, &structs, &count), struct_bytes == 1);
        assert_int_equal(count, struct_bytes == 1 ? 2 : 0);
        if (struct_bytes == 1) continue;
        expect_error(shf_flat_status(&flat, "footer", 0, &error), &error, SHF_E_CORRUPT, "a vector ends beyond the end");
        assert_false(shf_flat_structs(&table, 0, 1, &structs, &count)); /* everything is absent from now on */
    }
    bytes_free(&fb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_field),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_structs_beyond_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
