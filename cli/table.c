#include "cli/table.h"

#include "cli/memory.h"
#include "cli/number.h"
#include "cli/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define GAP 2u          /* blanks between columns */
#define LEAST_WIDTH 20u /* that the last column keeps on a narrow terminal */

void cli_table_init(struct cli_table *table) { *table = (struct cli_table){0}; }

void cli_table_column(struct cli_table *table, const char *header, bool right) {
    assert(table->columns < CLI_TABLE_COLUMNS && !table->cell_count);
    table->headers[table->columns] = header;
    table->right[table->columns++] = right;
}

static struct cli_out *new_cell(struct cli_table *table) {
    if (table->cell_count == table->cell_capacity) {
        table->cell_capacity = table->cell_capacity ? table->cell_capacity * 2 : 64;
        table->cells = cli_realloc_array(table->cells, table->cell_capacity, sizeof *table->cells);
    }
    struct cli_out *cell = &table->cells[table->cell_count++];
    cli_out_init(cell, -1);
    cli_out_string(cell, "");
    return cell;
}

void cli_table_cell(struct cli_table *table, const void *data, size_t size) {
    cli_out_printable(new_cell(table), data, size);
}

void cli_table_string(struct cli_table *table, const char *text) {
    cli_table_cell(table, text ? text : "", text ? strlen(text) : 0);
}

void cli_table_u64(struct cli_table *table, uint64_t value) {
    cli_out_format(new_cell(table), "%llu", (unsigned long long)value);
}

/* Columns of the terminal; 0 = unlimited. */
static size_t terminal_width(const struct cli_session *session) {
    struct winsize size;
    if (!session->settings->is_terminal || ioctl(session->out.fd, TIOCGWINSZ, &size)) return 0;
    return size.ws_col;
}

static void measure(const struct cli_table *table, size_t *widths, size_t limit) {
    size_t before = 0, last = table->columns - 1;
    for (size_t c = 0; c < table->columns; c++) {
        widths[c] = cli_utf8_width(table->headers[c], strlen(table->headers[c]));
        for (size_t i = c; i < table->cell_count; i += table->columns) {
            size_t width = cli_utf8_width(table->cells[i].data, table->cells[i].size);
            if (width > widths[c]) widths[c] = width;
        }
        if (c < last) before += widths[c] + GAP;
    }
    size_t left = limit > before + LEAST_WIDTH ? limit - before : LEAST_WIDTH;
    if (limit && widths[last] > left) widths[last] = left;
}

static void print_cell(struct cli_out *out, const char *text, size_t size, size_t width, bool right, bool last) {
    size_t own = cli_utf8_width(text, size);
    if (own > width) {
        size_t fits = cli_utf8_fit(text, size, width - 1);
        cli_out_bytes(out, text, fits);
        cli_out_string(out, "…");
        return;
    }
    if (right) cli_out_repeat(out, ' ', width - own);
    cli_out_bytes(out, text, size);
    if (!right && !last) cli_out_repeat(out, ' ', width - own);
}

static void print_row(const struct cli_table *table, struct cli_out *out, const size_t *widths, size_t first_cell) {
    for (size_t c = 0; c < table->columns; c++) {
        const struct cli_out *cell = &table->cells[first_cell + c];
        if (c) cli_out_repeat(out, ' ', GAP);
        print_cell(out, cell->data, cell->size, widths[c], table->right[c], c + 1 == table->columns);
    }
    cli_out_char(out, '\n');
}

void cli_table_print(const struct cli_table *table, struct cli_session *session) {
    size_t widths[CLI_TABLE_COLUMNS], total = 0, terminal = terminal_width(session);
    struct cli_out *out = &session->out;
    bool color = session->settings->color;
    measure(table, widths, table->fit ? terminal : 0);
    if (color) cli_out_string(out, "\033[1m");
    for (size_t c = 0; c < table->columns; c++) {
        const char *header = table->headers[c];
        if (c) cli_out_repeat(out, ' ', GAP);
        print_cell(out, header, strlen(header), widths[c], table->right[c], c + 1 == table->columns);
        total += widths[c] + (c ? GAP : 0);
    }
    cli_out_string(out, color ? "\033[0m\n\033[2m" : "\n");
    cli_out_repeat(out, '-', terminal && total > terminal ? terminal : total);
    cli_out_string(out, color ? "\033[0m\n" : "\n");
    for (size_t i = 0; i < table->cell_count; i += table->columns) print_row(table, out, widths, i);
}

void cli_table_free(struct cli_table *table) {
    for (size_t i = 0; i < table->cell_count; i++) cli_out_free(&table->cells[i]);
    free(table->cells);
    *table = (struct cli_table){0};
}
