/* Datasets that LanceDB wrote, damaged. */
#include "hostile/lance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No checksum protects a dataset: other bytes may well be another sound one. */
static void damage(const char *name) {
    static const uint64_t values[] = {0, 1, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX};
    size_t size;
    const uint8_t *bytes = composite_object(name, &size);
    uint8_t *copy = malloc(size + 8);
    memcpy(copy, bytes, size);
    size_t end = size > 900 ? size - 900 : 0, step = end / 60 + 1; /* the metadata are at the end */
    for (size_t at = 0; at < size; at += at < end ? step : 3) {
        copy[at] = (uint8_t)(bytes[at] ^ (at % 2 ? 0xff : 1 << at % 8));
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_ANYTHING, NULL, name, copy, size, "%s: another byte at %zu",
                          name, at);
        copy[at] = bytes[at];
    }
    for (size_t cut = 0; cut < size; cut += size / 25 + 1) {
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_FAILS, NULL, name, bytes, cut, "%s: cut at %zu", name, cut);
    }
    /* the footer, and the tables before it */
    for (size_t back = 8; back <= 120 && back <= size; back += 4) {
        uint8_t *at = copy + size - back;
        lance_store(at, values[back / 4 % (sizeof values / sizeof values[0])], 8);
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_ANYTHING, NULL, name, copy, size,
                          "%s: another word %zu before the end", name, back);
        lance_store(at, size - back, 8);
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_ANYTHING, NULL, name, copy, size,
                          "%s: the word %zu before the end leads to itself", name, back);
        memcpy(at, bytes + size - back, 8);
    }
    free(copy);
}

void lance_recorded(void **state) {
    static const char *const names[] = {"v20-npm0.27.2_del",      "v20-npm0.27.2_dict", "v21-npm0.38.0_fragments",
                                        "v21-npm0.38.0_dict",     "v22-npm0.39.0_dict", "v22-npm0.39.0_constnull",
                                        "v22-npm0.39.0_hugetext", "v22-npm0.39.0_text", "v22-npm0.39.0_emptystr"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[300];
        composite_forget(LANCE);
        (void)snprintf(path, sizeof path, SHF_TEST_DATA "/formats/lance/%s/vector_index.lance", names[i]);
        composite_put_folder(path, LANCE);
        composite_is_sound(names[i]);
        unsigned files = 0;
        for (const char *name; (name = composite_name(LANCE, files)) != NULL && files < 5; files++) damage(name);
        assert_true(files >= 2);
        composite_count(names[i]);
    }
    composite_forget(LANCE);
    lance_make_sound();
    composite_is_sound("the made dataset");
}
