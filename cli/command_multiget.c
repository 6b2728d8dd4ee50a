/* multiget without --flat: all keys in one operation, one result object. */
#include "cli/commands.h"
#include "cli/columns.h"
#include "cli/key.h"
#include "cli/lines.h"
#include "cli/memory.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MULTIGET_KEYS 1048576u /* that one operation takes */

struct key_list {
    struct cli_key *keys;
    size_t count, capacity;
    const char *wrong; /* the key that an error is about */
};

static char *add_key(struct cli_session *session, struct key_list *list, const char *text, size_t size) {
    if (list->count == MULTIGET_KEYS) {
        return cli_format("more than %u keys: use --flat, which answers them as they come", MULTIGET_KEYS);
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->keys = cli_realloc_array(list->keys, list->capacity, sizeof *list->keys);
    }
    struct cli_key *key = &list->keys[list->count++];
    char *error = cli_key_parse(text, size, session->settings->options->key_format, session->info.key_encoding, key);
    if (error) list->wrong = key->typed;
    return error;
}

/* One key a line of standard input. */
static char *read_keys(struct cli_session *session, struct key_list *list) {
    struct cli_lines lines;
    char *error = NULL, *line;
    size_t size;
    bool more = true;
    cli_lines_init(&lines, STDIN_FILENO);
    while (more && !error && !cli_session_stopping(session)) {
        switch (cli_lines_next(&lines, &line, &size)) {
        case CLI_INPUT_READY: error = add_key(session, list, line, size); break;
        case CLI_INPUT_WAIT: cli_session_wait(session, STDIN_FILENO); break;
        case CLI_INPUT_END: more = false; break;
        case CLI_INPUT_FAILED:
            error = cli_format("reading standard input: %s", cli_errno_text(lines.error_number));
            break;
        case CLI_INPUT_TOO_LONG: error = cli_format("line %llu is longer than %u bytes", lines.number, CLI_LINE_BYTES);
        }
    }
    cli_lines_free(&lines);
    return error;
}

static char *collect(struct cli_session *session, struct key_list *list) {
    const struct cli_list *arguments = &session->settings->options->arguments;
    char *error = NULL;
    if (arguments->count == 1 && !strcmp(arguments->items[0], "-")) return read_keys(session, list);
    for (size_t i = 0; i < arguments->count && !error; i++) {
        error = add_key(session, list, arguments->items[i], strlen(arguments->items[i]));
    }
    return error;
}

static void print_json(struct cli_session *session, const struct key_list *list, const shf_op *op) {
    struct cli_json json;
    cli_json_init(&json, &session->out, session->settings->format == CLI_JSON);
    cli_json_begin(&json, '{');
    cli_json_member_string(&json, "op", "multiget");
    cli_json_name(&json, "results");
    cli_json_begin(&json, '[');
    for (size_t i = 0; i < list->count; i++) {
        shf_value value;
        SHF_INIT(&value);
        shf_op_value(op, i, &value);
        bool found = value.status == SHF_OK;
        cli_json_begin(&json, '{');
        cli_json_name(&json, "key");
        cli_key_json(&json, &list->keys[i]);
        cli_json_member_bool(&json, "found", found);
        if (found && !cli_value_showable(session->settings, value.data)) {
            cli_json_member_string(&json, "error", CLI_VALUE_NOT_UTF8);
            session->exit_code = CLI_EXIT_FAILED;
        } else if (found) {
            cli_json_name(&json, "value");
            cli_value_json(&json, session->settings, value.data);
        }
        cli_json_end(&json, '}');
    }
    cli_json_end(&json, ']');
    cli_json_end(&json, '}');
    cli_out_char(&session->out, '\n');
}

/* A value for people, or null, or why it can not be shown. */
static void plain_value(struct cli_session *session, const shf_value *value, struct cli_out *out) {
    if (value->status != SHF_OK) {
        cli_out_string(out, session->settings->null_repr);
    } else if (cli_value_showable(session->settings, value->data)) {
        cli_value_print(out, session->settings, value->data);
    } else {
        cli_out_string(out, "error: " CLI_VALUE_NOT_UTF8);
        session->exit_code = CLI_EXIT_FAILED;
    }
}

static void print_plain(struct cli_session *session, const struct key_list *list, const shf_op *op) {
    struct cli_table table;
    bool as_table = session->settings->format == CLI_TABLE;
    cli_table_init(&table);
    cli_table_column(&table, "KEY", false);
    cli_table_column(&table, "VALUE", false);
    for (size_t i = 0; i < list->count; i++) {
        const struct cli_key *key = &list->keys[i];
        struct cli_out text;
        shf_value value;
        SHF_INIT(&value);
        shf_op_value(op, i, &value);
        if (as_table) {
            cli_out_init(&text, -1);
            plain_value(session, &value, &text);
            cli_table_cell(&table, key->typed, key->typed_size);
            cli_table_cell(&table, text.data, text.size);
            cli_out_free(&text);
            continue;
        }
        cli_out_printable(&session->out, key->typed, key->typed_size);
        cli_out_char(&session->out, '=');
        plain_value(session, &value, &session->out);
        cli_out_char(&session->out, '\n');
    }
    if (as_table) cli_table_print(&table, session);
    cli_table_free(&table);
}

static void ask(struct cli_session *session, const struct key_list *list, const struct cli_context *context) {
    shf_key *keys = cli_alloc_array(list->count, sizeof *keys);
    shf_call call = cli_session_call(session, NULL);
    shf_op_id id = 0;
    shf_op *op = NULL;
    for (size_t i = 0; i < list->count; i++) keys[i] = list->keys[i].key;
    if (list->count) { /* nothing asked is nothing found */
        shf_status status = shf_multi_get(session->reader, keys, list->count, cli_context_get(context), &call, &id);
        op = cli_session_finish(session, status, id, NULL);
    }
    free(keys);
    if (list->count && !op) return;
    if (cli_wants_json(session))
        print_json(session, list, op);
    else
        print_plain(session, list, op);
    shf_op_release(op);
}

void cli_command_multiget(struct cli_session *session) {
    struct key_list list = {0};
    struct cli_context context;
    char *error = cli_context_parse(&session->settings->options->contexts, &context);
    if (!error && !cli_session_open(session, SHF_OPEN_LAZY)) goto done;
    if (!error) error = cli_columns_apply(session->snapshot, &context);
    if (!error) error = collect(session, &list);
    if (error)
        cli_session_error(session, list.wrong, error);
    else if (!cli_session_stopping(session))
        ask(session, &list, &context);
done:
    free(error);
    for (size_t i = 0; i < list.count; i++) cli_key_free(&list.keys[i]);
    free(list.keys);
    cli_context_free(&context);
}
