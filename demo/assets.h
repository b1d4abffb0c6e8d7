/* SPDX-License-Identifier: MIT */
#ifndef DEMO_ASSETS_H
#define DEMO_ASSETS_H

/* Files of this folder that are built into the program. */

#include <stddef.h>

extern const char asset_style[];
extern const size_t asset_style_len;
extern const char asset_seed[];
extern const size_t asset_seed_len;

#endif
