/* Parsing a sidecar: prefix, frame, arrays. */
#include "formats/sidecar.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/text.h"
#include "formats/zstd_frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VERSION 8u

static shf_status refuse(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "sidecar: %s", what);
}

/* ---- prefix ---- */

static shf_status read_tag(struct shf_cursor *c, struct shf_sidecar_prefix *prefix, struct shf_error **error) {
    uint8_t length;
    const uint8_t *tag;
    if (!shf_cursor_u8(c, &length) || !shf_cursor_bytes(c, length, &tag)) return refuse(error, "its tag is cut");
    if (memchr(tag, '\0', length) || !shf_utf8_valid(tag, length)) return refuse(error, "its tag is no text");
    memcpy(prefix->tag, tag, length);
    prefix->tag[length] = '\0';
    return SHF_OK;
}

shf_status shf_sidecar_prefix_parse(const void *data, size_t size, struct shf_sidecar_prefix *out,
                                    struct shf_error **error) {
    struct shf_cursor c = shf_cursor_of(data, size);
    struct shf_sidecar_prefix prefix = {0};
    const uint8_t *magic;
    uint8_t version;
    if (!shf_cursor_bytes(&c, 4, &magic) || memcmp(magic, "SQPC", 4) != 0) return refuse(error, "the magic is missing");
    if (!shf_cursor_u8(&c, &version) || version != VERSION) return refuse(error, "the version is not 8");
    if (!shf_cursor_u64le(&c, &prefix.body_size) || !shf_cursor_u32le(&c, &prefix.page_size)) {
        return refuse(error, "it ends within its prefix");
    }
    if (prefix.body_size == 0) return refuse(error, "it does not say how large its body is");
    if (prefix.page_size < 512 || prefix.page_size > 65536 || (prefix.page_size & (prefix.page_size - 1)) != 0) {
        return refuse(error, "the page size is no power of two in 512..65536");
    }
    if (prefix.body_size > SHF_LIMIT_SIDECAR_BODY_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "sidecar: a body of %" PRIu64 " bytes; at most %u are read",
                             prefix.body_size, SHF_LIMIT_SIDECAR_BODY_BYTES);
    }
    shf_status status = read_tag(&c, &prefix, error);
    if (status) return status;
    prefix.frame_offset = size - c.left;
    *out = prefix;
    return SHF_OK;
}

/* ---- arrays ---- */

static uint32_t element(const uint8_t *array, uint32_t index) { return shf_load_u32le(array + (size_t)4 * index); }

/* An array of that many elements; what is not there is not taken for granted: the cursor has the bytes. */
static bool take_array(struct shf_cursor *c, uint64_t count, const uint8_t **out) {
    return count <= c->left / 4 && shf_cursor_bytes(c, (size_t)count * 4, out);
}

static bool ascends(const uint8_t *array, uint32_t count, uint32_t least) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value = element(array, i);
        if (value < least || value == UINT32_MAX) return false;
        least = value + 1;
    }
    return true;
}

static shf_status read_chains(struct shf_cursor *c, struct shf_sidecar *s, struct shf_error **error) {
    if (!shf_cursor_u32le(c, &s->chain_count) || !take_array(c, s->chain_count, &s->chain_heads) ||
        !take_array(c, (uint64_t)s->chain_count + 1, &s->chain_offsets)) {
        return refuse(error, "it ends within its chains");
    }
    if (!ascends(s->chain_heads, s->chain_count, 2))
        return refuse(error, "the heads of its chains do not ascend from 2");
    if (element(s->chain_offsets, 0) != 0) return refuse(error, "the first chain does not begin at 0");
    for (uint32_t i = 0; i < s->chain_count; i++) {
        if (element(s->chain_offsets, i) >= element(s->chain_offsets, i + 1)) return refuse(error, "a chain is empty");
    }
    s->chain_pages = element(s->chain_offsets, s->chain_count);
    if (!take_array(c, s->chain_pages, &s->chain_numbers)) return refuse(error, "it ends within its chains");
    for (uint32_t i = 0; i < s->chain_count; i++) {
        if (element(s->chain_numbers, element(s->chain_offsets, i)) != element(s->chain_heads, i)) {
            return refuse(error, "a chain does not begin with its head");
        }
    }
    for (uint32_t i = 0; i < s->chain_pages; i++) {
        uint32_t number = element(s->chain_numbers, i);
        if (number < 2) return refuse(error, "a chain has a page that holds no overflow");
        if (number > s->last_page) s->last_page = number;
    }
    return SHF_OK;
}

