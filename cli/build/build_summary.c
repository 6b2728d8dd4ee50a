/* The result of a build: JSON whatever the output format, indented for json. */
#include "cli/build/build_run.h"

#include "cli/commands.h"
#include "cli/json.h"

#include <math.h>
#include <string.h>

static void stored_key(struct cli_json *json, const char *name, const char *text) {
    cli_json_name(json, name);
    if (!text) {
        cli_json_null(json);
        return;
    }
    cli_json_value(json);
    struct cli_out clean;
    cli_out_init(&clean, -1);
    cli_stored_json(&clean, text, strlen(text), name);
    cli_out_bytes(json->out, clean.data, clean.size);
    cli_out_free(&clean);
}

static void shard(struct cli_json *json, const shf_shard_info *info) {
    cli_json_begin(json, '{');
    cli_json_member_u64(json, "db_id", info->shard);
    cli_json_member_u64(json, "row_count", info->row_count);
    cli_json_member_u64(json, "db_bytes", info->db_bytes);
    cli_json_member_u64(json, "attempt", info->attempt);
    cli_json_member_string(json, "db_url", info->db_url);
    stored_key(json, "min_key", info->min_key);
    stored_key(json, "max_key", info->max_key);
    cli_json_end(json, '}');
}

static double seconds(int64_t nanoseconds) { return round((double)nanoseconds / 1e6) / 1e3; }

/* Of vectors alone: where they went, and what was found among them. */
static void vectors(struct cli_json *json, const struct cli_build *build, const shf_publish_info *info) {
    uint32_t num_probes = build->session->settings->options->num_probes;
    cli_json_member_string(json, "vector_sharding", cli_vector_sharding_name(build->feed.rules.sharding));
    cli_json_member_u64(json, "num_probes", num_probes ? num_probes : 1);
    if (!info->training_rows) return;
    cli_json_name(json, "training");
    cli_json_begin(json, '{');
    cli_json_member_u64(json, "rows", info->training_rows);
    cli_json_member_u64(json, "rounds", info->training_rounds);
    cli_json_member_double(json, "inertia", info->inertia);
    cli_json_member_double(json, "seconds", seconds(info->training_ns));
    cli_json_end(json, '}');
}

void cli_build_summary(struct cli_build *build, const shf_op *op) {
    struct cli_session *session = build->session;
    const struct cli_build_options *o = build->options;
    struct cli_json json;
    shf_publish_info info;
    SHF_INIT(&info);
    shf_op_publish_info(op, &info);
    cli_json_init(&json, &session->out, session->settings->options->format == CLI_JSON);
    cli_json_begin(&json, '{');
    cli_json_member_string(&json, "op", "build");
    cli_json_member_string(&json, "run_id", info.run_id);
    cli_json_member_string(&json, "manifest_ref", info.manifest_ref);
    cli_json_member_u64(&json, "num_dbs", info.num_dbs);
    cli_json_member_u64(&json, "rows", info.rows);
    cli_json_member_u64(&json, "bytes", build->bytes);
    cli_json_member_double(&json, "seconds", seconds(cli_now_ns() - build->began_ns));
    if (o->backend == CLI_BACKEND_VECTOR) vectors(&json, build, &info);
    if (o->dry_run) cli_json_member_bool(&json, "dry_run", true);
    if (o->skip_bad) cli_json_member_u64(&json, "skipped", build->skipped);
    if (o->last_wins) cli_json_member_u64(&json, "replaced", info.rows_replaced);
    if (info.rows_cut) cli_json_member_u64(&json, "rows_cut", info.rows_cut);
    if (info.spilled_bytes) cli_json_member_u64(&json, "spilled_bytes", info.spilled_bytes);
    cli_json_name(&json, "shards");
    cli_json_begin(&json, '[');
    for (uint32_t i = 0; i < info.num_dbs; i++) {
        shf_shard_info about;
        SHF_INIT(&about);
        if (shf_op_publish_shard(op, i, &about) == SHF_OK) shard(&json, &about);
    }
    cli_json_end(&json, ']');
    cli_json_end(&json, '}');
    cli_out_char(&session->out, '\n');
}
