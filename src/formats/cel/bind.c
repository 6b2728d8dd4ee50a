/* Host values as values of columns. What does not fit is an error only when the expression reads it. */
#include "formats/cel/cel.h"

#include "base/text.h"

#include <string.h>

static void set_misfit(struct shf_cel_value *out, enum shf_cel_misfit misfit) {
    out->type = SHF_CEL_MISFIT;
    out->as.misfit = misfit;
}

static void bind_signed(enum shf_cel_type type, int64_t value, struct shf_cel_value *out) {
    if (type == SHF_CEL_UINT && value < 0) {
        set_misfit(out, SHF_CEL_MISFIT_RANGE);
        return;
    }
    out->type = type;
    if (type == SHF_CEL_INT) {
        out->as.integer = value;
    } else if (type == SHF_CEL_UINT) {
        out->as.uinteger = (uint64_t)value;
    } else if (type == SHF_CEL_DOUBLE) {
        out->as.real = (double)value;
    } else {
        set_misfit(out, SHF_CEL_MISFIT_KIND);
    }
}

static void bind_unsigned(enum shf_cel_type type, uint64_t value, struct shf_cel_value *out) {
    if (value <= INT64_MAX) {
        bind_signed(type, (int64_t)value, out);
        return;
    }
    out->type = type;
    if (type == SHF_CEL_UINT) {
        out->as.uinteger = value;
    } else if (type == SHF_CEL_DOUBLE) {
        out->as.real = (double)value;
    } else {
        set_misfit(out, type == SHF_CEL_INT ? SHF_CEL_MISFIT_RANGE : SHF_CEL_MISFIT_KIND);
    }
}

/* True when something behind a NUL was left out. */
static bool bind_text(enum shf_cel_type type, bool is_text, shf_slice text, struct shf_cel_value *out) {
    if ((type != SHF_CEL_STRING && type != SHF_CEL_BYTES) || (type == SHF_CEL_BYTES && is_text) ||
        (text.size && !text.data)) {
        set_misfit(out, SHF_CEL_MISFIT_KIND);
        return false;
    }
    const char *data = text.size ? text.data : "", *nul = memchr(data, '\0', text.size);
    size_t size = nul ? (size_t)(nul - data) : text.size;
    if (type == SHF_CEL_STRING && !shf_utf8_valid(data, size)) {
        set_misfit(out, SHF_CEL_MISFIT_UTF8);
        return false;
    }
    out->type = type;
    out->as.text = (shf_slice){data, size};
    return nul != NULL;
}

bool shf_cel_bind(enum shf_cel_type type, const shf_context_value *value, struct shf_cel_value *out) {
    switch (value->kind) {
    case SHF_CONTEXT_INT: bind_signed(type, value->as.int_value, out); return false;
    case SHF_CONTEXT_UINT: bind_unsigned(type, value->as.uint_value, out); return false;
    case SHF_CONTEXT_BOOL:
        if (type != SHF_CEL_BOOL) {
            bind_signed(type, value->as.int_value != 0, out);
        } else {
            out->type = SHF_CEL_BOOL;
            out->as.boolean = value->as.int_value != 0;
        }
        return false;
    case SHF_CONTEXT_TEXT:
    case SHF_CONTEXT_BYTES: return bind_text(type, value->kind == SHF_CONTEXT_TEXT, value->as.bytes, out);
    default:
        set_misfit(out, SHF_CEL_MISFIT_KIND);
        if (value->kind != SHF_CONTEXT_DOUBLE || type != SHF_CEL_DOUBLE) return false;
        out->type = SHF_CEL_DOUBLE;
        out->as.real = value->as.double_value;
        return false;
    }
}

bool shf_cel_bind_key(enum shf_cel_type type, const shf_key *key, struct shf_cel_value *out) {
    switch (key->kind) {
    case SHF_KEY_INT: bind_signed(type, key->as.int_value, out); return false;
    case SHF_KEY_UINT: bind_unsigned(type, key->as.uint_value, out); return false;
    case SHF_KEY_TEXT:
    case SHF_KEY_BYTES: return bind_text(type, key->kind == SHF_KEY_TEXT, key->as.bytes, out);
    default: set_misfit(out, SHF_CEL_MISFIT_KIND); return false;
    }
}

bool shf_cel_bind_context(const struct shf_cel *cel, const shf_routing_context *context, struct shf_cel_value *columns) {
    bool is_cut = false;
    for (size_t i = 0; i < shf_cel_column_count(cel); i++) {
        columns[i].type = SHF_CEL_ABSENT;
        for (uint32_t j = context->count; j > 0; j--) {
            const shf_context_value *value = &context->values[j - 1];
            if (!value->name || strcmp(value->name, shf_cel_column_name(cel, i)) != 0) continue;
            is_cut = shf_cel_bind(shf_cel_column_type(cel, i), value, &columns[i]) || is_cut;
            break;
        }
    }
    return is_cut;
}
