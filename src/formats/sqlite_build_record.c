/* Records, and payloads that continue in overflow chains. */
#include "formats/sqlite_build.h"

/* ---- records ---- */

uint32_t shf_build_varint_size(uint64_t value) {
    uint32_t size = 1;
    while (size < 9 && value >> (7 * size)) size++;
    return size;
}

uint32_t shf_build_varint(uint8_t *out, uint64_t value) {
    if (value < 0x80) {
        out[0] = (uint8_t)value;
        return 1;
    }
    uint32_t size = shf_build_varint_size(value), at = size;
    if (size == 9) { /* the ninth byte is whole */
        out[--at] = (uint8_t)value;
        value >>= 8;
    }
    for (; at > 0; value >>= 7) {
        at--;
        out[at] = (uint8_t)(value & 0x7f) | (at + 1 < size ? 0x80 : 0);
    }
    return size;
}

void shf_record_begin(struct shf_record_build *record) {
    record->size = 0;
    record->header_size = 1;
    record->integer_size = 0;
    record->part_count = 1;
}

static void add_part(struct shf_record_build *record, uint64_t serial, const uint8_t *data, size_t size) {
    record->header_size += shf_build_varint(record->header + record->header_size, serial);
    if (size == 0) return;
    record->parts[record->part_count++] = (struct shf_bytes){data, size};
    record->size += size;
}

void shf_record_null(struct shf_record_build *record) { add_part(record, 0, NULL, 0); }

void shf_record_integer(struct shf_record_build *record, int64_t value) {
    static const uint8_t sizes[] = {1, 2, 3, 4, 6, 8};
    uint8_t *out = record->integers + record->integer_size;
    uint32_t serial = 0;
    if (value == 0 || value == 1) {
        add_part(record, value ? 9 : 8, NULL, 0);
        return;
    }
    while (serial < 5 &&
           (value < -(INT64_C(1) << (8 * sizes[serial] - 1)) || value >= INT64_C(1) << (8 * sizes[serial] - 1))) {
        serial++;
    }
    uint32_t size = sizes[serial];
    for (uint32_t i = 0; i < size; i++) out[i] = (uint8_t)((uint64_t)value >> (8 * (size - 1 - i)));
    record->integer_size += size;
    add_part(record, serial + 1, out, size);
}

void shf_record_blob(struct shf_record_build *record, const void *data, size_t size) {
    add_part(record, 12 + 2 * (uint64_t)size, data, size);
}

void shf_record_text(struct shf_record_build *record, const char *text, size_t size) {
    add_part(record, 13 + 2 * (uint64_t)size, (const uint8_t *)text, size);
}

void shf_record_string(struct shf_record_build *record, const char *text) {
    if (text) {
        shf_record_text(record, text, strlen(text));
    } else {
        shf_record_null(record);
    }
}

void shf_record_end(struct shf_record_build *record) {
    record->header[0] = (uint8_t)record->header_size; /* at most 109: one byte */
    record->parts[0] = (struct shf_bytes){record->header, record->header_size};
    record->size += record->header_size;
}

/* ---- payloads ---- */

uint32_t shf_build_local_size(const struct shf_sqlite_build *build, uint64_t size, uint32_t local_max) {
    if (size <= local_max) return (uint32_t)size;
    uint32_t local = build->local_min + (uint32_t)((size - build->local_min) % (build->page_size - 4));
    return local <= local_max ? local : build->local_min;
}

/* Where the reading of a record's parts stands. */
struct gather {
    const struct shf_bytes *part;
    size_t used;
};

static void gather_copy(struct gather *gather, uint8_t *out, size_t size) {
    while (size > 0) {
        size_t left = gather->part->size - gather->used, take = left < size ? left : size;
        memcpy(out, gather->part->data + gather->used, take);
        out += take;
        size -= take;
        gather->used += take;
        if (take < left) return;
        gather->part++;
        gather->used = 0;
    }
}

static shf_status write_chain(struct shf_sqlite_build *build, struct gather *gather, uint32_t head, uint32_t count,
                              uint64_t size, struct shf_error **error) {
    size_t share = build->page_size - 4;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *page;
        size_t take = size < share ? (size_t)size : share;
        shf_status status = shf_page_writer_page(&build->writer, shf_build_chain_page(build, head, i), &page, error);
        if (status) return status;
        shf_store_u32be(page, i + 1 < count ? shf_build_chain_page(build, head, i + 1) : 0);
        gather_copy(gather, page + 4, take);
        memset(page + 4 + take, 0, share - take);
        size -= take;
    }
    return SHF_OK;
}

shf_status shf_build_payload(struct shf_sqlite_build *build, const struct shf_record_build *record, uint32_t local,
                             uint8_t *cell, struct shf_error **error) {
    struct gather gather = {record->parts, 0};
    uint64_t rest = record->size - local;
    uint32_t share = build->page_size - 4, head;
    gather_copy(&gather, cell, local);
    if (rest == 0) return SHF_OK;
    uint32_t count = (uint32_t)((rest + share - 1) / share); /* of at most 2^31 bytes */
    shf_status status = shf_sqlite_build_reserve(build, count, &head, error);
    if (status) return status;
    shf_store_u32be(cell + local, head);
    return write_chain(build, &gather, head, count, rest, error);
}
