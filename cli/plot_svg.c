#include "cli/plot_svg.h"

#include "cli/utf8.h"

#include <string.h>

/* What does not depend on light or dark. Labels have a halo of the ground's colour, so that no line crosses them. */
static const char shapes[] =
    "text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px}\n"
    ".title{font-size:19px;font-weight:600}.strong{font-size:13px;font-weight:600}\n"
    ".axis,.grid,.first,.first-low,.second,.second-exact,.goal{fill:none;stroke-linecap:round;stroke-linejoin:round}\n"
    ".axis,.grid{stroke-width:1}.first,.second{stroke-width:2.5}.first-low{stroke-width:1.5}\n"
    ".goal,.second-exact{stroke-width:1.5;stroke-dasharray:5 5}\n"
    ".first-dot,.first-low-dot,.second-dot,.chosen-dot{stroke-width:2}\n"
    ".label{font-size:11px;font-weight:600;paint-order:stroke;stroke-width:4px;stroke-linejoin:round}\n";

struct palette {
    const char *ground, *text, *faint, *grid, *first, *first_low, *second, *goal;
};
static const struct palette light = {"#ffffff", "#1f2328", "#5f6872", "#e4e7eb",
                                     "#1f6feb", "#9dc1f7", "#bc4c00", "#1a7f37"};
static const struct palette dark = {"#0d1117", "#e6edf3", "#9198a1", "#262c36",
                                    "#58a6ff", "#2f5f9e", "#f0883e", "#3fb950"};

static void colours(struct cli_out *out, const struct palette *p) {
    cli_out_format(out, ".ground{fill:%s}.label{stroke:%s}.title,.strong,.text{fill:%s}.faint{fill:%s}\n", p->ground,
                   p->ground, p->text, p->faint);
    cli_out_format(out, ".grid{stroke:%s}.axis{stroke:%s}\n", p->grid, p->faint);
    cli_out_format(out, ".first{stroke:%s}.first-low{stroke:%s}.second,.second-exact{stroke:%s}.goal{stroke:%s}\n",
                   p->first, p->first_low, p->second, p->goal);
    cli_out_format(out, ".first-text{fill:%s}.second-text{fill:%s}.goal-text{fill:%s}\n", p->first, p->second, p->goal);
    cli_out_format(out, ".first-dot{fill:%s;stroke:%s}.first-low-dot{fill:%s;stroke:%s}\n", p->first, p->ground,
                   p->ground, p->first_low);
    cli_out_format(out, ".second-dot{fill:%s;stroke:%s}.chosen-dot{fill:%s;stroke:%s}\n", p->second, p->ground, p->goal,
                   p->ground);
}

/* XML 1.0 has of the control characters tab and the two ends of lines, and not U+FFFE and U+FFFF. */
static bool is_xml(uint32_t point) {
    if (point < 0x20) return point == '\t' || point == '\n' || point == '\r';
    return point != 0xfffe && point != 0xffff;
}

void cli_svg_escape(struct cli_out *out, const char *text) {
    size_t left = strlen(text);
    while (left) {
        uint32_t point = 0;
        size_t size = cli_utf8_next((const unsigned char *)text, left, &point);
        bool is_fine = size && is_xml(point);
        if (!size) size = 1;
        if (!is_fine)
            cli_out_string(out, "\xef\xbf\xbd");
        else if (point == '&')
            cli_out_string(out, "&amp;");
        else if (point == '<')
            cli_out_string(out, "&lt;");
        else if (point == '>')
            cli_out_string(out, "&gt;");
        else if (point == '"')
            cli_out_string(out, "&quot;");
        else
            cli_out_bytes(out, text, size);
        text += size;
        left -= size;
    }
}

void cli_svg_begin(struct cli_out *out, unsigned width, unsigned height, const char *title) {
    cli_out_format(out,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" "
                   "role=\"img\">\n<title>",
                   width, height, width, height);
    cli_svg_escape(out, title);
    cli_out_string(out, "</title>\n<style>\n");
    cli_out_string(out, shapes);
    colours(out, &light);
    cli_out_string(out, "@media (prefers-color-scheme:dark){\n");
    colours(out, &dark);
    cli_out_format(out, "}\n</style>\n<rect class=\"ground\" width=\"%u\" height=\"%u\"/>\n", width, height);
}

void cli_svg_end(struct cli_out *out) { cli_out_string(out, "</svg>\n"); }

void cli_svg_text(struct cli_out *out, struct cli_point at, const char *style, const char *anchor, const char *text) {
    cli_out_format(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", style, at.x, at.y, anchor);
    cli_svg_escape(out, text);
    cli_out_string(out, "</text>\n");
}

void cli_svg_upright_text(struct cli_out *out, struct cli_point at, const char *style, const char *text) {
    cli_out_format(out, "<text class=\"%s\" transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">",
                   style, at.x, at.y);
    cli_svg_escape(out, text);
    cli_out_string(out, "</text>\n");
}

void cli_svg_line(struct cli_out *out, struct cli_point from, struct cli_point to, const char *style) {
    cli_out_format(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", style, from.x, from.y,
                   to.x, to.y);
}

void cli_svg_polyline(struct cli_out *out, const struct cli_point *points, size_t count, const char *style) {
    cli_out_format(out, "<polyline class=\"%s\" points=\"", style);
    for (size_t i = 0; i < count; i++) cli_out_format(out, "%s%.1f,%.1f", i ? " " : "", points[i].x, points[i].y);
    cli_out_string(out, "\"/>\n");
}

void cli_svg_dot(struct cli_out *out, struct cli_point at, double radius, const char *style) {
    cli_out_format(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", style, at.x, at.y, radius);
}
