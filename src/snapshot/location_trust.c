/* URLs that come from data: which object below the opened prefix they mean, or why they are refused. */
#include "snapshot/location_priv.h"

#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

#define MANIFESTS "manifests"

static struct shf_url_parts parts_of(const struct shf_location *location) {
    return (struct shf_url_parts){location->scheme, location->bucket ? location->bucket : "",
                                  location->bucket ? strlen(location->bucket) : 0, location->prefix,
                                  strlen(location->prefix)};
}

/* The part of url that is strictly below base, compared on whole segments; NULL when it is not below. */
static const char *below(const char *url, size_t size, const struct shf_url_parts *base, size_t *tail_size) {
    const char *end = url + size;
    const char *scheme = shf_url_scheme_name(base->scheme);
    size_t length = strlen(scheme);
    if (size < length + 3 || memcmp(url, scheme, length) != 0 || memcmp(url + length, "://", 3) != 0) return NULL;
    url += length + 3;
    if ((size_t)(end - url) <= base->bucket_size || memcmp(url, base->bucket, base->bucket_size) != 0) return NULL;
    url += base->bucket_size;
    if (*url++ != '/') return NULL;
    if (base->path_size) {
        if ((size_t)(end - url) <= base->path_size || memcmp(url, base->path, base->path_size) != 0) return NULL;
        url += base->path_size;
        if (*url++ != '/') return NULL;
    }
    *tail_size = (size_t)(end - url);
    return *tail_size ? url : NULL;
}

/* The snapshot's own prefix, where it is a proper URL. Trailing slashes do not count. */
static bool own_prefix(const char *s3_prefix, struct shf_url_parts *out) {
    size_t size;
    if (!s3_prefix || shf_url_check_text(s3_prefix, &size)) return false;
    while (size && s3_prefix[size - 1] == '/') size--;
    return !shf_url_split(s3_prefix, size, out) && (!out->path_size || !shf_url_check_path(out->path, out->path_size));
}

/* prefix/tail with a tail of known size. */
static char *join(const struct shf_location *location, const char *middle, const char *tail, size_t tail_size) {
    struct shf_text key = {0};
    shf_text_add_string(&key, location->prefix);
    if (key.size) shf_text_add(&key, "/", 1);
    shf_text_add_string(&key, middle);
    shf_text_add(&key, tail, tail_size);
    return shf_text_take(&key);
}

static shf_status give(char *made, char **key, struct shf_error **error) {
    if (!made) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the key of an object");
    *key = made;
    return SHF_OK;
}

/* Why a URL below no prefix is refused: what is wrong with it in itself, or else where it lies. */
static shf_status refuse(const char *url, size_t size, const char *reason, struct shf_error **error) {
    struct shf_url_parts parts;
    char shown[SHF_URL_PRINTABLE_BYTES];
    (void)shf_url_printable(url, shown);
    if (!reason) reason = shf_url_split(url, size, &parts);
    if (!reason && parts.path_size) reason = shf_url_check_path(parts.path, parts.path_size);
    if (reason)
        return shf_error_set(error, SHF_E_MANIFEST, "the manifest names the URL %s, which %s: refused", shown, reason);
    return shf_error_set(
        error, SHF_E_MANIFEST,
        "the manifest names the URL %s, which is neither below the opened prefix nor below one that was "
        "allowed: refused; if it is to be trusted, add its prefix to the allowed prefixes",
        shown);
}

shf_status shf_location_resolve_data(const struct shf_location *location, const char *s3_prefix, const char *url,
                                     const struct shf_location *allowed, size_t allowed_count, char **key,
                                     int *location_index, struct shf_error **error) {
    size_t size = 0, tail_size = 0;
    const char *reason = shf_url_check_text(url, &size);
    if (reason) return refuse(url, 0, reason, error);
    if (url[size - 1] == '/') size--;

    /* Rebase first: where the snapshot lies now is what counts, even if one prefix is inside the other. */
    struct shf_url_parts base;
    int index = -1;
    const struct shf_location *found = location;
    const char *tail = own_prefix(s3_prefix, &base) ? below(url, size, &base, &tail_size) : NULL;
    if (!tail) {
        base = parts_of(location);
        tail = below(url, size, &base, &tail_size);
    }
    for (size_t i = 0; i < allowed_count && !tail; i++) {
        base = parts_of(&allowed[i]);
        tail = below(url, size, &base, &tail_size);
        found = &allowed[i];
        index = (int)i;
    }
    if (!tail) return refuse(url, size, NULL, error);
    /* What is before the tail equals a text that the caller gave or a checked one; only the tail is news. */
    reason = shf_url_check_path(tail, tail_size);
    if (reason) return refuse(url, size, reason, error);
    shf_status status = give(join(found, "", tail, tail_size), key, error);
    if (status == SHF_OK) *location_index = index;
    return status;
}

/* What follows the last "/manifests/" of the text, NULL when it has none or nothing follows. */
static const char *manifest_tail(const char *text) {
    static const char marker[] = "/" MANIFESTS "/";
    const char *tail = NULL;
    for (const char *p = text; (p = strstr(p, marker)) != NULL; p++) tail = p + sizeof marker - 1;
    return tail && *tail ? tail : NULL;
}

shf_status shf_location_resolve_ref(const struct shf_location *location, const char *manifest_ref, char **key,
                                    struct shf_error **error) {
    char shown[SHF_URL_PRINTABLE_BYTES];
    size_t size, path_size;
    struct shf_url_parts parts = parts_of(location);
    const char *path = NULL, *tail = NULL;
    const char *reason = shf_url_check_text(manifest_ref, &size);
    if (!reason) {
        path = below(manifest_ref, size, &parts, &path_size);
        if (!path) {
            /* Not where the snapshot lies now: only the tail is used, still no nonsense is taken. */
            reason = shf_url_split(manifest_ref, size, &parts);
            path = parts.path;
            path_size = parts.path_size;
        }
    }
    if (!reason) reason = shf_url_check_path(path, path_size);
    if (!reason) {
        tail = manifest_tail(path - 1); /* from the slash on, so that a bucket of that name does not count */
        if (!tail) reason = "has no /" MANIFESTS "/ in it";
    }
    if (reason) {
        return shf_error_set(error, SHF_E_MANIFEST, "the manifest_ref %s %s: refused",
                             shf_url_printable(manifest_ref, shown), reason);
    }
    return give(join(location, MANIFESTS "/", tail, strlen(tail)), key, error);
}

shf_status shf_location_resolve_pin(const struct shf_location *location, const char *ref, char **key,
                                    struct shf_error **error) {
    char shown[SHF_URL_PRINTABLE_BYTES];
    size_t size;
    const char *tail = NULL;
    const char *reason = shf_url_check_text(ref, &size);
    if (!reason) {
        tail = manifest_tail(ref);
        if (!tail) tail = strncmp(ref, MANIFESTS "/", sizeof MANIFESTS) == 0 ? ref + sizeof MANIFESTS : ref;
        reason = strstr(tail, "://") ? "has no /" MANIFESTS "/ in it" : shf_url_check_path(tail, strlen(tail));
    }
    if (reason) {
        return shf_error_set(error, SHF_E_INVALID, "the ref %s %s; give the ref of a manifest as the history prints it",
                             shf_url_printable(ref, shown), reason);
    }
    struct shf_text full = {0};
    shf_text_format(&full, "%s%s", tail, strchr(tail, '/') ? "" : "/manifest");
    shf_status status =
        full.failed ? give(NULL, key, error) : give(join(location, MANIFESTS "/", full.data, full.size), key, error);
    shf_text_free(&full);
    return status;
}