/*
 * Where the gap of a stored page is. A page of a b-tree (types 2, 5, 10, 13) lacks what is between its cell pointers and its
 * first cell; any other is whole. False when the page would not come out at page_size bytes.
 */
static bool find_gap(struct shf_sidecar_page *page) {
    const uint8_t *stored = page->stored;
    uint32_t header = page->number == 1 ? 100 : 0, size = page->stored_size;
    page->gap_begin = page->gap_end = 0;
    if (size <= header || size > page->page_size) return false;
    uint8_t type = stored[header];
    if (type != 2 && type != 5 && type != 10 && type != 13) return size == page->page_size;
    uint32_t fields = type < 10 ? 12 : 8;
    if (size < header + fields) return false;
    uint32_t cells = shf_load_u16be(stored + header + 3), content = shf_load_u16be(stored + header + 5);
    if (content == 0) content = 65536;
    page->gap_begin = header + fields + 2 * cells;
    page->gap_end = content;
    return page->gap_begin <= size && content >= page->gap_begin && size + (content - page->gap_begin) == page->page_size;
}

static shf_status read_pages(struct shf_cursor *c, struct shf_sidecar *s, struct shf_error **error) {
    s->pages = c->at;
    if (element(s->page_offsets, 0) != 0 || element(s->page_offsets, s->page_count) != c->left) {
        return refuse(error, "its pages do not fill the rest of its body");
    }
    for (uint32_t i = 0; i < s->page_count; i++) {
        struct shf_sidecar_page page;
        if (element(s->page_offsets, i) > element(s->page_offsets, i + 1) || element(s->page_offsets, i + 1) > c->left) {
            return refuse(error, "the offsets of its pages do not ascend");
        }
        shf_sidecar_page_at(s, i, &page);
        if (find_gap(&page)) continue;
        return shf_error_set(error, SHF_E_CORRUPT, "sidecar: page %" PRIu32 " does not come out at %" PRIu32 " bytes",
                             page.number, page.page_size);
    }
    return SHF_OK;
}

static shf_status read_body(struct shf_sidecar *s, struct shf_error **error) {
    struct shf_cursor c = shf_cursor_of(s->body, (size_t)s->prefix.body_size);
    if (!shf_cursor_u32le(&c, &s->page_count) || !take_array(&c, s->page_count, &s->page_numbers) ||
        !take_array(&c, (uint64_t)s->page_count + 1, &s->page_offsets)) {
        return refuse(error, "it ends within the list of its pages");
    }
    if (!ascends(s->page_numbers, s->page_count, 1)) return refuse(error, "its page numbers do not ascend from 1");
    if (s->page_count == 0 || element(s->page_numbers, 0) != 1) return refuse(error, "page 1 is missing");
    s->last_page = element(s->page_numbers, s->page_count - 1);
    shf_status status = read_chains(&c, s, error);
    return status ? status : read_pages(&c, s, error);
}

shf_status shf_sidecar_parse(const void *data, size_t size, struct shf_sidecar **out, struct shf_error **error) {
    struct shf_sidecar_prefix prefix;
    shf_status status = shf_sidecar_prefix_parse(data, size, &prefix, error);
    if (status) return status;
    struct shf_sidecar *s = shf_alloc_zero(1, sizeof *s);
    if (!s) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a sidecar");
    s->prefix = prefix;
    status = shf_zstd_frame_unpack((const uint8_t *)data + prefix.frame_offset, size - prefix.frame_offset,
                                   prefix.body_size, true, &s->body, error);
    if (status && error) shf_error_prefix(error, "sidecar");
    if (!status) status = read_body(s, error);
    if (status) {
        shf_sidecar_free(s);
        return status;
    }
    *out = s;
    return SHF_OK;
}

