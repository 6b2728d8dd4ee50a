/* Replays a fuzzing corpus through the fuzzer's own entry point, and every beginning of each input. One program a target. */
#include "support.h"

#include "fuzz_entry.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_INPUT 4096u

/* From a buffer of exactly this size, so that a sanitizer sees a read behind it. */
static void replay(const uint8_t *bytes, size_t size) {
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    assert_int_equal(LLVMFuzzerTestOneInput(exact, size), 0);
    free(exact);
}

static void test_replay(void **state) {
    (void)state;
    DIR *directory = opendir(SHF_TEST_CORPUS);
    struct dirent *entry;
    int inputs = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        uint8_t bytes[LARGEST_INPUT];
        if (entry->d_name[0] == '.') continue;
        char *path = support_path("%s/%s", SHF_TEST_CORPUS, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t size = fread(bytes, 1, sizeof bytes, file);
        assert_int_equal(fgetc(file), EOF);
        assert_int_equal(fclose(file), 0);
        for (size_t cut = 0; cut <= size; cut++) replay(bytes, cut);
        free(path);
        inputs++;
    }
    (void)closedir(directory);
    assert_true(inputs >= 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
