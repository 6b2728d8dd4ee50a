/* What the terminal can do, and the few shapes that the demo draws with it. */
#ifndef DEMO_SCREEN_H
#define DEMO_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/* Empty strings where there are no colours. */
struct demo_colours {
    const char *title, *strong, *dim, *name, *number, *good, *bad, *bar, *plain;
};
extern struct demo_colours demo_colours;

void demo_screen_begin(void);
bool demo_screen_unicode(void);

/* A rounded box around lines of text; the first is the title. */
void demo_box(const char *const *lines, size_t count);

void demo_heading(const char *text);
/* A line behind a tick or a cross. */
void demo_good(const char *text);
void demo_bad(const char *text);

/* Prints text in exactly `width` columns: cut with an ellipsis, or padded. */
void demo_cell(const char *text, size_t size, int width, const char *colour);
void demo_cell_right(const char *text, int width, const char *colour);

/* A bar of `width` columns, filled to `share` (0 to 1). */
void demo_bar(double share, int width);

double demo_now(void); /* nanoseconds, of a clock that only goes forward */
/* "1.7 us", "3.42 ms", "1.20 s" in a buffer of its own; four stay valid. */
const char *demo_time(double nanoseconds);
/* "1,234,567"; four stay valid. */
const char *demo_count(unsigned long long value);

#endif
