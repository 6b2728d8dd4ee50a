/* A sidecar of what was built, compared with the file and its lists of pages. */
#include "build_support.h"

#include "base/cursor.h"
#include "formats/sidecar.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

shf_status bytes_write(struct shf_byte_sink *base, const void *data, size_t size, struct shf_error **error) {
    struct bytes_sink *sink = (struct bytes_sink *)base;
    if (++sink->writes == sink->fail_at) return shf_error_set(error, SHF_E_LOCAL, "the disk is full");
    sink->bytes = realloc(sink->bytes, sink->size + size);
    memcpy(sink->bytes + sink->size, data, size);
    sink->size += size;
    return SHF_OK;
}

void check_sidecar(const struct built *built) {
    struct bytes_sink sink = {.base = {bytes_write}}, again = {.base = {bytes_write}};
    struct shf_error *error = NULL;
    struct shf_sidecar *sidecar;
    expect_ok(shf_sidecar_build(built->bytes, built->size, &built->pages, "\"tag\"", &sink.base, &error), error);
    expect_ok(shf_sidecar_build(built->bytes, built->size, &built->pages, "\"tag\"", &again.base, &error), error);
    assert_int_equal(again.size, sink.size);
    assert_memory_equal(again.bytes, sink.bytes, sink.size);
    expect_ok(shf_sidecar_parse(sink.bytes, sink.size, &sidecar, &error), error);
    expect_ok(shf_sidecar_check_pages(sidecar, built->pages.page_size, built->pages.page_count, &error), error);
    const uint8_t *frame = sink.bytes + sidecar->prefix.frame_offset;
    size_t frame_size = sink.size - sidecar->prefix.frame_offset;
    assert_int_equal(ZSTD_getFrameContentSize(frame, frame_size), sidecar->prefix.body_size); /* the header tells it */
    assert_true(shf_sidecar_is_of(sidecar, "\"tag\""));
    assert_int_equal(sidecar->page_count, built->pages.interior_count); /* which check_page_lists has checked */
    assert_int_equal(sidecar->chain_count, built->pages.chain_count);
    uint8_t *rebuilt = malloc(built->pages.page_size);
    for (uint32_t i = 0; i < sidecar->page_count; i++) {
        struct shf_sidecar_page page;
        shf_sidecar_page_at(sidecar, i, &page);
        assert_int_equal(page.number, built->pages.interior[i]);
        shf_sidecar_page_rebuild(&page, rebuilt);
        assert_memory_equal(rebuilt, built->bytes + (size_t)(page.number - 1) * page.page_size, page.page_size);
        const uint8_t *header = rebuilt + (page.number == 1 ? 100 : 0);
        uint32_t content = shf_load_u16be(header + 5), cells = shf_load_u16be(header + 3);
        uint32_t pointers = (uint32_t)(header - rebuilt) + (header[0] < 10 ? 12 : 8) + 2 * cells;
        assert_int_equal(page.stored_size, page.page_size - ((content ? content : 65536) - pointers)); /* no gap in it */
    }
    for (uint32_t i = 0; i < sidecar->chain_count; i++) {
        struct shf_sidecar_chain chain;
        shf_sidecar_chain_at(sidecar, i, &chain);
        assert_int_equal(chain.count, built->pages.chains[i].count);
        for (uint32_t page = 0; page < chain.count; page++) { /* no lock page in files as small as these */
            assert_int_equal(shf_sidecar_chain_page(&chain, page), built->pages.chains[i].head + page);
        }
    }
    free(rebuilt);
    shf_sidecar_free(sidecar);
    free(sink.bytes);
    free(again.bytes);
}
