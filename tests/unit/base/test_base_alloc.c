/* The allocator and its seam; every allocation of the base module made to fail, one after the other. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* ---- a seam that counts, and fails the n-th allocation ---- */

static long live, calls, fail_at; /* fail_at: 1 = the next one; 0 = never */

static bool refuses(void) { return ++calls == fail_at; }

static void *counted_allocate(size_t size) {
    if (refuses()) return NULL;
    void *memory = malloc(size);
    live += memory != NULL;
    return memory;
}

static void *counted_reallocate(void *old, size_t size) {
    if (refuses()) return NULL;
    void *memory = realloc(old, size);
    live += memory && !old;
    return memory;
}

static void counted_release(void *memory) {
    live--;
    free(memory);
}

static const struct shf_alloc_seam counted = {counted_allocate, counted_reallocate, counted_release};

static void begin_counting(long fail) {
    live = calls = 0;
    fail_at = fail;
    shf_alloc_set_seam(&counted);
}

static int back_to_libc(void **state) {
    (void)state;
    shf_alloc_set_seam(NULL);
    return 0;
}

/* ---- tests ---- */

static void test_every_call_goes_through_the_seam(void **state) {
    (void)state;
    begin_counting(0);
    void *memory[8] = {shf_alloc(10),
                       shf_alloc_zero(3, 7),
                       shf_alloc_array(4, 5),
                       shf_realloc_array(NULL, 2, 3),
                       shf_alloc_aligned(64, 100),
                       shf_strdup("text"),
                       shf_strndup("text", 2),
                       shf_memdup("\1\2", 2)};
    for (int i = 0; i < 8; i++) assert_non_null(memory[i]);
    assert_int_equal(calls, 8);
    assert_int_equal(live, 8);
    memory[3] = shf_realloc_array(memory[3], 1000, 3);
    assert_non_null(memory[3]);
    assert_int_equal(calls, 9);
    for (int i = 0; i < 8; i++) i == 4 ? shf_free_aligned(memory[i]) : shf_free(memory[i]);
    assert_int_equal(live, 0);
    shf_free(NULL);
    shf_free_aligned(NULL);
    assert_int_equal(live, 0);
}

static void test_a_seam_may_replace_one_function_only(void **state) {
    (void)state;
    const struct shf_alloc_seam only_allocate = {.allocate = counted_allocate};
    begin_counting(1);
    shf_alloc_set_seam(&only_allocate);
    assert_null(shf_alloc(1));
    void *memory = shf_realloc_array(NULL, 1, 1); /* libc's */
    assert_non_null(memory);
    shf_free(memory); /* libc's */
    assert_int_equal(calls, 1);
    shf_alloc_set_seam(NULL);
    memory = shf_alloc(1);
    assert_int_equal(calls, 1);
    shf_free(memory);
}

static void test_sizes_that_can_not_be(void **state) {
    (void)state;
    const size_t half = SIZE_MAX / 2;
    begin_counting(0);
    assert_null(shf_alloc((size_t)PTRDIFF_MAX + 1));
    assert_null(shf_alloc(SIZE_MAX));
    assert_null(shf_alloc_array(half, 3));
    assert_null(shf_alloc_array(SIZE_MAX, SIZE_MAX));
    assert_null(shf_alloc_zero(half, 3));
    assert_null(shf_alloc_aligned(4096, SIZE_MAX - 100));
    assert_null(shf_alloc_aligned(64, PTRDIFF_MAX));
    assert_null(shf_strndup("x", SIZE_MAX));
    assert_null(shf_buf_new(SIZE_MAX));
    char *kept = shf_strdup("kept");
    assert_null(shf_realloc_array(kept, half, 3));
    assert_null(shf_realloc_array(kept, (size_t)PTRDIFF_MAX + 1, 1));
    assert_string_equal(kept, "kept");
    assert_int_equal(calls, 1); /* none of them asked for memory */
    shf_free(kept);
    size_t out = 77;
    assert_false(shf_mul(half, 3, &out));
    assert_false(shf_add(SIZE_MAX, 1, &out));
    assert_true(shf_mul(6, 7, &out) && out == 42);
    assert_true(shf_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
}

static void test_nothing_is_a_valid_size(void **state) {
    (void)state;
    begin_counting(0);
    void *memory[5] = {shf_alloc(0), shf_alloc_zero(0, 8), shf_alloc_array(8, 0), shf_realloc_array(NULL, 0, 4),
                       shf_memdup(NULL, 0)};
    for (int i = 0; i < 5; i++) {
        assert_non_null(memory[i]);
        shf_free(memory[i]);
    }
    char *empty = shf_strndup(NULL, 0);
    assert_string_equal(empty, "");
    shf_free(empty);
    assert_null(shf_strdup(NULL));
    assert_int_equal(live, 0);
}

static void test_contents(void **state) {
    (void)state;
    begin_counting(0);
    unsigned char *zero = shf_alloc_zero(1000, 3);
    for (size_t i = 0; i < 3000; i++) assert_int_equal(zero[i], 0);
    char *text = shf_strndup("cut here", 3), *copy = shf_memdup("a\0b", 3);
    assert_string_equal(text, "cut");
    assert_memory_equal(copy, "a\0b", 3);
    copy = shf_realloc_array(copy, 100, 100);
    assert_memory_equal(copy, "a\0b", 3);
    shf_free(zero);
    shf_free(text);
    shf_free(copy);
    assert_int_equal(live, 0);
}

static void test_aligned(void **state) {
    (void)state;
    begin_counting(0);
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        for (size_t size = 0; size < 200; size += 67) {
            unsigned char *memory = shf_alloc_aligned(alignment, size);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % alignment, 0);
            memset(memory, 0xa5, size); /* the sanitizers watch both ends */
            shf_free_aligned(memory);
        }
    }
    assert_int_equal(live, 0);
}

