/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_SHARED_PROVIDER_H
#define SES_TEST_SHARED_PROVIDER_H

/*
 * The provider "shared": however many managers open it, all of them have the one store, as two
 * applications in front of one server have. Below it is the fake provider, with all that may be
 * asked of it. What reaches the store can be listened to.
 */

#include <sesame/ext/provider.h>

/* Each key, owner and record that any call hands over, as it is. */
typedef void shared_listener(void *arg, struct ses_slice bytes);

/* Makes the provider known. */
void shared_provider_register(void);

/* NULL: nobody listens. */
void shared_provider_listen(shared_listener *listener, void *arg);

#endif
