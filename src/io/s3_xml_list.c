/* A listing in pages of XML. */
#include "base/alloc.h"
#include "io/s3_xml_priv.h"

#include <string.h>

/* A page on its way in. */
struct page {
    struct shf_s3_listing *listing;
    size_t most;
    bool names_encoded, root_seen;
    size_t entry;                 /* how many names there were before the element that is read, a child of the root */
    char etag[SHF_S3_ETAG_BYTES]; /* of the object that it tells of; "" = it told none */
};

static int hex(char c) {
    char lower = shf_ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* encoding-type=url: %XX, and + for a blank; in place. False for a NUL or a broken escape. */
static bool decode(char *text) {
    char *out = text;
    for (; *text; text++, out++) {
        if (*text == '+') {
            *out = ' ';
        } else if (*text == '%') {
            int high = hex(text[1]), low = high < 0 ? -1 : hex(text[2]);
            if (low < 0 || (high == 0 && low == 0)) return false;
            *out = (char)(high * 16 + low);
            text += 2;
        } else {
            *out = *text;
        }
    }
    *out = '\0';
    return true;
}

/* A copy that counts; NULL: the reading was stopped. */
static char *keep(struct shf_xml_reading *reading, struct shf_s3_listing *listing, const char *text) {
    size_t size = strlen(text);
    if (size > SHF_S3_LISTING_BYTES - listing->bytes) {
        shf_xml_stop(reading, SHF_E_LIMIT);
        return NULL;
    }
    char *copy = shf_strdup(text);
    if (copy) {
        listing->bytes += size;
    } else {
        shf_xml_stop(reading, SHF_E_NO_MEMORY);
    }
    return copy;
}

static void add_name(struct shf_xml_reading *reading, const char *text) {
    const struct page *page = reading->target;
    struct shf_s3_listing *listing = page->listing;
    if (listing->found.count >= page->most) {
        shf_xml_stop(reading, SHF_E_LIMIT);
        return;
    }
    char *name = keep(reading, listing, text);
    if (name && !shf_store_names_add(&listing->found, name, NULL)) shf_xml_stop(reading, SHF_E_NO_MEMORY);
}

/*
 * As the header ETag of a GET has it: in quotes, which some servers leave out here. What is too long for it there is
 * absent here too; so is what is no ETag.
 */
static void take_etag(struct page *page, const char *text) {
    size_t weak = strncmp(text, "W/\"", 3) == 0 ? 2 : 0, size = strlen(text);
    bool is_quoted = size >= weak + 2 && text[weak] == '"' && text[size - 1] == '"';
    const char *inside = is_quoted ? text + weak + 1 : text, *end = is_quoted ? text + size - 1 : text + size;
    size_t quotes = is_quoted ? 0 : 2;
    page->etag[0] = '\0';
    if (!size || size + quotes >= sizeof page->etag) return;
    for (; inside < end; inside++) {
        if (*inside <= ' ' || *inside >= 0x7f || *inside == '"') return;
    }
    if (quotes) page->etag[0] = '"';
    memcpy(page->etag + quotes / 2, text, size);
    memcpy(page->etag + quotes / 2 + size, "\"", quotes / 2);
    page->etag[size + quotes] = '\0';
}

/* Key and ETag come in any order: only now it is known whose the ETag is. Of two keys in one entry nobody knows it. */
static void end_entry(struct shf_xml_reading *reading, struct page *page) {
    struct shf_store_names *found = &page->listing->found;
    if (*page->etag && found->count == page->entry + 1) {
        found->versions[page->entry] = keep(reading, page->listing, page->etag);
    }
    page->entry = found->count;
    page->etag[0] = '\0';
}

static void root_leaf(struct shf_xml_reading *reading, struct page *page, const char *name, const char *text) {
    struct shf_s3_listing *listing = page->listing;
    if (strcmp(name, "EncodingType") == 0) {
        page->names_encoded = strcmp(text, "url") == 0;
    } else if (strcmp(name, "IsTruncated") == 0) {
        listing->is_truncated = strcmp(text, "true") == 0;
    } else if (strcmp(name, "NextContinuationToken") == 0) {
        shf_free(listing->continuation);
        listing->continuation = shf_strdup(text);
        if (!listing->continuation) shf_xml_stop(reading, SHF_E_NO_MEMORY);
    } else {
        end_entry(reading, page);
    }
}

static void entry_leaf(struct shf_xml_reading *reading, struct page *page, const char *parent, const char *name,
                       const char *text) {
    bool is_object = strcmp(parent, "Contents") == 0;
    if (is_object ? strcmp(name, "Key") == 0 : strcmp(parent, "CommonPrefixes") == 0 && strcmp(name, "Prefix") == 0) {
        add_name(reading, text);
    } else if (is_object && page->listing->found.wants_versions && strcmp(name, "ETag") == 0) {
        take_etag(page, text);
    }
}

static void leaf(struct shf_xml_reading *reading, const char *parent, const char *name, const char *text) {
    struct page *page = reading->target;
    if (reading->depth == 1) {
        page->root_seen = strcmp(name, "ListBucketResult") == 0;
    } else if (strcmp(reading->path[0], "ListBucketResult") != 0) {
        return;
    } else if (reading->depth == 2) {
        root_leaf(reading, page, name, text);
    } else if (reading->depth == 3) {
        entry_leaf(reading, page, parent, name, text);
    }
}

/* Only the document's end says whether its names are encoded: a server may not know encoding-type. */
static bool decode_names(struct shf_s3_listing *listing, size_t first) {
    for (size_t i = first; i < listing->found.count; i++) {
        if (!decode(listing->found.names[i])) return false;
    }
    return true;
}

shf_status shf_s3_listing_add(struct shf_s3_listing *listing, const void *data, size_t size, size_t most,
                              struct shf_error **error) {
    size_t first = listing->found.count;
    struct page page = {.listing = listing, .most = most, .entry = first};
    struct shf_xml_reading reading = {.leaf = leaf, .target = &page};
    char *before = listing->continuation;
    listing->is_truncated = false;
    listing->continuation = NULL;
    shf_status status = shf_xml_read(&reading, data, size);
    bool is_same = listing->continuation && before && strcmp(listing->continuation, before) == 0;
    shf_free(before);
    switch (status) {
    case SHF_OK: break;
    case SHF_E_NO_MEMORY: return shf_error_set(error, status, "no memory for a listing");
    case SHF_E_LIMIT:
        return shf_error_set(error, status, "the listing has more than %zu names, or they are too long", most);
    default: return shf_error_set(error, SHF_E_STORE, "the answer is no S3 listing");
    }
    if (!page.root_seen) return shf_error_set(error, SHF_E_STORE, "the answer is no S3 listing");
    if (page.names_encoded && !decode_names(listing, first)) {
        return shf_error_set(error, SHF_E_STORE, "the listing has a name that is not encoded as it says");
    }
    if (listing->is_truncated && (!listing->continuation || !*listing->continuation || is_same)) {
        return shf_error_set(error, SHF_E_STORE, "the listing goes on but names no next page");
    }
    return SHF_OK;
}

void shf_s3_listing_free(struct shf_s3_listing *listing) {
    shf_store_names_free(&listing->found);
    shf_free(listing->continuation);
    memset(listing, 0, sizeof *listing);
}

/* An object may have the name of a directory; as a directory it has no version. */
static void forget_version(struct shf_store_names *found, size_t at) {
    if (!found->versions) return;
    shf_free(found->versions[at]);
    found->versions[at] = NULL;
}

shf_status shf_s3_listing_tidy(struct shf_s3_listing *listing, const char *prefix, struct shf_error **error) {
    struct shf_store_names *found = &listing->found;
    size_t size = strlen(prefix);
    for (size_t i = 0; i < found->count; i++) {
        char *name = found->names[i];
        bool is_below = strncmp(name, prefix, size) == 0;
        const char *slash = is_below ? strchr(name + size, '/') : NULL;
        if (!is_below || (slash && slash[1])) {
            return shf_error_set(error, SHF_E_STORE, "the listing has a name that is not directly below the prefix");
        }
        if (slash) forget_version(found, i);
        memmove(name, name + size, strlen(name + size) + 1);
    }
    if (!shf_store_names_sort(found)) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to sort a listing");
    shf_store_names_drop_doubles(found);
    return SHF_OK;
}
