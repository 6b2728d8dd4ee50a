#include "cli/search_output.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Nanoseconds as milliseconds with microseconds behind the point. */
static double milliseconds(int64_t ns) { return round((double)ns / 1e3) / 1e3; }

void cli_score_text(double score, char out[CLI_SCORE_TEXT_BYTES]) {
    if (isnan(score))
        snprintf(out, CLI_SCORE_TEXT_BYTES, "null");
    else if (isinf(score))
        snprintf(out, CLI_SCORE_TEXT_BYTES, "inf");
    else
        snprintf(out, CLI_SCORE_TEXT_BYTES, "%.6f", score);
}

bool cli_payload_line(const shf_hit *hit, struct cli_out *out) {
    if (!hit->payload.data) return false;
    cli_stored_json(out, hit->payload.data, hit->payload.size, "a payload");
    return true;
}

static shf_hit hit_at(const struct cli_answer *answer, size_t i) {
    shf_hit hit;
    SHF_INIT(&hit);
    shf_op_hit(answer->op, answer->index, i, &hit);
    return hit;
}

static shf_search_info info_of(const struct cli_answer *answer) {
    shf_search_info info;
    SHF_INIT(&info);
    shf_op_search_info(answer->op, answer->index, &info);
    return info;
}

static void hit_json(struct cli_json *json, const shf_hit *hit) {
    struct cli_out payload;
    cli_json_begin(json, '{');
    cli_json_name(json, "id");
    if (hit->id.kind == SHF_ID_TEXT)
        cli_json_text(json, hit->id.text.data, hit->id.text.size);
    else
        cli_json_i64(json, hit->id.int_value);
    cli_json_member_double(json, "score", hit->score);
    cli_json_name(json, "payload");
    cli_out_init(&payload, -1);
    if (cli_payload_line(hit, &payload))
        cli_json_raw(json, payload.data, payload.size);
    else
        cli_json_null(json);
    cli_out_free(&payload);
    cli_json_end(json, '}');
}

static void explain_json(struct cli_session *session, struct cli_json *json, const struct cli_answer *answer) {
    const shf_open_info *open = &session->open_info;
    shf_search_info info = info_of(answer);
    shf_vector_info vectors;
    SHF_INIT(&vectors);
    cli_json_name(json, "explain");
    cli_json_begin(json, '{');
    cli_json_member_string(json, "plan", "exact scan");
    if (shf_snapshot_vectors(session->snapshot, &vectors) == SHF_OK) {
        cli_json_member_string(json, "metric", vectors.metric);
        cli_json_member_u64(json, "dimension", vectors.dimension);
    }
    cli_json_member_u64(json, "num_dbs", session->info.num_dbs);
    if (session->info.kind == SHF_KIND_VECTOR_ONLY) {
        cli_json_member_u64(json, "num_shards_probed", info.num_shards_probed);
    }
    cli_json_member_u64(json, "num_shards_queried", info.num_shards_queried);
    cli_json_member_u64(json, "rows_scanned", info.rows_scanned);
    cli_json_member_double(json, "current_ms", milliseconds(open->current_ns));
    cli_json_member_double(json, "manifest_ms", milliseconds(open->manifest_ns));
    cli_json_member_double(json, "shards_ms", milliseconds(open->shards_ns));
    cli_json_member_double(json, "search_ms", milliseconds(info.latency_ns));
    cli_json_member_u64(json, "shards_opened", open->shards_opened);
    cli_json_member_u64(json, "downloaded_bytes", open->downloaded_bytes);
    cli_json_end(json, '}');
}

void cli_answer_json(struct cli_session *session, struct cli_json *json, const struct cli_answer *answer) {
    shf_search_info info = info_of(answer);
    size_t hits = shf_op_hit_count(answer->op, answer->index);
    cli_json_begin(json, '{');
    cli_json_member_string(json, "op", "search");
    cli_json_member_u64(json, "top_k", answer->top_k);
    cli_json_member_u64(json, "num_shards_queried", info.num_shards_queried);
    if (session->info.kind == SHF_KIND_VECTOR_ONLY) {
        cli_json_member_u64(json, "num_shards_probed", info.num_shards_probed);
        cli_json_member_u64(json, "num_dbs", info.num_dbs);
    }
    cli_json_member_double(json, "latency_ms", milliseconds(info.latency_ns));
    cli_json_name(json, "results");
    cli_json_begin(json, '[');
    for (size_t i = 0; i < hits; i++) {
        shf_hit hit = hit_at(answer, i);
        hit_json(json, &hit);
    }
    cli_json_end(json, ']');
    if (session->settings->options->explain) explain_json(session, json, answer);
    cli_json_end(json, '}');
}

void cli_answer_text(struct cli_session *session, const struct cli_answer *answer) {
    struct cli_out *out = &session->out;
    size_t hits = shf_op_hit_count(answer->op, answer->index);
    if (answer->sequence >= 0) cli_out_format(out, "%s# query %lld\n", answer->sequence ? "\n" : "", answer->sequence);
    for (size_t i = 0; i < hits; i++) {
        shf_hit hit = hit_at(answer, i);
        char score[CLI_SCORE_TEXT_BYTES];
        struct cli_out payload;
        cli_score_text(hit.score, score);
        cli_out_string(out, "id=");
        if (hit.id.kind == SHF_ID_TEXT)
            cli_out_printable(out, hit.id.text.data, hit.id.text.size);
        else
            cli_out_format(out, "%" PRId64, hit.id.int_value);
        cli_out_format(out, " score=%s ", score);
        cli_out_init(&payload, -1);
        if (cli_payload_line(&hit, &payload))
            cli_out_printable(out, payload.data, payload.size);
        else
            cli_out_string(out, session->settings->null_repr);
        cli_out_char(out, '\n');
        cli_out_free(&payload);
    }
    cli_probed_text(session, answer, "# ");
}

void cli_probed_text(struct cli_session *session, const struct cli_answer *answer, const char *before) {
    shf_search_info info = info_of(answer);
    if (session->info.kind != SHF_KIND_VECTOR_ONLY) return;
    cli_out_format(&session->out, "%s%u of %u shards probed\n", before, info.num_shards_probed, info.num_dbs);
}

void cli_explain_text(struct cli_session *session, const struct cli_answer *answer) {
    const shf_open_info *open = &session->open_info;
    struct cli_out *out = &session->out;
    shf_search_info info = info_of(answer);
    shf_vector_info vectors;
    SHF_INIT(&vectors);
    cli_out_format(out, "plan: exact scan of %" PRIu64 " rows in %u of %u shards", info.rows_scanned,
                   info.num_shards_queried, session->info.num_dbs);
    if (shf_snapshot_vectors(session->snapshot, &vectors) == SHF_OK) {
        cli_out_format(out, ", %u dimensions, %s", vectors.dimension, vectors.metric);
    }
    if (session->info.kind == SHF_KIND_VECTOR_ONLY) cli_out_format(out, ", %u probed", info.num_shards_probed);
    cli_out_format(out,
                   "\ntime: _CURRENT %.3f ms, manifest %.3f ms, shards %.3f ms (%u opened, %" PRIu64
                   " bytes downloaded), search %.3f ms\n",
                   milliseconds(open->current_ns), milliseconds(open->manifest_ns), milliseconds(open->shards_ns),
                   open->shards_opened, open->downloaded_bytes, milliseconds(info.latency_ns));
}
