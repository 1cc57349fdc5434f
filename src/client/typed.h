/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arrays of typed parameters inside the library; the public helpers are in typed.c, the wire form in stub_runtime.c. */
#pragma once

#include <libvirt/libvirt.h>

/* The word for a virTypedParameterType, for messages. */
const char *typed_type_name(int type);
void typed_clear(virTypedParameterPtr params, int n_params);
void typed_free(virTypedParameterPtr params, int n_params);
