/* The opened location: what the user typed, made canonical. */
#include "snapshot/location_priv.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_POINTER "_CURRENT"

static shf_status refuse(struct shf_error **error, const char *text, const char *reason) {
    char shown[SHF_URL_PRINTABLE_BYTES];
    return shf_error_set(error, SHF_E_INVALID,
                         "the location %s %s; give s3://bucket/prefix, file:///path or a path of a directory",
                         shf_url_printable(text, shown), reason);
}

static shf_status no_memory(struct shf_error **error) {
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the location of the snapshot");
}

/* Length of the scheme of text that has one ("x://..."), else 0: a plain path. */
static size_t scheme_size(const char *text) {
    size_t size = 0;
    for (;; size++) {
        char c = shf_ascii_lower(text[size]);
        bool letter = c >= 'a' && c <= 'z';
        bool later = shf_ascii_is_digit(c) || c == '+' || c == '-' || c == '.';
        if (!letter && !(size > 0 && later)) break;
    }
    return strncmp(text + size, "://", 3) == 0 ? size : 0;
}

void shf_location_free(struct shf_location *location) {
    if (!location) return;
    shf_free(location->bucket);
    shf_free(location->prefix);
    shf_free(location->pointer_name);
    shf_free(location->url);
    memset(location, 0, sizeof *location);
}

static void pop_segment(struct shf_text *path) {
    while (path->size && path->data[path->size - 1] != '/') path->size--;
    if (path->size) path->size--;
    if (path->data) path->data[path->size] = '\0';
}

/* Adds the segments of `more`; empty ones and "." vanish, ".." takes the one before away. */
static void add_segments(struct shf_text *path, const char *more) {
    while (*more) {
        size_t size = strcspn(more, "/");
        if (size == 2 && memcmp(more, "..", 2) == 0) {
            pop_segment(path);
        } else if (size && !(size == 1 && more[0] == '.')) {
            if (path->size) shf_text_add(path, "/", 1);
            shf_text_add(path, more, size);
        }
        more += size;
        if (*more) more++;
    }
}

/* What is behind the last ".." of the path, or the whole path. */
static const char *behind_last_up(const char *path) {
    const char *rest = path;
    for (const char *segment = path; *segment;) {
        size_t size = strcspn(segment, "/");
        if (size == 2 && memcmp(segment, "..", 2) == 0) rest = segment + size;
        segment += size;
        if (*segment) segment++;
    }
    return rest;
}

/* Writes the path without "..", which only the system can follow where a name before it is a link. */
static bool follow(const char *absolute, struct shf_text *path) {
    char real[PATH_MAX];
    const char *rest = behind_last_up(absolute);
    if (rest != absolute) {
        char *head = shf_strndup(absolute, (size_t)(rest - absolute));
        if (!head) return false;
        /* What is not there can not be opened either way. */
        add_segments(path, realpath(head, real) ? real : head);
        shf_free(head);
    }
    add_segments(path, rest);
    return !path->failed;
}

/* The absolute path of `text` without leading slash. */
static shf_status make_path(const char *text, struct shf_text *path, struct shf_error **error) {
    struct shf_text absolute = {0};
    if (text[0] != '/') {
        char directory[SHF_LIMIT_URL_BYTES];
        if (!getcwd(directory, sizeof directory)) {
            return shf_error_set(error, SHF_E_INVALID,
                                 "the relative path %s has no meaning here: the working directory is gone or "
                                 "too long; give an absolute path",
                                 text);
        }
        shf_text_format(&absolute, "%s/", directory);
    }
    shf_text_add_string(&absolute, text);
    bool made = !absolute.failed && follow(absolute.data, path);
    shf_text_free(&absolute);
    if (!made) return no_memory(error);
    size_t size;
    const char *reason = path->size ? shf_url_check_text(path->data, &size) : NULL;
    if (!reason) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID, "the location %s leads to a path that %s; give another way to it", text,
                         reason);
}

/* The given key of the pointer; else cuts "_NAME" off the end of the path, where the text ends in it. */
static bool take_pointer(const char *text, const char *pointer_key, struct shf_text *path, struct shf_location *made) {
    if (pointer_key) {
        made->pointer_name = shf_strdup(pointer_key);
        return made->pointer_name != NULL;
    }
    const char *slash = strrchr(text, '/');
    const char *last = slash ? slash + 1 : text;
    bool is_pointer = last[0] == '_' && path->size; /* "s3://_bucket" has a path of no segments */
    made->pointer_name = shf_strdup(is_pointer ? last : DEFAULT_POINTER);
    if (is_pointer) pop_segment(path);
    return made->pointer_name != NULL;
}

