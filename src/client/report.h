/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From GError to the public error: the thread's last error, the connection's, and the callbacks. Public functions of this
 * library begin with client_reset_error and end, on failure, with client_report; everything below them hands up GErrors. */
#pragma once

#include <glib.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

void client_reset_error(void);
/* Takes @take_err (NULL: an error without a cause). @conn may be NULL. */
void client_report(virConnectPtr conn, GError *take_err);
/* The thread's last error again as a GError; NULL when there is none. */
GError *client_last_error_copy(void);
/* Fill a zeroed public error from @err; the strings are the caller's. */
void client_error_fill(virErrorPtr to, const GError *err, virConnectPtr conn);
