/* multiget --flat: one answer a line, as the keys come, in bounded memory. */
#include "cli/commands.h"
#include "cli/columns.h"
#include "cli/key.h"
#include "cli/memory.h"
#include "cli/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct flat {
    struct cli_session *session;
    struct cli_context context;
    struct cli_lines lines;
    bool from_stdin;
    size_t next_argument;
};

static enum cli_input next_key(void *context, void *item, char **error) {
    struct flat *f = context;
    const struct cli_options *o = f->session->settings->options;
    const char *encoding = f->session->info.key_encoding;
    char *line;
    size_t size;
    if (!f->from_stdin) {
        if (f->next_argument == o->arguments.count) return CLI_INPUT_END;
        const char *typed = o->arguments.items[f->next_argument++];
        *error = cli_key_parse(typed, strlen(typed), o->key_format, encoding, item);
        return CLI_INPUT_READY;
    }
    enum cli_input input = cli_lines_next(&f->lines, &line, &size);
    if (input == CLI_INPUT_READY) {
        *error = cli_key_parse(line, size, o->key_format, encoding, item);
    } else if (input == CLI_INPUT_TOO_LONG) {
        *error = cli_format("line %llu is longer than %u bytes", f->lines.number, CLI_LINE_BYTES);
        return CLI_INPUT_READY;
    } else if (input == CLI_INPUT_FAILED) {
        char *message = cli_format("reading standard input: %s", cli_errno_text(f->lines.error_number));
        cli_session_error(f->session, NULL, message);
        free(message);
    }
    return input;
}

static shf_status submit_keys(void *context, void *const *items, size_t count, const shf_call *call, shf_op_id *id) {
    struct flat *f = context;
    shf_key keys[CLI_PIPELINE_GROUP_SIZE];
    for (size_t i = 0; i < count; i++) keys[i] = ((const struct cli_key *)items[i])->key;
    return shf_multi_get(f->session->reader, keys, count, cli_context_get(&f->context), call, id);
}

static void print_line(struct flat *f, const struct cli_key *key, const shf_value *value, const char *error) {
    const struct cli_settings *s = f->session->settings;
    struct cli_json json;
    cli_json_init(&json, &f->session->out, false);
    cli_json_begin(&json, '{');
    if (error) {
        cli_json_member_string(&json, "op", "multiget");
        cli_json_member_string(&json, "error", error);
    }
    cli_json_name(&json, "key");
    if (key->typed)
        cli_key_json(&json, key);
    else
        cli_json_null(&json);
    if (!error) {
        bool found = value->status == SHF_OK;
        cli_json_member_bool(&json, "found", found);
        cli_json_name(&json, "value");
        if (found)
            cli_value_json(&json, s, value->data);
        else
            cli_json_null(&json);
    }
    cli_json_end(&json, '}');
}

static void print_text(struct flat *f, const struct cli_key *key, const shf_value *value, const char *error) {
    const struct cli_settings *s = f->session->settings;
    struct cli_out *out = &f->session->out;
    cli_out_printable(out, key->typed ? key->typed : "", key->typed_size);
    cli_out_char(out, '=');
    if (error) {
        cli_out_string(out, "error: ");
        cli_out_printable(out, error, strlen(error));
    } else if (value->status == SHF_OK) {
        cli_value_print(out, s, value->data);
    } else {
        cli_out_string(out, s->null_repr);
    }
}

static void print_key(void *context, const void *item, const shf_op *op, size_t index, const char *error) {
    struct flat *f = context;
    shf_value value;
    SHF_INIT(&value);
    if (!error) {
        shf_op_value(op, index, &value);
        if (value.status == SHF_OK && !cli_value_showable(f->session->settings, value.data)) error = CLI_VALUE_NOT_UTF8;
    }
    if (error) f->session->exit_code = CLI_EXIT_FAILED;
    if (cli_wants_json(f->session))
        print_line(f, item, &value, error);
    else
        print_text(f, item, &value, error);
    cli_out_char(&f->session->out, '\n');
}

static void free_key(void *item) { cli_key_free(item); }

void cli_command_flat(struct cli_session *session) {
    const struct cli_options *o = session->settings->options;
    struct flat f = {.session = session};
    char *error = cli_context_parse(&o->contexts, &f.context);
    f.from_stdin = o->arguments.count == 1 && !strcmp(o->arguments.items[0], "-");
    cli_lines_init(&f.lines, STDIN_FILENO);
    struct cli_pipeline_type type = {sizeof(struct cli_key),
                                     CLI_PIPELINE_GROUP_SIZE,
                                     f.from_stdin ? STDIN_FILENO : -1,
                                     next_key,
                                     submit_keys,
                                     print_key,
                                     free_key};
    if (!error && !cli_session_open(session, SHF_OPEN_LAZY)) goto done;
    if (!error) error = cli_columns_apply(session->snapshot, &f.context);
    if (error)
        cli_session_error(session, NULL, error);
    else
        cli_pipeline_run(session, &type, &f);
done:
    free(error);
    cli_lines_free(&f.lines);
    cli_context_free(&f.context);
}
