/* Page layouts of formats 2.1 and 2.2 as LanceDB writes them for texts and vectors; all others are refused by name. */
#include "formats/lance/column_priv.h"

#include <inttypes.h>

enum layout { MINI_BLOCK = 1, CONSTANT = 2, FULL_ZIP = 3 };
static const char *const layouts[] = {"nothing", "mini-block", "constant", "full-zip", "blob", "sparse"};

enum { LAYER_ALL_VALID = 1, LAYER_NULLABLE = 3 };
static shf_status bad(struct shf_error **error) { return shf_lance_page_bad(error, "its encoding is malformed"); }

static shf_status read_layers(struct shf_protobuf *message, const struct shf_protobuf_field *field, bool *is_nullable,
                              struct shf_error **error) {
    struct shf_protobuf_list list = {0};
    uint64_t layer, layers = 0;
    while (shf_protobuf_list_next(message, field, &list, &layer)) {
        if (++layers > 1 || (layer != LAYER_ALL_VALID && layer != LAYER_NULLABLE)) {
            return shf_lance_refuse_feature(error, "lists within the column");
        }
        *is_nullable = layer == LAYER_NULLABLE;
    }
    return message->is_bad || layers == 0 ? bad(error) : SHF_OK;
}

/* ---- mini-block ---- */

struct mini_block {
    struct shf_protobuf levels, values, dictionary;
    bool has_levels, has_dictionary, is_nullable, has_layers;
    uint64_t buffers, repetition_depth, items;
};

static shf_status read_mini_block(struct shf_protobuf message, struct mini_block *out, struct shf_lance_page *page,
                                  struct shf_error **error) {
    struct shf_protobuf_field field;
    shf_status status = SHF_OK;
    while (!status && shf_protobuf_next(&message, &field)) {
        switch (field.number) {
        case 1: return shf_lance_refuse_feature(error, "repetition levels (lists within the column)");
        case 2:
            out->has_levels = true;
            out->levels = shf_protobuf_message(&message, &field);
            break;
        case 3: out->values = shf_protobuf_message(&message, &field); break;
        case 4:
            out->has_dictionary = true;
            out->dictionary = shf_protobuf_message(&message, &field);
            break;
        case 5: page->item_count = shf_protobuf_number(&message, &field); break;
        case 6:
            out->has_layers = true;
            status = read_layers(&message, &field, &out->is_nullable, error);
            break;
        case 7: out->buffers = shf_protobuf_number(&message, &field); break;
        case 8: out->repetition_depth = shf_protobuf_number(&message, &field); break;
        case 9: out->items = shf_protobuf_number(&message, &field); break;
        case 10: page->has_large_chunks = shf_protobuf_number(&message, &field) != 0; break;
        default: break;
        }
    }
    if (status) return status;
    return message.is_bad || !out->has_layers ? bad(error) : SHF_OK;
}

static shf_status parse_mini_block(uint32_t dimension, struct shf_protobuf message, struct shf_lance_page *page,
                                   struct shf_error **error) {
    struct mini_block block = {0};
    page->shape = SHF_LANCE_MINI_BLOCK;
    shf_status status = read_mini_block(message, &block, page, error);
    if (status) return status;
    if (block.repetition_depth != 0)
        return shf_lance_refuse_feature(error, "repetition indices (lists within the column)");
    if (block.items != page->rows) return shf_lance_page_bad(error, "it has not as many values as rows");
    if (block.is_nullable != block.has_levels) return shf_lance_page_bad(error, "its levels do not fit its layers");
    if (block.buffers != 1) return shf_lance_refuse_feature(error, "chunks of several buffers");
    if (page->buffer_count < 2 + (uint32_t)block.has_dictionary)
        return shf_lance_page_bad(error, "a buffer is missing");
    if (block.has_levels) status = shf_lance_read_levels(block.levels, &page->levels, error);
    if (status) return status;
    if (dimension) {
        if (block.has_dictionary) return shf_lance_refuse_feature(error, "dictionaries of vectors");
        return shf_lance_read_vectors(block.values, dimension, error);
    }
    if (!block.has_dictionary) return shf_lance_read_texts(block.values, false, page, error);
    status = shf_lance_read_dictionary(block.dictionary, page, error);
    return status ? status : shf_lance_read_indices(block.values, error);
}

/* ---- full-zip ---- */

struct full_zip {
    struct shf_protobuf values;
    bool is_nullable, has_layers;
    uint64_t repetition_bits, level_bits, value_bits, offset_bits, items, visible_items;
};

