#include "cli/utf8.h"

#include <wchar.h>

size_t cli_utf8_next(const unsigned char *data, size_t size, uint32_t *point) {
    unsigned char first = data[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (!length || length > size) return 0;
    uint32_t value = length == 1 ? first : first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((data[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (data[i] & 0x3fu);
    }
    if (length == 3 && (value < 0x800 || (value >= 0xd800 && value < 0xe000))) return 0;
    if (length == 4 && (value < 0x10000 || value > 0x10ffff)) return 0;
    *point = value;
    return length;
}

size_t cli_utf8_encode(uint32_t point, char out[4]) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)((length == 2 ? 0xc0u : length == 3 ? 0xe0u : 0xf0u) | point);
    return length;
}

bool cli_utf8_valid(const void *data, size_t size) {
    const unsigned char *p = data;
    uint32_t point;
    while (size) {
        size_t length = cli_utf8_next(p, size, &point);
        if (!length) return false;
        p += length;
        size -= length;
    }
    return true;
}

/* Columns of the character at text; *length receives its bytes. */
static size_t columns_at(const char *text, size_t size, size_t *length) {
    uint32_t point;
    *length = cli_utf8_next((const unsigned char *)text, size, &point);
    if (!*length) {
        *length = 1;
        return 1;
    }
    int width = wcwidth((wchar_t)point);
    return width < 0 ? 1 : (size_t)width;
}

size_t cli_utf8_width(const char *text, size_t size) {
    size_t width = 0, length;
    for (size_t at = 0; at < size; at += length) width += columns_at(text + at, size - at, &length);
    return width;
}

size_t cli_utf8_fit(const char *text, size_t size, size_t columns) {
    size_t width = 0, at = 0, length;
    while (at < size) {
        width += columns_at(text + at, size - at, &length);
        if (width > columns) break;
        at += length;
    }
    return at;
}
