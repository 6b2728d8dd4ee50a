#include "io/s3_xml.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 16u
#define LONGEST_NAME 32u   /* of an element that means something to us */
#define LONGEST_TEXT 8192u /* of one element: keys are at most 1,024 bytes, encoded three times that */

/* A text-only view of a document: path of elements, text of the innermost. */
struct reading {
    XML_Parser parser;
    char path[DEEPEST][LONGEST_NAME];
    size_t depth;
    struct shf_text text;
    shf_status status; /* why it was stopped */
    void (*leaf)(struct reading *reading, const char *parent, const char *name, const char *text);
    void *target;
    size_t most;
    bool names_encoded, root_seen;
};

static void stop(struct reading *reading, shf_status status) {
    if (!reading->status) reading->status = status;
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL opened(void *context, const XML_Char *name, const XML_Char **attributes) {
    struct reading *reading = context;
    size_t size = strlen(name);
    (void)attributes;
    if (reading->depth == DEEPEST) {
        stop(reading, SHF_E_STORE);
        return;
    }
    if (size >= LONGEST_NAME) { /* nothing that is looked for, and must not look like it */
        name = "";
        size = 0;
    }
    memcpy(reading->path[reading->depth++], name, size + 1);
    reading->text.size = 0;
}

static void XMLCALL came(void *context, const XML_Char *text, int size) {
    struct reading *reading = context;
    if (reading->text.size + (size_t)size > LONGEST_TEXT) {
        stop(reading, SHF_E_STORE);
        return;
    }
    shf_text_add(&reading->text, text, (size_t)size);
    if (reading->text.failed) stop(reading, SHF_E_NO_MEMORY);
}

static void XMLCALL closed(void *context, const XML_Char *name) {
    struct reading *reading = context;
    const char *parent = reading->depth >= 2 ? reading->path[reading->depth - 2] : "";
    (void)name; /* well-formedness is expat's */
    if (reading->status) return;
    if (reading->text.data) reading->text.data[reading->text.size] = '\0';
    reading->leaf(reading, parent, reading->path[reading->depth - 1], reading->text.size ? reading->text.data : "");
    reading->text.size = 0;
    reading->depth--;
}

/* A document type could declare entities: S3 sends none. */
static void XMLCALL doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                            int internal) {
    (void)name, (void)system, (void)public, (void)internal;
    stop(context, SHF_E_STORE);
}

static void *reallocate(void *old, size_t size) { return shf_realloc_array(old, size, 1); }

static shf_status read_document(struct reading *reading, const void *data, size_t size) {
    const XML_Memory_Handling_Suite memory = {shf_alloc, reallocate, shf_free};
    if (size > SHF_LIMIT_XML_BYTES) return SHF_E_STORE;
    reading->parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (!reading->parser) return SHF_E_NO_MEMORY;
    XML_SetUserData(reading->parser, reading);
    XML_SetElementHandler(reading->parser, opened, closed);
    XML_SetCharacterDataHandler(reading->parser, came);
    XML_SetStartDoctypeDeclHandler(reading->parser, doctype);
    enum XML_Status parsed = XML_Parse(reading->parser, data, (int)size, XML_TRUE);
    if (parsed != XML_STATUS_OK && !reading->status) {
        bool is_memory = XML_GetErrorCode(reading->parser) == XML_ERROR_NO_MEMORY;
        reading->status = is_memory ? SHF_E_NO_MEMORY : SHF_E_STORE;
    }
    XML_ParserFree(reading->parser);
    shf_text_free(&reading->text);
    return reading->status;
}

/* ---- listings ---- */

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

static void add_name(struct reading *reading, struct shf_s3_listing *listing, const char *text) {
    size_t size = strlen(text);
    if (listing->count >= reading->most || size > SHF_S3_LISTING_BYTES - listing->name_bytes) {
        stop(reading, SHF_E_LIMIT);
        return;
    }
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity ? listing->capacity * 2 : 64;
        char **grown = shf_realloc_array(listing->names, capacity, sizeof *grown);
        if (!grown) {
            stop(reading, SHF_E_NO_MEMORY);
            return;
        }
        listing->names = grown;
        listing->capacity = capacity;
    }
    char *name = shf_strdup(text);
    if (!name) {
        stop(reading, SHF_E_NO_MEMORY);
        return;
    }
    listing->name_bytes += size;
    listing->names[listing->count++] = name;
}

static void listing_leaf(struct reading *reading, const char *parent, const char *name, const char *text) {
    struct shf_s3_listing *listing = reading->target;
    bool is_top = reading->depth == 2 && strcmp(parent, "ListBucketResult") == 0;
    bool is_entry = reading->depth == 3 && strcmp(reading->path[0], "ListBucketResult") == 0;
    if (reading->depth == 1) {
        reading->root_seen = strcmp(name, "ListBucketResult") == 0;
    } else if (is_entry && ((strcmp(parent, "Contents") == 0 && strcmp(name, "Key") == 0) ||
                            (strcmp(parent, "CommonPrefixes") == 0 && strcmp(name, "Prefix") == 0))) {
        add_name(reading, listing, text);
    } else if (is_top && strcmp(name, "EncodingType") == 0) {
        reading->names_encoded = strcmp(text, "url") == 0;
    } else if (is_top && strcmp(name, "IsTruncated") == 0) {
        listing->is_truncated = strcmp(text, "true") == 0;
    } else if (is_top && strcmp(name, "NextContinuationToken") == 0) {
        shf_free(listing->continuation);
        listing->continuation = shf_strdup(text);
        if (!listing->continuation) stop(reading, SHF_E_NO_MEMORY);
    }
}

