/* SSTs: damaged bytes, which checksums tell, and bad contents under right checksums. */
#include "hostile/slatedb.h"

#include <stdlib.h>
#include <string.h>

/* ---- bytes ---- */

static void damage(uint64_t ulid, size_t index_end) {
    char *name = strdup(slatedb_sst_name(ulid));
    size_t size;
    const uint8_t *bytes = composite_object(name, &size);
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, bytes, size);
    for (size_t at = 0; at < size; at++) {
        copy[at] = (uint8_t)(bytes[at] ^ (at % 3 == 0 ? 0xff : 1 << at % 8));
        composite_try_one(COMPOSITE_KEYS, at < index_end ? COMPOSITE_FAILS : COMPOSITE_ANSWERS, NULL, name, copy, size,
                          "%s: another byte at %zu", name, at);
        copy[at] = bytes[at];
    }
    for (size_t cut = 0; cut < size; cut += 11) {
        composite_try_one(COMPOSITE_KEYS, cut < index_end ? COMPOSITE_FAILS : COMPOSITE_ANSWERS, NULL, name, bytes, cut,
                          "%s: cut at %zu", name, cut);
    }
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_ANSWERS, NULL, name, bytes, size + 1, "%s: a byte more", name);
    free(copy);
    free(name);
}

void slatedb_ssts(void **state) {
    (void)state;
    const struct sst_info *info = &slatedb_sound.l0[0].info;
    damage(12, info->index_offset + info->index_size);
    info = &slatedb_sound.l0[1].info;
    damage(11, info->index_offset + info->index_size);
    info = &slatedb_sound.run_ssts[1].info;
    damage(21, info->index_offset + info->index_size);
    char *name = strdup(slatedb_sst_name(11));
    size_t size;
    const uint8_t *other = composite_object(slatedb_sst_name(21), &size);
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, "compacted/", name, other, size, "another SST in its place");
    composite_change(name, NULL, 0);
    composite_try(COMPOSITE_KEYS, COMPOSITE_FAILS, name, "an SST is gone");
    free(name);
    composite_count("bytes of SlateDB SSTs");
}

/* ---- contents ---- */

/* An SST of these payloads in front of all others, so that lookups of keys from "a" to "z" go through it. */
static void try_sst(const struct bytes *block, const struct bytes *index, const struct bytes *filter,
                    const struct sst_options *options, const char *text, const char *name) {
    struct bytes file = {0};
    struct made_sst l0[3] = {{.ulid = 50}, slatedb_sound.l0[0], slatedb_sound.l0[1]};
    struct made_manifest manifest = slatedb_sound.manifest;
    l0[0].info = make_sst_of(&file, block, index, filter, options);
    l0[0].info.first_key = "a";
    l0[0].info.last_key = "z";
    manifest.top.l0 = l0;
    manifest.top.l0_count = 3;
    composite_change(slatedb_sst_name(50), file.data, file.size);
    slatedb_try_manifest(&manifest, COMPOSITE_FAILS, text, name);
    bytes_free(&file);
}

static void try_block(const char *hex, uint16_t version, const char *text, const char *name) {
    const struct sst_options options = {.version = version, .filter = -1};
    struct bytes block = {0};
    size_t size;
    uint8_t *data = spaced_hex(hex, &size);
    put(&block, data, size);
    try_sst(&block, NULL, NULL, &options, text, name);
    bytes_free(&block);
    free(data);
}