/* path: everything below the store's root, pointer included. */
static shf_status finish(const char *text, const char *pointer_key, struct shf_text *path, struct shf_location *made,
                         struct shf_error **error) {
    if (!take_pointer(text, pointer_key, path, made)) return no_memory(error);
    made->prefix = shf_text_take(path);
    if (!made->prefix) return no_memory(error);
    struct shf_text url = {0};
    shf_text_format(&url, "%s://%s%s%s", shf_url_scheme_name(made->scheme), made->bucket ? made->bucket : "",
                    made->prefix[0] || made->scheme == SHF_SCHEME_FILE ? "/" : "", made->prefix);
    made->url = shf_text_take(&url);
    if (!made->url) return no_memory(error);
    if (strlen(made->url) > SHF_LIMIT_URL_BYTES) return refuse(error, text, "is too long");
    return SHF_OK;
}

/* s3://BUCKET[/KEY] and mem://: `rest` is behind the "://". */
static shf_status parse_bucket(const char *text, const char *rest, struct shf_text *path, struct shf_location *made,
                               struct shf_error **error) {
    size_t bucket = strcspn(rest, "/");
    const char *reason = shf_url_check_bucket(rest, bucket);
    if (reason) return refuse(error, text, reason);
    const char *key = rest + bucket + (rest[bucket] == '/');
    size_t size = strlen(key);
    if (size && key[size - 1] == '/') size--; /* one trailing slash */
    reason = size || (key[0] == '/') ? shf_url_check_path(key, size) : NULL;
    if (reason) return refuse(error, text, reason);
    made->bucket = shf_strndup(rest, bucket);
    shf_text_add(path, key, size);
    return made->bucket && !path->failed ? SHF_OK : no_memory(error);
}

static shf_status parse_file(const char *text, const char *rest, struct shf_text *path, struct shf_error **error) {
    static const char localhost[] = "localhost";
    size_t host = strcspn(rest, "/");
    if (host && !shf_ascii_equal_ignore_case(rest, host, localhost)) {
        return refuse(error, text, "names a host; a file URL has three slashes, file:///path");
    }
    if (rest[host] != '/') return refuse(error, text, "has no path");
    return make_path(rest + host, path, error);
}

static shf_status check_pointer_key(const char *key, struct shf_error **error) {
    char shown[SHF_URL_PRINTABLE_BYTES];
    size_t size;
    const char *reason = key ? shf_url_check_text(key, &size) : NULL;
    if (key && !reason) reason = shf_url_check_path(key, size);
    if (!reason) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID,
                         "current_pointer_key %s %s; give the name of the pointer below the prefix, such as _CURRENT",
                         shf_url_printable(key, shown), reason);
}

shf_status shf_location_parse(const char *text, struct shf_location *out, struct shf_error **error) {
    return shf_location_parse_prefix(text, NULL, out, error);
}

shf_status shf_location_parse_prefix(const char *text, const char *pointer_key, struct shf_location *out,
                                     struct shf_error **error) {
    if (!text) return shf_error_set(error, SHF_E_INVALID, "no location of a snapshot was given");
    size_t size;
    const char *reason = shf_url_check_text(text, &size);
    if (reason) return refuse(error, text, reason);

    shf_status status = check_pointer_key(pointer_key, error);
    if (status) return status;

    struct shf_location made = {0};
    struct shf_text path = {0};
    size_t scheme = scheme_size(text);
    const char *rest = scheme ? text + scheme + 3 : text;
    if (scheme == 0) {
        made.scheme = SHF_SCHEME_FILE;
        status = make_path(text, &path, error);
    } else if (shf_ascii_equal_ignore_case(text, scheme, "file")) {
        made.scheme = SHF_SCHEME_FILE;
        status = parse_file(text, rest, &path, error);
    } else if (shf_ascii_equal_ignore_case(text, scheme, "s3")) {
        made.scheme = SHF_SCHEME_S3;
        status = parse_bucket(text, rest, &path, &made, error);
    } else if (shf_ascii_equal_ignore_case(text, scheme, "mem")) {
        made.scheme = SHF_SCHEME_MEM;
        status = parse_bucket(text, rest, &path, &made, error);
    } else {
        reason = "has a scheme that is not read here (an S3 server's address goes into the endpoint option)";
        status = refuse(error, text, reason);
    }
    if (status == SHF_OK) status = finish(text, pointer_key, &path, &made, error);
    if (status == SHF_OK) {
        *out = made;
        made = (struct shf_location){0};
    }
    shf_text_free(&path);
    shf_location_free(&made);
    return status;
}

char *shf_location_key(const struct shf_location *location, const char *tail) {
    struct shf_text key = {0};
    shf_text_format(&key, "%s%s%s", location->prefix, location->prefix[0] && tail[0] ? "/" : "", tail);
    return shf_text_take(&key);
}

char *shf_location_key_url(const struct shf_location *location, const char *key) {
    struct shf_text url = {0};
    shf_text_format(&url, "%s://%s/%s", shf_url_scheme_name(location->scheme), location->bucket ? location->bucket : "",
                    key);
    return shf_text_take(&url);
}

char *shf_location_url(const struct shf_location *location, const char *tail) {
    if (!tail[0]) return shf_strdup(location->url);
    char *key = shf_location_key(location, tail);
    char *url = key ? shf_location_key_url(location, key) : NULL;
    shf_free(key);
    return url;
}
