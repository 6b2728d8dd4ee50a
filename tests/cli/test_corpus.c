/* Replays the corpus of one fuzzer of the program, and every prefix of each input. */
#include "cli_test.h"

#include "fuzz_entry.h"

#include <dirent.h>
#include <stdio.h>

#define INPUT_BYTES 65536u

static void replay(void **state) {
    struct dirent **entries = NULL;
    int count = scandir(SHF_TEST_CORPUS, &entries, NULL, alphasort);
    (void)state;
    assert_true(count > 30);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", SHF_TEST_CORPUS, entries[i]->d_name);
        FILE *file = entries[i]->d_name[0] == '.' ? NULL : fopen(path, "rb");
        free(entries[i]);
        if (!file) continue;
        uint8_t *data = malloc(INPUT_BYTES);
        size_t size = fread(data, 1, INPUT_BYTES, file);
        fclose(file);
        for (size_t cut = 0; cut <= size; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees a read past the end */
            memcpy(exact, data, cut);
            assert_int_equal(LLVMFuzzerTestOneInput(exact, cut), 0);
            free(exact);
        }
        free(data);
    }
    free(entries);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
