#include "writer/run_record.h"

#include "base/alloc.h"
#include "base/text.h"
#include "formats/manifest.h"
#include "formats/manifest_build.h"
#include "writer/setup.h"

#include <string.h>
#include <yaml.h>

#define WRITER_TYPE "libshardyfusion"

static const char *const status_names[] = {NULL, "running", "succeeded", "failed"};

/* ---- writing ---- */

static int append(void *context, unsigned char *data, size_t size) {
    struct shf_text *text = context;
    shf_text_add(text, (const char *)data, size);
    return !text->failed;
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *value, yaml_scalar_style_t style) {
    yaml_event_t event;
    if (!value) {
        value = "null";
        style = YAML_PLAIN_SCALAR_STYLE;
    }
    if (!yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)value, (int)strlen(value), 1, 1, style)) {
        return false;
    }
    return yaml_emitter_emit(emitter, &event);
}

/* Quoted where it could be taken for something else than a text. */
static bool emit_text(yaml_emitter_t *emitter, const char *name, const char *value) {
    return emit_scalar(emitter, name, YAML_PLAIN_SCALAR_STYLE) &&
           emit_scalar(emitter, value, YAML_SINGLE_QUOTED_SCALAR_STYLE);
}

static bool emit_plain(yaml_emitter_t *emitter, const char *name, const char *value) {
    return emit_scalar(emitter, name, YAML_PLAIN_SCALAR_STYLE) && emit_scalar(emitter, value, YAML_PLAIN_SCALAR_STYLE);
}

static bool emit_time(yaml_emitter_t *emitter, const char *name, int64_t us) {
    char text[SHF_TIME_TEXT_BYTES];
    shf_time_format(us, text);
    return emit_text(emitter, name, text);
}

static bool emit_members(yaml_emitter_t *e, const struct shf_run_record *r) {
    return emit_text(e, "db_path_template", SHF_DB_PATH_TEMPLATE) && emit_text(e, "error_message", r->error_message) &&
           emit_text(e, "error_type", r->error_type) && emit_plain(e, "format_version", "1") &&
           emit_time(e, "lease_expires_at", r->lease_expires_at_us) && emit_text(e, "manifest_ref", r->manifest_ref) &&
           emit_text(e, "run_id", r->run_id) && emit_text(e, "s3_prefix", r->s3_prefix) &&
           emit_text(e, "shard_prefix", SHF_SHARD_PREFIX) && emit_time(e, "started_at", r->started_at_us) &&
           emit_plain(e, "status", status_names[r->status]) && emit_time(e, "updated_at", r->updated_at_us) &&
           emit_plain(e, "writer_type", WRITER_TYPE);
}

static bool emit(yaml_emitter_t *emitter, const struct shf_run_record *record) {
    yaml_event_t event;
    return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(emitter, &event) &&
           yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(emitter, &event) &&
           yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE) &&
           yaml_emitter_emit(emitter, &event) && emit_members(emitter, record) &&
           yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event) &&
           yaml_document_end_event_initialize(&event, 1) && yaml_emitter_emit(emitter, &event) &&
           yaml_stream_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

shf_status shf_run_record_write(const struct shf_run_record *record, char **out, size_t *size, struct shf_error **error) {
    struct shf_text text = {.max_bytes = SHF_LIMIT_RUN_RECORD_BYTES};
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter)) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a run record");
    yaml_emitter_set_output(&emitter, append, &text);
    yaml_emitter_set_width(&emitter, -1);
    yaml_emitter_set_unicode(&emitter, 1);
    bool done = emit(&emitter, record);
    yaml_emitter_delete(&emitter);
    size_t length = text.size;
    if (!done) text.failed = true;
    char *taken = shf_text_take(&text);
    if (!taken) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a run record");
    *out = taken;
    *size = length;
    return SHF_OK;
}

/* ---- reading ---- */

bool shf_run_record_is_of(const char *name, const char *run_id) {
    const char *at = strstr(name, "_run_id=");
    size_t size = strlen(run_id);
    if (!at) return false;
    at += strlen("_run_id=");
    return !strncmp(at, run_id, size) && at[size] == '_' && strspn(at + size + 1, "0123456789abcdef") == 32 &&
           !strcmp(at + size + 33, "/");
}

static shf_status unreadable(struct shf_error **error, const char *why) {
    return shf_error_set(error, SHF_E_STATE, "the run record can not be read: %s", why);
}

static const yaml_node_t *member(yaml_document_t *document, const yaml_node_t *map, const char *name) {
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(document, pair->value);
        if (!key || !value || key->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE) continue;
        if (key->data.scalar.length == strlen(name) && !memcmp(key->data.scalar.value, name, strlen(name)))
            return value;
    }
    return NULL;
}

static bool read_time(yaml_document_t *document, const yaml_node_t *map, const char *name, int64_t *us) {
    const yaml_node_t *node = member(document, map, name);
    return node && shf_time_parse((const char *)node->data.scalar.value, node->data.scalar.length, us);
}

static shf_status read_members(yaml_document_t *document, struct shf_run_state *out, struct shf_error **error) {
    const yaml_node_t *map = yaml_document_get_root_node(document);
    if (!map || map->type != YAML_MAPPING_NODE) return unreadable(error, "it is no mapping");
    const yaml_node_t *status = member(document, map, "status");
    out->status = 0;
    for (int i = SHF_RUN_RUNNING; status && i <= SHF_RUN_FAILED; i++) {
        if (!strcmp((const char *)status->data.scalar.value, status_names[i])) out->status = (enum shf_run_status)i;
    }
    if (!out->status) return unreadable(error, "its status is none of running, succeeded, failed");
    if (!read_time(document, map, "started_at", &out->started_at_us)) return unreadable(error, "started_at is no date");
    if (!read_time(document, map, "lease_expires_at", &out->lease_expires_at_us)) {
        return unreadable(error, "lease_expires_at is no date");
    }
    return SHF_OK;
}

shf_status shf_run_record_read(const void *data, size_t size, struct shf_run_state *out, struct shf_error **error) {
    yaml_parser_t parser;
    yaml_document_t document;
    if (size > SHF_LIMIT_RUN_RECORD_BYTES) return unreadable(error, "it is too long");
    if (!yaml_parser_initialize(&parser)) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a run record");
    yaml_parser_set_input_string(&parser, data, size);
    shf_status status;
    if (yaml_parser_load(&parser, &document)) {
        status = read_members(&document, out, error);
        yaml_document_delete(&document);
    } else if (parser.error == YAML_MEMORY_ERROR) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a run record");
    } else {
        status = unreadable(error, "it is no YAML");
    }
    yaml_parser_delete(&parser);
    return status;
}
