/* SPDX-License-Identifier: MIT */
#include "assets.h"

/* C99 promises 4095 characters; the compilers that build this take any number. */
#pragma GCC diagnostic ignored "-Woverlength-strings"

const char asset_style[] =
#include "style.css.inc"
    ;
const size_t asset_style_len = sizeof asset_style - 1;

const char asset_seed[] =
#include "seed.svg.inc"
    ;
const size_t asset_seed_len = sizeof asset_seed - 1;
