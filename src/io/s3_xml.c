#include "io/s3_xml.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

#define DEEPEST 16u
#define LONGEST_TEXT 8192u /* of one element: keys are at most 1,024 bytes, encoded three times that */

/* A text-only view of a document: path of elements, text of the innermost. */
struct reading {
    XML_Parser parser;
    char path[DEEPEST][32];
    uint32_t depth;
    struct shf_text text;
    bool bad, no_memory;
    void (*leaf)(struct reading *reading, const char *parent, const char *name, const char *text);
    void *target;
    size_t most;
};

static void stop(struct reading *reading) {
    reading->bad = true;
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL opened(void *context, const XML_Char *name, const XML_Char **attributes) {
    struct reading *reading = context;
    (void)attributes;
    if (reading->depth == DEEPEST || strlen(name) >= sizeof reading->path[0]) {
        stop(reading);
        return;
    }
    memcpy(reading->path[reading->depth++], name, strlen(name) + 1);
    reading->text.size = 0;
}

static void XMLCALL came(void *context, const XML_Char *text, int size) {
    struct reading *reading = context;
    if (reading->text.size + (size_t)size > LONGEST_TEXT) {
        stop(reading);
        return;
    }
    shf_text_add(&reading->text, text, (size_t)size);
    if (reading->text.failed) {
        reading->no_memory = true;
        stop(reading);
    }
}

static void XMLCALL closed(void *context, const XML_Char *name) {
    struct reading *reading = context;
    const char *parent = reading->depth >= 2 ? reading->path[reading->depth - 2] : "";
    const char *text = reading->text.size ? reading->text.data : "";
    if (reading->text.data) reading->text.data[reading->text.size] = '\0';
    reading->leaf(reading, parent, name, text);
    reading->text.size = 0;
    reading->depth--;
}

/* A document type could declare entities: S3 sends none. */
static void XMLCALL doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal) {
    (void)name, (void)system, (void)public, (void)internal;
    stop(context);
}

static bool read_document(struct reading *reading, const void *data, size_t size) {
    if (size > SHF_LIMIT_XML_BYTES) return false;
    reading->parser = XML_ParserCreate("UTF-8");
    if (!reading->parser) {
        reading->no_memory = true;
        return false;
    }
    XML_SetUserData(reading->parser, reading);
    XML_SetElementHandler(reading->parser, opened, closed);
    XML_SetCharacterDataHandler(reading->parser, came);
    XML_SetStartDoctypeDeclHandler(reading->parser, doctype);
    bool ok = XML_Parse(reading->parser, data, (int)size, 1) == XML_STATUS_OK && !reading->bad;
    if (XML_GetErrorCode(reading->parser) == XML_ERROR_NO_MEMORY) reading->no_memory = true;
    XML_ParserFree(reading->parser);
    shf_text_free(&reading->text);
    return ok;
}

/* ---- listings ---- */

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

/* encoding-type=url: %XX, and + for a blank. False for a NUL or a broken escape. */
static bool decode(const char *text, char *out) {
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

static void add_name(struct reading *reading, struct shf_s3_page *page, const char *text) {
    if (page->count == reading->most) {
        stop(reading);
        return;
    }
    if (page->count == page->capacity) {
        size_t capacity = page->capacity ? page->capacity * 2 : 64;
        char **grown = shf_realloc_array(page->names, capacity, sizeof *grown);
        if (!grown) {
            reading->no_memory = true;
            stop(reading);
            return;
        }
        page->names = grown;
        page->capacity = capacity;
    }
    char *name = shf_alloc(strlen(text) + 1);
    if (!name || !decode(text, name)) {
        reading->no_memory = !name;
        shf_free(name);
        stop(reading);
        return;
    }
    page->names[page->count++] = name;
}

static void listing_leaf(struct reading *reading, const char *parent, const char *name, const char *text) {
    struct shf_s3_page *page = reading->target;
    bool is_key = strcmp(parent, "Contents") == 0 && strcmp(name, "Key") == 0;
    bool is_prefix = strcmp(parent, "CommonPrefixes") == 0 && strcmp(name, "Prefix") == 0;
    if (reading->depth == 1 && strcmp(name, "ListBucketResult") != 0) stop(reading);
    if (is_key || is_prefix) {
        add_name(reading, page, text);
    } else if (strcmp(parent, "ListBucketResult") == 0 && strcmp(name, "IsTruncated") == 0) {
        page->is_truncated = strcmp(text, "true") == 0;
    } else if (strcmp(parent, "ListBucketResult") == 0 && strcmp(name, "NextContinuationToken") == 0) {
        shf_free(page->continuation);
        page->continuation = shf_strdup(text);
        if (!page->continuation) {
            reading->no_memory = true;
            stop(reading);
        }
    }
}

shf_status shf_s3_page_parse(const void *data, size_t size, size_t most, struct shf_s3_page *page, struct shf_error **error) {
    struct reading reading = {.leaf = listing_leaf, .target = page, .most = most};
    page->is_truncated = false;
    shf_free(page->continuation);
    page->continuation = NULL;
    if (read_document(&reading, data, size)) {
        if (!page->is_truncated || page->continuation) return SHF_OK;
        return shf_error_set(error, SHF_E_STORE, "the listing is cut off but names no next page");
    }
    if (reading.no_memory) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a listing");
    if (page->count == most) return shf_error_set(error, SHF_E_LIMIT, "the listing has more than %zu names", most);
    return shf_error_set(error, SHF_E_STORE, "the answer is no S3 listing");
}

void shf_s3_page_free(struct shf_s3_page *page) {
    for (size_t i = 0; i < page->count; i++) shf_free(page->names[i]);
    shf_free(page->names);
    shf_free(page->continuation);
    memset(page, 0, sizeof *page);
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
}

void shf_s3_problem_parse(const void *data, size_t size, struct shf_s3_problem *out) {
    struct reading reading = {.leaf = problem_leaf, .target = out};
    memset(out, 0, sizeof *out);
    (void)read_document(&reading, data, size);
}
