/* Hostile Lance datasets, through the public API; see composite.h. */
#include "hostile/lance.h"

static int begin(void **state) {
    (void)state;
    if (composite_begin(LANCE_DIMENSION)) return -1;
    composite_put_folder(SHF_TEST_DATA "/formats/slatedb/tiny/db", "");
    composite_expect("key0", 4, "value0", 6);
    composite_expect("nokey", 5, NULL, 0);
    lance_make_sound();
    composite_is_sound("the made dataset");
    return 0;
}

static int end(void **state) {
    (void)state;
    return composite_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lance_manifest_rules), cmocka_unit_test(lance_very_many), cmocka_unit_test(lance_deletions),
        cmocka_unit_test(lance_absent),         cmocka_unit_test(lance_pages),     cmocka_unit_test(lance_encodings),
        cmocka_unit_test(lance_bombs),          cmocka_unit_test(lance_recorded),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
