/* The syntax of URLs: checks and cuts without allocation. See location.h for the rule on percent signs. */
#include "snapshot/location_priv.h"

#include "base/limits.h"
#include "base/text.h"

#include <assert.h>
#include <string.h>

/* Bytes of a URL that a message shows; the rest of the buffer is for the ellipsis and the hidden userinfo. */
#define SHOWN_BYTES 200u
/* How often a name may be percent-encoded, one round to see that nothing is left included. */
#define MAX_ENCODINGS 4u

_Static_assert(SHOWN_BYTES + 32 < SHF_URL_PRINTABLE_BYTES, "room for the ellipsis");

const char *shf_url_scheme_name(enum shf_scheme scheme) {
    return scheme == SHF_SCHEME_S3 ? "s3" : scheme == SHF_SCHEME_FILE ? "file" : "mem";
}

static bool is_control(const unsigned char *p) {
    /* C1 controls (U+0080..U+009F) are two bytes of UTF-8; terminals obey them like ESC [. */
    return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
}

const char *shf_url_check_text(const char *text, size_t *size) {
    size_t length = strnlen(text, SHF_LIMIT_URL_BYTES + 1);
    if (length == 0) return "is empty";
    if (length > SHF_LIMIT_URL_BYTES) return "is longer than 8192 bytes";
    if (!shf_utf8_valid(text, length)) return "is not UTF-8";
    for (size_t i = 0; i < length; i++) {
        if (is_control((const unsigned char *)text + i)) return "has a control character in it";
    }
    *size = length;
    return NULL;
}

const char *shf_url_check_bucket(const char *bucket, size_t size) {
    if (size == 0) return "has no bucket";
    if (size > 255) return "has a bucket name of more than 255 characters";
    if (memchr(bucket, '@', size)) return "has credentials or an @ before the bucket";
    for (size_t i = 0; i < size; i++) {
        char c = shf_ascii_lower(bucket[i]);
        if (!(c >= 'a' && c <= 'z') && !shf_ascii_is_digit(c) && c != '.' && c != '_' && c != '-') {
            return "has a character in its bucket name that no bucket has";
        }
    }
    bool is_dots = bucket[0] == '.' && (size == 1 || (size == 2 && bucket[1] == '.'));
    if (is_dots) return "has a bucket named like a directory";
    return NULL;
}

static int hex_value(char c) {
    if (shf_ascii_is_digit(c)) return c - '0';
    c = shf_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the two characters at p spell, -1 when they are no hex digits. */
static int hex_byte(const char *p, size_t left) {
    if (left < 2 || hex_value(p[0]) < 0 || hex_value(p[1]) < 0) return -1;
    return hex_value(p[0]) * 16 + hex_value(p[1]);
}

/* Decodes every escape of the text once, in place. Gives how many there were, -1 when one is hostile. */
static int unescape(char *text, size_t *size) {
    int count = 0;
    size_t to = 0;
    for (size_t from = 0; from < *size; from++) {
        int byte = text[from] == '%' ? hex_byte(text + from + 1, *size - from - 1) : -1;
        if (byte < 0) {
            text[to++] = text[from];
            continue;
        }
        bool hostile =
            byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\' || byte == '.' || byte == 0xc0 || byte == 0xc1;
        if (hostile) return -1;
        text[to++] = (char)byte;
        from += 2;
        count++;
    }
    *size = to;
    return count;
}

/* Whether a program that decodes, even again and again, would find a byte in the segment that must not come
 * in. */
static bool has_hostile_escape(const char *segment, size_t size) {
    char text[SHF_LIMIT_URL_BYTES];
    if (!memchr(segment, '%', size)) return false;
    if (size > sizeof text) return true;
    memcpy(text, segment, size);
    for (unsigned round = 0; round < MAX_ENCODINGS; round++) {
        int count = unescape(text, &size);
        if (count <= 0) return count < 0;
    }
    return true; /* nobody encodes a name that often in good faith */
}

static const char *check_segment(const char *segment, size_t size) {
    if (size == 0) return "has an empty segment (//)";
    if (strspn(segment, ".") >= size) return "has a segment of dots only";
    for (size_t i = 0; i < size; i++) {
        if (segment[i] == '\\') return "has a backslash in it";
        if (segment[i] == '?') return "has a query (?) in it";
        if (segment[i] == '#') return "has a fragment (#) in it";
    }
    return has_hostile_escape(segment, size) ? "has an encoded separator, dot or control character in it" : NULL;
}

const char *shf_url_check_path(const char *path, size_t size) {
    const char *end = path + size;
    for (;;) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        const char *reason = check_segment(path, (size_t)((slash ? slash : end) - path));
        if (reason || !slash) return reason;
        path = slash + 1;
    }
}

const char *shf_url_split(const char *url, size_t size, struct shf_url_parts *out) {
    struct shf_url_parts parts = {0};
    for (int scheme = SHF_SCHEME_S3; scheme <= SHF_SCHEME_MEM && !parts.scheme; scheme++) {
        const char *name = shf_url_scheme_name((enum shf_scheme)scheme);
        size_t length = strlen(name);
        if (size >= length + 3 && memcmp(url, name, length) == 0 && memcmp(url + length, "://", 3) == 0) {
            parts.scheme = (enum shf_scheme)scheme;
            parts.bucket = url + length + 3;
        }
    }
    if (!parts.scheme) return "does not begin with s3:// or file:///";
    size_t left = size - (size_t)(parts.bucket - url);
    const char *slash = memchr(parts.bucket, '/', left);
    parts.bucket_size = slash ? (size_t)(slash - parts.bucket) : left;
    parts.path = slash ? slash + 1 : parts.bucket + left;
    parts.path_size = left - (size_t)(parts.path - parts.bucket);
    if (parts.scheme == SHF_SCHEME_FILE) {
        if (!slash || parts.bucket_size) return "names a host: a file URL has three slashes, file:///path";
    } else {
        const char *reason = shf_url_check_bucket(parts.bucket, parts.bucket_size);
        if (reason) return reason;
    }
    *out = parts;
    return NULL;
}

const char *shf_url_printable(const char *url, char out[SHF_URL_PRINTABLE_BYTES]) {
    char *to = out;
    const char *authority = strstr(url, "://");
    if (authority) {
        /* Everything up to the last @ of the authority may be a password. */
        const char *at = NULL;
        for (const char *p = authority + 3; *p && *p != '/'; p++) {
            if (*p == '@') at = p;
        }
        if (at) {
            size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyz0123456789");
            if (url + scheme != authority || scheme > 16) scheme = 0;
            memcpy(to, url, scheme);
            memcpy(to + scheme, "://***", 6);
            to += scheme + 6;
            url = at;
        }
    }
    size_t size = strcspn(url, "?");
    bool cut = url[size] == '?';
    if (size > SHOWN_BYTES) {
        size = SHOWN_BYTES;
        cut = true;
        while (size && ((unsigned char)url[size] & 0xc0) == 0x80) size--;
    }
    bool is_text = shf_utf8_valid(url, size);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)url[i];
        bool hide = is_control((const unsigned char *)url + i) || (c >= 0x80 && !is_text);
        /* A C1 control is hidden with both of its bytes. */
        if (hide && c == 0xc2 && is_text) i++;
        *to++ = hide ? '?' : url[i];
    }
    if (cut) {
        memcpy(to, "...", 3);
        to += 3;
    }
    *to = '\0';
    assert((size_t)(to - out) < SHF_URL_PRINTABLE_BYTES);
    return out;
}
