/* Evaluation: functions, and texts put together. */
#include "formats/cel/evaluate.h"
#include "formats/cel/regex_priv.h"

#include "base/cursor.h"
#include "base/hash.h"

#include <string.h>

/* Code points of a string; bytes, items and entries of others. */
static uint64_t size_of(const struct shf_cel_value *value) {
    if (value->type == SHF_CEL_LIST || value->type == SHF_CEL_MAP) return value->as.list->count;
    if (value->type == SHF_CEL_BYTES) return value->as.text.size;
    const uint8_t *p = value->as.text.data;
    uint64_t count = 0;
    for (size_t i = 0; i < value->as.text.size; i++) count += (p[i] & 0xc0) != 0x80;
    return count;
}

static bool contains(enum shf_cel_op op, shf_slice text, shf_slice part) {
    if (part.size == 0) return true;
    if (part.size > text.size) return false;
    const uint8_t *data = text.data;
    switch (op) {
    case SHF_CEL_OP_STARTS_WITH: return memcmp(data, part.data, part.size) == 0;
    case SHF_CEL_OP_ENDS_WITH: return memcmp(data + text.size - part.size, part.data, part.size) == 0;
    default: return memmem(data, text.size, part.data, part.size) != NULL;
    }
}

/* The canonical bytes: an integer as 8 of them, little-endian. A uint has those of an int, and is one only in its range. */
static bool run_hash(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_value *value,
                     struct shf_cel_value *out) {
    uint8_t integer[8];
    shf_slice bytes = {integer, sizeof integer};
    if (node->operand == SHF_CEL_UINT && value->as.uinteger > INT64_MAX)
        return shf_cel_fail(run, node, SHF_CEL_FAILED_HASH);
    if (node->operand == SHF_CEL_INT || node->operand == SHF_CEL_UINT) {
        shf_store_u64le(integer, value->as.uinteger);
    } else {
        bytes = value->as.text;
    }
    out->type = SHF_CEL_UINT;
    out->as.uinteger = shf_hash64(shf_cel_bytes(bytes), bytes.size);
    return shf_cel_charge(run, node, bytes.size / SHF_CEL_BYTES_A_STEP);
}

#define STEPS_A_BYTE 64u /* matching looks at all states that are alive */

static bool run_matches(struct shf_cel_run *run, const struct shf_cel_node *node, shf_slice subject,
                        struct shf_cel_value *out) {
    if (!node->pattern) return shf_cel_fail(run, node, SHF_CEL_FAILED_PATTERN);
    if (subject.size > SHF_LIMIT_CEL_SUBJECT_BYTES) return shf_cel_fail(run, node, SHF_CEL_FAILED_MATCH);
    if (!shf_cel_charge(run, node, (subject.size + 1) * STEPS_A_BYTE)) return false;
    enum shf_cel_match_outcome outcome = shf_cel_match(node->pattern, subject, &run->scratch->match);
    if (outcome == SHF_CEL_MATCH_NO_MEMORY) return shf_cel_fail(run, node, SHF_CEL_FAILED_MEMORY);
    if (outcome == SHF_CEL_MATCH_TOO_COMPLEX) return shf_cel_fail(run, node, SHF_CEL_FAILED_MATCH);
    out->type = SHF_CEL_BOOL;
    out->as.boolean = outcome == SHF_CEL_MATCH;
    return true;
}

bool shf_cel_run_function(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value first, second;
    if (!shf_cel_run_node(run, node->children[0], &first)) return false;
    if (node->op == SHF_CEL_OP_SHARD_HASH) return run_hash(run, node, &first, out);
    if (node->op == SHF_CEL_OP_MATCHES) return run_matches(run, node, first.as.text, out);
    if (node->op == SHF_CEL_OP_SIZE) {
        out->type = SHF_CEL_INT;
        out->as.uinteger = size_of(&first);
        return shf_cel_charge(run, node, first.type == SHF_CEL_STRING ? first.as.text.size / SHF_CEL_BYTES_A_STEP : 0);
    }
    if (!shf_cel_run_node(run, node->children[1], &second)) return false;
    out->type = SHF_CEL_BOOL;
    out->as.boolean = contains(node->op, first.as.text, second.as.text);
    return shf_cel_charge(run, node, first.as.text.size / SHF_CEL_BYTES_A_STEP);
}

#define FEW_PARTS 8u

bool shf_cel_run_concatenation(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value few[FEW_PARTS], *parts = few;
    size_t size = 0, at = 0;
    if (node->count > FEW_PARTS && !(parts = shf_cel_run_alloc(run, node, node->count, sizeof *parts))) return false;
    for (uint32_t i = 0; i < node->count; i++) {
        if (!shf_cel_run_node(run, node->children[i], &parts[i])) return false;
        size += parts[i].as.text.size; /* each is in memory, and there are at most SHF_LIMIT_CEL_DEPTH */
    }
    if (!shf_cel_charge(run, node, size / SHF_CEL_BYTES_A_STEP)) return false;
    uint8_t *text = shf_cel_run_alloc(run, node, size, 1);
    if (!text) return false;
    for (uint32_t i = 0; i < node->count; i++) {
        if (parts[i].as.text.size) memcpy(text + at, parts[i].as.text.data, parts[i].as.text.size);
        at += parts[i].as.text.size;
    }
    out->type = node->operand;
    out->as.text = (shf_slice){text, size};
    return true;
}
