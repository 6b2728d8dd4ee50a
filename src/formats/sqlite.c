/* The file header, and payloads that continue in overflow chains. */
#include "formats/sqlite.h"

#include "formats/sqlite_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 100u
#define LOCK_BYTE (UINT32_C(1) << 30)
#define MIN_USABLE_SIZE 480u /* section 1.3.4 */

shf_status(shf_sqlite_corrupt)(struct shf_error **error, uint32_t page, const char *format, ...) {
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (page == 0) return shf_error_set(error, SHF_E_CORRUPT, "SQLite schema: %s; the file is damaged", what);
    return shf_error_set(error, SHF_E_CORRUPT, "SQLite page %" PRIu32 ": %s; the file is damaged", page, what);
}

static shf_status refuse(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "SQLite header: %s", what);
}

/* Section 1.3 of the format, field by field. */
static shf_status read_header(struct shf_sqlite *db, struct shf_error **error) {
    const uint8_t *p = db->data;
    if (memcmp(p, "SQLite format 3", 16) != 0) return refuse(error, "the magic is missing: this is no SQLite file");
    uint32_t page_size = shf_load_u16be(p + 16);
    if (page_size == 1) page_size = 65536;
    if (page_size < 512 || (page_size & (page_size - 1)) != 0)
        return refuse(error, "the page size is no power of two in 512..65536");
    if (p[19] == 2)
        return refuse(error, "WAL mode: committed pages may be missing; checkpoint it and set journal_mode=DELETE");
    if (p[19] != 1) return refuse(error, "the read version is not 1: a newer format");
    if (p[21] != 64 || p[22] != 32 || p[23] != 32) return refuse(error, "the payload fractions are not 64, 32, 32");
    if (page_size - p[20] < MIN_USABLE_SIZE) return refuse(error, "too many reserved bytes a page");
    if (shf_load_u32be(p + 44) > 4) return refuse(error, "the schema format is newer than 4");
    uint32_t text = shf_load_u32be(p + 56);
    if (text < SHF_SQLITE_UTF8 || text > SHF_SQLITE_UTF16BE) return refuse(error, "the text encoding is unknown");
    db->page_size = page_size;
    db->usable_size = page_size - p[20];
    db->text = (enum shf_sqlite_text)text;
    return SHF_OK;
}

/* The count in the header holds only when it was written by the last change (section 1.3.7). */
static shf_status count_pages(struct shf_sqlite *db, struct shf_error **error) {
    uint64_t held = db->size / db->page_size;
    uint32_t stated = shf_load_u32be(db->data + 28);
    if (held == 0) return refuse(error, "the file is shorter than one page: truncated");
    if (held > UINT32_MAX - 1) held = UINT32_MAX - 1; /* the format's own maximum */
    db->page_count = (uint32_t)held;
    if (stated == 0 || shf_load_u32be(db->data + 24) != shf_load_u32be(db->data + 92)) return SHF_OK;
    if (stated > held) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "SQLite header: it counts %" PRIu32 " pages, the file holds %" PRIu64 ": truncated",
                             stated, held);
    }
    db->page_count = stated;
    return SHF_OK;
}

shf_status shf_sqlite_open(struct shf_sqlite *db, const void *data, uint64_t size, struct shf_error **error) {
    if (size < HEADER_SIZE || size > SIZE_MAX) {
        return shf_error_set(error, SHF_E_CORRUPT, "SQLite header: %" PRIu64 " bytes are no SQLite file", size);
    }
    struct shf_sqlite opened = {.data = data, .size = size};
    shf_status status = read_header(&opened, error);
    if (!status) status = count_pages(&opened, error);
    if (status) return status;
    uint32_t usable = opened.usable_size;
    opened.lock_page = LOCK_BYTE / opened.page_size + 1;
    opened.local_max_table = usable - 35;
    opened.local_max_index = (usable - 12) * 64 / 255 - 23;
    opened.local_min = (usable - 12) * 32 / 255 - 23;
    *db = opened;
    return SHF_OK;
}

/* ---- payloads ---- */

/* Copies from the chain: `skip` bytes of it are passed over, then `size` bytes copied; the chain holds `chain` bytes. */
static shf_status copy_chain(const struct shf_sqlite *db, uint32_t first, uint64_t chain, uint64_t skip, uint64_t size,
                             uint8_t *out, struct shf_error **error) {
    uint32_t page = first, share = db->usable_size - 4;
    while (size > 0) { /* bounded: every turn uses up a page of `chain`, which is at most the file */
        if (!shf_sqlite_page_exists(db, page)) {
            return shf_sqlite_corrupt(error, first, "the overflow chain leads to page %u of %u", page, db->page_count);
        }
        const uint8_t *bytes = shf_sqlite_page_bytes(db, page);
        uint64_t held = chain < share ? chain : share;
        if (skip < held) {
            uint64_t part = held - skip < size ? held - skip : size;
            memcpy(out, bytes + 4 + skip, (size_t)part);
            out += part;
            size -= part;
            skip = 0;
        } else {
            skip -= held;
        }
        chain -= held;
        page = shf_load_u32be(bytes);
    }
    if (chain == 0 && page != 0)
        return shf_sqlite_corrupt(error, first, "the overflow chain does not end where it must");
    return SHF_OK;
}

shf_status shf_sqlite_payload_copy(const struct shf_sqlite *db, const struct shf_sqlite_payload *payload,
                                   uint64_t offset, uint64_t size, void *out, struct shf_error **error) {
    if (offset > payload->size || size > payload->size - offset) {
        return shf_error_set(error, SHF_E_CORRUPT, "SQLite record: a column reaches beyond the end of its record");
    }
    if (size == 0) return SHF_OK;
    uint8_t *to = out;
    uint32_t local = payload->local_size;
    if (offset < local) {
        uint64_t part = local - offset < size ? local - offset : size;
        memcpy(to, payload->local + offset, (size_t)part);
        to += part;
        size -= part;
        offset = local;
    }
    if (size == 0) return SHF_OK;
    return copy_chain(db, payload->overflow_page, payload->size - local, offset - local, size, to, error);
}
