/* SPDX-License-Identifier: MIT */
#include "base/cbor_wire.h"

#include <string.h>

struct float_format {
    int exponent_bits;
    int fraction_bits;
};

static const struct float_format half = { 5, 10 }, single = { 8, 23 };
enum { DOUBLE_FRACTION_BITS = 52, DOUBLE_BIAS = 1023, DOUBLE_EXPONENT_MAX = 0x7ff };
static const uint64_t double_hidden_bit = UINT64_C(1) << DOUBLE_FRACTION_BITS;

static const struct float_form the_nan = { INFO_TWO_BYTES, 0x7e00 };

/* The bits of a double that is not NaN in a narrower format, if that keeps its value. */
static bool narrow(uint64_t wide, struct float_format to, uint64_t *ret_bits)
{
    const uint64_t sign = wide >> 63 << (to.exponent_bits + to.fraction_bits);
    const int exponent_max = (1 << to.exponent_bits) - 1, bias = exponent_max >> 1;
    const int wide_exponent = (int)(wide >> DOUBLE_FRACTION_BITS) & DOUBLE_EXPONENT_MAX;
    uint64_t fraction = wide & (double_hidden_bit - 1);
    int exponent = wide_exponent - DOUBLE_BIAS + bias;
    int dropped = DOUBLE_FRACTION_BITS - to.fraction_bits;

    if (wide_exponent == 0 && fraction != 0)
        return false; /* subnormal as a double: too small for the others */
    if (wide_exponent == DOUBLE_EXPONENT_MAX) {
        exponent = exponent_max; /* infinity */
    } else if (exponent >= exponent_max) {
        return false;
    } else if (wide_exponent == 0) {
        exponent = 0; /* zero */
    } else if (exponent <= 0) {
        /* Subnormal in the narrower format: the hidden bit shows, and all bits move down. */
        fraction |= double_hidden_bit;
        dropped += 1 - exponent;
        exponent = 0;
    }
    if (dropped > DOUBLE_FRACTION_BITS || (fraction & ((UINT64_C(1) << dropped) - 1)) != 0)
        return false;

    *ret_bits = sign | (uint64_t)exponent << to.fraction_bits | fraction >> dropped;
    return true;
}

struct float_form float_form_of(double value)
{
    struct float_form form = { .info = INFO_EIGHT_BYTES };
    memcpy(&form.bits, &value, sizeof form.bits);
    const uint64_t wide = form.bits;
    if (value != value)
        return the_nan;
    if (narrow(wide, half, &form.bits))
        form.info = INFO_TWO_BYTES;
    else if (narrow(wide, single, &form.bits))
        form.info = INFO_FOUR_BYTES;
    return form;
}

static double widen_half(uint64_t bits)
{
    const uint64_t sign = bits >> 15 << 63, fraction = bits & 0x3ff;
    uint64_t exponent = bits >> 10 & 0x1f;
    if (exponent == 0) {
        const double tiny = (double)fraction * 0x1p-24;
        return sign ? -tiny : tiny;
    }
    exponent = exponent == 0x1f ? DOUBLE_EXPONENT_MAX : exponent - 15 + DOUBLE_BIAS;

    const uint64_t wide = sign | exponent << DOUBLE_FRACTION_BITS | fraction << 42;
    double value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

double float_form_value(struct float_form form)
{
    if (form.info == INFO_TWO_BYTES)
        return widen_half(form.bits);
    if (form.info == INFO_FOUR_BYTES) {
        const uint32_t bits = (uint32_t)form.bits;
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &form.bits, sizeof value);
    return value;
}
