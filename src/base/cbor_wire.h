/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_CBOR_WIRE_H
#define SES_BASE_CBOR_WIRE_H

/* What the reader and the writer of CBOR share: how a head is made up, and the one form of a
 * floating-point number. */

#include <sesame/common.h>

/* The upper three bits of a head (RFC 8949, section 3.1); 6, a tag, is not in the subset. */
enum major {
    MAJOR_UNSIGNED = 0,
    MAJOR_NEGATIVE = 1,
    MAJOR_BYTES = 2,
    MAJOR_TEXT = 3,
    MAJOR_ARRAY = 4,
    MAJOR_MAP = 5,
    MAJOR_SIMPLE = 7,
};

/* The lower five bits: the argument itself, or how many bytes it takes behind them. */
enum info {
    INFO_FALSE = 20,
    INFO_TRUE = 21,
    INFO_NULL = 22,
    INFO_ONE_BYTE = 24,
    INFO_TWO_BYTES = 25,
    INFO_FOUR_BYTES = 26,
    INFO_EIGHT_BYTES = 27,
};

enum { INFO_BITS = 5, INFO_MASK = (1 << INFO_BITS) - 1 };

/* A floating-point number as its head spells it: info says whether it is half, single or double. */
struct float_form {
    unsigned info;
    uint64_t bits;
};

/* The shortest form that keeps the value; all NaNs have the same one. */
struct float_form float_form_of(double value);

/* Exact for each form of the three widths, but which NaN it is may get lost. */
double float_form_value(struct float_form form);

#endif
