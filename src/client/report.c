/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public error functions. See report.h. */
#include "client/report.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "client/conn.h"

/* One callback for the process. Replaced as a whole; read under the lock, called outside of it. */
static GMutex handler_lock;
static virErrorFunc process_handler;
static void *process_handler_data;

static void
free_last_error(gpointer error)
{
    virResetError(error);
    g_free(error);
}

static GPrivate last_error_key = G_PRIVATE_INIT(free_last_error);

static virErrorPtr
last_error(void)
{
    virErrorPtr error = g_private_get(&last_error_key);

    if (!error) {
        error = g_new0(virError, 1);
        g_private_set(&last_error_key, error);
    }
    return error;
}

static void
copy_error(const virError *from, virErrorPtr to)
{
    virResetError(to);
    *to = *from;
    to->message = g_strdup(from->message);
    to->str1 = g_strdup(from->str1);
    to->str2 = g_strdup(from->str2);
    to->str3 = g_strdup(from->str3);
    /* The deprecated object pointers (conn, dom, net) stay NULL: nothing here ever sets them. */
}

void
client_reset_error(void)
{
    virErrorPtr error = g_private_get(&last_error_key);

    if (error && error->code != VIR_ERR_OK)
        virResetError(error);
}

/* Upstream's form of an error's parts: the text of the code, and what stands at its %s. */
static void
split_message(virErrorPtr error)
{
    g_autofree char *format = error_message(error->code, "%s");
    const char *hole = strstr(format, "%s");
    gsize before = hole ? (gsize)(hole - format) : 0, after = hole ? strlen(hole + 2) : 0;
    gsize len = strlen(error->message);

    if (hole && len >= before + after && strncmp(error->message, format, before) == 0 &&
        g_str_equal(error->message + len - after, hole + 2)) {
        error->str1 = g_strdup(format);
        error->str2 = g_strndup(error->message + before, len - before - after);
    } else {
        error->str1 = g_strdup(error->message);
    }
}

void
client_error_fill(virErrorPtr to, const GError *err, virConnectPtr conn)
{
    const ErrorDetail *detail = error_detail(err);

    to->code = error_code(err);
    to->domain = detail->domain;
    to->level = detail->level;
    to->message = g_strdup(err ? err->message : "An error occurred, but the cause is unknown");
    if (detail->str1) {
        to->str1 = g_strdup(detail->str1);
        to->str2 = g_strdup(detail->str2);
    } else {
        split_message(to);
    }
    to->str3 = g_strdup(detail->str3);
    to->int1 = detail->int1;
    to->int2 = detail->int2;
}

static void
call_handler(virConnectPtr conn, virErrorPtr error)
{
    virErrorFunc handler = NULL;
    void *handler_data = NULL;

    if (conn)
        client_conn_get_error_func(conn, &handler, &handler_data);
    if (!handler) {
        g_mutex_lock(&handler_lock);
        handler = process_handler;
        handler_data = process_handler_data;
        g_mutex_unlock(&handler_lock);
    }
    if (handler)
        handler(handler_data, error);
    else
        virDefaultErrorFunc(error);
}

void
client_report(virConnectPtr conn, GError *take_err)
{
    g_autoptr(GError) err = take_err;
    virErrorPtr error = last_error();

    virResetError(error);
    client_error_fill(error, err, conn);
    if (conn)
        client_conn_set_error(conn, error);
    call_handler(conn, error);
}

GError *
client_last_error_copy(void)
{
    virErrorPtr error = virGetLastError();
    GError *copy;
    ErrorDetail *detail;

    if (!error)
        return NULL;
    copy = error_new_literal(error->domain, error->code, error->level, error->message);
    detail = error_detail_edit(copy);
    detail->str1 = g_strdup(error->str1);
    detail->str2 = g_strdup(error->str2);
    detail->str3 = g_strdup(error->str3);
    detail->int1 = error->int1;
    detail->int2 = error->int2;
    return copy;
}

virErrorPtr
virGetLastError(void)
{
    virErrorPtr error = g_private_get(&last_error_key);

    return error && error->code != VIR_ERR_OK ? error : NULL;
}

int
virGetLastErrorCode(void)
{
    virErrorPtr error = virGetLastError();

    return error ? error->code : VIR_ERR_OK;
}

int
virGetLastErrorDomain(void)
{
    virErrorPtr error = virGetLastError();

    return error ? error->domain : VIR_FROM_NONE;
}

const char *
virGetLastErrorMessage(void)
{
    virErrorPtr error = virGetLastError();

    if (!error)
        return "no error";
    return error->message ? error->message : "unknown error";
}

virErrorPtr
virSaveLastError(void)
{
    virErrorPtr error = virGetLastError();
    virErrorPtr copy = g_new0(virError, 1);

    if (error)
        copy_error(error, copy);
    return copy;
}

int
virCopyLastError(virErrorPtr to)
{
    virErrorPtr error = virGetLastError();

    if (!to)
        return -1;
    memset(to, 0, sizeof(*to));
    if (error)
        copy_error(error, to);
    return to->code;
}

void
virResetLastError(void)
{
    client_reset_error();
}

void
virResetError(virErrorPtr error)
{
    if (!error)
        return;
    g_free(error->message);
    g_free(error->str1);
    g_free(error->str2);
    g_free(error->str3);
    memset(error, 0, sizeof(*error));
}

void
virFreeError(virErrorPtr error)
{
    virResetError(error);
    g_free(error);
}

virErrorPtr
virConnGetLastError(virConnectPtr conn)
{
    return client_object_is(conn, KIND_CONNECT) ? client_conn_peek_error(conn) : NULL;
}

int
virConnCopyLastError(virConnectPtr conn, virErrorPtr to)
{
    virErrorPtr error;

    if (!to || !client_object_is(conn, KIND_CONNECT))
        return -1;
    error = client_conn_peek_error(conn);
    memset(to, 0, sizeof(*to));
    if (!error)
        return 0;
    copy_error(error, to);
    return to->code;
}

void
virConnResetLastError(virConnectPtr conn)
{
    if (client_object_is(conn, KIND_CONNECT))
        client_conn_set_error(conn, NULL);
}

void
virSetErrorFunc(void *user_data, virErrorFunc handler)
{
    g_mutex_lock(&handler_lock);
    process_handler = handler;
    process_handler_data = user_data;
    g_mutex_unlock(&handler_lock);
}

void
virConnSetErrorFunc(virConnectPtr conn, void *user_data, virErrorFunc handler)
{
    if (client_object_is(conn, KIND_CONNECT))
        client_conn_set_error_func(conn, handler, user_data);
}

void
virDefaultErrorFunc(virErrorPtr error)
{
    const char *level = "";
    const char *from;

    if (!error || error->code == VIR_ERR_OK)
        return;
    if (error->level == VIR_ERR_WARNING)
        level = "warning";
    else if (error->level == VIR_ERR_ERROR)
        level = "error";
    from = error->domain == VIR_FROM_NONE ? "" : error_domain_name(error->domain);
    fprintf(stderr, "libvirt: %s%s%s : %s\n", from, *from ? " " : "", level,
            error->message ? error->message : "No error message provided");
    fflush(stderr);
}
