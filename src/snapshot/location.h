/*
 * URLs: where a snapshot is opened, and which URLs its data may name. Pure (a relative path asks for the
 * working directory, nothing else does I/O).
 *
 * The opened location is split into a store (scheme + bucket, or the file system) and a prefix below it. A
 * URL that comes from data (manifest_ref, db_url, .npy refs) is rebased where it begins with the snapshot's
 * own s3_prefix, and must then lie under the opened prefix or under one that the caller allowed; `..` and `.`
 * segments, encoded separators, userinfo, queries, fragments, control characters, empty buckets and other
 * schemes are SHF_E_MANIFEST, before any packet is sent (see SECURITY.md).
 *
 * Percent signs: nothing is ever decoded. The writers put keys into URLs raw, `=` and spaces included, so for
 * s3 and file alike a `%` is a byte of the key. Because another program may still decode, an escape that
 * would become a separator, a dot or a control character (%2f %5c %2e %00..%1f %7f, overlong %c0 %c1, however
 * often it is encoded) is refused in s3 URLs and in the part of a data URL that lies below a prefix; a path
 * that the caller gave may hold it.
 *
 * Text must be UTF-8 without control characters, at most SHF_LIMIT_URL_BYTES long.
 */
#ifndef SHF_SNAPSHOT_LOCATION_H
#define SHF_SNAPSHOT_LOCATION_H

#include "base/error.h"

#include <stdbool.h>

enum shf_scheme { SHF_SCHEME_S3 = 1, SHF_SCHEME_FILE = 2, SHF_SCHEME_MEM = 3 /* tests */ };

struct shf_location {
    enum shf_scheme scheme;
    char *bucket;       /* s3, mem; NULL for file */
    char *prefix;       /* key prefix without leading or trailing slash; may be "" ; file: absolute path without
                     leading slash */
    char *pointer_name; /* "_CURRENT", the key that was given, or the last segment of the URL that begins with "_" */
    char *url;          /* canonical URL of the prefix, without trailing slash (file:/// for the root directory) */
};

/*
 * From the user: s3://bucket/prefix[/_NAME], file:///path, file://localhost/path, mem://bucket/prefix, or a
 * plain path (relative ones are made absolute). SHF_E_INVALID. A trailing slash says that the last segment is
 * a directory even if it begins with "_". A plain path that looks like a URL (x://y) is written ./x://y. In
 * paths empty and "." segments vanish, and ".." is followed as the system does it, through links.
 */
shf_status shf_location_parse(const char *text, struct shf_location *out, struct shf_error **error);
/*
 * The same; with a pointer_key (not NULL) the text is the prefix, whatever its last segment is, and the pointer lies at
 * that key below it: segments of a path, as in data (no "..", no empty one).
 */
shf_status shf_location_parse_prefix(const char *text, const char *pointer_key, struct shf_location *out,
                                     struct shf_error **error);
void shf_location_free(struct shf_location *location);

/* Key of an object under the prefix: prefix + "/" + tail, the caller's to free; NULL without memory. */
char *shf_location_key(const struct shf_location *location, const char *tail);
/* Its URL, likewise. */
char *shf_location_url(const struct shf_location *location, const char *tail);
/* URL of a key below the store's root (what the resolve functions give), likewise. */
char *shf_location_key_url(const struct shf_location *location, const char *key);

/*
 * Key (below the store's root) of a manifest_ref: by its tail from the last "/manifests/" on, under the
 * opened prefix. SHF_E_MANIFEST. Nothing of the rest of the ref is used, so a copied snapshot opens where it
 * lies.
 */
shf_status shf_location_resolve_ref(const struct shf_location *location, const char *manifest_ref, char **key,
                                    struct shf_error **error);
/*
 * The same for a ref that the user typed; a path or a tail will do: [.../manifests/]DIRECTORY[/manifest].
 * SHF_E_INVALID.
 */
shf_status shf_location_resolve_pin(const struct shf_location *location, const char *ref, char **key,
                                    struct shf_error **error);

/*
 * Resolves a db_url of a manifest whose own prefix is s3_prefix (may be NULL; one that is no proper URL
 * rebases nothing). *key: below the store's root, no trailing slash, strictly below the prefix.
 * *location_index: -1 = the opened location's store, else the index into `allowed` (another bucket).
 */
shf_status shf_location_resolve_data(const struct shf_location *location, const char *s3_prefix, const char *url,
                                     const struct shf_location *allowed, size_t allowed_count, char **key,
                                     int *location_index, struct shf_error **error);

#endif
