/*
 * Names of the objects of a SlateDB database, relative to its root: manifest/<20 digits>.manifest, wal/<20 digits>.sst,
 * compacted/<ULID>.sst. Whatever else lies there (compactions/, gc/, foreign names) is not needed to read. Pure.
 */
#ifndef SHF_FORMATS_SLATEDB_NAMES_H
#define SHF_FORMATS_SLATEDB_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHF_SLATEDB_NAME_BYTES 48u        /* of the longest name, with its NUL */
#define SHF_SLATEDB_ULID_DIGITS 26u       /* Crockford base32, most significant first, the first one 0..7 */
#define SHF_SLATEDB_MANIFESTS "manifest/" /* what to list for the latest manifest */

struct shf_slatedb_ulid {
    uint64_t high, low;
};

enum shf_slatedb_object_kind { SHF_SLATEDB_OTHER, SHF_SLATEDB_MANIFEST, SHF_SLATEDB_WAL, SHF_SLATEDB_SST };

struct shf_slatedb_object {
    enum shf_slatedb_object_kind kind;
    uint64_t id;                  /* of a manifest or a WAL object, from 1 */
    struct shf_slatedb_ulid ulid; /* of an SST */
};

/* What the name says; kind SHF_SLATEDB_OTHER for every name that is not just of one of the three forms. */
struct shf_slatedb_object shf_slatedb_name_parse(const char *name, size_t size);
/* The name of a manifest, WAL object or SST. */
void shf_slatedb_name_format(const struct shf_slatedb_object *object, char out[SHF_SLATEDB_NAME_BYTES]);

/* 26 digits, without NUL at the end. False: no ULID. */
bool shf_slatedb_ulid_parse(const char *text, size_t size, struct shf_slatedb_ulid *out);
void shf_slatedb_ulid_format(struct shf_slatedb_ulid ulid, char out[SHF_SLATEDB_ULID_DIGITS + 1]);
static inline int shf_slatedb_ulid_compare(struct shf_slatedb_ulid a, struct shf_slatedb_ulid b) {
    if (a.high != b.high) return a.high < b.high ? -1 : 1;
    return (a.low > b.low) - (a.low < b.low);
}

/*
 * The latest manifest of a listing is the one with the largest id. *latest begins as 0; each name of the listing (in
 * any order, over any number of its pages) may raise it. 0 at the end: there is no such database.
 */
void shf_slatedb_latest_manifest(uint64_t *latest, const char *name, size_t size);

#endif
