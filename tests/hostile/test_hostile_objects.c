/* Some thousand hostile objects, through the public API; see hostile.h. */
#include "hostile/hostile.h"

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_headers),       cmocka_unit_test(hostile_trees),
        cmocka_unit_test(hostile_deep_trees),    cmocka_unit_test(hostile_tables),
        cmocka_unit_test(hostile_vectors),       cmocka_unit_test(hostile_manifests),
        cmocka_unit_test(hostile_manifest_json), cmocka_unit_test(hostile_pointers),
        cmocka_unit_test(hostile_sidecars),      cmocka_unit_test(hostile_shared_rows),
        cmocka_unit_test(hostile_multiplied),
    };
    return cmocka_run_group_tests(tests, hostile_group_begin, hostile_group_end);
}
