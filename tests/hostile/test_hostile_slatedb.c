/* Hostile SlateDB databases, through the public API; see composite.h. */
#include "hostile/slatedb.h"

static int begin(void **state) {
    (void)state;
    if (composite_begin(4)) return -1;
    composite_put_folder(SHF_TEST_DATA "/formats/lance/v22-npm0.39.0_one/vector_index.lance",
                         "vector/vector_index.lance/");
    slatedb_make_sound();
    composite_is_sound("the sound database");
    return 0;
}

static int end(void **state) {
    (void)state;
    return composite_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slatedb_manifests), cmocka_unit_test(slatedb_manifest_rules),
        cmocka_unit_test(slatedb_ssts),      cmocka_unit_test(slatedb_blocks),
        cmocka_unit_test(slatedb_bombs),     cmocka_unit_test(slatedb_wal_objects),
        cmocka_unit_test(slatedb_wal_sets),  cmocka_unit_test(slatedb_replaced_wal),
        cmocka_unit_test(slatedb_absent),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
