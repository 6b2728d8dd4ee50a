#include "cli/commands.h"
#include "cli/number.h"
#include "cli/table.h"

#include <string.h>

#define DEFAULT_LIMIT 10u

static void print_json(struct cli_session *session, const shf_op *op) {
    struct cli_json json;
    cli_json_init(&json, &session->out, session->settings->format == CLI_JSON);
    cli_json_begin(&json, '{');
    cli_json_member_string(&json, "op", "history");
    cli_json_name(&json, "manifests");
    cli_json_begin(&json, '[');
    for (size_t i = 0; i < shf_op_manifest_count(op); i++) {
        shf_manifest_entry entry;
        char time[CLI_TIME_TEXT_BYTES];
        SHF_INIT(&entry);
        shf_op_manifest(op, i, &entry);
        cli_time_text(entry.published_at_us, time);
        cli_json_begin(&json, '{');
        cli_json_member_u64(&json, "offset", entry.offset);
        cli_json_member_string(&json, "run_id", entry.run_id);
        cli_json_member_string(&json, "published_at", time);
        cli_json_member_string(&json, "ref", entry.ref);
        cli_json_end(&json, '}');
    }
    cli_json_end(&json, ']');
    cli_json_end(&json, '}');
    cli_out_char(&session->out, '\n');
}

static void print_plain(struct cli_session *session, const shf_op *op) {
    struct cli_table table;
    struct cli_out *out = &session->out;
    cli_table_init(&table);
    cli_table_column(&table, "OFFSET", true);
    cli_table_column(&table, "RUN", false);
    cli_table_column(&table, "PUBLISHED", false);
    cli_table_column(&table, "REF", false);
    for (size_t i = 0; i < shf_op_manifest_count(op); i++) {
        shf_manifest_entry entry;
        char time[CLI_TIME_TEXT_BYTES];
        SHF_INIT(&entry);
        shf_op_manifest(op, i, &entry);
        cli_time_text(entry.published_at_us, time);
        if (session->settings->format == CLI_TABLE) {
            cli_table_u64(&table, entry.offset);
            cli_table_string(&table, entry.run_id);
            cli_table_string(&table, time);
            cli_table_string(&table, entry.ref);
            continue;
        }
        cli_out_format(out, "offset=%u run_id=", entry.offset);
        cli_out_printable(out, entry.run_id, strlen(entry.run_id));
        cli_out_format(out, " published_at=%s ref=", time);
        cli_out_printable(out, entry.ref, strlen(entry.ref));
        cli_out_char(out, '\n');
    }
    if (session->settings->format == CLI_TABLE) cli_table_print(&table, session);
    cli_table_free(&table);
}

void cli_command_history(struct cli_session *session) {
    const struct cli_settings *s = session->settings;
    shf_call call = cli_session_call(session, NULL);
    uint32_t limit = s->options->limit ? s->options->limit : DEFAULT_LIMIT;
    shf_op_id id = 0;
    shf_status submitted = shf_history(session->runtime, &s->reader, limit, &call, &id);
    shf_op *op = cli_session_finish(session, submitted, id, NULL);
    if (!op) return;
    if (cli_wants_json(session))
        print_json(session, op);
    else
        print_plain(session, op);
    shf_op_release(op);
}
