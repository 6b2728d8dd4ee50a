/* Replays a fuzzing corpus through the fuzzer's own entry point. One program a target. */
#include "support.h"

#include "fuzz_entry.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void test_replay(void **state) {
    (void)state;
    DIR *directory = opendir(SHF_TEST_CORPUS);
    struct dirent *entry;
    char path[4300];
    int inputs = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        size_t size;
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", SHF_TEST_CORPUS, entry->d_name);
        uint8_t *bytes = load_file(path, &size);
        uint8_t *exact = malloc(size ? size : 1);
        for (size_t i = 0; i < size; i++) exact[i] = bytes[i];
        assert_int_equal(LLVMFuzzerTestOneInput(exact, size), 0);
        free(exact);
        free(bytes);
        inputs++;
    }
    (void)closedir(directory);
    assert_true(inputs >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
