/* Pieces of an SVG picture that needs nothing else: no fonts, no scripts, colours for light and dark in one style. */
#ifndef CLI_PLOT_SVG_H
#define CLI_PLOT_SVG_H

#include "cli/out.h"

struct cli_point {
    double x, y;
};

/* title: what the picture is called by programs that read it aloud. */
void cli_svg_begin(struct cli_out *out, unsigned width, unsigned height, const char *title);
void cli_svg_end(struct cli_out *out);
/* `style`: a class of the style sheet, as below. anchor: start, middle or end. */
void cli_svg_text(struct cli_out *out, struct cli_point at, const char *style, const char *anchor, const char *text);
void cli_svg_upright_text(struct cli_out *out, struct cli_point at, const char *style, const char *text); /* read upwards */
void cli_svg_line(struct cli_out *out, struct cli_point from, struct cli_point to, const char *style);
void cli_svg_polyline(struct cli_out *out, const struct cli_point *points, size_t count, const char *style);
void cli_svg_dot(struct cli_out *out, struct cli_point at, double radius, const char *style);

/* Text of XML: markup as entities; what is no UTF-8, or a character that XML has not, as U+FFFD. */
void cli_svg_escape(struct cli_out *out, const char *text);

/*
 * Classes. Text: title, text, faint, and in the colours of series: first-text, second-text, goal-text. Lines: axis, grid,
 * first, first-low, second, second-exact, goal. Dots: first-dot, first-low-dot, second-dot, chosen-dot.
 */

#endif
