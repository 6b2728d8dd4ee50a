/* Every kernel against sums written out by hand: the same bits for every dimension, alignment and special value. */
#include "search/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROWS 5

static uint64_t seed = 7;
static uint32_t next_random(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32);
}

/* Of many magnitudes, so that differences fill the 53 bits of a float64 and their squares are rounded. */
static float random_float(void) {
    float value = (float)next_random() / 4294967296.0f - 0.5f;
    return ldexpf(value, 3 - (int)(next_random() % 28));
}

static float special(void) {
    static const float values[] = {0.0f,   -0.0f, FLT_MIN / 8, -FLT_TRUE_MIN, FLT_MAX,  -FLT_MAX,
                                   1e-30f, 1e30f, NAN,         INFINITY,      -INFINITY};
    return values[next_random() % (sizeof values / sizeof values[0])];
}

/* Independent of the kernels: lane sums, then the tree of the header. */
static double expected(const float *row, const double *query, uint32_t dimension, bool squared) {
    double lanes[32], next[32];
    for (int j = 0; j < 32; j++) lanes[j] = 0;
    for (uint32_t i = 0; i < dimension; i++) {
        volatile double x = (double)row[i], t = x - query[i]; /* volatile: nothing is fused */
        volatile double term = squared ? t * t : x * query[i];
        lanes[i % 32] = lanes[i % 32] + term;
    }
    for (int width = 32; width > 1; width /= 2) {
        for (int j = 0; j < width / 2; j++) next[j] = lanes[j] + lanes[j + width / 2];
        memcpy(lanes, next, sizeof lanes);
    }
    return lanes[0];
}

static bool same_bits(double a, double b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

static void check(const struct shf_kernel *kernel, uint32_t dimension, bool with_specials, uint32_t shift) {
    float *memory = malloc(((size_t)ROWS * dimension + shift) * sizeof(float)), *rows = memory + shift;
    double *values = malloc(SHF_KERNEL_QUERIES * (size_t)dimension * sizeof(double)), out[SHF_KERNEL_QUERIES * ROWS];
    const double *queries[SHF_KERNEL_QUERIES];
    for (size_t i = 0; i < (size_t)ROWS * dimension; i++)
        rows[i] = with_specials && next_random() % 9 == 0 ? special() : random_float();
    for (size_t i = 0; i < SHF_KERNEL_QUERIES * (size_t)dimension; i++) values[i] = (double)random_float();
    for (uint32_t q = 0; q < SHF_KERNEL_QUERIES; q++) queries[q] = values + (size_t)q * dimension;
    for (uint32_t together = 1; together <= SHF_KERNEL_QUERIES; together++) {
        for (int squared = 0; squared < 2; squared++) {
            (squared ? kernel->squared : kernel->dot)(rows, ROWS, dimension, queries, together, out);
            for (uint32_t q = 0; q < together; q++) {
                for (size_t r = 0; r < ROWS; r++) {
                    double wanted = expected(rows + r * dimension, queries[q], dimension, squared);
                    if (same_bits(out[q * ROWS + r], wanted)) continue;
                    print_message("%s, dimension %u, %s, query %u, row %zu: %a, %a wanted\n", kernel->name, dimension,
                                  squared ? "squared" : "dot", q, r, out[q * ROWS + r], wanted);
                    fail();
                }
            }
        }
    }
    free(memory);
    free(values);
}

/* ---- what k-means takes ---- */

#define POINTS SHF_KERNEL_PANEL
#define PANEL_ROWS 53 /* full tiles, and one of each other size */

struct panel_case {
    uint32_t dimension, points;
    float *rows, *panel, *norms; /* the panel has `points`; the other places are empty */
};

static double exact_score(const struct panel_case *c, size_t row, size_t point) {
    double sum = 0;
    for (size_t i = 0; i < c->dimension; i++) {
        sum += (double)c->rows[row * c->dimension + i] * (double)c->panel[i * POINTS + point];
    }
    return (double)c->norms[point] - 2 * sum;
}

/* The scores that were found are those of the point named and of no better ones, within what is promised. */
static void check_nearest(const struct panel_case *c, size_t row, const struct shf_panel_nearest *nearest) {
    double least = INFINITY, second = INFINITY, doubt = 0;
    for (size_t j = 0; j < c->points; j++) {
        double score = exact_score(c, row, j), size = 0;
        for (size_t i = 0; i < c->dimension; i++) {
            size += fabs((double)c->rows[row * c->dimension + i] * (double)c->panel[i * POINTS + j]);
        }
        double rounding = 0x1p-24 * (2 * (c->dimension + 1) * size + fabs(score));
        doubt = rounding > doubt ? rounding : doubt;
        second = score < least ? least : score < second ? score : second;
        least = score < least ? score : least;
    }
    assert_true(nearest->at < c->points);
    assert_true(fabs((double)nearest->least - exact_score(c, row, nearest->at)) <= doubt);
    assert_true(fabs((double)nearest->least - least) <= doubt);
    assert_true(c->points > 1 ? fabs((double)nearest->second - second) <= doubt : isinf(nearest->second));
}

static void check_panel(const struct shf_kernel *kernel, uint32_t dimension, uint32_t points) {
    struct panel_case c = {dimension, points, malloc((size_t)PANEL_ROWS * dimension * sizeof(float)),
                           aligned_alloc(64, (size_t)POINTS * dimension * sizeof(float)),
                           aligned_alloc(64, POINTS * sizeof(float))};
    const float *rows[PANEL_ROWS];
    struct shf_panel_nearest out[PANEL_ROWS];
    for (size_t i = 0; i < (size_t)PANEL_ROWS * dimension; i++) c.rows[i] = random_float();
    for (size_t i = 0; i < (size_t)POINTS * dimension; i++) c.panel[i] = i % POINTS < points ? random_float() : 0;
    for (size_t j = 0; j < POINTS; j++) c.norms[j] = j < points ? fabsf(random_float()) : INFINITY;
    for (size_t r = 0; r < PANEL_ROWS; r++) rows[r] = c.rows + r * dimension;
    for (uint32_t count = 1; count <= PANEL_ROWS; count++) {
        memset(out, 0, sizeof out);
        kernel->panel(rows + PANEL_ROWS - count, count, dimension, c.panel, points, c.norms, out);
        for (uint32_t r = 0; r < count; r++) check_nearest(&c, PANEL_ROWS - count + r, &out[r]);
        for (uint32_t r = count; r < PANEL_ROWS; r++) assert_true(out[r].at == 0 && out[r].least == 0);
    }
    free(c.rows);
    free(c.panel);
    free(c.norms);
}

static void check_add(const struct shf_kernel *kernel, uint32_t dimension) {
    double sums[200], wanted[200];
    float row[200];
    for (uint32_t i = 0; i < dimension; i++) {
        row[i] = random_float();
        sums[i] = wanted[i] = (double)random_float() / 3;
    }
    for (int taken = 0; taken < 2; taken++) {
        kernel->add(sums, row, dimension, taken);
        for (uint32_t i = 0; i < dimension; i++) wanted[i] += taken ? -(double)row[i] : (double)row[i];
        assert_memory_equal(sums, wanted, dimension * sizeof *sums);
    }
}

static void check_kernel(const char *name) {
    if (!shf_search_kernel_force(name)) {
        print_message("SKIP: this machine has no %s\n", name);
        skip();
    }
    const struct shf_kernel *kernel = shf_kernel_current();
    assert_string_equal(kernel->name, name);
    static const uint32_t more[] = {96, 127, 128, 129, 384, 385, 511, 513, 1000, 1536, 8191, 8192};
    for (uint32_t dimension = 1; dimension <= 70; dimension++) {
        check(kernel, dimension, false, dimension % 4);
        check(kernel, dimension, true, dimension % 3);
        check_panel(kernel, dimension, 1 + dimension % POINTS);
        check_add(kernel, dimension);
    }
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        check(kernel, more[i], false, 1);
        check(kernel, more[i], true, 0);
    }
    (void)shf_search_kernel_force(NULL);
}

