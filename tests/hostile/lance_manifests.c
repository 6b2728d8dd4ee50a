/* Lance manifests, deletion files, and what is there of a dataset. */
#include "hostile/lance.h"

#include "integration/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rules ---- */

#define TRY(wish, text, name, ...)                                                                                     \
    do {                                                                                                               \
        const struct lance_saying say = {__VA_ARGS__};                                                                 \
        lance_try_manifest(&say, wish, text, name);                                                                    \
    } while (0)

static void names(void) {
    static const char *const bad[] = {
        "../id.lance", "..",         "a/b.lance", "/etc/passwd",  ".hidden.lance", "",          "data/id.lance",
        "a\\b.lance",  "id.lance\n", "id lance",  "id.lance?x=1", "%2e%2e/x",      "id.lance/", "\xc3\xa9.lance",
        "s3://x/y",    "id.lance#x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!*bad[i]) continue;
        TRY(COMPOSITE_FAILS, "plain", bad[i], .path = bad[i]);
    }
    TRY(COMPOSITE_FAILS, "plain", "a name with a NUL", .path = "id.lance\0x", .path_size = 10);
    char name[300];
    memset(name, 'x', sizeof name);
    TRY(COMPOSITE_FAILS, "plain", "a long name", .path = name, .path_size = 299);
    TRY(COMPOSITE_FAILS, "data/absent.lance", "a file that is not there", .path = "absent.lance");
    TRY(COMPOSITE_FAILS, NULL, "another file in its place", .path = "vector.lance");
    TRY(COMPOSITE_FAILS, NULL, "a file twice", .twice = true);
}

static void schemas(void) {
    TRY(COMPOSITE_ANSWERS, NULL, "nothing wrong", .fragment_id = 0);
    TRY(COMPOSITE_ANSWERS, NULL, "another number of the fragment", .fragment_id = 4294967295);
    TRY(COMPOSITE_FAILS, "column id", "no ids", .id_name = "key");
    TRY(COMPOSITE_FAILS, "column vector", "no vectors", .vector_name = "embedding");
    TRY(COMPOSITE_FAILS, "same", "two ids", .vector_name = "id");
    TRY(COMPOSITE_FAILS, "int64", "ids that are numbers", .id_type = "int64");
    TRY(COMPOSITE_FAILS, "struct", "payloads that are structures", .payload_type = "struct");
    TRY(COMPOSITE_FAILS, "double", "vectors of doubles", .vector_type = "fixed_size_list:double:4");
    TRY(COMPOSITE_FAILS, "fixed_size_list", "vectors of no dimension", .vector_type = "fixed_size_list:float:0");
    TRY(COMPOSITE_FAILS, "fixed_size_list", "a dimension that is no number", .vector_type = "fixed_size_list:float:x");
    TRY(COMPOSITE_FAILS, "dimensions", "very many dimensions",
        .vector_type = "fixed_size_list:float:99999999999999999999");
    TRY(COMPOSITE_FAILS, NULL, "5 dimensions", .vector_type = "fixed_size_list:float:5");
    TRY(COMPOSITE_FAILS, NULL, "3 dimensions", .vector_type = "fixed_size_list:float:3");
    TRY(COMPOSITE_FAILS, "ids or its vectors", "a fragment without vectors", .without_vectors = true);
    TRY(COMPOSITE_FAILS, "column", "a column that is not there", .column = 1);
    TRY(COMPOSITE_FAILS, "column", "a column far away", .column = 4294967294);
    TRY(COMPOSITE_FAILS, "column", "a column further away", .column = UINT64_MAX);
}

static void versions(void) {
    static const uint64_t flags[] = {2, 16, 32, 64, (uint64_t)1 << 63};
    TRY(COMPOSITE_FAILS, "version", "another version than its name says", .version = 2);
    TRY(COMPOSITE_FAILS, "version", "the last version that there can be", .version = UINT64_MAX);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        TRY(COMPOSITE_FAILS, NULL, "a flag that changes what rows are", .reader_flags = flags[i]);
    }
    TRY(COMPOSITE_FAILS, "stable row ids", "row ids", .has_row_ids = true);
    TRY(COMPOSITE_FAILS, "base", "another base", .has_base = true);
    TRY(COMPOSITE_FAILS, "base", "another base of a file", .has_file_base = true);
    TRY(COMPOSITE_FAILS, "format", "another format", .format = "parquet");
    TRY(COMPOSITE_FAILS, "2.3", "data of version 2.3", .data_version = "2.3");
    TRY(COMPOSITE_FAILS, "0.1", "data of version 0.1", .data_version = "0.1");
    TRY(COMPOSITE_FAILS, "2.0", "data of no version", .without_format = true);
    TRY(COMPOSITE_FAILS, "3.2", "a file of version 3.2", .major = 3);
    TRY(COMPOSITE_FAILS, "2.9", "a file of version 2.9", .minor = 9);
    TRY(COMPOSITE_FAILS, "1.2", "a manifest of version 1.2", .manifest_major = 1);
    TRY(COMPOSITE_FAILS, "0.3", "a manifest of version 0.3", .manifest_minor = 3);
}

