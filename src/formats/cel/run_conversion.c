/* Evaluation: conversions between types. */
#include "formats/cel/evaluate.h"
#include "formats/cel/numbers.h"

#include "base/text.h"

#include <string.h>

#define TWO_TO_63 9223372036854775808.0
#define TWO_TO_64 18446744073709551616.0

static bool to_int(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_value *value,
                   int64_t *out) {
    bool is_good;
    switch (node->operand) {
    case SHF_CEL_UINT:
        is_good = value->as.uinteger <= INT64_MAX;
        if (is_good) *out = (int64_t)value->as.uinteger;
        break;
    case SHF_CEL_DOUBLE: /* both bounds are excluded, as in the reference */
        is_good = value->as.real > -TWO_TO_63 && value->as.real < TWO_TO_63;
        if (is_good) *out = (int64_t)value->as.real;
        break;
    default:
        if (shf_cel_text_to_int(shf_cel_bytes(value->as.text), value->as.text.size, out)) return true;
        return shf_cel_fail(run, node, SHF_CEL_FAILED_NUMBER);
    }
    return is_good || shf_cel_fail(run, node, SHF_CEL_FAILED_RANGE);
}

static bool to_uint(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_value *value,
                    uint64_t *out) {
    bool is_good;
    switch (node->operand) {
    case SHF_CEL_INT:
        is_good = value->as.integer >= 0;
        if (is_good) *out = (uint64_t)value->as.integer;
        break;
    case SHF_CEL_DOUBLE:
        is_good = value->as.real >= 0 && value->as.real < TWO_TO_64;
        if (is_good) *out = (uint64_t)value->as.real;
        break;
    default:
        if (shf_cel_text_to_uint(shf_cel_bytes(value->as.text), value->as.text.size, out)) return true;
        return shf_cel_fail(run, node, SHF_CEL_FAILED_NUMBER);
    }
    return is_good || shf_cel_fail(run, node, SHF_CEL_FAILED_RANGE);
}

static bool to_double(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_value *value,
                      double *out) {
    if (node->operand == SHF_CEL_INT) {
        *out = (double)value->as.integer;
    } else if (node->operand == SHF_CEL_UINT) {
        *out = (double)value->as.uinteger;
    } else if (!shf_cel_text_to_double(shf_cel_bytes(value->as.text), value->as.text.size, out)) {
        return shf_cel_fail(run, node, SHF_CEL_FAILED_NUMBER);
    }
    return true;
}

static bool to_bool(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_value *value,
                    bool *out) {
    static const char *const texts[] = {"true", "True", "TRUE", "t", "1", "false", "False", "FALSE", "f", "0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!shf_cel_slice_is((shf_slice){shf_cel_bytes(value->as.text), value->as.text.size}, texts[i])) continue;
        *out = i < 5;
        return true;
    }
    return shf_cel_fail(run, node, SHF_CEL_FAILED_BOOL);
}

static bool to_string(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_value *value,
                      shf_slice *out) {
    if (node->operand == SHF_CEL_BYTES) {
        *out = value->as.text;
        if (!shf_utf8_valid(shf_cel_bytes(*out), out->size)) return shf_cel_fail(run, node, SHF_CEL_FAILED_UTF8);
        return shf_cel_charge(run, node, out->size / SHF_CEL_BYTES_A_STEP);
    }
    if (node->operand == SHF_CEL_BOOL) {
        *out = (shf_slice){value->as.boolean ? "true" : "false", value->as.boolean ? 4 : 5};
        return true;
    }
    char *text = shf_cel_run_alloc(run, node, SHF_CEL_NUMBER_BYTES, 1);
    if (!text) return false;
    out->data = text;
    out->size = node->operand == SHF_CEL_INT    ? shf_cel_int_to_text(value->as.integer, text)
                : node->operand == SHF_CEL_UINT ? shf_cel_uint_to_text(value->as.uinteger, text)
                                                : shf_cel_double_to_text(value->as.real, text);
    return true;
}

bool shf_cel_run_conversion(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value value;
    if (!shf_cel_run_node(run, node->children[0], &value)) return false;
    switch (node->op) {
    case SHF_CEL_OP_TO_INT: out->type = SHF_CEL_INT; return to_int(run, node, &value, &out->as.integer);
    case SHF_CEL_OP_TO_UINT: out->type = SHF_CEL_UINT; return to_uint(run, node, &value, &out->as.uinteger);
    case SHF_CEL_OP_TO_DOUBLE: out->type = SHF_CEL_DOUBLE; return to_double(run, node, &value, &out->as.real);
    case SHF_CEL_OP_TO_STRING: out->type = SHF_CEL_STRING; return to_string(run, node, &value, &out->as.text);
    case SHF_CEL_OP_TO_BYTES:
        out->type = SHF_CEL_BYTES;
        out->as.text = value.as.text;
        return true;
    default: out->type = SHF_CEL_BOOL; return to_bool(run, node, &value, &out->as.boolean);
    }
}
