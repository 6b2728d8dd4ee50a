/*
 * FSST: a text as codes of a byte, each a symbol of 1 to 8 bytes; 255 = the next byte itself. The table: u64 header (top 32
 * bits "FSST", bit 24 = texts are coded, low 8 bits number of symbols n), n symbols of 8 bytes, n bytes of lengths.
 */
#include "formats/lance/column_priv.h"

#include <string.h>

#define HEADER_BYTES 8u
#define MAGIC UINT32_C(0x46535354)
#define ESCAPE 255u

static const uint8_t *lengths_of(const uint8_t *symbols) {
    return symbols + HEADER_BYTES + (size_t)symbols[0] * SHF_LANCE_SYMBOL_BYTES;
}

bool shf_lance_symbols_are_off(const uint8_t *symbols) { return !(symbols[3] & 1); }

shf_status shf_lance_symbols_check(const uint8_t *symbols, size_t size, struct shf_error **error) {
    if (size != SHF_LANCE_SYMBOLS_BYTES || shf_load_u32le(symbols + 4) != MAGIC) {
        return shf_lance_page_bad(error, "its FSST symbols are no such table");
    }
    const uint8_t *lengths = lengths_of(symbols);
    for (unsigned i = 0; i < symbols[0]; i++) {
        if (lengths[i] < 1 || lengths[i] > SHF_LANCE_SYMBOL_BYTES) {
            return shf_lance_page_bad(error, "an FSST symbol is not of 1 to 8 bytes");
        }
    }
    return SHF_OK;
}

bool shf_lance_symbols_decode(const uint8_t *symbols, const uint8_t *data, size_t size, uint8_t *out, size_t *out_size) {
    const uint8_t *lengths = lengths_of(symbols);
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t code = data[i];
        if (code == ESCAPE) {
            if (++i == size) return false;
            out[written++] = data[i];
        } else {
            if (code >= symbols[0]) return false;
            /* Eight bytes whatever the length: there is room for as many for each code. */
            memcpy(out + written, symbols + HEADER_BYTES + (size_t)code * SHF_LANCE_SYMBOL_BYTES, SHF_LANCE_SYMBOL_BYTES);
            written += lengths[code];
        }
    }
    *out_size = written;
    return true;
}
