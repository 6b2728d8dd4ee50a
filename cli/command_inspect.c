/* info, shards, route and health: what the manifest says. */
#include "cli/commands.h"
#include "cli/columns.h"
#include "cli/fields.h"
#include "cli/key.h"
#include "cli/memory.h"
#include "cli/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *kind_name(uint32_t kind) {
    switch (kind) {
    case SHF_KIND_UNIFIED: return "unified";
    case SHF_KIND_COMPOSITE: return "composite";
    case SHF_KIND_VECTOR_ONLY: return "vector-only";
    default: return "kv-only";
    }
}

static void vector_fields(struct cli_fields *fields, const struct cli_session *session) {
    shf_vector_info vectors;
    struct cli_out params;
    SHF_INIT(&vectors);
    if (session->info.kind == SHF_KIND_KV_ONLY || shf_snapshot_vectors(session->snapshot, &vectors) != SHF_OK) {
        cli_fields_string(fields, "vector_meta", NULL);
        return;
    }
    const char *text = vectors.index_params ? vectors.index_params : "{}";
    cli_out_init(&params, -1);
    cli_stored_json(&params, text, strlen(text), "index_params");
    cli_fields_open(fields, "vector_meta");
    cli_fields_u64(fields, "dim", vectors.dimension);
    cli_fields_string(fields, "metric", vectors.metric);
    cli_fields_string(fields, "index_type", vectors.index_type);
    cli_fields_string(fields, "quantization", vectors.quantization);
    cli_fields_json(fields, "index_params", params.data);
    cli_fields_string(fields, "backend", vectors.backend);
    cli_fields_string(fields, "kv_backend", vectors.kv_backend);
    if (vectors.sharding_strategy) {
        cli_fields_string(fields, "sharding_strategy", vectors.sharding_strategy);
        cli_fields_u64(fields, "num_probes", vectors.num_probes);
    }
    cli_fields_close(fields);
    cli_out_free(&params);
}

/* What says where a row is: in a snapshot of vectors only it is not the manifest's sharding of keys. */
static const char *sharding_name(const struct cli_session *session) {
    shf_vector_info vectors;
    SHF_INIT(&vectors);
    if (shf_snapshot_vectors(session->snapshot, &vectors) == SHF_OK && vectors.sharding_strategy) {
        return vectors.sharding_strategy;
    }
    return session->info.sharding == SHF_SHARDING_CEL ? "cel" : "hash";
}

void cli_command_info(struct cli_session *session) {
    const shf_snapshot_info *info = &session->info;
    struct cli_fields fields;
    char time[CLI_TIME_TEXT_BYTES];
    if (!cli_session_open(session, SHF_OPEN_LAZY)) return;
    cli_fields_begin(&fields, session);
    cli_fields_string(&fields, "run_id", info->run_id);
    cli_fields_u64(&fields, "num_dbs", info->num_dbs);
    cli_fields_string(&fields, "sharding", sharding_name(session));
    cli_time_text(info->created_at_us, time);
    cli_fields_string(&fields, "created_at", time);
    cli_fields_string(&fields, "manifest_ref", info->manifest_ref);
    cli_fields_string(&fields, "key_encoding", info->key_encoding);
    cli_fields_u64(&fields, "row_count", info->row_count);
    cli_fields_string(&fields, "hash_algorithm", info->hash_algorithm);
    cli_fields_string(&fields, "kind", kind_name(info->kind));
    cli_time_text(info->published_at_us, time);
    cli_fields_string(&fields, "published_at", time);
    vector_fields(&fields, session);
    cli_fields_end(&fields);
}

/* A key of the manifest: JSON text there. */
static void stored_key(struct cli_out *out, const char *text) {
    if (text)
        cli_stored_json(out, text, strlen(text), "a key of the manifest");
    else
        cli_out_string(out, "null");
}

static void shard_json(struct cli_json *json, const shf_shard_info *shard) {
    struct cli_out min, max;
    cli_out_init(&min, -1);
    cli_out_init(&max, -1);
    stored_key(&min, shard->min_key);
    stored_key(&max, shard->max_key);
    cli_json_begin(json, '{');
    cli_json_member_u64(json, "db_id", shard->shard);
    cli_json_member_u64(json, "row_count", shard->row_count);
    cli_json_name(json, "min_key");
    cli_json_raw(json, min.data, min.size);
    cli_json_name(json, "max_key");
    cli_json_raw(json, max.data, max.size);
    cli_json_member_string(json, "db_url", shard->db_url);
    cli_json_member_u64(json, "db_bytes", shard->db_bytes);
    cli_json_end(json, '}');
    cli_out_free(&min);
    cli_out_free(&max);
}

/* A key for people: text without its quotes. */
static void plain_key(struct cli_session *session, const char *text, struct cli_out *out) {
    json_error_t why;
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why) : NULL;
    if (json_is_string(value))
        cli_out_bytes(out, json_string_value(value), json_string_length(value));
    else
        cli_out_string(out, text ? text : session->settings->null_repr);
    json_decref(value);
}

