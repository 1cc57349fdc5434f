/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See flags.h. */
#include "driver/qemu/flags.h"

#include "base/error.h"

static bool
refuse(int domain, char *take_text, GError **err)
{
    g_autofree char *text = take_text;

    g_propagate_error(err, error_new_literal(domain, VIR_ERR_INVALID_ARG, VIR_ERR_ERROR, text));
    return false;
}

bool
flags_check(guint flags, guint allowed, const char *function, GError **err)
{
    if (!(flags & ~allowed))
        return true;
    return refuse(
        VIR_FROM_QEMU,
        g_strdup_printf("unsupported flags (0x%x) in function %s", flags & ~allowed, function),
        err);
}

bool
flags_exclude(guint flags, guint a, const char *a_name, guint b, const char *b_name, int domain,
              GError **err)
{
    if (!(flags & a) || !(flags & b))
        return true;
    return refuse(
        domain,
        g_strdup_printf("Flags 'VIR_DOMAIN_%s' and 'VIR_DOMAIN_%s' are mutually exclusive", a_name,
                        b_name),
        err);
}

bool
flags_require(guint flags, guint a, const char *a_name, guint b, const char *b_name, int domain,
              GError **err)
{
    if (!(flags & a) || (flags & b))
        return true;
    return refuse(
        domain,
        g_strdup_printf("Flag 'VIR_DOMAIN_%s' is required by flag 'VIR_DOMAIN_%s'", b_name, a_name),
        err);
}
