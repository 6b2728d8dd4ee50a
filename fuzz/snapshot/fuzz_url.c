/*
 * Locations and the trust rules. The input is three texts, each ended by a zero byte (the last one by the
 * end): what the user opens, the s3_prefix of the manifest, and a URL or ref of the data. Whatever they are:
 * a key that comes out lies strictly below the opened or the allowed prefix, segment by segment, as a program
 * that trusts nothing would check it.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "fuzz_entry.h"
#include "snapshot/location.h"

#include <stdbool.h>
#include <string.h>

static void demand(bool truth) {
    if (!truth) __builtin_trap();
}

static int hex(char c) {
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, shf_ascii_lower(c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Decodes every escape once, in place of a careless program behind us; true when there was one. */
static bool unescape(char *text) {
    bool found = false;
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (from[0] == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0) {
            *to++ = (char)(hex(from[1]) * 16 + hex(from[2]));
            demand(to[-1] != '\0');
            from += 2;
            found = true;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return found;
}

static void demand_plain_path(const char *path) {
    demand(*path);
    for (const char *segment = path;; segment++) {
        size_t size = strcspn(segment, "/");
        demand(size > 0);
        demand(strspn(segment, ".") < size);
        for (size_t i = 0; i < size; i++)
            demand((unsigned char)segment[i] >= 0x20 && segment[i] != 0x7f && segment[i] != '\\');
        segment += size;
        if (!*segment) break;
    }
}

/* key = prefix + "/" + tail with an innocent tail, however often somebody decodes it. */
static void demand_below(const struct shf_location *location, const char *key) {
    size_t prefix = strlen(location->prefix);
    demand(strncmp(key, location->prefix, prefix) == 0);
    if (prefix) demand(key[prefix++] == '/');
    char *tail = shf_strdup(key + prefix);
    demand(tail != NULL);
    demand(shf_utf8_valid(tail, strlen(tail)) && !strpbrk(tail, "?#"));
    size_t slashes = 0, slashes_later = 0;
    for (const char *p = tail; *p; p++) slashes += *p == '/';
    demand_plain_path(tail);
    while (unescape(tail)) demand_plain_path(tail);
    for (const char *p = tail; *p; p++) slashes_later += *p == '/';
    demand(slashes == slashes_later);
    shf_free(tail);
}

static void check_data(const struct shf_location *opened, const char *s3_prefix, const char *url) {
    struct shf_location allowed = {0};
    struct shf_error *error = NULL;
    char *key = NULL;
    int index = 77;
    demand(shf_location_parse("s3://allowed/some/prefix", &allowed, NULL) == SHF_OK);
    shf_status status = shf_location_resolve_data(opened, s3_prefix, url, &allowed, 1, &key, &index, &error);
    if (status == SHF_OK) {
        demand(index == -1 || index == 0);
        demand_below(index == -1 ? opened : &allowed, key);
    } else {
        demand(status == SHF_E_MANIFEST && !key && index == 77);
        const char *message = shf_error_message(error);
        for (const char *p = message; *p; p++) demand((unsigned char)*p >= 0x20 && *p != 0x7f);
        demand(shf_utf8_valid(message, strlen(message)));
    }
    shf_free(key);
    shf_error_free(error);
    key = NULL;
    error = NULL;
    status = shf_location_resolve_ref(opened, url, &key, &error);
    if (status == SHF_OK) {
        demand_below(opened, key);
        demand(strncmp(key + strlen(opened->prefix) + (opened->prefix[0] != 0), "manifests/", 10) == 0);
    }
    demand(status == SHF_OK || status == SHF_E_MANIFEST);
    shf_free(key);
    shf_error_free(error);
    key = NULL;
    status = shf_location_resolve_pin(opened, url, &key, NULL);
    if (status == SHF_OK) demand_below(opened, key);
    demand(status == SHF_OK || status == SHF_E_INVALID);
    shf_free(key);
    shf_location_free(&allowed);
}

static void check_opened(const struct shf_location *opened) {
    size_t size = strlen(opened->prefix);
    demand(size == 0 || (opened->prefix[0] != '/' && opened->prefix[size - 1] != '/'));
    demand(opened->pointer_name[0] == '_' && !strchr(opened->pointer_name, '/'));
    demand((opened->bucket == NULL) == (opened->scheme == SHF_SCHEME_FILE));
    /* The canonical URL leads to the same place; the slash because a last segment may begin with "_". */
    struct shf_text text = {0};
    struct shf_location again = {0};
    shf_text_format(&text, "%s%s", opened->url, opened->url[strlen(opened->url) - 1] == '/' ? "" : "/");
    demand(!text.failed);
    if (shf_location_parse(text.data, &again, NULL) == SHF_OK) { /* else it was too long by the slash */
        demand(strcmp(again.url, opened->url) == 0 && strcmp(again.pointer_name, "_CURRENT") == 0);
    } else {
        demand(text.size > 8000);
    }
    shf_location_free(&again);
    shf_text_free(&text);
}

/* As the key of a pointer. */
static void check_pointer(const char *key) {
    struct shf_location opened = {0};
    shf_status status = shf_location_parse_prefix("s3://bucket/_p", key, &opened, NULL);
    demand(status == SHF_OK || (status == SHF_E_INVALID && !opened.prefix));
    if (status == SHF_OK) {
        demand(strcmp(opened.prefix, "_p") == 0 && strcmp(opened.pointer_name, key) == 0);
        demand_plain_path(key);
    }
    shf_location_free(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = shf_strndup((const char *)data, size);
    demand(text != NULL);
    const char *s3_prefix = text + strlen(text), *end = text + size;
    if (s3_prefix < end) s3_prefix++;
    const char *url = s3_prefix + strlen(s3_prefix);
    if (url < end) url++;

    struct shf_location opened = {0};
    struct shf_error *error = NULL;
    if (shf_location_parse(text, &opened, &error) == SHF_OK) {
        check_opened(&opened);
        check_data(&opened, s3_prefix, url);
        shf_location_free(&opened);
    } else {
        demand(shf_error_code(error) == SHF_E_INVALID && !opened.prefix);
        demand(shf_utf8_valid(shf_error_message(error), strlen(shf_error_message(error))));
        shf_error_free(error);
    }
    check_pointer(url);
    shf_free(text);
    return 0;
}
