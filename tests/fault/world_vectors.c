/* tests/data/composite-120 without its keys: a vector-only snapshot, sharded by one hyperplane, both shards probed. */
#include "fault/world.h"
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIMENSION 4
#define PREFIX "s3://fixtures/peer/composite-slatedb-noindex-dot"
#define RUN "a786cb462b564dc3a8c078618d2e9852"
#define MANIFEST "2026-11-22T07:25:31.616252Z_run_id=" RUN
#define CUSTOM                                                                                                         \
    "{\"vector\": {\"dim\": 4, \"metric\": \"dot_product\", \"sharding_strategy\": \"lsh\", \"num_probes\": 2, "       \
    "\"num_hash_bits\": 1, \"total_vectors\": 120, \"hyperplanes_ref\": \"" PREFIX "/vector_meta/run_id=" RUN          \
    "/hyperplanes.npy\"}}"

/* Of the shard's directory nothing stays but the dataset, which moves up. */
static void keep_dataset(const struct world *made, int shard) {
    char *attempt = support_path("%s/shards/run_id=" RUN "/db=%05d/attempt=00", made->snapshot, shard);
    char *aside = support_path("%s.aside", attempt);
    char *from = support_path("%s/vector/vector_index.lance", aside),
         *to = support_path("%s/vector_index.lance", attempt);
    assert_int_equal(rename(attempt, aside), 0);
    assert_int_equal(mkdir(attempt, 0755), 0);
    assert_int_equal(rename(from, to), 0);
    support_remove_tree(aside);
    free(attempt);
    free(aside);
    free(from);
    free(to);
}

void world_make_vectors(struct world *made) {
    static const char *const manifests[] = {MANIFEST, WORLD_SECOND_MANIFEST};
    static const float hyperplane[DIMENSION] = {0.5f, -1, 0.25f, 2};
    static const char *const pointers[] = WORLD_POINTERS(PREFIX, RUN, MANIFEST);
    memcpy(made->pointers, pointers, sizeof pointers);
    made->dimension = DIMENSION;
    support_copy_tree(world_of(WORLD_COMPOSITE)->snapshot, made->snapshot);
    for (size_t i = 0; i < 2; i++) {
        char *path = support_path("%s/manifests/%s/manifest", made->snapshot, manifests[i]);
        world_change(path, "UPDATE build_meta SET custom = '" CUSTOM "', key_encoding = 'raw'");
        if (i == 1) world_change(path, "UPDATE shards SET db_url = NULL, row_count = 0 WHERE db_id = 0");
        free(path);
        keep_dataset(made, (int)i);
    }
    char *second = support_path("%s/shards/run_id=" WORLD_SECOND_RUN, made->snapshot);
    char *meta = support_path("%s/vector_meta", made->snapshot);
    char *directory = support_path("%s/run_id=" RUN, meta), *file = support_path("%s/hyperplanes.npy", directory);
    support_remove_tree(second);
    assert_int_equal(mkdir(meta, 0755), 0);
    assert_int_equal(mkdir(directory, 0755), 0);
    support_write_npy(file, hyperplane, 1, DIMENSION);
    free(second);
    free(meta);
    free(directory);
    free(file);
    world_read_composite_queries(made);
}
