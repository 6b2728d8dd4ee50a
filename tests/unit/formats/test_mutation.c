/*
 * Thousands of seeded mutations of small real files: everything in them is read, in the ways of the fuzzers. Each ends
 * with an answer or an error, quickly, and without a report of a sanitizer.
 */
#include "support.h"

#include "mutation_targets.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SECONDS 2.0 /* of the processor, for one input, with sanitizers; a sound one of these takes milliseconds */

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Where a change does most: headers of pages, pointer arrays, starts of cells. */
static size_t some_place(uint64_t *seed, size_t size, size_t page_size) {
    uint64_t kind = random_next(seed) % 4;
    size_t page = random_next(seed) % (size / page_size) * page_size;
    size_t at = kind == 0   ? random_next(seed) % size
                : kind == 1 ? random_next(seed) % 100
                : kind == 2 ? page + random_next(seed) % 12
                            : page + random_next(seed) % page_size;
    return at < size ? at : size - 1;
}

static void mutate(uint64_t *seed, uint8_t *bytes, size_t *size, size_t page_size) {
    uint64_t changes = 1 + random_next(seed) % 6;
    for (uint64_t i = 0; i < changes; i++) {
        size_t at = some_place(seed, *size, page_size);
        switch (random_next(seed) % 6) {
        case 0: bytes[at] ^= (uint8_t)(1u << random_next(seed) % 8); break;
        case 1: bytes[at] = (uint8_t)random_next(seed); break;
        case 2: bytes[at] = random_next(seed) % 2 ? 0xff : 0; break;
        case 3: { /* a page number or offset in the place of another */
            uint8_t small = (uint8_t)(random_next(seed) % (*size / page_size + 2));
            bytes[at] = small;
            break;
        }
        case 4: { /* a stretch over another */
            size_t from = some_place(seed, *size, page_size), length = random_next(seed) % 64;
            if (from + length <= *size && at + length <= *size) memmove(bytes + at, bytes + from, length);
            break;
        }
        default:
            if (random_next(seed) % 8 == 0) *size = 1 + random_next(seed) % *size;
            return;
        }
    }
}

static void run(const char *path, size_t page_size, int rounds, int (*target)(const uint8_t *data, size_t size)) {
    size_t whole;
    uint8_t *original = load_file(path, &whole);
    double slowest = 0;
    assert_int_equal(target(original, whole), 0);
    for (int i = 0; i < rounds; i++) {
        uint64_t seed = (uint64_t)i * 7919 + whole;
        size_t size = whole;
        uint8_t *bytes = malloc(whole);
        memcpy(bytes, original, whole);
        mutate(&seed, bytes, &size, page_size < whole ? page_size : whole);
        bytes = realloc(bytes, size); /* of exact size, for ASan */
        double before = now();
        assert_int_equal(target(bytes, size), 0);
        double took = now() - before;
        if (took > slowest) slowest = took;
        if (took > MAX_SECONDS) fail_msg("round %d of %s took %.1f s", i, path, took);
        free(bytes);
    }
    print_message("%s: %d mutations, slowest %.1f ms\n", path, rounds, slowest * 1e3);
    free(original);
}

static void test_shards(void **state) {
    (void)state;
    run(SHF_TEST_DATA "/formats/d4_n10_l2/shard.db.zst", 4096, 12000, mutate_shard);
    run(SHF_TEST_DATA "/formats/page512/shard.db.zst", 512, 3000, mutate_shard);
}

static void test_manifests(void **state) {
    (void)state;
    run(SHF_TEST_DATA "/formats/manifest/composite.sqlite", 4096, 12000, mutate_manifest);
    run(SHF_TEST_DATA "/formats/manifest/cel_categorical.sqlite", 4096, 12000, mutate_manifest);
}

/* Every length of a small file. */
static void test_truncation(void **state) {
    (void)state;
    size_t size;
    uint8_t *bytes = load_file(SHF_TEST_DATA "/formats/manifest/unified.sqlite", &size);
    for (size_t length = 0; length < size; length += length < 600 ? 1 : 37) {
        uint8_t *cut = malloc(length ? length : 1);
        memcpy(cut, bytes, length);
        assert_int_equal(mutate_manifest(cut, length), 0);
        assert_int_equal(mutate_shard(cut, length), 0);
        free(cut);
    }
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shards), cmocka_unit_test(test_manifests),
                                       cmocka_unit_test(test_truncation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
