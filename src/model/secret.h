/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of secrets, and what a secret is for as the API says it. Places: schema/model/secret.model. */
#pragma once

#include "gen/model-secret.h"

/* Read, filled in and checked. NULL with @err. */
Secret *secret_read(const char *xml, GError **err);
/* virSecretUsageType. */
int secret_usage_type(const Secret *secret);
/* The path, target or name; "" when it is for nothing in particular. */
const char *secret_usage_id(const Secret *secret);
/* @type: virSecretUsageType. */
void secret_set_usage(Secret *secret, int type, const char *id);
