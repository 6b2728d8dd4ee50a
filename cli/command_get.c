#include "cli/commands.h"
#include "cli/columns.h"
#include "cli/key.h"
#include "cli/memory.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

static void print_json(struct cli_session *session, const struct cli_key *key, const shf_value *value) {
    struct cli_json json;
    bool found = value->status == SHF_OK;
    cli_json_init(&json, &session->out, session->settings->format == CLI_JSON);
    cli_json_begin(&json, '{');
    cli_json_member_string(&json, "op", "get");
    cli_json_name(&json, "key");
    cli_key_json(&json, key);
    cli_json_member_bool(&json, "found", found);
    cli_json_name(&json, "value");
    if (found)
        cli_value_json(&json, session->settings, value->data);
    else
        cli_json_string(&json, session->settings->null_repr);
    cli_json_end(&json, '}');
    cli_out_char(&session->out, '\n');
}

static void print_table(struct cli_session *session, const struct cli_key *key, const shf_value *value) {
    struct cli_table table;
    struct cli_out text;
    cli_out_init(&text, -1);
    if (value->status == SHF_OK)
        cli_value_print(&text, session->settings, value->data);
    else
        cli_out_string(&text, session->settings->null_repr);
    cli_table_init(&table);
    cli_table_column(&table, "KEY", false);
    cli_table_column(&table, "VALUE", false);
    cli_table_cell(&table, key->typed, key->typed_size);
    cli_table_cell(&table, text.data, text.size);
    cli_table_print(&table, session);
    cli_table_free(&table);
    cli_out_free(&text);
}

static void print(struct cli_session *session, const struct cli_key *key, const shf_value *value) {
    const struct cli_settings *s = session->settings;
    struct cli_out *out = &session->out;
    bool found = value->status == SHF_OK;
    if (!found && s->options->strict) session->exit_code = CLI_EXIT_FAILED;
    if (s->options->raw) {
        if (found) cli_out_bytes(out, value->data.data, value->data.size);
    } else if (found && !cli_value_showable(s, value->data)) {
        cli_session_error(session, key->typed, CLI_VALUE_NOT_UTF8);
    } else if (cli_wants_json(session)) {
        print_json(session, key, value);
    } else if (s->format == CLI_TABLE) {
        print_table(session, key, value);
    } else {
        cli_out_printable(out, key->typed, key->typed_size);
        cli_out_char(out, '=');
        if (found)
            cli_value_print(out, s, value->data);
        else
            cli_out_string(out, s->null_repr);
        cli_out_char(out, '\n');
    }
}

void cli_command_get(struct cli_session *session) {
    const struct cli_options *o = session->settings->options;
    const char *typed = o->arguments.items[0];
    struct cli_key key = {0};
    struct cli_context context = {0};
    shf_call call = cli_session_call(session, NULL);
    shf_op_id id = 0;
    shf_value value;
    char *error = cli_context_parse(&o->contexts, &context);
    if (!error && !cli_session_open(session, SHF_OPEN_LAZY)) goto done;
    if (!error) error = cli_columns_apply(session->snapshot, &context);
    if (!error) error = cli_key_parse(typed, strlen(typed), o->key_format, session->info.key_encoding, &key);
    if (error) {
        cli_session_error(session, typed, error);
        goto done;
    }
    shf_status submitted = shf_get(session->reader, &key.key, cli_context_get(&context), &call, &id);
    shf_op *op = cli_session_finish(session, submitted, id, typed);
    if (!op) goto done;
    SHF_INIT(&value);
    shf_op_value(op, 0, &value);
    print(session, &key, &value);
    shf_op_release(op);
done:
    free(error);
    cli_key_free(&key);
    cli_context_free(&context);
}
