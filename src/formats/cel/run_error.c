/* The texts of failed evaluations. */
#include "formats/cel/evaluate.h"

static const char *const texts[] = {
    [SHF_CEL_FAILED_OVERFLOW] = "the result is out of range",
    [SHF_CEL_FAILED_DIVISION] = "division by zero",
    [SHF_CEL_FAILED_MODULO] = "modulo by zero",
    [SHF_CEL_FAILED_INDEX] = "the list has no such index",
    [SHF_CEL_FAILED_KEY] = "the map has no such key",
    [SHF_CEL_FAILED_REPEATED_KEY] = "a key of the map is repeated",
    [SHF_CEL_FAILED_KEY_TYPE] = "a key of a map must be an int, uint, bool or string",
    [SHF_CEL_FAILED_RANGE] = "the number is out of the range of the type",
    [SHF_CEL_FAILED_NUMBER] = "the text is no such number",
    [SHF_CEL_FAILED_BOOL] = "the text is neither true nor false",
    [SHF_CEL_FAILED_UTF8] = "the bytes are not valid UTF-8",
    [SHF_CEL_FAILED_HASH] = "shard_hash takes a uint of at most 9223372036854775807",
    [SHF_CEL_FAILED_PATTERN] = "the pattern is no valid regular expression of RE2",
    [SHF_CEL_FAILED_MATCH] = "the text or the pattern is too large to be matched",
    [SHF_CEL_FAILED_ITERATIONS] = "the macros go over more than 10000 items",
    [SHF_CEL_FAILED_STEPS] = "the evaluation takes too many steps",
    [SHF_CEL_FAILED_SIZE] = "the evaluation needs too much memory",
};

static const char *misfit_text(enum shf_cel_misfit misfit) {
    switch (misfit) {
    case SHF_CEL_MISFIT_RANGE: return "its value is out of the range of the type";
    case SHF_CEL_MISFIT_UTF8: return "its text is not valid UTF-8";
    default: return "its value is of another type";
    }
}

static shf_status column_error(const struct shf_cel *cel, const struct shf_cel_run *run, struct shf_error **error) {
    const struct shf_cel_column_copy *column = &cel->columns[run->place->slot];
    const struct shf_cel_value *value = &run->columns[run->place->slot];
    if (value->type == SHF_CEL_ABSENT) {
        return shf_error_set(
            error, SHF_E_ROUTING,
            "the routing context has no column \"%.64s\" (%s), which the expression reads at offset %u; give it",
            column->name, shf_cel_type_name(column->type), (unsigned)run->place->offset);
    }
    return shf_error_set(error, SHF_E_ROUTING,
                         "the routing context's column \"%.64s\" is no %s: %s; the expression reads it at offset %u",
                         column->name, shf_cel_type_name(column->type), misfit_text(value->as.misfit),
                         (unsigned)run->place->offset);
}

shf_status shf_cel_run_error(const struct shf_cel *cel, const struct shf_cel_run *run, struct shf_error **error) {
    char place[SHF_CEL_PLACE_BYTES];
    if (run->failure == SHF_CEL_FAILED_MEMORY) return shf_cel_no_memory(error);
    if (run->failure == SHF_CEL_FAILED_COLUMN) return column_error(cel, run, error);
    shf_cel_place(cel, run->place->offset, place);
    return shf_error_set(error, SHF_E_ROUTING, "the expression fails for this row at offset %u (%s): %s",
                         (unsigned)run->place->offset, place, texts[run->failure]);
}
