#include "cli/fields.h"

#include "cli/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool as_json(const struct cli_fields *f) {
    enum cli_format format = f->session->settings->format;
    return format == CLI_JSON || format == CLI_JSONL;
}

void cli_fields_begin(struct cli_fields *fields, struct cli_session *session) {
    *fields = (struct cli_fields){.session = session};
    cli_json_init(&fields->json, &session->out, session->settings->format == CLI_JSON);
    if (as_json(fields)) {
        cli_json_begin(&fields->json, '{');
        cli_json_member_string(&fields->json, "op", session->op);
        return;
    }
    cli_table_column(&fields->table, "FIELD", false);
    cli_table_column(&fields->table, "VALUE", false);
}

void cli_fields_end(struct cli_fields *fields) {
    if (as_json(fields)) {
        cli_json_end(&fields->json, '}');
        cli_out_char(fields->json.out, '\n');
    } else if (fields->session->settings->format == CLI_TABLE) {
        cli_table_print(&fields->table, fields->session);
    }
    cli_table_free(&fields->table);
}

/* A member for people. */
static void plain(struct cli_fields *f, const char *name, const char *text) {
    char full[96];
    snprintf(full, sizeof full, "%s%s", f->group, name);
    if (f->session->settings->format == CLI_TABLE) {
        cli_table_string(&f->table, full);
        cli_table_string(&f->table, text);
        return;
    }
    cli_out_format(&f->session->out, "%s=", full);
    cli_out_printable(&f->session->out, text, strlen(text));
    cli_out_char(&f->session->out, '\n');
}

void cli_fields_string(struct cli_fields *fields, const char *name, const char *text) {
    if (as_json(fields))
        cli_json_member_string(&fields->json, name, text);
    else
        plain(fields, name, text ? text : fields->session->settings->null_repr);
}

void cli_fields_u64(struct cli_fields *fields, const char *name, uint64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    if (as_json(fields))
        cli_json_member_u64(&fields->json, name, value);
    else
        plain(fields, name, text);
}

void cli_fields_double(struct cli_fields *fields, const char *name, double value) {
    char text[CLI_DOUBLE_TEXT_BYTES];
    cli_double_text(value, text);
    if (as_json(fields))
        cli_json_member_double(&fields->json, name, value);
    else
        plain(fields, name, text);
}

void cli_fields_bool(struct cli_fields *fields, const char *name, bool value) {
    if (as_json(fields))
        cli_json_member_bool(&fields->json, name, value);
    else
        plain(fields, name, value ? "true" : "false");
}

void cli_fields_json(struct cli_fields *fields, const char *name, const char *text) {
    if (!text) {
        cli_fields_string(fields, name, NULL);
    } else if (as_json(fields)) {
        cli_json_name(&fields->json, name);
        cli_json_raw(&fields->json, text, strlen(text));
    } else {
        plain(fields, name, text);
    }
}

void cli_fields_open(struct cli_fields *fields, const char *name) {
    snprintf(fields->group, sizeof fields->group, "%s.", name);
    if (!as_json(fields)) return;
    cli_json_name(&fields->json, name);
    cli_json_begin(&fields->json, '{');
}

void cli_fields_close(struct cli_fields *fields) {
    fields->group[0] = '\0';
    if (as_json(fields)) cli_json_end(&fields->json, '}');
}