/* One row "b" = "v" is: 00 01 01 62 76, eight bytes of a sequence number, flags; its offset 0000, and their number 0001. */
static void rows(void) {
#define SEQ "00 00 00 00 00 00 00 09"
    try_block("00 01 01 62 76 " SEQ " 10 0000 0001", 2, "flags 0x10", "an unknown flag");
    try_block("00 01 01 62 76 " SEQ " 80 0000 0001", 2, "flags 0x80", "an unknown flag");
    try_block("00 01 00 62 " SEQ " 09 0000 0001", 2, "flags 0x09", "a tombstone that is a merge operand");
    try_block("00 01 01 62 76 " SEQ " 01 0000 0001", 2, "tombstone", "a tombstone with a value");
    try_block("00 01 01 62 76 " SEQ " 00 0000 0000", 2, NULL, "no restart point");
    try_block("00 01 01 62 76 " SEQ " 00 0000 ffff", 2, NULL, "65,535 restart points");
    try_block("00 01 01 62 76 " SEQ " 00 0007 0001", 2, NULL, "a restart point within a row");
    try_block("00 01 01 62 76 " SEQ " 00 ffff 0001", 2, NULL, "a restart point behind the rows");
    try_block("05 01 01 62 76 " SEQ " 00 0000 0001", 2, "shares", "a first row that shares its key");
    try_block("00 00 01 76 " SEQ " 00 0000 0001", 2, "key", "a row without a key");
    try_block("00 ff ff ff ff 0f 01 62 76 " SEQ " 00 0000 0001", 2, "row at 0", "a key of 4 GiB");
    try_block("00 01 ff ff ff ff 0f 62 76 " SEQ " 00 0000 0001", 2, "row at 0", "a value of 4 GiB");
    try_block("80 80 80 80 80 80 01 01 01 62 76 " SEQ " 00 0000 0001", 2, "row at 0", "a number of seven groups");
    try_block("00 01 01 62 76 00 00 00 0000 0001", 2, "row at 0", "a row that is cut");
    try_block("00 01 01 62 76 " SEQ " 06 0000 0001", 2, "row at 0", "times that are cut");
    try_block("00 01 01 62 76 " SEQ " 08 0000 0001", 2, "merge", "a merge operand");
    try_block("", 2, NULL, "an empty block");
    try_block("00", 2, NULL, "a block of a byte");
    try_block("0000 0001 62 " SEQ " 10 00000001 76 0000 0001", 1, "flags 0x10", "an unknown flag, version 1");
    try_block("0005 0001 62 " SEQ " 00 00000001 76 0000 0001", 1, NULL, "a first row that shares, version 1");
    try_block("0000 ffff 62 " SEQ " 00 00000001 76 0000 0001", 1, "row at 0", "a long key, version 1");
    try_block("0000 0001 62 " SEQ " 00 ffffffff 76 0000 0001", 1, "row at 0", "a long value, version 1");
    try_block("0000 0001 62 " SEQ " 00 00000001 76 0100 0001", 1, NULL, "an offset behind the rows, version 1");
    /* encrypted contents have right checksums */
    try_block("9f 3a 11 c7 02 88 5e d0 41 fe 6b 27 93 0c b5 78 e4 1d 52 af 36 99 c0 74 0b de 61 18 f3 4a 87 2c", 2,
              NULL, "an encrypted block");
#undef SEQ
}

static void try_index(const char *hex, const char *text, const char *name) {
    const struct sst_options options = {.version = 2, .filter = -1};
    struct bytes block = {0}, index = {0};
    size_t size;
    uint8_t *data = spaced_hex("00 01 01 62 76 00 00 00 00 00 00 00 09 00 0000 0001", &size);
    put(&block, data, size);
    free(data);
    data = spaced_hex(hex, &size);
    put(&index, data, size);
    free(data);
    try_sst(&block, &index, NULL, &options, text, name);
    bytes_free(&block);
    bytes_free(&index);
}

struct entry {
    uint64_t offset;
    const char *key;
};