static void shard_plain(struct cli_session *session, struct cli_table *table, const shf_shard_info *shard) {
    struct cli_out min, max;
    cli_out_init(&min, -1);
    cli_out_init(&max, -1);
    plain_key(session, shard->min_key, &min);
    plain_key(session, shard->max_key, &max);
    if (session->settings->format == CLI_TABLE) {
        cli_table_u64(table, shard->shard);
        cli_table_u64(table, shard->row_count);
        cli_table_cell(table, min.data, min.size);
        cli_table_cell(table, max.data, max.size);
        cli_table_u64(table, shard->db_bytes);
        cli_table_string(table, shard->db_url);
    } else {
        cli_out_format(&session->out, "db_id=%u rows=%" PRIu64 " min=", shard->shard, shard->row_count);
        cli_out_printable(&session->out, min.data, min.size);
        cli_out_string(&session->out, " max=");
        cli_out_printable(&session->out, max.data, max.size);
        cli_out_char(&session->out, '\n');
    }
    cli_out_free(&min);
    cli_out_free(&max);
}

void cli_command_shards(struct cli_session *session) {
    struct cli_table table;
    struct cli_json json;
    if (!cli_session_open(session, SHF_OPEN_LAZY)) return;
    cli_table_init(&table);
    cli_table_column(&table, "SHARD", true);
    cli_table_column(&table, "ROWS", true);
    cli_table_column(&table, "MIN", false);
    cli_table_column(&table, "MAX", false);
    cli_table_column(&table, "BYTES", true);
    cli_table_column(&table, "URL", false);
    cli_json_init(&json, &session->out, session->settings->format == CLI_JSON);
    if (cli_wants_json(session)) {
        cli_json_begin(&json, '{');
        cli_json_member_string(&json, "op", "shards");
        cli_json_name(&json, "shards");
        cli_json_begin(&json, '[');
    }
    for (uint32_t i = 0; i < session->info.num_dbs; i++) {
        shf_shard_info shard;
        SHF_INIT(&shard);
        if (shf_snapshot_shard(session->snapshot, i, &shard) != SHF_OK) continue;
        if (cli_wants_json(session))
            shard_json(&json, &shard);
        else
            shard_plain(session, &table, &shard);
    }
    if (cli_wants_json(session)) {
        cli_json_end(&json, ']');
        cli_json_end(&json, '}');
        cli_out_char(&session->out, '\n');
    } else if (session->settings->format == CLI_TABLE) {
        cli_table_print(&table, session);
    }
    cli_table_free(&table);
}

static void print_route(struct cli_session *session, const struct cli_key *key, uint32_t shard) {
    struct cli_out *out = &session->out;
    struct cli_json json;
    struct cli_table table;
    if (cli_wants_json(session)) {
        cli_json_init(&json, out, session->settings->format == CLI_JSON);
        cli_json_begin(&json, '{');
        cli_json_member_string(&json, "op", "route");
        cli_json_name(&json, "key");
        cli_key_json(&json, key);
        cli_json_member_u64(&json, "db_id", shard);
        cli_json_end(&json, '}');
        cli_out_char(out, '\n');
    } else if (session->settings->format == CLI_TABLE) {
        cli_table_init(&table);
        cli_table_column(&table, "KEY", false);
        cli_table_column(&table, "SHARD", true);
        cli_table_cell(&table, key->typed, key->typed_size);
        cli_table_u64(&table, shard);
        cli_table_print(&table, session);
        cli_table_free(&table);
    } else {
        cli_out_printable(out, key->typed, key->typed_size);
        cli_out_format(out, " -> shard %u\n", shard);
    }
}

void cli_command_route(struct cli_session *session) {
    const struct cli_options *o = session->settings->options;
    const char *typed = o->arguments.items[0];
    struct cli_key key = {0};
    struct cli_context context;
    shf_error *why = NULL;
    uint32_t shard = 0;
    char *error = cli_context_parse(&o->contexts, &context);
    if (!error && !cli_session_open(session, SHF_OPEN_LAZY)) goto done;
    if (!error) error = cli_columns_apply(session->snapshot, &context);
    if (!error) error = cli_key_parse(typed, strlen(typed), o->key_format, session->info.key_encoding, &key);
    if (!error) {
        const shf_routing_context *columns = cli_context_get(&context);
        shf_status status = shf_snapshot_route_key(session->snapshot, &key.key, columns, &shard, &why);
        if (status != SHF_OK) error = cli_strdup(why ? shf_error_message(why) : shf_status_text(status));
    }
    if (error)
        cli_session_error(session, typed, error);
    else
        print_route(session, &key, shard);
done:
    shf_error_free(why);
    free(error);
    cli_key_free(&key);
    cli_context_free(&context);
}

void cli_command_health(struct cli_session *session) {
    static const char *const names[] = {"unhealthy", "healthy", "degraded", "unhealthy"};
    struct cli_fields fields;
    shf_health_info health;
    SHF_INIT(&health);
    if (!cli_session_open(session, 0)) {
        session->exit_code = 2;
        return;
    }
    shf_status status = shf_health(session->reader, session->settings->options->staleness_ms, &health);
    if (status != SHF_OK) {
        cli_session_error(session, NULL, shf_status_text(status));
        session->exit_code = 2;
        return;
    }
    uint32_t known = health.status <= SHF_UNHEALTHY ? health.status : SHF_UNHEALTHY;
    cli_fields_begin(&fields, session);
    cli_fields_string(&fields, "status", names[known]);
    cli_fields_string(&fields, "manifest_ref", session->info.manifest_ref);
    cli_fields_double(&fields, "manifest_age_seconds", round(health.manifest_age_seconds * 1e3) / 1e3);
    cli_fields_u64(&fields, "num_shards", health.num_shards);
    cli_fields_bool(&fields, "is_closed", health.is_closed != 0);
    cli_fields_end(&fields);
    session->exit_code = known == SHF_HEALTHY ? 0 : known == SHF_DEGRADED ? 1 : 2;
}
