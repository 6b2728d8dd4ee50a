/* Some thousand hostile objects, through the public API; see hostile.h. */
#include "hostile/hostile.h"

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_headers), cmocka_unit_test(hostile_trees),   cmocka_unit_test(hostile_deep_trees),
        cmocka_unit_test(hostile_tables),  cmocka_unit_test(hostile_vectors),
    };
    return cmocka_run_group_tests(tests, hostile_group_begin, hostile_group_end);
}
