/*
 * The b-trees of a shard, without the header and the schema in which a mutation mostly ends in a refusal. The input: eight
 * bytes that say where the trees begin and what the vectors are, then the pages of a file from its second on.
 */
#define MAX_ROWS 64 /* pages that name each other have very many */
#define MAX_IDS 4
#include "fuzz_entry.h"
#include "read_tables.h"

#include <stdlib.h>

#define PAGE_BYTES 512u
#define SETTING_BYTES 8u

/* An empty first page: nothing but the header of the file. */
static void write_header(uint8_t *page) {
    memset(page, 0, PAGE_BYTES);
    memcpy(page, "SQLite format 3", 16);
    page[16] = PAGE_BYTES >> 8;
    page[18] = page[19] = 1;
    page[21] = 64;
    page[22] = page[23] = 32;
    page[59] = SHF_SQLITE_UTF8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < SETTING_BYTES) return 0;
    struct shf_sqlite db;
    size_t file_size = PAGE_BYTES + size - SETTING_BYTES;
    uint8_t *file = malloc(file_size);
    if (!file) return 0;
    write_header(file);
    if (size > SETTING_BYTES) memcpy(file + PAGE_BYTES, data + SETTING_BYTES, size - SETTING_BYTES);
    if (shf_sqlite_open(&db, file, file_size, NULL)) __builtin_trap();
    struct shf_kv kv = {.db = db, .root = data[0]};
    struct shf_vec0 vec = {.db = db,
                           .metric = SHF_METRIC_L2,
                           .dimension = 1 + data[6] % 16u,
                           .chunk_slots = 8 * (1 + data[7] % 128u),
                           .chunks_root = data[1],
                           .vectors_root = data[2],
                           .rowids_root = data[3],
                           .id_map_root = data[4],
                           .payloads_root = data[5]};
    read_kv(&kv);
    read_vectors(&vec);
    free(file);
    return 0;
}
