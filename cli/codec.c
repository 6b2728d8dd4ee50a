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

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool cli_base64_decode(const char *text, size_t size, char **out, size_t *out_size) {
    size_t padding = size && text[size - 1] == '=' ? (size > 1 && text[size - 2] == '=' ? 2 : 1) : 0;
    if (size % 4) return false;
    char *bytes = cli_alloc(size / 4 * 3 + 1);
    size_t filled = 0;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t group = 0;
        size_t digits = i + 4 == size ? 4 - padding : 4;
        for (size_t j = 0; j < 4; j++) {
            int value = j < digits ? base64_value(text[i + j]) : 0;
            if (value < 0) goto bad;
            group = group << 6 | (uint32_t)value;
        }
        if (digits < 4 && group & (digits == 3 ? 0xffu : 0xffffu)) goto bad; /* bits that no byte holds */
        for (size_t j = 0; j + 1 < digits; j++) bytes[filled++] = (char)(group >> (16 - 8 * j));
    }
    *out = bytes;
    *out_size = filled;
    return true;
bad:
    free(bytes);
    return false;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool cli_hex_decode(const char *text, size_t size, char **out, size_t *out_size) {
    if (size % 2) return false;
    char *bytes = cli_alloc(size / 2 + 1);
    for (size_t i = 0; i < size; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            free(bytes);
            return false;
        }
        bytes[i / 2] = (char)(high << 4 | low);
    }
    *out = bytes;
    *out_size = size / 2;
    return true;
}