void shf_sidecar_free(struct shf_sidecar *sidecar) {
    if (!sidecar) return;
    shf_free(sidecar->body);
    shf_free(sidecar);
}

/* ---- use ---- */

bool shf_sidecar_is_of(const struct shf_sidecar *sidecar, const char *etag) {
    return sidecar->prefix.tag[0] && etag && strcmp(sidecar->prefix.tag, etag) == 0;
}

shf_status shf_sidecar_check_pages(const struct shf_sidecar *sidecar, uint32_t page_size, uint32_t page_count,
                                   struct shf_error **error) {
    if (sidecar->prefix.page_size != page_size) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "sidecar: its pages are of %" PRIu32 " bytes, the database's of %" PRIu32,
                             sidecar->prefix.page_size, page_size);
    }
    if (sidecar->last_page > page_count) {
        return shf_error_set(error, SHF_E_CORRUPT, "sidecar: it speaks of page %" PRIu32 " of a database of %" PRIu32,
                             sidecar->last_page, page_count);
    }
    if (sidecar->chain_pages > page_count) return refuse(error, "its chains have more pages than the database");
    return SHF_OK;
}

/* Index of a value in an ascending array, count when it is not there. */
static uint32_t find(const uint8_t *array, uint32_t count, uint32_t value) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (element(array, middle) < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && element(array, low) == value ? low : count;
}

void shf_sidecar_page_at(const struct shf_sidecar *sidecar, uint32_t index, struct shf_sidecar_page *out) {
    uint32_t from = element(sidecar->page_offsets, index), to = element(sidecar->page_offsets, index + 1);
    *out = (struct shf_sidecar_page){.number = element(sidecar->page_numbers, index),
                                     .page_size = sidecar->prefix.page_size,
                                     .stored = sidecar->pages + from,
                                     .stored_size = to - from};
    (void)find_gap(out); /* parsing has checked it */
}

bool shf_sidecar_page_find(const struct shf_sidecar *sidecar, uint32_t number, struct shf_sidecar_page *out) {
    uint32_t index = find(sidecar->page_numbers, sidecar->page_count, number);
    if (index == sidecar->page_count) return false;
    shf_sidecar_page_at(sidecar, index, out);
    return true;
}

const uint8_t *shf_sidecar_page_bytes(const struct shf_sidecar_page *page, uint32_t offset, uint32_t size) {
    if (offset > page->page_size || size > page->page_size - offset) return NULL;
    if (offset + size <= page->gap_begin) return page->stored + offset;
    if (offset < page->gap_end) return NULL;
    return page->stored + (offset - (page->gap_end - page->gap_begin));
}

void shf_sidecar_page_rebuild(const struct shf_sidecar_page *page, uint8_t *out) {
    uint32_t gap = page->gap_end - page->gap_begin;
    memcpy(out, page->stored, page->gap_begin);
    memset(out + page->gap_begin, 0, gap);
    memcpy(out + page->gap_end, page->stored + page->gap_begin, page->stored_size - page->gap_begin);
}

void shf_sidecar_chain_at(const struct shf_sidecar *sidecar, uint32_t index, struct shf_sidecar_chain *out) {
    uint32_t from = element(sidecar->chain_offsets, index), to = element(sidecar->chain_offsets, index + 1);
    *out = (struct shf_sidecar_chain){sidecar->chain_numbers + (size_t)4 * from, to - from};
}

bool shf_sidecar_chain_find(const struct shf_sidecar *sidecar, uint32_t head, struct shf_sidecar_chain *out) {
    uint32_t index = find(sidecar->chain_heads, sidecar->chain_count, head);
    if (index == sidecar->chain_count) return false;
    shf_sidecar_chain_at(sidecar, index, out);
    return true;
}

uint32_t shf_sidecar_chain_page(const struct shf_sidecar_chain *chain, uint32_t index) {
    return element(chain->numbers, index);
}
