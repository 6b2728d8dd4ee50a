#include "cli/build/build_batch.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_BYTES (2u << 20) /* memory above that is given back after each batch */

void cli_batch_init(struct cli_batch *batch) {
    *batch = (struct cli_batch){.lines = cli_alloc_array(CLI_BATCH_LINES, sizeof *batch->lines),
                                .rows = cli_alloc_array(CLI_BATCH_LINES, sizeof *batch->rows),
                                .given = cli_alloc_array(CLI_BATCH_LINES, sizeof *batch->given)};
    cli_out_init(&batch->text, -1);
    cli_out_init(&batch->memory.text, -1);
}

void cli_batch_clear(struct cli_batch *batch) {
    for (size_t i = 0; i < batch->line_count; i++) free(batch->lines[i].error);
    if (batch->text.capacity > KEEP_BYTES) cli_out_free(&batch->text);
    if (batch->memory.text.capacity > KEEP_BYTES) cli_out_free(&batch->memory.text);
    if (batch->memory.float_capacity > KEEP_BYTES / sizeof(float)) {
        free(batch->memory.floats);
        batch->memory.floats = NULL;
        batch->memory.float_capacity = 0;
    }
    if (batch->memory.contexts.capacity > KEEP_BYTES / sizeof(shf_context_value)) {
        cli_context_memory_free(&batch->memory.contexts);
    }
    batch->text.size = batch->memory.text.size = batch->memory.float_count = batch->memory.contexts.count = 0;
    batch->line_count = batch->row_count = 0;
    batch->bytes = 0;
}

void cli_batch_free(struct cli_batch *batch) {
    cli_batch_clear(batch);
    cli_out_free(&batch->text);
    cli_row_memory_free(&batch->memory);
    free(batch->lines);
    free(batch->rows);
    free(batch->given);
    *batch = (struct cli_batch){0};
}

static bool is_blank(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
    }
    return true;
}

/* The vector of the line that was just read. */
static char *take_vector(struct cli_batch *batch, struct cli_feed *feed, struct cli_batch_line *line) {
    enum cli_vector state;
    line->vector = batch->memory.float_count;
    float *to = cli_row_memory_floats(&batch->memory, feed->vectors->npy.dimension);
    char *error = cli_vectors_next(feed->vectors, to, &state);
    if (error) return error;
    if (state == CLI_VECTOR_NOT_FINITE) {
        line->error = cli_format("its vector, number %llu of %s, has an element that is not a finite float32",
                                 (unsigned long long)feed->vectors->taken, feed->vectors->stream.name);
    }
    feed->stopped |= state == CLI_VECTOR_STOPPED;
    feed->vectors_ended |= state == CLI_VECTOR_END;
    return NULL;
}

static char *take_line(struct cli_batch *batch, struct cli_feed *feed) {
    enum cli_line state;
    struct cli_batch_line *line = &batch->lines[batch->line_count];
    *line = (struct cli_batch_line){.offset = batch->text.size};
    char *error = cli_source_next(feed->source, &batch->text, &state);
    if (error) return error;
    feed->ended = state == CLI_LINE_END;
    feed->stopped |= state == CLI_LINE_STOPPED;
    if (feed->ended || feed->stopped) return NULL;
    line->size = batch->text.size - line->offset;
    line->number = feed->source->lines;
    if (state == CLI_LINE_TOO_LONG) {
        line->error = cli_format("a line of more than %zu bytes; give more with --memory-budget", feed->source->longest);
    } else if (is_blank(batch->text.data + line->offset, line->size)) {
        batch->text.size = line->offset;
        return NULL;
    }
    feed->line_total++;
    cli_out_char(&batch->text, '\0'); /* ends the line for the parser */
    batch->line_count++;
    if (feed->vectors && !feed->vectors_ended) error = take_vector(batch, feed, line);
    if (error || feed->stopped || feed->vectors_ended) {
        free(line->error);
        batch->line_count--;
        batch->text.size = line->offset;
    }
    return error;
}

static uint64_t row_bytes(const shf_row *row) {
    uint64_t key = row->key.kind == SHF_KEY_INT ? 8 : row->key.as.bytes.size;
    return key + row->value.size + row->payload.size + (uint64_t)row->dimension * sizeof(float);
}

static void parse(struct cli_batch *batch, struct cli_feed *feed) {
    for (size_t i = 0; i < batch->line_count; i++) {
        struct cli_batch_line *line = &batch->lines[i];
        struct cli_row *row = &batch->rows[batch->row_count];
        if (!line->error) {
            line->error = cli_row_parse(batch->text.data + line->offset, line->size, &feed->rules, &batch->memory,
                                        line->vector, row);
        }
        if (line->error && feed->stop_at_error) break;
        if (line->error) continue;
        row->row.origin = line->number;
        batch->row_count++;
    }
    for (size_t i = 0; i < batch->row_count; i++) {
        cli_row_settle(&batch->rows[i], &batch->memory);
        batch->given[i] = batch->rows[i].row;
        batch->bytes += row_bytes(&batch->given[i]);
    }
}

char *cli_batch_fill(struct cli_batch *batch, struct cli_feed *feed) {
    while (!feed->ended && !feed->stopped && batch->line_count < CLI_BATCH_LINES &&
           batch->text.size + batch->memory.float_count * sizeof(float) < CLI_BATCH_BYTES) {
        char *error = take_line(batch, feed);
        if (error) return error;
    }
    if (!feed->stopped) parse(batch, feed);
    return NULL;
}

void cli_batch_drop(struct cli_batch *batch, size_t row) {
    batch->bytes -= row_bytes(&batch->given[row]);
    batch->row_count--;
    memmove(&batch->given[row], &batch->given[row + 1], (batch->row_count - row) * sizeof *batch->given);
}

bool cli_batch_is_large(const struct cli_batch *batch) { return batch->text.capacity > KEEP_BYTES; }
