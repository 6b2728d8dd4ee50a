/* Making a sidecar: prefix, then one zstd frame of the arrays and the interior pages without their gaps. */
#include "formats/sidecar_build.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "formats/sidecar.h"

#include <inttypes.h>
#include <string.h>
#include <zstd.h>

#define VERSION 8u
#define LEVEL 3
#define PREFIX_BYTES 18u
#define STAGE_BYTES (64u << 10) /* of arrays, before they are compressed */

struct packer {
    struct shf_byte_sink *sink;
    struct shf_error **error;
    ZSTD_CCtx *context;
    uint8_t *stage, *packed;
    size_t staged, packed_capacity;
};

/* ---- the pages ---- */

struct source {
    const uint8_t *data;
    uint32_t page_size, page_count, lock_page;
    const struct shf_shard_pages *pages;
};

static const uint8_t *page_at(const struct source *source, uint32_t number) {
    return source->data + (uint64_t)(number - 1) * source->page_size;
}

/* What is left out of a page: [begin, end), zeros between the cell pointers and the cells. False: it is no sound page. */
static bool find_gap(const struct source *source, uint32_t number, uint32_t *begin, uint32_t *end) {
    const uint8_t *page = page_at(source, number);
    uint32_t header = number == 1 ? 100 : 0;
    uint8_t type = page[header];
    *begin = *end = source->page_size;
    if (type != 2 && type != 5 && type != 10 && type != 13) return true;
    uint32_t cells = shf_load_u16be(page + header + 3), content = shf_load_u16be(page + header + 5);
    *begin = header + (type < 10 ? 12 : 8) + 2 * cells;
    *end = content ? content : 65536;
    return *begin <= *end && *end <= source->page_size;
}

static bool check_chain(const struct source *source, const struct shf_page_chain *chain, uint32_t least) {
    if (chain->head < least || chain->head == source->lock_page || chain->count == 0) return false;
    uint64_t last = (uint64_t)chain->head + chain->count - 1;
    if (chain->head < source->lock_page && last >= source->lock_page) last++;
    return last <= source->page_count;
}

/* Size of the body; 0 when the lists are not of this file. */
static uint64_t measure(const struct source *source) {
    const struct shf_shard_pages *pages = source->pages;
    uint64_t blob = 0, chain_pages = 0;
    uint32_t least = 1, begin, end;
    for (size_t i = 0; i < pages->interior_count; i++) {
        uint32_t number = pages->interior[i];
        if (number < least || number > source->page_count || !find_gap(source, number, &begin, &end)) return 0;
        blob += source->page_size - (end - begin);
        least = number + 1;
    }
    least = 2;
    for (size_t i = 0; i < pages->chain_count; i++) {
        if (!check_chain(source, &pages->chains[i], least)) return 0;
        chain_pages += pages->chains[i].count;
        least = pages->chains[i].head + 1;
    }
    return 4 * (uint64_t)(4 + 2 * pages->interior_count + 2 * pages->chain_count + chain_pages) + blob;
}

/* ---- the stream ---- */

static shf_status feed(struct packer *packer, const void *data, size_t size, ZSTD_EndDirective end) {
    ZSTD_inBuffer in = {data, size, 0};
    for (;;) {
        ZSTD_outBuffer out = {packer->packed, packer->packed_capacity, 0};
        size_t left = ZSTD_compressStream2(packer->context, &out, &in, end);
        if (ZSTD_isError(left)) { /* memory is all that it can lack: size and parameters are right */
            return shf_error_set(packer->error, SHF_E_NO_MEMORY, "sidecar: zstd: %s", ZSTD_getErrorName(left));
        }
        shf_status status = out.pos ? packer->sink->write(packer->sink, out.dst, out.pos, packer->error) : SHF_OK;
        if (status) return status;
        if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) return SHF_OK;
    }
}

static shf_status flush_stage(struct packer *packer) {
    size_t size = packer->staged;
    packer->staged = 0;
    return size ? feed(packer, packer->stage, size, ZSTD_e_continue) : SHF_OK;
}

static shf_status add(struct packer *packer, const uint8_t *data, size_t size) {
    while (size > 0) {
        size_t take = STAGE_BYTES - packer->staged < size ? STAGE_BYTES - packer->staged : size;
        memcpy(packer->stage + packer->staged, data, take);
        packer->staged += take;
        data += take;
        size -= take;
        shf_status status = packer->staged == STAGE_BYTES ? flush_stage(packer) : SHF_OK;
        if (status) return status;
    }
    return SHF_OK;
}

static shf_status add_number(struct packer *packer, uint64_t number) {
    shf_store_u32le(packer->stage + packer->staged, (uint32_t)number); /* numbers come first: the stage holds whole ones */
    packer->staged += 4;
    return packer->staged == STAGE_BYTES ? flush_stage(packer) : SHF_OK;
}