static shf_status read_full_zip(struct shf_protobuf message, struct full_zip *out, struct shf_error **error) {
    struct shf_protobuf_field field;
    shf_status status = SHF_OK;
    while (!status && shf_protobuf_next(&message, &field)) {
        switch (field.number) {
        case 1: out->repetition_bits = shf_protobuf_number(&message, &field); break;
        case 2: out->level_bits = shf_protobuf_number(&message, &field); break;
        case 3: out->value_bits = shf_protobuf_number(&message, &field); break;
        case 4: out->offset_bits = shf_protobuf_number(&message, &field); break;
        case 5: out->items = shf_protobuf_number(&message, &field); break;
        case 6: out->visible_items = shf_protobuf_number(&message, &field); break;
        case 7: out->values = shf_protobuf_message(&message, &field); break;
        case 8:
            out->has_layers = true;
            status = read_layers(&message, &field, &out->is_nullable, error);
            break;
        default: break;
        }
    }
    if (status) return status;
    return message.is_bad || !out->has_layers ? bad(error) : SHF_OK;
}

static shf_status parse_full_zip(uint32_t dimension, struct shf_protobuf message, struct shf_lance_page *page,
                                 struct shf_error **error) {
    struct full_zip zip = {0};
    page->shape = SHF_LANCE_FULL_ZIP;
    shf_status status = read_full_zip(message, &zip, error);
    if (status) return status;
    if (zip.repetition_bits != 0) return shf_lance_refuse_feature(error, "repetition levels (lists within the column)");
    if (zip.items != page->rows || zip.visible_items != page->rows) {
        return shf_lance_page_bad(error, "it has not as many values as rows");
    }
    if (zip.level_bits != zip.is_nullable) return shf_lance_page_bad(error, "its levels do not fit its layers");
    if (zip.level_bits) page->levels.coding = SHF_LANCE_LEVELS_BYTE;
    if (dimension) {
        if (zip.value_bits != (uint64_t)dimension * 32 || zip.offset_bits != 0) {
            return shf_lance_page_bad(error, "its values have not the size of a vector");
        }
        uint64_t stride = (uint64_t)dimension * sizeof(float) + zip.level_bits;
        if (page->buffer_count < 1 || page->buffers[0].size != page->rows * stride) {
            return shf_lance_page_bad(error, "the size of its buffer is not that of its vectors");
        }
        return shf_lance_read_vectors(zip.values, dimension, error);
    }
    if (zip.offset_bits != 32 || zip.value_bits != 0) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "texts with lengths of %" PRIu64 " bits are not read",
                             zip.offset_bits);
    }
    if (page->buffer_count < 2) return shf_lance_page_bad(error, "a buffer is missing");
    return shf_lance_read_texts(zip.values, true, page, error);
}

/* ---- constant ---- */

static shf_status parse_constant(uint32_t dimension, struct shf_protobuf message, struct shf_lance_page *page,
                                 struct shf_error **error) {
    struct shf_protobuf_field field;
    bool is_nullable = false, has_layers = false;
    uint64_t levels = 0;
    shf_status status = SHF_OK;
    page->shape = SHF_LANCE_CONSTANT;
    if (dimension) return shf_lance_refuse_feature(error, "constant vectors");
    while (!status && shf_protobuf_next(&message, &field)) {
        switch (field.number) {
        case 5:
            has_layers = true;
            status = read_layers(&message, &field, &is_nullable, error);
            break;
        case 6: return shf_lance_refuse_feature(error, "inline constants of texts");
        case 7: return shf_lance_refuse_feature(error, "repetition levels (lists within the column)");
        case 8: status = shf_lance_read_levels(shf_protobuf_message(&message, &field), &page->levels, error); break;
        case 10: levels = shf_protobuf_number(&message, &field); break;
        default: break;
        }
    }
    if (status) return status;
    if (message.is_bad || !has_layers) return bad(error);
    page->has_value = page->buffer_count > 0;
    if (!page->has_value) return is_nullable ? SHF_OK : shf_lance_page_bad(error, "it has neither a value nor nulls");
    if (!is_nullable) {
        page->levels = (struct shf_lance_levels){0};
        return SHF_OK;
    }
    if (page->buffer_count != 3 || page->buffers[1].size != 0) {
        return shf_lance_page_bad(error, "its buffers are not a value and levels");
    }
    if (page->levels.coding == SHF_LANCE_NO_LEVELS) {
        page->levels.coding = SHF_LANCE_LEVELS_PLAIN;
    } else if (levels != page->rows) {
        return shf_lance_page_bad(error, "it has not as many levels as rows");
    }
    return SHF_OK;
}

shf_status shf_lance_encoding_2_1(uint32_t dimension, struct shf_protobuf message, struct shf_lance_page *page,
                                  struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body;
    shf_status status = shf_lance_choice(message, &kind, &body, error);
    if (status) return status;
    switch (kind) {
    case MINI_BLOCK: return parse_mini_block(dimension, body, page, error);
    case CONSTANT: return parse_constant(dimension, body, page, error);
    case FULL_ZIP: return parse_full_zip(dimension, body, page, error);
    default: return shf_lance_refuse_encoding(error, "of a page", layouts, sizeof layouts / sizeof layouts[0], kind);
    }
}
