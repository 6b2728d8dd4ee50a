/* Replays the corpus of the URL fuzzer, and every prefix of each input. */
#include "fuzz_entry.h"
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void test_corpus(void **state) {
    (void)state;
    struct dirent **entries = NULL;
    int count = scandir("fuzz/corpus/url", &entries, NULL, alphasort);
    assert_true(count > 30);
    for (int i = 0; i < count; i++) {
        char path[512];
        size_t size;
        (void)snprintf(path, sizeof path, "fuzz/corpus/url/%s", entries[i]->d_name);
        uint8_t *data = entries[i]->d_name[0] == '.' ? NULL : peer_read(path, &size);
        for (size_t cut = 0; data && cut <= size; cut++) assert_int_equal(LLVMFuzzerTestOneInput(data, cut), 0);
        free(data);
        free(entries[i]);
    }
    free(entries);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
