/* A result that is one object, in every output format: JSON, `name=value` lines, or a table of two columns. */
#ifndef CLI_FIELDS_H
#define CLI_FIELDS_H

#include "cli/json.h"
#include "cli/table.h"

struct cli_fields {
    struct cli_session *session;
    struct cli_json json;
    struct cli_table table;
    char group[32]; /* "vector_meta." within that member, else "" */
};

void cli_fields_begin(struct cli_fields *fields, struct cli_session *session); /* writes the member "op" */
void cli_fields_end(struct cli_fields *fields);

void cli_fields_string(struct cli_fields *fields, const char *name, const char *text); /* NULL = null */
void cli_fields_u64(struct cli_fields *fields, const char *name, uint64_t value);
void cli_fields_double(struct cli_fields *fields, const char *name, double value);
void cli_fields_bool(struct cli_fields *fields, const char *name, bool value);
void cli_fields_json(struct cli_fields *fields, const char *name, const char *text); /* clean JSON, or NULL = null */
void cli_fields_open(struct cli_fields *fields, const char *name); /* an object as a member, one level deep */
void cli_fields_close(struct cli_fields *fields);

#endif
