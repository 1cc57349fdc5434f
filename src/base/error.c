/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See error.h. The detail travels as private data of an extended GError, so it survives g_propagate_error and g_prefix_error. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "gen/api-errors.h"

typedef ErrorDetail ErrorDetailPrivate;

static void
error_detail_private_init(ErrorDetail *detail)
{
    *detail =
        (ErrorDetail){.domain = VIR_FROM_NONE, .level = VIR_ERR_ERROR, .int1 = -1, .int2 = -1};
}

static void
error_detail_private_copy(const ErrorDetail *from, ErrorDetail *to)
{
    *to = *from;
    to->str1 = g_strdup(from->str1);
    to->str2 = g_strdup(from->str2);
    to->str3 = g_strdup(from->str3);
}

static void
error_detail_private_clear(ErrorDetail *detail)
{
    g_free(detail->str1);
    g_free(detail->str2);
    g_free(detail->str3);
}

static GQuark error_detail_quark(void);
G_DEFINE_EXTENDED_ERROR(ErrorDetail, error_detail)

GQuark
manifold_error_quark(void)
{
    return error_detail_quark();
}

static const ErrorDetail foreign_detail = {
    .domain = VIR_FROM_NONE, .level = VIR_ERR_ERROR, .int1 = -1, .int2 = -1};

int
error_code(const GError *err)
{
    return err && err->domain == MANIFOLD_ERROR ? err->code : VIR_ERR_INTERNAL_ERROR;
}

const ErrorDetail *
error_detail(const GError *err)
{
    return err && err->domain == MANIFOLD_ERROR ? error_detail_get_private(err) : &foreign_detail;
}

ErrorDetail *
error_detail_edit(GError *err)
{
    return err && err->domain == MANIFOLD_ERROR ? error_detail_get_private(err) : NULL;
}

int
error_domain_of(const GError *err)
{
    return error_detail(err)->domain;
}

bool
error_is(const GError *err, int code)
{
    return err && error_code(err) == code;
}

char *
error_message(int code, const char *detail)
{
    const char *plain = NULL, *around = NULL;

    if (code > 0 && code < (int)G_N_ELEMENTS(error_texts)) {
        plain = error_texts[code][0];
        around = error_texts[code][1];
    }
    if (detail && around) {
        /* The table's text has exactly one %s, which stays out of any printf. */
        const char *mark = strstr(around, "%s");
        if (mark)
            return g_strdup_printf("%.*s%s%s", (int)(mark - around), around, detail, mark + 2);
    }
    if (detail)
        return g_strdup(detail);
    return plain && *plain ? g_strdup(plain) : g_strdup_printf("error %d", code);
}

const char *
error_domain_name(int domain)
{
    if (domain < 0 || domain >= (int)G_N_ELEMENTS(error_domain_names) ||
        !error_domain_names[domain])
        return "unknown";
    return error_domain_names[domain];
}

GError *
error_new_literal(int domain, int code, int level, const char *message)
{
    GError *err = g_error_new_literal(MANIFOLD_ERROR, code, message ? message : "");

    error_detail_get_private(err)->domain = domain;
    error_detail_get_private(err)->level = level;
    return err;
}

bool
error_set(GError **err, int domain, int code, const char *fmt, ...)
{
    g_autofree char *detail = NULL;
    g_autofree char *message = NULL;
    va_list args;

    if (!err)
        return false;
    if (fmt && *fmt) {
        va_start(args, fmt);
        detail = g_strdup_vprintf(fmt, args);
        va_end(args);
    }
    message = error_message(code, detail);
    g_propagate_error(err, error_new_literal(domain, code, VIR_ERR_ERROR, message));
    return false;
}

bool
error_set_errno(GError **err, int domain, const char *action, const char *path)
{
    int saved = errno;

    error_set(err, domain, VIR_ERR_SYSTEM_ERROR, "cannot %s '%s': %s", action, path,
              g_strerror(saved));
    if (err && *err)
        error_detail_edit(*err)->int1 = saved;
    errno = saved;
    return false;
}