static void try_entries(const struct entry *entries, uint32_t count, const char *text, const char *name) {
    struct bytes index = {0};
    char *hex;
    fb_begin(&index);
    size_t root = fb_table(&index, (struct field[]){{0, 4, 0}}, 1), vector = fb_vector(&index, count);
    fb_link(&index, root, 0, vector);
    for (uint32_t i = 0; i < count; i++) {
        size_t table = fb_table(&index, (struct field[]){{0, 8, entries[i].offset}, {1, 4, 0}}, 2);
        fb_link_at(&index, vector + 4 + 4 * i, table);
        size_t key = fb_bytes(&index, entries[i].key, strlen(entries[i].key));
        fb_link(&index, table, 1, key);
    }
    hex = malloc(2 * index.size + 1);
    for (size_t i = 0; i < index.size; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * i] = digits[index.data[i] >> 4];
        hex[2 * i + 1] = digits[index.data[i] & 15];
    }
    hex[2 * index.size] = '\0';
    try_index(hex, text, name);
    free(hex);
    bytes_free(&index);
}

static void indices(void) {
    /* root at 4; its vtable, at 12, says that field 0 lies at 4: a vector, whose count is absurd */
    try_index("04000000 f8ffffff 0c000000 0600 0800 0400 0000 ffffffff", NULL, "an index of four milliards of blocks");
    try_index("04000000 f8ffffff 0c000000 0600 0800 0400 0000 00000010", NULL, "an index of many blocks");
    try_index("04000000 f8ffffff fcffffff 0600 0800 0400", NULL, "an index that leads back");
    try_index("00000000 00000000", NULL, "an index that is its own root");
    try_index("", NULL, "an empty index");
    try_index("ffffffff", NULL, "an index whose root is far away");
    try_entries((const struct entry[]){{0, ""}, {4, "d"}, {8, "c"}}, 3, "order", "an index that is out of order");
    try_entries((const struct entry[]){{0, ""}, {8, "b"}, {4, "c"}}, 3, "follow", "blocks that are out of order");
    try_entries((const struct entry[]){{0, ""}, {0, "b"}}, 2, "follow", "two blocks at one place");
    try_entries((const struct entry[]){{0, ""}, {UINT64_MAX, "b"}}, 2, "behind", "a block far away");
    try_entries((const struct entry[]){{0, ""}, {1000, "b"}}, 2, "behind", "a block behind the index");
    try_entries((const struct entry[]){{3, ""}}, 1, "block at offset 3", "a block that begins within one");
    try_entries((const struct entry[]){{0, ""}, {1, "b"}, {2, "b"}, {3, "b"}}, 4, "block at offset", "blocks of a byte");
}

static void filters(void) {
    static const struct {
        const char *hex, *name;
        int format;
    } all[] = {
        {"", "an empty filter", 0}, /* none is stored: the block then has no checksum */
        {"00", "a filter of a byte", 0},
        {"", "an empty composite filter", 1},
        {"ffff", "65,535 filters, and none is there", 1},
        {"0001 ffff 5f6266", "a name that is too long", 1},
        {"0001 0003 5f6266 ffffffffffffffff 0006 00", "a filter that is too long", 1},
        {"0001 0003 5f6266 0000000000000001 00", "a filter of a byte among others", 1},
    };
    for (size_t i = 1; i < sizeof all / sizeof all[0]; i++) {
        const struct sst_options options = {.version = 2, .filter = all[i].format};
        struct bytes block = {0}, filter = {0};
        size_t size;
        uint8_t *data = spaced_hex("00 01 01 62 76 00 00 00 00 00 00 00 09 00 0000 0001", &size);
        put(&block, data, size);
        free(data);
        data = spaced_hex(all[i].hex, &size);
        put(&filter, data, size);
        free(data);
        if (filter.size) try_sst(&block, NULL, &filter, &options, "filter", all[i].name);
        bytes_free(&block);
        bytes_free(&filter);
    }
}

void slatedb_blocks(void **state) {
    (void)state;
    rows();
    indices();
    filters();
    composite_count("SlateDB SSTs with right checksums");
}

/* ---- bombs ---- */

enum part { BLOCK, INDEX, FILTER, PARTS };
static const char *const part_names[PARTS] = {"block", "index", "filter"};