/* Only the document's end says whether its names are encoded: a server may not know encoding-type. */
static bool decode_names(struct shf_s3_listing *listing, size_t first) {
    for (size_t i = first; i < listing->count; i++) {
        if (!decode(listing->names[i])) return false;
    }
    return true;
}

shf_status shf_s3_listing_add(struct shf_s3_listing *listing, const void *data, size_t size, size_t most,
                              struct shf_error **error) {
    struct reading reading = {.leaf = listing_leaf, .target = listing, .most = most};
    size_t first = listing->count;
    char *before = listing->continuation;
    listing->is_truncated = false;
    listing->continuation = NULL;
    shf_status status = read_document(&reading, data, size);
    bool is_same = listing->continuation && before && strcmp(listing->continuation, before) == 0;
    shf_free(before);
    switch (status) {
    case SHF_OK: break;
    case SHF_E_NO_MEMORY: return shf_error_set(error, status, "no memory for a listing");
    case SHF_E_LIMIT:
        return shf_error_set(error, status, "the listing has more than %zu names, or they are too long", most);
    default: return shf_error_set(error, SHF_E_STORE, "the answer is no S3 listing");
    }
    if (!reading.root_seen) return shf_error_set(error, SHF_E_STORE, "the answer is no S3 listing");
    if (reading.names_encoded && !decode_names(listing, first)) {
        return shf_error_set(error, SHF_E_STORE, "the listing has a name that is not encoded as it says");
    }
    if (listing->is_truncated && (!listing->continuation || !*listing->continuation || is_same)) {
        return shf_error_set(error, SHF_E_STORE, "the listing goes on but names no next page");
    }
    return SHF_OK;
}

void shf_s3_listing_free(struct shf_s3_listing *listing) {
    for (size_t i = 0; i < listing->count; i++) shf_free(listing->names[i]);
    shf_free(listing->names);
    shf_free(listing->continuation);
    memset(listing, 0, sizeof *listing);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

shf_status shf_s3_listing_tidy(struct shf_s3_listing *listing, const char *prefix, struct shf_error **error) {
    size_t size = strlen(prefix), kept = 0;
    for (size_t i = 0; i < listing->count; i++) {
        char *name = listing->names[i];
        bool is_below = strncmp(name, prefix, size) == 0;
        const char *slash = is_below ? strchr(name + size, '/') : NULL;
        if (!is_below || (slash && slash[1])) {
            return shf_error_set(error, SHF_E_STORE, "the listing has a name that is not directly below the prefix");
        }
        memmove(name, name + size, strlen(name + size) + 1);
    }
    if (listing->count) qsort(listing->names, listing->count, sizeof *listing->names, by_bytes);
    for (size_t i = 0; i < listing->count; i++) {
        char *name = listing->names[i];
        if (!*name || (kept && strcmp(listing->names[kept - 1], name) == 0)) {
            shf_free(name);
        } else {
            listing->names[kept++] = name;
        }
    }
    listing->count = kept;
    return SHF_OK;
}

/* ---- errors ---- */

/* Printable ASCII only: it goes into messages and logs. */
static void keep_printable(const char *text, char *out, size_t room) {
    size_t used = 0;
    for (; *text && used + 1 < room; text++) {
        if (*text >= ' ' && *text < 0x7f) out[used++] = *text;
    }
    out[used] = '\0';
}

static void problem_leaf(struct reading *reading, const char *parent, const char *name, const char *text) {
    struct shf_s3_problem *problem = reading->target;
    if (strcmp(parent, "Error") != 0) return;
    if (strcmp(name, "Code") == 0) keep_printable(text, problem->code, sizeof problem->code);
    if (strcmp(name, "Message") == 0) keep_printable(text, problem->message, sizeof problem->message);
    if (strcmp(name, "Region") == 0) keep_printable(text, problem->region, sizeof problem->region);
    if (strcmp(name, "Header") == 0 || strcmp(name, "ArgumentName") == 0)
        keep_printable(text, problem->header, sizeof problem->header);
}

void shf_s3_problem_parse(const void *data, size_t size, struct shf_s3_problem *out) {
    struct reading reading = {.leaf = problem_leaf, .target = out};
    memset(out, 0, sizeof *out);
    (void)read_document(&reading, data, size);
}

/* ---- multipart uploads ---- */

static void keep_whole(const char *text, char *out, size_t room) {
    size_t size = strlen(text);
    if (size >= room) size = 0;
    memcpy(out, text, size);
    out[size] = '\0';
}

static void upload_leaf(struct reading *reading, const char *parent, const char *name, const char *text) {
    struct shf_s3_upload_answer *answer = reading->target;
    bool of_begin = strcmp(parent, "InitiateMultipartUploadResult") == 0;
    bool of_complete = strcmp(parent, "CompleteMultipartUploadResult") == 0;
    if (reading->depth == 1) {
        answer->is_begun = strcmp(name, "InitiateMultipartUploadResult") == 0;
        answer->is_complete = strcmp(name, "CompleteMultipartUploadResult") == 0;
    } else if (reading->depth == 2 && of_begin && strcmp(name, "UploadId") == 0) {
        keep_whole(text, answer->upload_id, sizeof answer->upload_id);
    } else if (reading->depth == 2 && of_complete && strcmp(name, "ETag") == 0) {
        keep_whole(text, answer->etag, sizeof answer->etag);
    }
}

shf_status shf_s3_upload_answer_parse(const void *data, size_t size, struct shf_s3_upload_answer *out) {
    struct reading reading = {.leaf = upload_leaf, .target = out};
    memset(out, 0, sizeof *out);
    shf_status status = read_document(&reading, data, size);
    if (status) memset(out, 0, sizeof *out);
    return status == SHF_E_NO_MEMORY ? status : status ? SHF_E_STORE : SHF_OK;
}