/* Uses everything in the base module that allocates; true when all went well. */
static bool use_everything(void) {
    struct shf_error *error = NULL, *copy;
    struct shf_text text = {.max_bytes = 10000};
    struct shf_buf *buf = shf_buf_new(100);
    bool good = buf != NULL;
    assert_int_equal(shf_error_set(&error, SHF_E_CORRUPT, "page %d", 7), SHF_E_CORRUPT);
    assert_non_null(error);
    shf_error_set_object(error, "file:///x");
    shf_error_prefix(&error, "shard %d", 3);
    copy = shf_error_clone(error);
    assert_non_null(copy);
    assert_true(strlen(shf_error_message(copy)) > 0);
    good = good && strcmp(shf_error_message(copy), "shard 3: page 7") == 0 &&
           strcmp(shf_error_object(copy), "file:///x") == 0;
    if (shf_error_code(error) != SHF_E_CORRUPT) assert_int_equal(shf_error_code(error), SHF_E_NO_MEMORY);
    for (int i = 0; i < 100; i++) shf_text_format(&text, "%d,", i);
    char *taken = shf_text_take(&text);
    good = good && taken;
    assert_true(!taken || (strlen(taken) == 290 && strncmp(taken, "0,1,2,", 6) == 0));
    shf_free(taken);
    taken = shf_text_take(&text); /* of an empty one */
    assert_true(!taken || taken[0] == '\0');
    good = good && taken;
    shf_free(taken);
    shf_error_free(copy);
    shf_error_free(error);
    shf_buf_release(buf);
    return good;
}

static void test_each_allocation_may_fail(void **state) {
    (void)state;
    long total = 0;
    begin_counting(0);
    assert_true(use_everything());
    assert_int_equal(live, 0);
    total = calls;
    assert_true(total >= 10);
    for (long n = 1; n <= total; n++) {
        begin_counting(n);
        assert_false(use_everything());
        assert_int_equal(live, 0);
    }
}

static void test_buffers(void **state) {
    (void)state;
    begin_counting(0);
    struct shf_buf *buf = shf_buf_new(3);
    assert_int_equal(buf->size, 3);
    memcpy(buf->data, "abc", 3);
    assert_ptr_equal(shf_buf_retain(buf), buf);
    shf_buf_release(buf);
    assert_int_equal(live, 1);
    assert_memory_equal(buf->data, "abc", 3);
    shf_buf_release(buf);
    assert_int_equal(live, 0);
    assert_null(shf_buf_retain(NULL));
    shf_buf_release(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_call_goes_through_the_seam, back_to_libc),
        cmocka_unit_test_teardown(test_a_seam_may_replace_one_function_only, back_to_libc),
        cmocka_unit_test_teardown(test_sizes_that_can_not_be, back_to_libc),
        cmocka_unit_test_teardown(test_nothing_is_a_valid_size, back_to_libc),
        cmocka_unit_test_teardown(test_contents, back_to_libc),
        cmocka_unit_test_teardown(test_aligned, back_to_libc),
        cmocka_unit_test_teardown(test_each_allocation_may_fail, back_to_libc),
        cmocka_unit_test_teardown(test_buffers, back_to_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