/* A file whose parts are stored as they are, under an info that says that they are packed. */
static void try_packed(enum part part, uint8_t codec, const uint8_t *packed, size_t size, const char *text,
                       const char *name) {
    struct bytes file = {0}, manifest_bytes = {0};
    struct made_sst l0[3] = {{.ulid = 50}, slatedb_sound.l0[0], slatedb_sound.l0[1]};
    struct made_manifest manifest = slatedb_sound.manifest;
    const struct sst_options options = {.version = 2, .codec = codec, .filter = -1};
    struct bytes small = {0};
    /* a sound file of the same codec gives the parts that are not attacked */
    struct test_row row = {.key = "b", .value = "v", .seq = 1};
    struct sst_options sound_options = options;
    sound_options.filter = 0;
    struct sst_info info = make_sst(&small, &row, 1, &sound_options);
    size_t at[PARTS + 1] = {0, info.index_offset, info.filter_offset, 0};
    size_t sizes[PARTS] = {info.filter_offset, info.index_size, info.filter_size};
    static const enum part order[PARTS] = {BLOCK, FILTER, INDEX};
    size_t offsets[PARTS], lengths[PARTS];
    for (int i = 0; i < PARTS; i++) {
        enum part here = order[i];
        offsets[here] = file.size;
        if (here == part) {
            put(&file, packed, size);
            put_checksum(&file, offsets[here]);
        } else {
            put(&file, small.data + at[here], sizes[here]);
        }
        lengths[here] = file.size - offsets[here];
    }
    l0[0].info = (struct sst_info){.index_offset = offsets[INDEX],
                                   .index_size = lengths[INDEX],
                                   .filter_offset = offsets[FILTER],
                                   .filter_size = lengths[FILTER],
                                   .codec = codec,
                                   .first_key = "a",
                                   .last_key = "z",
                                   .version = 2};
    manifest.top.l0 = l0;
    manifest.top.l0_count = 3;
    composite_change(slatedb_sst_name(50), file.data, file.size);
    make_manifest(&manifest_bytes, &manifest);
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, text, SLATEDB_MANIFEST, manifest_bytes.data, manifest_bytes.size,
                      "codec %u, %s: %s", codec, part_names[part], name);
    bytes_free(&file);
    bytes_free(&manifest_bytes);
    bytes_free(&small);
}

static void try_everywhere(uint8_t codec, const uint8_t *packed, size_t size, const char *text, const char *name) {
    for (int part = 0; part < PARTS; part++) try_packed((enum part)part, codec, packed, size, text, name);
}

void slatedb_bombs(void **state) {
    enum { LARGE = 200000000, MIDDLE = 60000000 };
    (void)state;
    uint8_t *zeros = calloc(1, LARGE), *copy;
    size_t size;
    composite_allow_times(20); /* what is just within the limit is unpacked once for each key */
    for (uint8_t codec = SHF_SLATEDB_SNAPPY; codec <= SHF_SLATEDB_ZSTD; codec++) {
        uint8_t *packed = pack(codec, false, zeros, LARGE, &size);
        try_everywhere(codec, packed, size, NULL, "200 MB of zeros");
        free(packed);
        try_everywhere(codec, (const uint8_t *)"", 0, NULL, "nothing");
        try_everywhere(codec, (const uint8_t *)"\xff\xff\xff\xff\x0f\x00\x00\x00\x00", 9, NULL, "a length of 4 GiB");
        packed = pack(codec, false, zeros, 100000, &size);
        try_everywhere(codec, packed, size - 1, NULL, "a byte too few");
        copy = malloc(size + 1);
        memcpy(copy, packed, size);
        copy[size] = 0;
        try_everywhere(codec, copy, size + 1, NULL, "a byte too many");
        free(copy);
        free(packed);
    }
    uint8_t *packed = pack(SHF_SLATEDB_ZSTD, true, zeros, LARGE, &size);
    try_everywhere(SHF_SLATEDB_ZSTD, packed, size, NULL, "200 MB of zeros, which it does not tell");
    free(packed);
    free(zeros);
    composite_allow_times(1);
    composite_count("SlateDB SSTs that unpack to much");
}
