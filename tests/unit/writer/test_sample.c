/* The sample of rows: which rows are in it, in which order, and every allocation that fails once, in turn. */
#include "writer/sample.h"

#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "failing_memory.h"

#define DIMENSION 5u
#define SEED 77u

static struct shf_budget budget;

static void make(uint64_t number, uint8_t id[8], float vector[DIMENSION]) {
    memcpy(id, &number, sizeof number);
    for (uint32_t i = 0; i < DIMENSION; i++) vector[i] = (float)(number * DIMENSION + i);
}

static struct shf_sample *sample_of(uint32_t limit) {
    struct shf_sample *sample = NULL;
    const struct shf_sample_options options = {.dimension = DIMENSION, .limit = limit, .seed = SEED, .budget = &budget};
    assert_int_equal(shf_sample_new(&options, &sample, NULL), SHF_OK);
    return sample;
}

static void add(struct shf_sample *sample, uint64_t number) {
    uint8_t id[8];
    float vector[DIMENSION];
    make(number, id, vector);
    shf_sample_add(sample, id, sizeof id, vector);
}

/* ---- against a plain computation ---- */

struct ranked {
    uint64_t hash, number;
};
static int compare(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void expect(struct shf_sample *sample, uint64_t rows, uint32_t limit) {
    struct ranked *all = malloc((rows + 1) * sizeof *all);
    for (uint64_t i = 0; i < rows; i++) {
        uint8_t id[8];
        float vector[DIMENSION];
        make(i, id, vector);
        all[i] = (struct ranked){shf_hash64_seeded(id, sizeof id, SEED), i};
    }
    qsort(all, rows, sizeof *all, compare);
    uint32_t count = rows < limit ? (uint32_t)rows : limit;
    assert_int_equal(shf_sample_count(sample), count);
    const float *got = shf_sample_rows(sample);
    assert_int_equal((uintptr_t)got % 64, 0);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t id[8];
        float vector[DIMENSION];
        make(all[i].number, id, vector);
        assert_memory_equal(got + (size_t)i * DIMENSION, vector, sizeof vector);
    }
    free(all);
}

static void test_any_order(void **state) {
    (void)state;
    static const uint64_t rows[] = {1, 2, 64, 65, 999, 1000, 1001, 1024, 4999};
    static const uint64_t steps[] = {1, 13, 4998 / 2 + 3};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            uint64_t step = steps[s];
            while (rows[i] > 1 &&
                   (rows[i] % step == 0 || step % 2 == 0 || step % 3 == 0 || step % 5 == 0 || step % 7 == 0))
                step++;
            struct shf_sample *sample = sample_of(1000);
            uint64_t seen = 0;
            for (uint64_t number = 0; seen < rows[i]; number = (number + step) % rows[i], seen++) {
                if (seen % 100 == 0) assert_int_equal(shf_sample_expect(sample, 100, NULL), SHF_OK);
                add(sample, number);
                if (seen > 0 && number == 0) fail_msg("step %llu comes back too soon", (unsigned long long)step);
            }
            expect(sample, rows[i], 1000);
            shf_sample_free(sample);
        }
    }
    assert_int_equal(budget.used_bytes, 0);
}

/* Of rows with one id the smaller vectors are in it, whichever came first. */
static void test_one_id_often(void **state) {
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        struct shf_sample *sample = sample_of(3);
        assert_int_equal(shf_sample_expect(sample, 6, NULL), SHF_OK);
        for (unsigned i = 0; i < 6; i++) {
            uint8_t vector[DIMENSION * sizeof(float)] = {(uint8_t)(backwards ? 5 - i : i)};
            float floats[DIMENSION];
            memcpy(floats, vector, sizeof floats);
            shf_sample_add(sample, NULL, 0, floats);
        }
        const uint8_t *got = (const uint8_t *)shf_sample_rows(sample);
        for (unsigned i = 0; i < 3; i++) assert_int_equal(got[i * DIMENSION * sizeof(float)], i);
        shf_sample_free(sample);
    }
}

static void test_no_rows(void **state) {
    (void)state;
    struct shf_sample *sample = sample_of(10);
    assert_int_equal(shf_sample_count(sample), 0);
    (void)shf_sample_rows(sample);
    shf_sample_free(sample);
    shf_sample_free(NULL);
}

/* ---- memory ---- */

static void test_budget(void **state) {
    (void)state;
    struct shf_sample *sample = sample_of(1000);
    struct shf_error *error = NULL;
    budget.limit_bytes = 64 + 100 * shf_sample_row_bytes(DIMENSION);
    assert_int_equal(shf_sample_expect(sample, 100, NULL), SHF_OK);
    assert_int_equal(budget.used_bytes, budget.limit_bytes);
    for (uint64_t i = 0; i < 100; i++) add(sample, i);
    assert_int_equal(shf_sample_expect(sample, 1, &error), SHF_E_NO_MEMORY);
    assert_non_null(strstr(shf_error_message(error), "a sample of rows"));
    shf_error_free(error);
    expect(sample, 100, 1000); /* what is there stays */
    shf_sample_free(sample);
    assert_int_equal(budget.used_bytes, 0);
    budget.limit_bytes = 1u << 30;
}

static shf_status fill(void) {
    struct shf_sample *sample = NULL;
    struct shf_error *error = NULL;
    const struct shf_sample_options options = {.dimension = DIMENSION, .limit = 300, .seed = SEED, .budget = &budget};
    shf_status status = shf_sample_new(&options, &sample, &error);
    for (uint64_t i = 0; !status && i < 500; i++) {
        status = shf_sample_expect(sample, 1, &error);
        if (!status) add(sample, i);
    }
    if (!status) expect(sample, 500, 300);
    assert_int_equal(status != SHF_OK, error != NULL);
    shf_error_free(error);
    shf_sample_free(sample);
    assert_int_equal(budget.used_bytes, 0);
    return status;
}

static void test_allocations(void **state) {
    (void)state;
    shf_status status = SHF_E_NO_MEMORY;
    for (unsigned i = 1; status; i++) {
        memory_calls = 0;
        memory_failing = i;
        status = fill();
        if (memory_calls < i) break;
        assert_int_equal(status, SHF_E_NO_MEMORY);
    }
    assert_int_equal(status, SHF_OK);
    assert_true(memory_failing > 8);
    memory_failing = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, memory_begin, memory_end)

int main(void) {
    shf_budget_init(&budget, 1u << 30);
    const struct CMUnitTest tests[] = {TEST(test_any_order), TEST(test_one_id_often), TEST(test_no_rows),
                                       TEST(test_budget), TEST(test_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
