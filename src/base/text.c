#include "base/text.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool reserve(struct shf_text *text, size_t more) {
    size_t need;
    if (text->failed) return false;
    if (!shf_add(text->size, more, &need) || (text->max_bytes && need > text->max_bytes) || need == SIZE_MAX) {
        text->failed = true;
        return false;
    }
    if (need < text->capacity) return true;
    size_t capacity = need + 1 < 64 ? 64 : need + 1 + need / 2;
    if (capacity < need + 1) capacity = need + 1;
    char *grown = shf_realloc_array(text->data, capacity, 1);
    if (!grown) {
        text->failed = true;
        return false;
    }
    text->data = grown;
    text->capacity = capacity;
    return true;
}

void shf_text_add(struct shf_text *text, const char *data, size_t size) {
    if (!reserve(text, size)) return;
    assert(text->data);
    if (size) memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void shf_text_add_string(struct shf_text *text, const char *string) { shf_text_add(text, string, strlen(string)); }

void shf_text_format(struct shf_text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)size)) {
        (void)vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
        text->size += (size_t)size;
    }
    va_end(again);
}

void shf_text_free(struct shf_text *text) {
    shf_free(text->data);
    *text = (struct shf_text){.max_bytes = text->max_bytes};
}

char *shf_text_take(struct shf_text *text) {
    if (!text->failed && !text->data) shf_text_add(text, "", 0);
    char *data = text->failed ? NULL : text->data;
    if (text->failed) shf_free(text->data);
    *text = (struct shf_text){.max_bytes = text->max_bytes};
    return data;
}

/* Length of the well-formed sequence at p, 0 when there is none (Unicode 15, table 3-7). */
static size_t utf8_sequence(const uint8_t *p, size_t left) {
    if (p[0] < 0x80) return 1;
    size_t size = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
    if (size == 0 || size > left) return 0;
    uint8_t low = 0x80, high = 0xbf;
    if (p[0] == 0xe0) low = 0xa0;
    if (p[0] == 0xed) high = 0x9f;
    if (p[0] == 0xf0) low = 0x90;
    if (p[0] == 0xf4) high = 0x8f;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
    }
    return size;
}

bool shf_utf8_valid(const void *data, size_t size) {
    const uint8_t *p = data;
    while (size) {
        size_t step = utf8_sequence(p, size);
        if (step == 0) return false;
        p += step;
        size -= step;
    }
    return true;
}

void shf_utf8_trim_end(char *text) {
    size_t size = strlen(text), tail = 0; /* tail: continuation bytes at the end */
    while (tail < 3 && tail < size && ((uint8_t)text[size - 1 - tail] & 0xc0) == 0x80) tail++;
    if (tail == size) return;
    uint8_t lead = (uint8_t)text[size - 1 - tail];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (wanted > tail + 1) text[size - 1 - tail] = '\0';
}

void shf_hex_encode(const void *data, size_t size, char *out) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * size] = '\0';
}

bool shf_ascii_equal_ignore_case(const char *a, size_t a_size, const char *b) {
    if (strlen(b) != a_size) return false;
    for (size_t i = 0; i < a_size; i++) {
        if (shf_ascii_lower(a[i]) != shf_ascii_lower(b[i])) return false;
    }
    return true;
}
