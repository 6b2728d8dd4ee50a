/*
 * A search as a table. Where every payload is a small flat object, its members become columns; else there is one
 * column with the JSON text.
 */
#include "cli/search_output.h"
#include "cli/table.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBER_COLUMNS 6u
#define COLUMN_NAME_BYTES 40u

struct columns {
    size_t count;
    char names[MEMBER_COLUMNS][COLUMN_NAME_BYTES];
    char headers[MEMBER_COLUMNS][COLUMN_NAME_BYTES];
};

static json_t *payload_of(const struct cli_answer *answer, size_t i) {
    struct cli_out text;
    shf_hit hit;
    json_error_t why;
    SHF_INIT(&hit);
    shf_op_hit(answer->op, answer->index, i, &hit);
    cli_out_init(&text, -1);
    bool present = cli_payload_line(&hit, &text);
    json_t *payload = present ? json_loadb(text.data, text.size, JSON_DECODE_ANY, &why) : NULL;
    cli_out_free(&text);
    return payload;
}

static bool add_column(struct columns *columns, const char *name) {
    for (size_t i = 0; i < columns->count; i++) {
        if (!strcmp(columns->names[i], name)) return true;
    }
    if (columns->count == MEMBER_COLUMNS || !*name || strlen(name) >= COLUMN_NAME_BYTES) return false;
    struct cli_out header;
    cli_out_init(&header, -1);
    cli_out_printable(&header, name, strlen(name));
    bool fits = header.size < COLUMN_NAME_BYTES;
    if (fits) {
        memcpy(columns->names[columns->count], name, strlen(name) + 1);
        memcpy(columns->headers[columns->count], header.data, header.size + 1);
        for (char *p = columns->headers[columns->count]; *p; p++) {
            if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 'a' + 'A');
        }
        columns->count++;
    }
    cli_out_free(&header);
    return fits;
}

/* False when the payloads do not make columns. */
static bool find_columns(const struct cli_answer *answer, struct columns *columns) {
    size_t hits = shf_op_hit_count(answer->op, answer->index);
    columns->count = 0;
    for (size_t i = 0; i < hits; i++) {
        json_t *payload = payload_of(answer, i), *value;
        const char *name;
        bool flat = json_is_object(payload);
        json_object_foreach(payload, name, value) {
            flat = flat && !json_is_object(value) && !json_is_array(value) && add_column(columns, name);
        }
        json_decref(payload);
        if (!flat) return false;
    }
    return columns->count > 0;
}

static void member_cell(struct cli_table *table, json_t *value) {
    if (json_is_string(value)) {
        cli_table_cell(table, json_string_value(value), json_string_length(value));
    } else if (!value || json_is_null(value)) {
        cli_table_string(table, "");
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        cli_table_string(table, text);
        free(text);
    }
}

static void payload_cells(struct cli_table *table, const struct cli_answer *answer, size_t i, const shf_hit *hit,
                          const struct columns *columns) {
    if (!columns->count) {
        struct cli_out text;
        cli_out_init(&text, -1);
        bool present = cli_payload_line(hit, &text);
        cli_table_cell(table, present ? text.data : "", present ? text.size : 0);
        cli_out_free(&text);
        return;
    }
    json_t *payload = payload_of(answer, i);
    for (size_t c = 0; c < columns->count; c++) member_cell(table, json_object_get(payload, columns->names[c]));
    json_decref(payload);
}

void cli_answer_table(struct cli_session *session, const struct cli_answer *answer) {
    struct cli_table table;
    struct columns columns;
    size_t hits = shf_op_hit_count(answer->op, answer->index);
    if (answer->sequence >= 0) {
        cli_out_format(&session->out, "%squery %lld\n", answer->sequence ? "\n" : "", answer->sequence);
    }
    if (!find_columns(answer, &columns)) columns.count = 0;
    cli_table_init(&table);
    table.fit = true;
    cli_table_column(&table, "ID", false);
    cli_table_column(&table, "SCORE", true);
    for (size_t c = 0; c < columns.count; c++) cli_table_column(&table, columns.headers[c], false);
    if (!columns.count) cli_table_column(&table, "PAYLOAD", false);
    for (size_t i = 0; i < hits; i++) {
        shf_hit hit;
        char score[CLI_SCORE_TEXT_BYTES], number[32];
        SHF_INIT(&hit);
        shf_op_hit(answer->op, answer->index, i, &hit);
        cli_score_text(hit.score, score);
        snprintf(number, sizeof number, "%" PRId64, hit.id.int_value);
        if (hit.id.kind == SHF_ID_TEXT)
            cli_table_cell(&table, hit.id.text.data, hit.id.text.size);
        else
            cli_table_string(&table, number);
        cli_table_string(&table, score);
        payload_cells(&table, answer, i, &hit, &columns);
    }
    cli_table_print(&table, session);
    cli_table_free(&table);
    cli_probed_text(session, answer, "");
}
