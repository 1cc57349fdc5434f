/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data between wire structures and what callers of the public functions give and get.
 *
 * Used by the generated stubs (gen/client-stubs-*.c) and by the hand-written calls of this folder. Memory handed out is
 * g_malloc'ed, which is malloc: callers release it with free(). Names starting `stub_` are not public. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include <libvirt/libvirt.h>

#include "client/stub_runtime.h"
#include "gen/api-structs.h"
#include "wire/codec.h"

/* Frees a decoded reply when the function is left: g_auto(StubOwned) owned = { CODEC(Reply), &reply }; */
typedef struct {
    const CodecType *type;
    void *value;
} StubOwned;

static inline void
stub_owned_clear(StubOwned *owned)
{
    codec_free(owned->type, owned->value);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StubOwned, stub_owned_clear)

/* -- typed parameters: AdminTypedParam has the same layout and is cast ----------------------------- */

/* A new array whose strings are borrowed from @params; release it with g_free. A name without end fails. */
bool stub_params_to_wire(const virTypedParameter *params, unsigned int n_params,
                         RemoteTypedParam **items, GError **err);
/* Into the caller's array of @space; more than that fails. Strings are new. Nothing is written on failure. */
bool stub_params_fill(virTypedParameterPtr params, int space, const RemoteTypedParam *items,
                      guint32 count, GError **err);
/* A new array; NULL when @count is 0. */
bool stub_params_new(virTypedParameterPtr *params, const RemoteTypedParam *items, guint32 count,
                     GError **err);

/* Rows of typed parameters, one for each CPU (virDomainGetCPUStats): what may be asked, and the reply, whose rows are
 * @width long, into rows of @n_params. */
bool stub_check_matrix(const virTypedParameter *params, unsigned int n_params, int start_cpu,
                       unsigned int n_cpus, const char *function, GError **err);
bool stub_fill_matrix(virTypedParameterPtr params, unsigned int n_params, unsigned int n_cpus,
                      const RemoteTypedParam *items, guint32 count, int width, GError **err);

/* -- arrays ---------------------------------------------------------------------------------------- */

/* "too many NAME: COUNT for SPACE" unless the reply fits what the caller has room for. */
bool stub_fits(guint32 count, guint64 space, const char *name, GError **err);
/* A size must fit the 32 bits that it has on the wire: VIR_ERR_INVALID_ARG. */
bool stub_fits_word(guint64 value, const char *name, const char *function, GError **err);
/* The reply must be exactly as long as was asked. */
bool stub_check_size(guint32 count, gsize size, GError **err);
/* Maps and their length belong together: with NULL the length must be 0, else above 0. */
bool stub_check_maps(const unsigned char *maps, int length, const char *function, GError **err);
/* Move the strings of a decoded array out of it, into the caller's array. */
void stub_move_strings(char **names, guint32 count, char **items);
/* A new NULL-terminated array that takes the strings of a decoded one. */
char **stub_take_strings(guint32 count, char **items);
/* Copy decoded bytes, NULL-safe; the rest of @space becomes 0. */
void stub_copy_bytes(void *to, gsize space, const void *from, gsize count);
/* Take decoded bytes; never NULL, also when there are none. */
unsigned char *stub_steal_bytes(guchar **bytes);
/* `char x<N>`: the terminating NUL is counted; more than fits fails. */
bool stub_copy_chars(char *to, gsize space, const char *from, guint32 count, const char *name,
                     GError **err);
/* A fixed or counted name into a field of public structures (char[80]); longer fails. */
bool stub_copy_field(char *to, gsize space, const char *from, GError **err);
/* A uuid in text form; VIR_ERR_INVALID_ARG with the text when it is none. */
bool stub_parse_uuid(const char *text, guchar uuid[16], const char *function, GError **err);

/* -- descriptors ------------------------------------------------------------------------------------ */

void stub_close_fds(const int *fds, gsize n_fds);
/* Exactly one came; otherwise all are closed. */
bool stub_one_fd(const int *fds, gsize n_fds, GError **err);
/* Descriptors and their count are both wanted, or neither is. */
bool stub_check_outfiles(int **fds, unsigned int *n_fds, const char *function, GError **err);

/* -- structures that the library allocates ---------------------------------------------------------- */

virDomainFSInfoPtr stub_fsinfo_new(const RemoteDomainFsinfo *wire);
virDomainIOThreadInfoPtr stub_iothread_info_new(const RemoteDomainIothreadInfo *wire);
virDomainInterfacePtr stub_interface_new(const RemoteDomainInterface *wire);
virNetworkDHCPLeasePtr stub_dhcp_lease_new(const RemoteNetworkDhcpLease *wire);
/* NULL with @err when a parameter cannot be represented. */
virDomainStatsRecordPtr stub_stats_record_new(ClientConn *conn, const RemoteDomainStatsRecord *wire,
                                              GError **err);
/* A new array whose strings are borrowed; every domain of the NULL-terminated list is checked. */
bool stub_domains_to_wire(ClientConn *conn, virDomainPtr *domains, RemoteNonnullDomain **items,
                          guint32 *count, const char *function, GError **err);