static shf_status add_page_arrays(struct packer *packer, const struct source *source) {
    const struct shf_shard_pages *pages = source->pages;
    uint64_t offset = 0;
    uint32_t begin, end;
    shf_status status = add_number(packer, pages->interior_count);
    for (size_t i = 0; i < pages->interior_count && !status; i++) status = add_number(packer, pages->interior[i]);
    if (!status) status = add_number(packer, 0);
    for (size_t i = 0; i < pages->interior_count && !status; i++) {
        (void)find_gap(source, pages->interior[i], &begin, &end);
        offset += source->page_size - (end - begin);
        status = add_number(packer, offset);
    }
    return status;
}

static shf_status add_chain_arrays(struct packer *packer, const struct source *source) {
    const struct shf_shard_pages *pages = source->pages;
    uint64_t offset = 0;
    shf_status status = add_number(packer, pages->chain_count);
    for (size_t i = 0; i < pages->chain_count && !status; i++) status = add_number(packer, pages->chains[i].head);
    if (!status) status = add_number(packer, 0);
    for (size_t i = 0; i < pages->chain_count && !status; i++) {
        status = add_number(packer, offset += pages->chains[i].count);
    }
    for (size_t i = 0; i < pages->chain_count && !status; i++) {
        uint32_t number = pages->chains[i].head;
        for (uint32_t page = 0; page < pages->chains[i].count && !status; page++, number++) {
            if (number == source->lock_page) number++;
            status = add_number(packer, number);
        }
    }
    return status;
}

static shf_status add_pages(struct packer *packer, const struct source *source) {
    shf_status status = SHF_OK;
    for (size_t i = 0; i < source->pages->interior_count && !status; i++) {
        uint32_t number = source->pages->interior[i], begin, end;
        const uint8_t *page = page_at(source, number);
        (void)find_gap(source, number, &begin, &end);
        status = add(packer, page, begin);
        if (!status) status = add(packer, page + end, source->page_size - end);
    }
    return status;
}

static shf_status write_prefix(struct packer *packer, const struct source *source, uint64_t body_size, const char *tag) {
    static const uint8_t magic[4] = {'S', 'Q', 'P', 'C'};
    uint8_t prefix[PREFIX_BYTES];
    size_t tag_size = tag ? strlen(tag) : 0;
    if (tag_size > SHF_SIDECAR_TAG_BYTES) tag_size = 0;
    memcpy(prefix, magic, 4);
    prefix[4] = VERSION;
    shf_store_u64le(prefix + 5, body_size);
    shf_store_u32le(prefix + 13, source->page_size);
    prefix[17] = (uint8_t)tag_size;
    shf_status status = packer->sink->write(packer->sink, prefix, PREFIX_BYTES, packer->error);
    if (status || tag_size == 0) return status;
    return packer->sink->write(packer->sink, tag, tag_size, packer->error);
}

static shf_status open_packer(struct packer *packer, uint64_t body_size) {
    packer->packed_capacity = ZSTD_CStreamOutSize();
    packer->stage = shf_alloc(STAGE_BYTES);
    packer->packed = shf_alloc(packer->packed_capacity);
    packer->context = ZSTD_createCCtx();
    if (!packer->stage || !packer->packed || !packer->context) {
        return shf_error_set(packer->error, SHF_E_NO_MEMORY, "no memory to make a sidecar");
    }
    if (ZSTD_isError(ZSTD_CCtx_setParameter(packer->context, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->context, ZSTD_c_checksumFlag, 1)) ||
        ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(packer->context, body_size))) {
        return shf_error_set(packer->error, SHF_E_INTERNAL, "sidecar: zstd takes no parameters");
    }
    return SHF_OK;
}

shf_status shf_sidecar_build(const uint8_t *data, uint64_t size, const struct shf_shard_pages *pages, const char *tag,
                             struct shf_byte_sink *sink, struct shf_error **error) {
    const struct source source = {data, pages->page_size, pages->page_count, (UINT32_C(1) << 30) / pages->page_size + 1,
                                  pages};
    struct packer packer = {.sink = sink, .error = error};
    uint64_t body_size = 0;
    if (size == (uint64_t)pages->page_size * pages->page_count) body_size = measure(&source);
    if (body_size == 0) {
        return shf_error_set(error, SHF_E_INTERNAL,
                             "sidecar: the lists of its pages are not of the %" PRIu64 " bytes of this database", size);
    }
    if (body_size > SHF_LIMIT_SIDECAR_BODY_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "sidecar: a body of %" PRIu64 " bytes; at most %u are read", body_size,
                             SHF_LIMIT_SIDECAR_BODY_BYTES);
    }
    shf_status status = open_packer(&packer, body_size);
    if (!status) status = write_prefix(&packer, &source, body_size, tag);
    if (!status) status = add_page_arrays(&packer, &source);
    if (!status) status = add_chain_arrays(&packer, &source);
    if (!status) status = add_pages(&packer, &source);
    if (!status) status = feed(&packer, packer.stage, packer.staged, ZSTD_e_end);
    ZSTD_freeCCtx(packer.context);
    shf_free(packer.stage);
    shf_free(packer.packed);
    return status;
}