static void test_scalar(void **state) { (void)state, check_kernel("scalar"); }
static void test_avx2(void **state) { (void)state, check_kernel("avx2"); }
static void test_avx512(void **state) { (void)state, check_kernel("avx512"); }

/* ---- rows of a mapping ---- */

/* `size` bytes that end where a page without access begins. */
static void *before_a_wall(size_t size, void **mapping, size_t *mapped) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), usable = (size + page - 1) / page * page;
    *mapped = usable + page;
    *mapping = mmap(NULL, *mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(*mapping != MAP_FAILED);
    assert_int_equal(mprotect((char *)*mapping + usable, page, PROT_NONE), 0);
    return (char *)*mapping + usable - size;
}

static void check_wall(const struct shf_kernel *kernel, uint32_t dimension) {
    void *row_mapping, *query_mapping;
    size_t rows_mapped, query_mapped;
    float *rows = before_a_wall(2 * dimension * sizeof *rows, &row_mapping, &rows_mapped);
    double *query = before_a_wall(dimension * sizeof *query, &query_mapping, &query_mapped), out[4];
    float *panel = aligned_alloc(64, (size_t)POINTS * dimension * sizeof *panel);
    const double *queries[2] = {query, query};
    for (size_t i = 0; i < 2 * (size_t)dimension; i++) rows[i] = random_float();
    for (size_t i = 0; i < dimension; i++) query[i] = (double)random_float();
    for (uint32_t together = 1; together <= 2; together++) {
        kernel->dot(rows, 2, dimension, queries, together, out);
        assert_true(same_bits(out[1], expected(rows + dimension, query, dimension, false)));
        kernel->squared(rows, 2, dimension, queries, together, out);
        assert_true(same_bits(out[1], expected(rows + dimension, query, dimension, true)));
    }
    struct shf_panel_nearest nearest[2];
    const float *places[2] = {rows, rows + dimension};
    memset(panel, 0, (size_t)POINTS * dimension * sizeof *panel);
    kernel->panel(places, 2, dimension, panel, POINTS, panel, nearest);
    assert_true(nearest[1].at == 0);
    memset(query, 0, dimension * sizeof *query);
    kernel->add(query, rows + dimension, dimension, false);
    assert_true(query[dimension - 1] == (double)rows[2 * dimension - 1]);
    free(panel);
    (void)munmap(row_mapping, rows_mapped);
    (void)munmap(query_mapping, query_mapped);
}

/* The last row of a mapped file may end with its page. */
static void test_nothing_behind_the_rows_is_read(void **state) {
    (void)state;
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    for (size_t i = 0; i < 3; i++) {
        if (!shf_search_kernel_force(names[i])) continue;
        for (uint32_t dimension = 1; dimension <= 70; dimension++) check_wall(shf_kernel_current(), dimension);
    }
    (void)shf_search_kernel_force(NULL);
}

static void test_an_unknown_kernel_changes_nothing(void **state) {
    (void)state;
    const char *before = shf_search_kernel_name();
    assert_false(shf_search_kernel_force("abacus"));
    assert_string_equal(shf_search_kernel_name(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512),
        cmocka_unit_test(test_nothing_behind_the_rows_is_read),
        cmocka_unit_test(test_an_unknown_kernel_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
