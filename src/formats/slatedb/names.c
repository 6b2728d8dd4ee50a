#include "formats/slatedb/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ID_DIGITS 20u

static const char ulid_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool shf_slatedb_ulid_parse(const char *text, size_t size, struct shf_slatedb_ulid *out) {
    struct shf_slatedb_ulid ulid = {0, 0};
    if (size != SHF_SLATEDB_ULID_DIGITS || text[0] > '7') return false; /* 26 digits have 130 bits */
    for (size_t i = 0; i < SHF_SLATEDB_ULID_DIGITS; i++) {
        const char *digit = text[i] ? strchr(ulid_digits, text[i]) : NULL;
        if (!digit) return false;
        ulid.high = ulid.high << 5 | ulid.low >> 59;
        ulid.low = ulid.low << 5 | (uint64_t)(digit - ulid_digits);
    }
    *out = ulid;
    return true;
}

void shf_slatedb_ulid_format(struct shf_slatedb_ulid ulid, char out[SHF_SLATEDB_ULID_DIGITS + 1]) {
    for (size_t i = SHF_SLATEDB_ULID_DIGITS; i-- > 0;) {
        out[i] = ulid_digits[ulid.low & 31];
        ulid.low = ulid.low >> 5 | ulid.high << 59;
        ulid.high >>= 5;
    }
    out[SHF_SLATEDB_ULID_DIGITS] = '\0';
}

/* 20 digits, from 1. */
static bool parse_id(const char *text, uint64_t *out) {
    uint64_t id = 0;
    for (size_t i = 0; i < ID_DIGITS; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        if (__builtin_mul_overflow(id, UINT64_C(10), &id)) return false;
        if (__builtin_add_overflow(id, (uint64_t)(text[i] - '0'), &id)) return false;
    }
    *out = id;
    return id > 0;
}

/* What lies between the two in a name that is `middle` longer than they are; NULL when it is another name. */
static const char *between(const char *name, size_t size, const char *before, size_t middle, const char *after) {
    size_t before_size = strlen(before), after_size = strlen(after);
    if (size != before_size + middle + after_size) return NULL;
    if (memcmp(name, before, before_size) != 0 || memcmp(name + size - after_size, after, after_size) != 0) return NULL;
    return name + before_size;
}

struct shf_slatedb_object shf_slatedb_name_parse(const char *name, size_t size) {
    const struct shf_slatedb_object other = {.kind = SHF_SLATEDB_OTHER};
    struct shf_slatedb_object object = {.kind = SHF_SLATEDB_MANIFEST};
    const char *text = between(name, size, "manifest/", ID_DIGITS, ".manifest");
    if (!text) {
        object.kind = SHF_SLATEDB_WAL;
        text = between(name, size, "wal/", ID_DIGITS, ".sst");
    }
    if (text) return parse_id(text, &object.id) ? object : other;
    object.kind = SHF_SLATEDB_SST;
    text = between(name, size, "compacted/", SHF_SLATEDB_ULID_DIGITS, ".sst");
    return text && shf_slatedb_ulid_parse(text, SHF_SLATEDB_ULID_DIGITS, &object.ulid) ? object : other;
}

void shf_slatedb_name_format(const struct shf_slatedb_object *object, char out[SHF_SLATEDB_NAME_BYTES]) {
    char ulid[SHF_SLATEDB_ULID_DIGITS + 1];
    if (object->kind == SHF_SLATEDB_MANIFEST) {
        (void)snprintf(out, SHF_SLATEDB_NAME_BYTES, "manifest/%020" PRIu64 ".manifest", object->id);
    } else if (object->kind == SHF_SLATEDB_WAL) {
        (void)snprintf(out, SHF_SLATEDB_NAME_BYTES, "wal/%020" PRIu64 ".sst", object->id);
    } else {
        shf_slatedb_ulid_format(object->ulid, ulid);
        (void)snprintf(out, SHF_SLATEDB_NAME_BYTES, "compacted/%s.sst", ulid);
    }
}

void shf_slatedb_latest_manifest(uint64_t *latest, const char *name, size_t size) {
    struct shf_slatedb_object object = shf_slatedb_name_parse(name, size);
    if (object.kind == SHF_SLATEDB_MANIFEST && object.id > *latest) *latest = object.id;
}
