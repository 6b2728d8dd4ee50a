/* Clocks, deadlines, randomness, and the seam before them. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns, wall_us;
static bool random_works;

static int64_t fake_monotonic(void) { return now_ns; }
static int64_t fake_wall(void) { return wall_us; }
static bool fake_random(void *out, size_t size) {
    if (random_works) memset(out, 0x5a, size);
    return random_works;
}

static int back_to_system(void **state) {
    (void)state;
    shf_clock_set_seam(NULL);
    return 0;
}

static void fake(int64_t ns) {
    static const struct shf_clock_seam seam = {.monotonic_ns = fake_monotonic};
    shf_clock_set_seam(&seam);
    now_ns = ns;
}

static void test_the_system_clocks(void **state) {
    (void)state;
    int64_t first = shf_clock_monotonic_ns();
    (void)usleep(2000);
    int64_t elapsed = shf_clock_monotonic_ns() - first;
    assert_true(elapsed >= 2000000 && elapsed < 60000000000);
    int64_t difference = shf_clock_wall_us() / 1000000 - (int64_t)time(NULL);
    assert_true(difference >= -1 && difference <= 1);
}

static void test_the_system_random_bytes(void **state) {
    (void)state;
    uint8_t a[300], b[300];
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    assert_true(shf_random_bytes(a, sizeof a) && shf_random_bytes(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + sizeof a - 16, b + sizeof b - 16, 16); /* filled to the end */
    assert_true(shf_random_bytes(NULL, 0));
    memset(a, 0x77, sizeof a);
    assert_true(shf_random_bytes(a, 4));
    for (size_t i = 4; i < sizeof a; i++) assert_int_equal(a[i], 0x77);
}

static void test_the_seam(void **state) {
    (void)state;
    const struct shf_clock_seam all = {fake_monotonic, fake_wall, fake_random};
    uint8_t byte = 0;
    shf_clock_set_seam(&all);
    now_ns = 17, wall_us = 23, random_works = true;
    assert_int_equal(shf_clock_monotonic_ns(), 17);
    assert_int_equal(shf_clock_wall_us(), 23);
    assert_true(shf_random_bytes(&byte, 1) && byte == 0x5a);
    random_works = false;
    assert_false(shf_random_bytes(&byte, 1));
    fake(5); /* replaces the first; the others are the system's again */
    assert_int_equal(shf_clock_monotonic_ns(), 5);
    assert_true(shf_clock_wall_us() > 1000000000000000);
    assert_true(shf_random_bytes(&byte, 1));
}

static void test_making_deadlines(void **state) {
    (void)state;
    fake(1000);
    assert_int_equal(shf_deadline_after_ms(0), 1000);
    assert_int_equal(shf_deadline_after_ms(3), 3001000);
    assert_true(shf_deadline_after_ms(-1) == SHF_DEADLINE_NONE);
    assert_true(shf_deadline_after_ms(INT64_MIN) == SHF_DEADLINE_NONE);
    assert_true(shf_deadline_after_ms(INT64_MAX) == SHF_DEADLINE_NONE); /* the product overflows */
    assert_true(shf_deadline_after_ms(INT64_MAX / 1000000) == INT64_MAX / 1000000 * 1000000 + 1000);
    fake(INT64_MAX - 5);
    assert_true(shf_deadline_after_ms(1) == SHF_DEADLINE_NONE); /* the sum overflows */
}

static void test_what_is_left(void **state) {
    (void)state;
    fake(1000000000);
    assert_true(shf_deadline_left_ms(SHF_DEADLINE_NONE) == INT64_MAX);
    assert_false(shf_deadline_over(SHF_DEADLINE_NONE));
    static const struct {
        int64_t after_ns, left_ms;
    } cases[] = {{-1000000, 0}, {-1, 0}, {0, 0}, {1, 1}, {999999, 1}, {1000000, 1}, {1000001, 2}, {5000000000, 5000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(shf_deadline_left_ms(now_ns + cases[i].after_ns), cases[i].left_ms);
        assert_int_equal(shf_deadline_over(now_ns + cases[i].after_ns), cases[i].after_ns <= 0);
    }
    int64_t deadline = shf_deadline_after_ms(50);
    assert_int_equal(shf_deadline_left_ms(deadline), 50);
    now_ns += 49999999;
    assert_false(shf_deadline_over(deadline));
    now_ns++;
    assert_true(shf_deadline_over(deadline));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_system_clocks, back_to_system),
        cmocka_unit_test_teardown(test_the_system_random_bytes, back_to_system),
        cmocka_unit_test_teardown(test_the_seam, back_to_system),
        cmocka_unit_test_teardown(test_making_deadlines, back_to_system),
        cmocka_unit_test_teardown(test_what_is_left, back_to_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
