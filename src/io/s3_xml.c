#include "io/s3_xml_priv.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <string.h>

void shf_xml_stop(struct shf_xml_reading *reading, shf_status status) {
    if (!reading->status) reading->status = status;
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL opened(void *context, const XML_Char *name, const XML_Char **attributes) {
    struct shf_xml_reading *reading = context;
    size_t size = strlen(name);
    (void)attributes;
    if (reading->depth == SHF_XML_DEEPEST) {
        shf_xml_stop(reading, SHF_E_STORE);
        return;
    }
    if (size >= SHF_XML_LONGEST_NAME) { /* nothing that is looked for, and must not look like it */
        name = "";
        size = 0;
    }
    memcpy(reading->path[reading->depth++], name, size + 1);
    reading->text.size = 0;
}

static void XMLCALL came(void *context, const XML_Char *text, int size) {
    struct shf_xml_reading *reading = context;
    if (reading->text.size + (size_t)size > SHF_XML_LONGEST_TEXT) {
        shf_xml_stop(reading, SHF_E_STORE);
        return;
    }
    shf_text_add(&reading->text, text, (size_t)size);
    if (reading->text.failed) shf_xml_stop(reading, SHF_E_NO_MEMORY);
}

static void XMLCALL closed(void *context, const XML_Char *name) {
    struct shf_xml_reading *reading = context;
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
    shf_xml_stop(context, SHF_E_STORE);
}

static void *reallocate(void *old, size_t size) { return shf_realloc_array(old, size, 1); }

shf_status shf_xml_read(struct shf_xml_reading *reading, const void *data, size_t size) {
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

/* ---- errors ---- */

/* Printable ASCII only: it goes into messages and logs. */
static void keep_printable(const char *text, char *out, size_t room) {
    size_t used = 0;
    for (; *text && used + 1 < room; text++) {
        if (*text >= ' ' && *text < 0x7f) out[used++] = *text;
    }
    out[used] = '\0';
}

static void problem_leaf(struct shf_xml_reading *reading, const char *parent, const char *name, const char *text) {
    struct shf_s3_problem *problem = reading->target;
    if (strcmp(parent, "Error") != 0) return;
    if (strcmp(name, "Code") == 0) keep_printable(text, problem->code, sizeof problem->code);
    if (strcmp(name, "Message") == 0) keep_printable(text, problem->message, sizeof problem->message);
    if (strcmp(name, "Region") == 0) keep_printable(text, problem->region, sizeof problem->region);
    if (strcmp(name, "Header") == 0 || strcmp(name, "ArgumentName") == 0)
        keep_printable(text, problem->header, sizeof problem->header);
}

void shf_s3_problem_parse(const void *data, size_t size, struct shf_s3_problem *out) {
    struct shf_xml_reading reading = {.leaf = problem_leaf, .target = out};
    memset(out, 0, sizeof *out);
    (void)shf_xml_read(&reading, data, size);
}

/* ---- multipart uploads ---- */

static void keep_whole(const char *text, char *out, size_t room) {
    size_t size = strlen(text);
    if (size >= room) size = 0;
    memcpy(out, text, size);
    out[size] = '\0';
}

static void upload_leaf(struct shf_xml_reading *reading, const char *parent, const char *name, const char *text) {
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
    struct shf_xml_reading reading = {.leaf = upload_leaf, .target = out};
    memset(out, 0, sizeof *out);
    shf_status status = shf_xml_read(&reading, data, size);
    if (status) memset(out, 0, sizeof *out);
    return status == SHF_E_NO_MEMORY ? status : status ? SHF_E_STORE : SHF_OK;
}
