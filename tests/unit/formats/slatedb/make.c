#include "make.h"

#include "base/cursor.h"

#include <lz4.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* ---- bytes ---- */

void put(struct bytes *bytes, const void *data, size_t size) {
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = (bytes->size + size) * 2 + 64;
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    if (size) memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void put_be(struct bytes *bytes, uint64_t value, unsigned width) {
    for (unsigned i = width; i-- > 0;) put(bytes, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

static void put_le(struct bytes *bytes, uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; i++) put(bytes, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

void put_checksum(struct bytes *bytes, size_t from) {
    put_be(bytes, bytes->size > from ? crc32_z(0, bytes->data + from, bytes->size - from) : 0, 4);
}

void bytes_free(struct bytes *bytes) {
    free(bytes->data);
    *bytes = (struct bytes){0};
}

uint8_t *spaced_hex(const char *hex, size_t *size) {
    char *packed = malloc(strlen(hex) + 1), *at = packed;
    for (; *hex; hex++) {
        if (*hex != ' ') *at++ = *hex;
    }
    *at = '\0';
    uint8_t *bytes = from_hex(packed, size);
    free(packed);
    return bytes;
}

/* ---- flatbuffers ---- */

void fb_begin(struct bytes *fb) { put_le(fb, 4, 4); }

/*
 * The vtable stands behind its table, as a vtable may: the distance is negative. So the root is right behind its
 * offset.
 */
size_t fb_table(struct bytes *fb, const struct field *fields, size_t count) {
    size_t table = fb->size, table_size = 4;
    unsigned slots = 0;
    for (size_t i = 0; i < count; i++) {
        table_size += fields[i].width;
        if (fields[i].slot >= slots) slots = fields[i].slot + 1;
    }
    put_le(fb, (uint32_t) - (int32_t)table_size, 4);
    for (size_t i = 0; i < count; i++) put_le(fb, fields[i].value, fields[i].width);
    put_le(fb, 4 + 2 * slots, 2);
    put_le(fb, table_size, 2);
    for (unsigned slot = 0; slot < slots; slot++) {
        uint16_t offset = 0, at = 4;
        for (size_t i = 0; i < count; at = (uint16_t)(at + fields[i].width), i++) {
            if (fields[i].slot == slot) offset = at;
        }
        put_le(fb, offset, 2);
    }
    return table;
}

size_t fb_bytes(struct bytes *fb, const void *data, size_t size) {
    size_t at = fb->size;
    put_le(fb, size, 4);
    put(fb, data, size);
    return at;
}

size_t fb_vector(struct bytes *fb, uint32_t count) {
    size_t at = fb->size;
    put_le(fb, count, 4);
    for (uint32_t i = 0; i < count; i++) put_le(fb, 0, 4);
    return at;
}

void fb_link_at(struct bytes *fb, size_t at, size_t target) { shf_store_u32le(fb->data + at, (uint32_t)(target - at)); }

void fb_link(struct bytes *fb, size_t table, unsigned slot, size_t target) {
    size_t vtable = table - (size_t)(int64_t)(int32_t)shf_load_u32le(fb->data + table);
    size_t offset = fb->data[vtable + 4 + 2 * slot] | (size_t)fb->data[vtable + 5 + 2 * slot] << 8;
    assert_true(offset > 0);
    fb_link_at(fb, table + offset, target);
}

size_t fb_ulid(struct bytes *fb, uint64_t high, uint64_t low) {
    return fb_table(fb, (struct field[]){{0, 8, high}, {1, 8, low}}, 2);
}

/* ---- compression ---- */

static uint8_t *pack_zstd(bool without_size, const uint8_t *data, size_t size, size_t *out_size) {
    size_t room = ZSTD_compressBound(size);
    uint8_t *out = malloc(room);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, !without_size);
    *out_size = ZSTD_compress2(context, out, room, data, size);
    assert_false(ZSTD_isError(*out_size));
    (void)ZSTD_freeCCtx(context);
    return out;
}

uint8_t *pack(uint8_t codec, bool without_size, const uint8_t *data, size_t size, size_t *out_size) {
    uint8_t *out;
    size_t room = size + size / 2 + 1024;
    if (codec == SHF_SLATEDB_ZSTD) return pack_zstd(without_size, data, size, out_size);
    out = malloc(room);
    assert_non_null(out);
    *out_size = room;
    if (codec == SHF_SLATEDB_PLAIN) {
        if (size) memcpy(out, data, size);
        *out_size = size;
    } else if (codec == SHF_SLATEDB_SNAPPY) {
        assert_int_equal(snappy_compress((const char *)data, size, (char *)out, out_size), SNAPPY_OK);
    } else if (codec == SHF_SLATEDB_ZLIB) {
        uLongf got = room;
        assert_int_equal(compress2(out, &got, data, size, 6), Z_OK);
        *out_size = got;
    } else {
        shf_store_u32le(out, (uint32_t)size);
        int got = LZ4_compress_default((const char *)data, (char *)out + 4, (int)size, (int)(room - 4));
        assert_true(got >= 0);
        *out_size = 4 + (size_t)got;
    }
    return out;
}

static void put_part(struct bytes *out, const struct bytes *payload, const struct sst_options *options) {
    size_t size, from = out->size;
    uint8_t *stored = pack(options->codec, options->zstd_without_size, payload->data, payload->size, &size);
    put(out, stored, size);
    put_checksum(out, from);
    free(stored);
}

/* ---- blocks ---- */

static void put_varint(struct bytes *bytes, size_t value) {
    for (; value >= 128; value >>= 7) put(bytes, &(uint8_t){(uint8_t)(value | 128)}, 1);
    put(bytes, &(uint8_t){(uint8_t)value}, 1);
}

static void put_meta(struct bytes *block, const struct test_row *row) {
    uint8_t flags = (uint8_t)(row->flags | (row->value ? 0 : 1));
    put_be(block, row->seq, 8);
    put(block, &flags, 1);
    if (flags & 2) put_be(block, 77, 8);
    if (flags & 4) put_be(block, 78, 8);
}

static size_t value_size(const struct test_row *row) {
    if (!row->value) return 0;
    return row->value_size ? row->value_size : strlen(row->value);
}

static size_t common(const char *a, const char *b) {
    size_t size = 0;
    while (a[size] && a[size] == b[size]) size++;
    return size;
}

static void put_row(struct bytes *block, const struct test_row *row, size_t shared, uint16_t version) {
    size_t suffix = strlen(row->key) - shared;
    if (version == 1) {
        put_be(block, shared, 2);
        put_be(block, suffix, 2);
        put(block, row->key + shared, suffix);
        put_meta(block, row);
        if (row->value) put_be(block, value_size(row), 4);
        if (row->value) put(block, row->value, value_size(row));
        return;
    }
    put_varint(block, shared);
    put_varint(block, suffix);
    put_varint(block, value_size(row));
    put(block, row->key + shared, suffix);
    if (row->value) put(block, row->value, value_size(row));
    put_meta(block, row);
}

static void make_block(struct bytes *block, const struct test_row *rows, size_t count, uint16_t version) {
    struct bytes offsets = {0};
    for (size_t i = 0; i < count; i++) {
        bool has_offset = version == 1 || i % 16 == 0;
        size_t shared = 0;
        if (version == 1 && i) shared = common(rows[0].key, rows[i].key);
        if (version == 2 && !has_offset) shared = common(rows[i - 1].key, rows[i].key);
        if (has_offset) put_be(&offsets, block->size, 2);
        put_row(block, &rows[i], shared, version);
    }
    size_t n = offsets.size / 2;
    put(block, offsets.data, offsets.size);
    put_be(block, n, 2);
    bytes_free(&offsets);
}

/* ---- index and filter ---- */

struct meta {
    uint64_t offset;
    uint8_t key[64];
    size_t key_size;
};

static void make_index(struct bytes *index, const struct meta *metas, size_t count) {
    fb_begin(index);
    size_t root = fb_table(index, (struct field[]){{0, 4, 0}}, 1);
    size_t vector = fb_vector(index, (uint32_t)count);
    fb_link(index, root, 0, vector);
    for (size_t i = 0; i < count; i++) {
        size_t table = fb_table(index, (struct field[]){{0, 8, metas[i].offset}, {1, 4, 0}}, 2);
        fb_link_at(index, vector + 4 + 4 * i, table);
        size_t key = fb_bytes(index, metas[i].key, metas[i].key_size);
        fb_link(index, table, 1, key);
    }
}

/* The first block has no bound; later ones the shortest beginning that is greater than the key before. */
static void set_bound(struct meta *meta, const struct test_row *rows, size_t first, const struct sst_options *options) {
    const char *key = rows[first].key;
    meta->key_size = 0;
    if (options->is_wal) {
        struct bytes seq = {0};
        put_be(&seq, rows[first].seq, 8);
        memcpy(meta->key, seq.data, 8);
        meta->key_size = 8;
        bytes_free(&seq);
    } else if (first > 0) {
        size_t size = common(rows[first - 1].key, key) + 1;
        meta->key_size = size < strlen(key) ? size : strlen(key);
        memcpy(meta->key, key, meta->key_size);
    }
}

static void make_filter(struct bytes *filter, const struct test_row *rows, size_t count, int format) {
    struct bytes bloom = {0};
    uint64_t bits = 8 * (count * 10 / 8 + 1);
    uint8_t *array = calloc(1, (size_t)bits / 8);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash =
            shf_slatedb_filter_hash((struct shf_slatedb_bytes){(const uint8_t *)rows[i].key, strlen(rows[i].key)});
        uint64_t h = (uint32_t)hash % bits, d = (hash >> 32) % bits;
        for (unsigned n = 0; n < 6; n++) {
            d = (d + n) % bits;
            array[h / 8] |= (uint8_t)(1 << h % 8);
            h = (h + d) % bits;
        }
    }
    put_be(&bloom, 6, 2);
    put(&bloom, array, (size_t)bits / 8);
    free(array);
    if (format == 1) {
        put_be(filter, 2, 2);
        put_be(filter, 7, 2);
        put(filter, "_bf:p=x", 7);
        put_be(filter, 3, 8);
        put(filter, "abc", 3);
        put_be(filter, 3, 2);
        put(filter, "_bf", 3);
        put_be(filter, bloom.size, 8);
    }
    put(filter, bloom.data, bloom.size);
    bytes_free(&bloom);
}

/* ---- files ---- */

static size_t put_info(struct bytes *fb, const struct sst_info *info) {
    struct field fields[] = {
        {0, 4, 0},
        {1, 8, info->index_offset},
        {2, 8, info->index_size},
        {3, 8, info->filter_offset},
        {4, 8, info->filter_size},
        {5, 1, info->codec},
        {10, 1, info->filter_format},
        {7, 4, 0},
    };
    size_t count = sizeof fields / sizeof fields[0] - (info->last_key ? 0 : 1);
    size_t table = info->first_key ? fb_table(fb, fields, count) : fb_table(fb, fields + 1, count - 1);
    if (info->first_key) {
        size_t first = fb_bytes(fb, info->first_key, strlen(info->first_key));
        fb_link(fb, table, 0, first);
    }
    if (info->last_key) {
        size_t last = fb_bytes(fb, info->last_key, strlen(info->last_key));
        fb_link(fb, table, 7, last);
    }
    return table;
}

static void put_end(struct bytes *out, const struct bytes *index, const struct bytes *filter,
                    const struct sst_options *options, struct sst_info *info) {
    struct bytes fb = {0};
    info->version = options->version;
    info->codec = options->codec;
    info->filter_offset = out->size;
    info->filter_format = options->filter == 1;
    if (filter && filter->size) put_part(out, filter, options);
    info->filter_size = out->size - info->filter_offset;
    info->index_offset = out->size;
    put_part(out, index, options);
    info->index_size = out->size - info->index_offset;
    fb_begin(&fb);
    (void)put_info(&fb, info);
    size_t at = out->size;
    put(out, fb.data, fb.size);
    put_checksum(out, at);
    put_be(out, at, 8);
    put_be(out, options->version, 2);
    bytes_free(&fb);
}

struct sst_info make_sst(struct bytes *out, const struct test_row *rows, size_t count, const struct sst_options *options) {
    struct meta *metas = calloc(count + 1, sizeof *metas);
    struct bytes index = {0}, filter = {0}, block = {0};
    struct sst_info info = {0};
    size_t blocks = 0, step = options->block_rows ? options->block_rows : 50;
    for (size_t first = 0; first < count; first += step, blocks++) {
        size_t here = count - first < step ? count - first : step;
        metas[blocks].offset = out->size;
        set_bound(&metas[blocks], rows, first, options);
        block.size = 0;
        make_block(&block, rows + first, here, options->version);
        put_part(out, &block, options);
    }
    make_index(&index, metas, blocks);
    if (options->filter >= 0) make_filter(&filter, rows, count, options->filter);
    if (count && !options->is_wal) info.first_key = rows[0].key;
    if (count && !options->is_wal && !options->without_last_key) info.last_key = rows[count - 1].key;
    put_end(out, &index, &filter, options, &info);
    bytes_free(&index);
    bytes_free(&filter);
    bytes_free(&block);
    free(metas);
    return info;
}

struct sst_info make_sst_of(struct bytes *out, const struct bytes *block, const struct bytes *index,
                            const struct bytes *filter, const struct sst_options *options) {
    struct sst_info info = {0};
    struct bytes one = {0};
    struct meta meta = {0};
    if (block) put_part(out, block, options);
    if (!index) make_index(&one, &meta, block ? 1 : 0);
    put_end(out, index ? index : &one, filter, options, &info);
    bytes_free(&one);
    return info;
}

/* ---- databases ---- */

static void add(struct database *db, enum shf_slatedb_object_kind kind, uint64_t id, struct bytes *bytes) {
    struct shf_slatedb_object object = {.kind = kind, .id = id, .ulid = {1, id}};
    char name[SHF_SLATEDB_NAME_BYTES];
    shf_slatedb_name_format(&object, name);
    database_add(db, name, bytes->data, bytes->size);
    bytes_free(bytes);
}

void add_manifest(struct database *db, uint64_t id, const struct made_manifest *manifest) {
    struct bytes bytes = {0};
    make_manifest(&bytes, manifest);
    add(db, SHF_SLATEDB_MANIFEST, id, &bytes);
}

void add_wal(struct database *db, uint64_t id, const struct test_row *rows, size_t count,
             const struct sst_options *options) {
    struct bytes bytes = {0};
    struct sst_options wal = *options;
    wal.is_wal = true;
    wal.filter = -1;
    (void)make_sst(&bytes, rows, count, &wal);
    add(db, SHF_SLATEDB_WAL, id, &bytes);
}

struct made_sst add_sst(struct database *db, uint64_t ulid, const struct test_row *rows, size_t count,
                        const struct sst_options *options) {
    struct bytes bytes = {0};
    struct made_sst made = {.ulid = ulid, .info = make_sst(&bytes, rows, count, options)};
    add(db, SHF_SLATEDB_SST, ulid, &bytes);
    return made;
}

void check_value(struct database *db, const char *key, const char *value) {
    struct shf_error *error = NULL;
    uint8_t *got;
    size_t size;
    bool found = false;
    expect_ok(database_get(db, key, strlen(key), &found, &got, &size, &error), error);
    if (found != (value != NULL)) fail_msg("%s: %s", key, found ? "found" : "not found");
    if (value) {
        assert_int_equal(size, strlen(value));
        assert_memory_equal(got, value, size);
    }
    free(got);
}

void check_get_error(struct database *db, const char *key, shf_status code, const char *text) {
    struct shf_error *error = NULL;
    uint8_t *got;
    size_t size;
    bool found;
    expect_error(database_get(db, key, strlen(key), &found, &got, &size, &error), &error, code, text);
}

/* ---- manifests ---- */

static size_t put_bound(struct bytes *fb, int kind, const char *key) {
    struct field fields[] = {{1, 1, (uint64_t)kind}, {0, 4, 0}};
    size_t table = fb_table(fb, fields, key ? 2 : 1);
    if (key) {
        size_t text = fb_bytes(fb, key, strlen(key));
        fb_link(fb, table, 0, text);
    }
    return table;
}

static size_t put_range(struct bytes *fb, const struct made_sst *sst) {
    size_t range = fb_table(fb, (struct field[]){{0, 4, 0}, {1, 4, 0}}, 2);
    size_t from = put_bound(fb, sst->from_kind, sst->from);
    size_t to = put_bound(fb, sst->to_kind, sst->to);
    fb_link(fb, range, 0, from);
    fb_link(fb, range, 1, to);
    return range;
}

static size_t put_described(struct bytes *fb, const struct made_sst *sst, unsigned version_slot, bool with_range) {
    struct field fields[] = {{0, 4, 0}, {1, 4, 0}, {version_slot, 2, sst->info.version}, {2, 4, 0}};
    /* A format version that is absent is 1. */
    if (sst->info.version == 1) fields[2] = (struct field){with_range ? 2 : 1, 4, 0};
    size_t count = sst->info.version == 1 ? 2 : 3;
    size_t table = fb_table(fb, fields, with_range ? count + 1 : count);
    size_t id = fb_ulid(fb, 1, sst->ulid);
    size_t info = put_info(fb, &sst->info);
    fb_link(fb, table, 0, id);
    fb_link(fb, table, 1, info);
    if (with_range) {
        size_t range = put_range(fb, sst);
        fb_link(fb, table, 2, range);
    }
    return table;
}

static size_t put_view(struct bytes *fb, const struct made_sst *sst) {
    bool has_range = sst->from_kind || sst->to_kind;
    size_t table = fb_table(fb, (struct field[]){{0, 4, 0}, {1, 4, 0}, {2, 4, 0}}, has_range ? 3 : 2);
    size_t view = fb_ulid(fb, 9, sst->ulid + 1000);
    size_t id = fb_ulid(fb, 1, sst->ulid);
    fb_link(fb, table, 0, view);
    fb_link(fb, table, 1, id);
    if (has_range) {
        size_t range = put_range(fb, sst);
        fb_link(fb, table, 2, range);
    }
    return table;
}

static size_t put_ssts(struct bytes *fb, const struct made_sst *ssts, size_t count, uint16_t version) {
    size_t vector = fb_vector(fb, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        size_t table = version == 1 ? put_described(fb, &ssts[i], 3, ssts[i].from_kind || ssts[i].to_kind)
                                    : put_view(fb, &ssts[i]);
        fb_link_at(fb, vector + 4 + 4 * i, table);
    }
    return vector;
}

static size_t put_runs(struct bytes *fb, const struct made_run *runs, size_t count, uint16_t version) {
    size_t vector = fb_vector(fb, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        size_t table = fb_table(fb, (struct field[]){{1, 4, 0}, {0, 4, runs[i].id}}, runs[i].id ? 2 : 1);
        fb_link_at(fb, vector + 4 + 4 * i, table);
        size_t ssts = put_ssts(fb, runs[i].ssts, runs[i].count, version);
        fb_link(fb, table, 1, ssts);
    }
    return vector;
}

static void collect(const struct made_sst **all, size_t *count, const struct made_sst *ssts, size_t more,
                    uint64_t forgotten) {
    for (size_t i = 0; i < more; i++) {
        bool is_known = ssts[i].ulid == forgotten;
        for (size_t n = 0; n < *count; n++) is_known = is_known || all[n]->ulid == ssts[i].ulid;
        assert_true(*count < 64);
        if (!is_known) all[(*count)++] = &ssts[i];
    }
}

static size_t put_dictionary(struct bytes *fb, const struct made_manifest *m) {
    const struct made_sst *all[64];
    size_t count = 0;
    for (size_t s = 0; s <= m->segment_count; s++) {
        const struct made_segment *segment = s ? &m->segments[s - 1] : &m->top;
        collect(all, &count, segment->l0, segment->l0_count, m->forgotten);
        for (size_t i = 0; i < segment->run_count; i++) {
            collect(all, &count, segment->runs[i].ssts, segment->runs[i].count, m->forgotten);
        }
    }
    size_t vector = fb_vector(fb, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        size_t table = put_described(fb, all[i], 2, false);
        fb_link_at(fb, vector + 4 + 4 * i, table);
    }
    return vector;
}

static void put_lists(struct bytes *fb, size_t table, unsigned l0_slot, unsigned run_slot,
                      const struct made_segment *segment, uint16_t version) {
    size_t l0 = put_ssts(fb, segment->l0, segment->l0_count, version);
    fb_link(fb, table, l0_slot, l0);
    size_t runs = put_runs(fb, segment->runs, segment->run_count, version);
    fb_link(fb, table, run_slot, runs);
}

static size_t put_segments(struct bytes *fb, const struct made_manifest *m) {
    size_t vector = fb_vector(fb, (uint32_t)m->segment_count);
    for (size_t i = 0; i < m->segment_count; i++) {
        size_t table = fb_table(fb, (struct field[]){{0, 4, 0}, {2, 4, 0}, {3, 4, 0}}, 3);
        fb_link_at(fb, vector + 4 + 4 * i, table);
        size_t prefix = fb_bytes(fb, m->segments[i].prefix, strlen(m->segments[i].prefix));
        fb_link(fb, table, 0, prefix);
        put_lists(fb, table, 2, 3, &m->segments[i], m->version);
    }
    return vector;
}

static size_t put_external(struct bytes *fb, uint64_t ulid) {
    size_t vector = fb_vector(fb, 1);
    size_t database = fb_table(fb, (struct field[]){{0, 4, 0}, {3, 4, 0}}, 2);
    fb_link_at(fb, vector + 4, database);
    size_t path = fb_bytes(fb, "other", 5);
    fb_link(fb, database, 0, path);
    size_t ids = fb_vector(fb, 1);
    fb_link(fb, database, 3, ids);
    size_t id = fb_ulid(fb, 1, ulid);
    fb_link_at(fb, ids + 4, id);
    return vector;
}

void make_manifest(struct bytes *out, const struct made_manifest *m) {
    struct bytes fb = {0};
    bool is_first = m->version == 1;
    struct field fields[12] = {{2, 1, !m->uninitialized}, {5, 8, m->replay_after}};
    size_t count = 2;
    fields[count++] = (struct field){is_first ? 12 : 13, 8, m->last_l0_seq};
    fields[count++] = (struct field){is_first ? 8 : 9, 4, 0};
    fields[count++] = (struct field){is_first ? 9 : 10, 4, 0};
    if (m->external) fields[count++] = (struct field){1, 4, 0};
    if (m->has_wal_uri) fields[count++] = (struct field){13, 4, 0};
    if (!is_first) fields[count++] = (struct field){8, 4, 0};
    if (m->segment_count) fields[count++] = (struct field){16, 4, 0};
    fb_begin(&fb);
    size_t root = fb_table(&fb, fields, count);
    put_lists(&fb, root, is_first ? 8 : 9, is_first ? 9 : 10, &m->top, m->version);
    if (!is_first) {
        size_t dictionary = put_dictionary(&fb, m);
        fb_link(&fb, root, 8, dictionary);
    }
    if (m->external) {
        size_t external = put_external(&fb, m->external);
        fb_link(&fb, root, 1, external);
    }
    if (m->has_wal_uri) {
        size_t uri = fb_bytes(&fb, "", 0);
        fb_link(&fb, root, 13, uri);
    }
    if (m->segment_count) {
        size_t segments = put_segments(&fb, m);
        fb_link(&fb, root, 16, segments);
    }
    put_be(out, m->version, 2);
    put(out, fb.data, fb.size);
    bytes_free(&fb);
}
