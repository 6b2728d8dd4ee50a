#include "cli/codec.h"

#include "cli/memory.h"

#include <stdint.h>
#include <stdlib.h>

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cli_base64_encode(struct cli_out *out, const void *data, size_t size) {
    const unsigned char *p = data;
    char piece[4096];
    size_t filled = 0;
    while (size) {
        size_t take = size < 3 ? size : 3;
        uint32_t group = (uint32_t)p[0] << 16 | (take > 1 ? (uint32_t)p[1] << 8 : 0) | (take > 2 ? p[2] : 0u);
        piece[filled++] = base64_digits[group >> 18];
        piece[filled++] = base64_digits[group >> 12 & 63];
        piece[filled++] = take > 1 ? base64_digits[group >> 6 & 63] : '=';
        piece[filled++] = take > 2 ? base64_digits[group & 63] : '=';
        p += take;
        size -= take;
        if (filled == sizeof piece || !size) {
            cli_out_bytes(out, piece, filled);
            filled = 0;
        }
    }
}

void cli_hex_encode(struct cli_out *out, const void *data, size_t size) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++) {
        char pair[2] = {digits[p[i] >> 4], digits[p[i] & 15]};
        cli_out_bytes(out, pair, 2);
    }
}

/* Value of a digit, 64 or more for every other byte. */
static const unsigned char base64_values[256] = {
#define X 64
    X,  X,  X,  X,  X,  X,  X,  X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X, X, X, X,  X,  X,  X,  62, X,  X,  X,  63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61,
    X,  X,  X,  X,  X,  X,  X,  0, 1, 2, 3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, X,  X,  X,  X, X, X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
    45, 46, 47, 48, 49, 50, 51, X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
#undef X
};

bool cli_base64_decode_to(const char *text, size_t size, char *out, size_t *out_size) {
    const unsigned char *p = (const unsigned char *)text;
    size_t padding = size && text[size - 1] == '=' ? (size > 1 && text[size - 2] == '=' ? 2 : 1) : 0;
    size_t filled = 0;
    if (size % 4) return false;
    for (size_t i = 0; i < size; i += 4, p += 4) {
        size_t digits = i + 4 == size ? 4 - padding : 4;
        uint32_t a = base64_values[p[0]], b = base64_values[p[1]];
        uint32_t c = digits > 2 ? base64_values[p[2]] : 0, d = digits > 3 ? base64_values[p[3]] : 0;
        if ((a | b | c | d) & 64) return false;
        uint32_t group = a << 18 | b << 12 | c << 6 | d;
        if (digits < 4 && group & (digits == 3 ? 0xffu : 0xffffu)) return false; /* bits that no byte holds */
        out[filled++] = (char)(group >> 16);
        if (digits > 2) out[filled++] = (char)(group >> 8);
        if (digits > 3) out[filled++] = (char)group;
    }
    *out_size = filled;
    return true;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool cli_hex_decode_to(const char *text, size_t size, char *out, size_t *out_size) {
    if (size % 2) return false;
    for (size_t i = 0; i < size; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return false;
        out[i / 2] = (char)(high << 4 | low);
    }
    *out_size = size / 2;
    return true;
}

static bool decode(bool (*decoder)(const char *, size_t, char *, size_t *), const char *text, size_t size, char **out,
                   size_t *out_size) {
    char *bytes = cli_alloc(size + 1);
    if (!decoder(text, size, bytes, out_size)) {
        free(bytes);
        return false;
    }
    bytes[*out_size] = '\0';
    *out = bytes;
    return true;
}

bool cli_base64_decode(const char *text, size_t size, char **out, size_t *out_size) {
    return decode(cli_base64_decode_to, text, size, out, out_size);
}

bool cli_hex_decode(const char *text, size_t size, char **out, size_t *out_size) {
    return decode(cli_hex_decode_to, text, size, out, out_size);
}
