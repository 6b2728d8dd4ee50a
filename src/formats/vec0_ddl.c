#include "formats/vec0_ddl.h"

#include "base/text.h"
#include "formats/sqlite_token.h"

#define DEFAULT_CHUNK_SLOTS 1024u
#define SHOWN_BYTES 64 /* of a foreign text in a message */

struct parser {
    const char *sql;
    struct shf_token token; /* the current one */
    struct shf_error **error;
    bool has_vector;
};

static void advance(struct parser *parser) { parser->token = shf_token_next_unbracketed(&parser->sql); }

static int shown(const struct shf_token *token) { return token->size < SHOWN_BYTES ? (int)token->size : SHOWN_BYTES; }

static shf_status malformed(struct parser *parser, const char *wanted) {
    return shf_error_set(parser->error, SHF_E_INDEX, "vec_index: at \"%.*s\" in its CREATE statement: %s expected",
                         shown(&parser->token), parser->token.text, wanted);
}

static shf_status unsupported(struct parser *parser, const struct shf_token *name, const char *what) {
    return shf_error_set(parser->error, SHF_E_UNSUPPORTED,
                         "vec_index: \"%.*s\" is %s; only one float32 column `embedding` with cosine or l2 is read",
                         shown(name), name->text, what);
}

static bool has_prefix(const struct shf_token *token, const char *prefix) {
    size_t i = 0;
    for (; prefix[i]; i++) {
        if (i >= token->size || shf_ascii_lower(token->text[i]) != prefix[i]) return false;
    }
    return token->kind == SHF_TOKEN_WORD;
}

/* Digits alone; 0 when it is none or above the maximum. */
static uint32_t number(const struct shf_token *token, uint32_t maximum) {
    uint32_t value = 0;
    if (token->kind != SHF_TOKEN_NUMBER) return 0;
    for (size_t i = 0; i < token->size; i++) {
        if (!shf_ascii_is_digit(token->text[i])) return 0;
        value = value * 10 + (uint32_t)(token->text[i] - '0');
        if (value > maximum) return 0;
    }
    return value;
}

static bool ends_argument(const struct parser *parser) {
    return parser->token.kind == SHF_TOKEN_END || shf_token_is(&parser->token, ',') || shf_token_is(&parser->token, ')');
}

static shf_status column_option(struct parser *parser, struct shf_vec0 *out) {
    if (!shf_token_is_word(&parser->token, "distance_metric")) return malformed(parser, "distance_metric");
    advance(parser);
    if (!shf_token_is(&parser->token, '=')) return malformed(parser, "\"=\"");
    advance(parser);
    if (shf_token_is_word(&parser->token, "l1"))
        return unsupported(parser, &parser->token, "a distance metric that is not read");
    if (shf_token_is_word(&parser->token, "cosine")) {
        out->metric = SHF_METRIC_COSINE;
    } else if (shf_token_is_word(&parser->token, "l2")) {
        out->metric = SHF_METRIC_L2;
    } else {
        return malformed(parser, "a distance metric");
    }
    advance(parser);
    return SHF_OK;
}

/* From the type of a column on. */
static shf_status vector_column(struct parser *parser, const struct shf_token *name, struct shf_vec0 *out) {
    struct shf_token type = parser->token;
    advance(parser);
    if (!shf_token_is(&parser->token, '[')) return unsupported(parser, name, "a metadata, partition or key column");
    if (has_prefix(&type, "int8") || has_prefix(&type, "i8"))
        return unsupported(parser, &type, "a column of int8 vectors");
    if (has_prefix(&type, "bit")) return unsupported(parser, &type, "a column of bit vectors");
    if (!has_prefix(&type, "float") && !has_prefix(&type, "f32"))
        return unsupported(parser, &type, "an unknown vector type");
    if (parser->has_vector || !shf_token_is_name(name, "embedding"))
        return unsupported(parser, name, "another vector column");
    parser->has_vector = true;
    advance(parser);
    out->dimension = number(&parser->token, SHF_LIMIT_DIMENSION);
    if (out->dimension == 0) return malformed(parser, "a dimension of 1 to 8192");
    advance(parser);
    if (!shf_token_is(&parser->token, ']')) return malformed(parser, "\"]\"");
    advance(parser);
    while (!ends_argument(parser)) {
        shf_status status = column_option(parser, out);
        if (status) return status;
    }
    return SHF_OK;
}

static shf_status table_option(struct parser *parser, const struct shf_token *name, struct shf_vec0 *out) {
    if (!shf_token_is_word(name, "chunk_size")) return unsupported(parser, name, "a table option that is not known");
    advance(parser);
    out->chunk_slots = number(&parser->token, SHF_LIMIT_CHUNK_SLOTS);
    if (out->chunk_slots == 0 || out->chunk_slots % 8 != 0)
        return malformed(parser, "a chunk size of 8 to 4096, divisible by 8");
    advance(parser);
    return ends_argument(parser) ? SHF_OK : malformed(parser, "\",\" or \")\"");
}

static shf_status argument(struct parser *parser, struct shf_vec0 *out) {
    struct shf_token name = parser->token;
    if (shf_token_is(&name, '+')) {
        advance(parser);
        return unsupported(parser, &parser->token, "an auxiliary column");
    }
    if (name.kind != SHF_TOKEN_WORD && name.kind != SHF_TOKEN_QUOTED) return malformed(parser, "a name");
    advance(parser);
    if (shf_token_is(&parser->token, '=')) return table_option(parser, &name, out);
    if (ends_argument(parser)) return malformed(parser, "a type");
    return vector_column(parser, &name, out);
}

shf_status shf_vec0_ddl_parse(const char *sql, struct shf_vec0 *out, struct shf_error **error) {
    struct parser parser = {.sql = sql, .error = error};
    do {
        advance(&parser);
        if (parser.token.kind == SHF_TOKEN_END) return malformed(&parser, "USING vec0(...)");
    } while (!shf_token_is_word(&parser.token, "USING"));
    advance(&parser);
    if (!shf_token_is_name(&parser.token, "vec0")) return malformed(&parser, "vec0");
    advance(&parser);
    if (!shf_token_is(&parser.token, '(')) return malformed(&parser, "\"(\"");
    out->chunk_slots = DEFAULT_CHUNK_SLOTS;
    out->metric = SHF_METRIC_L2; /* sqlite-vec's default */
    do {
        advance(&parser);
        shf_status status = argument(&parser, out);
        if (status) return status;
    } while (shf_token_is(&parser.token, ','));
    if (!shf_token_is(&parser.token, ')')) return malformed(&parser, "\")\"");
    if (!parser.has_vector) return malformed(&parser, "a column of vectors before it");
    return SHF_OK;
}