static void counts(void) {
    static const uint64_t rows[] = {1,         2, 4, 1000000, UINT32_MAX, (uint64_t)1 << 32, ((uint64_t)1 << 32) + 1,
                                    UINT64_MAX};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TRY(COMPOSITE_FAILS, "rows", "another number of rows", .rows = rows[i]);
    }
    TRY(COMPOSITE_FAILS, "bytes", "another size of a file", .file_size = 17);
    TRY(COMPOSITE_FAILS, "bytes", "a large size of a file", .file_size = UINT64_MAX);
    TRY(COMPOSITE_FAILS, "32 bits", "a fragment whose number is too large", .fragment_id = (uint64_t)1 << 32);
}

void lance_manifest_rules(void **state) {
    (void)state;
    names();
    schemas();
    versions();
    counts();
    composite_count("Lance manifests that are well formed");
}

void lance_very_many(void **state) {
    (void)state;
    TRY(COMPOSITE_FAILS, "id.lance twice", "two fragments of the same files", .fragments = 2);
    composite_allow_times(3); /* megabytes are parsed */
    TRY(COMPOSITE_FAILS, "fragments", "70,000 fragments", .fragments = 70000);
    TRY(COMPOSITE_FAILS, "id.lance twice", "40,000 fragments of the same files", .fragments = 40000);
    TRY(COMPOSITE_FAILS, "data files", "60,000 fragments of three files", .fragments = 60000);
    TRY(COMPOSITE_FAILS, NULL, "40,000 fragments of files that are not there", .fragments = 40000, .names_count = true);
    TRY(COMPOSITE_FAILS, "data/", "1,000 fragments of files that are not there", .fragments = 1000, .names_count = true);
    composite_allow_times(1);
    composite_try_among_strangers(COMPOSITE_VECTORS, LANCE "_versions/");
    composite_count("Lance manifests that name much");
}

/* ---- deletions ---- */

static void try_deletions(uint64_t type, uint64_t deleted, const void *data, size_t size, enum composite_wish wish,
                          const char *text, const char *name) {
    const struct lance_saying say = {.has_deletions = true, .deletion_type = type, .deleted = deleted};
    size_t manifest_size;
    uint8_t *manifest = lance_manifest(&say, &manifest_size);
    composite_change(type == 1 ? LANCE "_deletions/0-5-6.bin" : LANCE "_deletions/0-5-6.arrow", data, size);
    composite_try_one(COMPOSITE_VECTORS, wish, text, LANCE_MANIFEST, manifest, manifest_size, "deletions: %s", name);
    free(manifest);
}

static struct bytes array_of(uint16_t first, uint16_t second) {
    struct bytes out = {.size = 0};
    put_u32(&out, 12346);
    put_u32(&out, 1);
    put_u16(&out, 0);
    put_u16(&out, 1); /* two rows */
    put_u32(&out, 16);
    put_u16(&out, first);
    put_u16(&out, second);
    return out;
}

