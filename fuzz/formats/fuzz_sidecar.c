/*
 * A sidecar. An input that begins like one is taken as it stands; of any other the first byte chooses the page size and the
 * rest is a body, which is packed here: a fuzzer does not find its way through zstd.
 */
#include "base/cursor.h"
#include "formats/sidecar.h"
#include "fuzz_entry.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static void use(const struct shf_sidecar *sidecar) {
    uint8_t *rebuilt = malloc(sidecar->prefix.page_size);
    struct shf_sidecar_page page, found_page;
    struct shf_sidecar_chain chain, found_chain;
    for (uint32_t i = 0; i < sidecar->page_count; i++) {
        shf_sidecar_page_at(sidecar, i, &page);
        if (!shf_sidecar_page_find(sidecar, page.number, &found_page)) __builtin_trap();
        if (found_page.stored != page.stored) __builtin_trap();
        shf_sidecar_page_rebuild(&page, rebuilt);
        for (uint32_t at = 0; at < page.page_size; at += 7) {
            const uint8_t *byte = shf_sidecar_page_bytes(&page, at, 1);
            if (*(byte ? byte : (const uint8_t *)"") != rebuilt[at]) __builtin_trap();
        }
    }
    uint64_t pages = 0;
    for (uint32_t i = 0; i < sidecar->chain_count; i++) {
        shf_sidecar_chain_at(sidecar, i, &chain);
        if (!shf_sidecar_chain_find(sidecar, shf_sidecar_chain_page(&chain, 0), &found_chain)) __builtin_trap();
        for (uint32_t at = 0; at < chain.count; at++) {
            if (shf_sidecar_chain_page(&chain, at) > sidecar->last_page) __builtin_trap();
        }
        pages += chain.count;
    }
    if (pages != sidecar->chain_pages) __builtin_trap();
    if (shf_sidecar_check_pages(sidecar, sidecar->prefix.page_size, UINT32_MAX, NULL)) __builtin_trap();
    free(rebuilt);
}

static void parse(const uint8_t *data, size_t size) {
    struct shf_sidecar *sidecar;
    struct shf_error *error = NULL;
    if (shf_sidecar_parse(data, size, &sidecar, &error)) {
        if (!error) __builtin_trap();
        shf_error_free(error);
        return;
    }
    use(sidecar);
    shf_sidecar_free(sidecar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { HEADER_BYTES = 18 };
    if (size == 0 || (size >= 4 && memcmp(data, "SQPC", 4) == 0)) {
        parse(data, size);
        return 0;
    }
    size_t room = HEADER_BYTES + ZSTD_compressBound(size);
    uint8_t *packed = calloc(1, room);
    memcpy(packed, "SQPC\x08", 5);
    shf_store_u64le(packed + 5, size - 1);
    shf_store_u32le(packed + 13, UINT32_C(512) << data[0] % 8);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    size_t got = ZSTD_compress2(context, packed + HEADER_BYTES, room - HEADER_BYTES, data + 1, size - 1);
    (void)ZSTD_freeCCtx(context);
    if (ZSTD_isError(got)) __builtin_trap();
    parse(packed, HEADER_BYTES + got);
    free(packed);
    return 0;
}
