/* What the tests of CEL share: values and types as the fixtures write them, and expressions in one call. */
#ifndef SHF_TESTS_FORMATS_CEL_SUPPORT_H
#define SHF_TESTS_FORMATS_CEL_SUPPORT_H

#include "support.h"

#include "formats/cel/cel_route.h"

#define MOST_COLUMNS 8u

/* {"int": "-5"}, {"list": [...]} of the fixtures; lists stay until free_values. */
struct shf_cel_value value_from_json(const json_t *json);
void free_values(void);
bool value_is(const struct shf_cel_value *value, const json_t *json);

/* "int", "list<int>", "map<string,int>". */
struct shf_cel_column column_from_text(const char *name, const char *type);
/* {name: type} of the fixtures. */
size_t columns_from_json(const json_t *json, struct shf_cel_column columns[MOST_COLUMNS]);

/* The cases of a fixture: the shared one, or the part of it that the repository has. */
json_t *load_cases(const char *name, bool *is_whole);

/* ---- one expression over the columns k (int), u (uint), d (double), b (bool), s (string), y (bytes) ---- */

struct row {
    struct shf_cel_value columns[6];
};
/* 7, 7u, 0.5, true, "text", b"\x01\xff" */
struct row usual_row(void);
shf_status try_compile(const char *text, struct shf_cel **out, struct shf_error **error);
/* Evaluates in a scratch of its own; a text in *out is valid until the next call. */
shf_status try_evaluate(const char *text, const struct row *row, struct shf_cel_value *out, struct shf_error **error);

void expect_int(const char *text, int64_t wanted);
void expect_uint(const char *text, uint64_t wanted);
void expect_bool(const char *text, bool wanted);
void expect_text(const char *text, const char *wanted);
void expect_refused(const char *text, const char *message); /* when compiled */
void expect_failure(const char *text, const char *message); /* when evaluated */

#endif
