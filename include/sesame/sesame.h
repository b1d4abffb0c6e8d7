/* SPDX-License-Identifier: MIT */
#ifndef SESAME_SESAME_H
#define SESAME_SESAME_H

/**
 * @file
 * Everything an application needs. Providers include sesame/ext/provider.h.
 */

#include <sesame/common.h>
#include <sesame/error.h>
#include <sesame/http.h>
#include <sesame/login.h>
#include <sesame/manager.h>
#include <sesame/session.h>
#include <sesame/version.h>

#endif
