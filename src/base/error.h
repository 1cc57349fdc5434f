/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors: a GError whose code is a public VIR_ERR_* and whose message is the public text.
 *
 * A file says once which part of the system its errors belong to:
 *     #define ERROR_DOMAIN VIR_FROM_QEMU
 * before it includes this header. Texts of the codes come from the schema (gen/api-errors.h). */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include <libvirt/virterror.h>

/* What the wire form of an error carries beside code and message. */
typedef struct {
    int domain; /* virErrorDomain */
    int level;  /* virErrorLevel */
    char *str1, *str2, *str3;
    int int1, int2;
} ErrorDetail;

#define MANIFOLD_ERROR (manifold_error_quark())
GQuark manifold_error_quark(void);

/* Always false, for the eyes of the compiler too: what a failed function leaves unset is not used. */
static inline bool
error_false(bool is_false G_GNUC_UNUSED)
{
    return false;
}

/* Set @err; always false, so that `return fail(...)` reads well. @fmt is the detail that the code's own text is put around. */
#define fail(err, code, ...) error_false(error_set(err, ERROR_DOMAIN, code, __VA_ARGS__))
#define fail_null(err, code, ...) (error_set(err, ERROR_DOMAIN, code, __VA_ARGS__), NULL)
/* A system call failed: "cannot @action '@path': strerror(errno)". */
#define fail_errno(err, action, path) error_false(error_set_errno(err, ERROR_DOMAIN, action, path))
#define fail_null_errno(err, action, path) (error_set_errno(err, ERROR_DOMAIN, action, path), NULL)

bool error_set(GError **err, int domain, int code, const char *fmt, ...) G_GNUC_PRINTF(4, 5);
bool error_set_errno(GError **err, int domain, const char *action, const char *path);
/* Make an error out of its wire parts; @message is the finished text. */
GError *error_new_literal(int domain, int code, int level, const char *message);

/* The finished public text of @code around @detail (NULL: none). Free with g_free. */
char *error_message(int code, const char *detail);
const char *error_domain_name(int domain);

/* The public code of @err; VIR_ERR_INTERNAL_ERROR for errors that are not ours. */
int error_code(const GError *err);
int error_domain_of(const GError *err);
/* The rest; a static neutral value for errors that are not ours. */
const ErrorDetail *error_detail(const GError *err);
/* The same for writing; NULL for errors that are not ours. */
ErrorDetail *error_detail_edit(GError *err);
bool error_is(const GError *err, int code);