static void bitmaps(void) {
    struct bytes bitmap = array_of(0, 2);
    try_deletions(1, 2, bitmap.data, bitmap.size, COMPOSITE_ANYTHING, NULL, "two of three rows"); /* other hits */
    try_deletions(1, 1, bitmap.data, bitmap.size, COMPOSITE_FAILS, "deletes", "another number than the manifest says");
    try_deletions(1, UINT64_MAX, bitmap.data, bitmap.size, COMPOSITE_FAILS, "deletes", "far more than there are");
    bitmap = array_of(0, 3);
    try_deletions(1, 2, bitmap.data, bitmap.size, COMPOSITE_FAILS, "row 3", "a row that is not there");
    bitmap = array_of(1, 1);
    try_deletions(1, 2, bitmap.data, bitmap.size, COMPOSITE_FAILS, "twice", "a row twice");
    bitmap = array_of(0, 2);
    put(&bitmap, "x", 1);
    try_deletions(1, 2, bitmap.data, bitmap.size, COMPOSITE_FAILS, "follow", "a byte more");
    for (size_t cut = 0; cut < 20; cut++) {
        try_deletions(1, 2, bitmap.data, cut, COMPOSITE_FAILS, "_deletions/", "it is cut");
    }
    struct bytes many = {.size = 0};
    put_u32(&many, 12346);
    put_u32(&many, UINT32_MAX);
    try_deletions(1, 0, many.data, many.size, COMPOSITE_FAILS, "65536", "four milliards of containers");
    many.size = 0;
    put_u32(&many, 0xffff0000u | 12347);
    try_deletions(1, 0, many.data, many.size, COMPOSITE_FAILS, "cut", "65,536 containers that are not there");
    many.size = 0;
    put_u32(&many, 12347);
    put(&many, "\1", 1);
    put_u16(&many, 0);
    put_u16(&many, 65535);
    put_u16(&many, 65535); /* runs, each of which is all */
    for (unsigned i = 0; i < 1500; i++) put_u32(&many, 0xffff0000u);
    try_deletions(1, 0, many.data, many.size, COMPOSITE_FAILS, NULL, "runs over runs");
    many.size = 0;
    put_u32(&many, 1);
    try_deletions(1, 0, many.data, many.size, COMPOSITE_FAILS, "Roaring", "no bitmap");
    try_deletions(1, 0, NULL, 0, COMPOSITE_FAILS, "_deletions/0-5-6.bin", "none is there");
    try_deletions(0, 0, NULL, 0, COMPOSITE_FAILS, "_deletions/0-5-6.arrow", "none is there");
    try_deletions(0, 0, bitmap.data, bitmap.size, COMPOSITE_FAILS, "Arrow", "a bitmap instead of Arrow");
    try_deletions(2, 0, bitmap.data, bitmap.size, COMPOSITE_FAILS, "type 2", "another type");
    TRY(COMPOSITE_FAILS, "base", "deletions below another base", .has_deletions = true, .has_deletion_base = true);
}

void lance_deletions(void **state) {
    (void)state;
    bitmaps();
    composite_count("Lance deletion files");
}

/* ---- what is there ---- */

static void remove_files(bool with_manifest, bool with_data) {
    for (unsigned i = 0; i < LANCE_COLUMNS && with_data; i++) {
        composite_change(lance_column_name((enum lance_column)i), NULL, 0);
    }
    if (with_manifest) composite_change(LANCE_MANIFEST, NULL, 0);
}

void lance_absent(void **state) {
    static const char *const strangers[] = {
        LANCE "_versions/latest_version_hint.json",
        LANCE "_versions/_latest.manifest",
        LANCE "_versions/1.manifest.tmp",
        LANCE "_versions/x.manifest",
        LANCE "_versions/.manifest",
        LANCE "_versions/99999999999999999999999.manifest",
        LANCE "_versions/-2.manifest",
        LANCE "_versions/2.MANIFEST",
        LANCE "_versions/0x2.manifest",
        LANCE "_versions/2.manifest/x",
        LANCE "_versions/36893488147419103232.manifest",
        LANCE "_transactions/x.txn",
        LANCE "_indices/x/index.idx",
        LANCE "stranger",
        "vector/stranger",
        LANCE "_versions/ 2.manifest",
    };
    (void)state;
    remove_files(true, true);
    composite_try(COMPOSITE_VECTORS, COMPOSITE_ANYTHING, NULL, "nothing is there: no vectors");
    remove_files(true, false);
    composite_try(COMPOSITE_VECTORS, COMPOSITE_FAILS, "no manifest", "files without a manifest");
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_ANSWERS, NULL, strangers[i], "rubbish", 7, "a stranger: %s",
                          strangers[i]);
        if (strncmp(strangers[i], LANCE, sizeof LANCE - 1) != 0) continue;
        remove_files(true, true);
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_FAILS, "no manifest", strangers[i], "rubbish", 7,
                          "nothing but a stranger: %s", strangers[i]);
    }
    for (unsigned i = 0; i < LANCE_COLUMNS; i++) {
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_FAILS, strrchr(lance_column_name((enum lance_column)i), '/') + 1,
                          lance_column_name((enum lance_column)i), NULL, 0, "a file is gone");
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_FAILS, "empty", lance_column_name((enum lance_column)i), "", 0,
                          "a file is empty");
    }
    composite_try_one(COMPOSITE_VECTORS, COMPOSITE_FAILS, "2.manifest", LANCE "_versions/2.manifest", "rubbish", 7,
                      "a later version");
    composite_try_one(COMPOSITE_VECTORS, COMPOSITE_FAILS, "_versions/", LANCE "_versions/18446744073709551612.manifest",
                      "rubbish", 7, "a later version, counting down");
    composite_try_one(COMPOSITE_VECTORS, COMPOSITE_ANSWERS, NULL, LANCE "_versions/0.manifest", "rubbish", 7,
                      "an earlier version");
    composite_try_one(COMPOSITE_VECTORS, COMPOSITE_FAILS, NULL, LANCE_MANIFEST, "", 0, "an empty manifest");
    composite_count("Lance datasets with something missing");
}
