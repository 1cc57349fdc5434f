/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A runtime for generated client functions that talks to nobody: it keeps the request and answers with a prepared reply.
 * Objects are strings, cast. Included once, by tests/unit/stubs.c; the real runtime is src/client/stub_runtime.c. */
#pragma once

#include "base/error.h"
#include "client/stub_convert.h"
#include "client/stub_runtime.h"
#include "gen/api-codec.h"

#include <string.h>

static struct {
    bool is_read_only;
    bool fails;
    int n_calls;
    const ApiProc *procs[4]; /* of the calls, in order */
    GByteArray *requests[4];
    GByteArray *replies[4]; /* what to answer, in order; NULL: nothing */
    int fds_out[2];
    gsize n_fds_out;
    int fds_in[2];
    gsize n_fds_in;
    virStreamPtr stream;
    int domain_id;
    char *domain_name;
    char *error; /* what client_fail was told */
    int error_code;
} fake;

static void
fake_reset(void)
{
    for (int i = 0; i < 4; i++) {
        g_clear_pointer(&fake.requests[i], g_byte_array_unref);
        g_clear_pointer(&fake.replies[i], g_byte_array_unref);
    }
    g_free(fake.error);
    g_free(fake.domain_name);
    memset(&fake, 0, sizeof(fake));
}

/* Answer the @index-th call with @value. */
static void
fake_reply(int index, const CodecType *type, const void *value)
{
    fake.replies[index] = g_byte_array_new();
    g_assert_true(codec_encode(type, value, fake.replies[index], NULL));
}

static void
fake_assert_request(int index, const ApiProc *proc, const void *expected)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    g_assert_cmpstr(fake.procs[index]->name, ==, proc->name);
    g_assert_true(codec_encode(proc->args, expected, bytes, NULL));
    g_assert_cmpmem(fake.requests[index]->data, fake.requests[index]->len, bytes->data, bytes->len);
}

static ClientConn *
fake_enter(const void *object, const char *function)
{
    g_clear_pointer(&fake.error, g_free);
    if (object)
        return (ClientConn *)&fake;
    fake.error = g_strdup_printf("invalid %s", function);
    return NULL;
}

#define FAKE_OBJECT(word, ctype, wtype, member)                          \
    ClientConn *client_enter_##word(ctype object, const char *function)  \
    {                                                                    \
        return fake_enter(object, function);                             \
    }                                                                    \
    void client_##word##_to_wire(ctype object, wtype *wire)              \
    {                                                                    \
        *wire = (wtype){.member = (char *)object};                       \
    }                                                                    \
    ctype client_##word##_from_wire(ClientConn *conn, const wtype *wire) \
    {                                                                    \
        return (ctype)g_strdup(wire->member);                            \
    }

FAKE_OBJECT(domain, virDomainPtr, RemoteNonnullDomain, name)
FAKE_OBJECT(snapshot, virDomainSnapshotPtr, RemoteNonnullDomainSnapshot, name)
FAKE_OBJECT(checkpoint, virDomainCheckpointPtr, RemoteNonnullDomainCheckpoint, name)
FAKE_OBJECT(network, virNetworkPtr, RemoteNonnullNetwork, name)
FAKE_OBJECT(port, virNetworkPortPtr, RemoteNonnullNetworkPort, net.name)
FAKE_OBJECT(interface, virInterfacePtr, RemoteNonnullInterface, name)
FAKE_OBJECT(pool, virStoragePoolPtr, RemoteNonnullStoragePool, name)
FAKE_OBJECT(volume, virStorageVolPtr, RemoteNonnullStorageVol, name)
FAKE_OBJECT(nodedev, virNodeDevicePtr, RemoteNonnullNodeDevice, name)
FAKE_OBJECT(nwfilter, virNWFilterPtr, RemoteNonnullNwfilter, name)
FAKE_OBJECT(binding, virNWFilterBindingPtr, RemoteNonnullNwfilterBinding, portdev)
FAKE_OBJECT(secret, virSecretPtr, RemoteNonnullSecret, usageID)
FAKE_OBJECT(server, virAdmServerPtr, AdminNonnullServer, name)
FAKE_OBJECT(client, virAdmClientPtr, AdminNonnullClient, srv.name)

ClientConn *
client_enter_connect(virConnectPtr conn, const char *function)
{
    return fake_enter(conn, function);
}

ClientConn *
client_enter_adm_connect(virAdmConnectPtr conn, const char *function)
{
    return fake_enter(conn, function);
}

ClientConn *
client_enter_domains(virDomainPtr *domains, const char *function)
{
    return fake_enter(domains ? domains[0] : NULL, function);
}

bool
client_need_domain(ClientConn *conn, virDomainPtr domain, const char *function, GError **err)
{
    return domain ? true : fail(err, VIR_ERR_INVALID_DOMAIN, "%s", function);
}

bool
client_need_volume(ClientConn *conn, virStorageVolPtr volume, const char *function, GError **err)
{
    return volume ? true : fail(err, VIR_ERR_INVALID_STORAGE_VOL, "%s", function);
}

bool
client_need_stream(ClientConn *conn, virStreamPtr stream, const char *function, GError **err)
{
    return stream ? true : fail(err, VIR_ERR_INVALID_STREAM, "%s", function);
}

bool
client_writable(ClientConn *conn, const char *function, GError **err)
{
    return fake.is_read_only ? fail(err, VIR_ERR_OPERATION_DENIED, "%s", function) : true;
}

void
client_fail(ClientConn *conn, const GError *err)
{
    g_assert_nonnull(err);
    g_free(fake.error);
    fake.error = g_strdup(err->message);
    fake.error_code = error_code(err);
}

bool
client_fail_argument(GError **err, const char *name, const char *function, const char *rule)
{
    return fail(err, VIR_ERR_INVALID_ARG, "%s in %s must %s", name, function, rule);
}

bool
client_need(const void *value, const char *name, const char *function, GError **err)
{
    return value ? true
                 : fail(err, VIR_ERR_INVALID_ARG, "%s in %s must not be NULL", name, function);
}

bool
client_need_nonnegative(long long value, const char *name, const char *function, GError **err)
{
    return value >= 0
               ? true
               : fail(err, VIR_ERR_INVALID_ARG, "%s in %s must be zero or greater", name, function);
}

bool
client_need_positive(long long value, const char *name, const char *function, GError **err)
{
    return value > 0 ? true
                     : fail(err, VIR_ERR_INVALID_ARG, "%s in %s must be greater than zero", name,
                            function);
}

bool
client_need_array(const void *items, unsigned long long count, const char *name,
                  const char *function, GError **err)
{
    return count == 0 ? true : client_need(items, name, function, err);
}

bool
client_call(ClientConn *conn, const ApiProc *proc, const void *args, void *ret, GError **err)
{
    int index = fake.n_calls++;

    g_assert_cmpint(index, <, 4);
    g_assert_true((args != NULL) == (proc->args != NULL));
    g_assert_true((ret != NULL) == (proc->ret != NULL));
    fake.procs[index] = proc;
    fake.requests[index] = g_byte_array_new();
    if (args && !codec_encode(proc->args, args, fake.requests[index], err))
        return false;
    if (fake.fails)
        return fail(err, VIR_ERR_OPERATION_FAILED, "as asked");
    if (!ret)
        return true;
    g_assert_nonnull(fake.replies[index]);
    return codec_decode(proc->ret, fake.replies[index]->data, fake.replies[index]->len, ret, err);
}

bool
client_call_stream(ClientConn *conn, const ApiProc *proc, const void *args, void *ret,
                   virStreamPtr stream, GError **err)
{
    g_assert_true(proc->flags & (API_STREAM_IN | API_STREAM_OUT));
    fake.stream = stream;
    return client_call(conn, proc, args, ret, err);
}

bool
client_call_fds(ClientConn *conn, const ApiProc *proc, const void *args, void *ret,
                const int *fds_in, gsize n_fds_in, int **fds_out, gsize *n_fds_out, GError **err)
{
    g_assert_cmpuint(n_fds_in, <=, 2);
    for (gsize i = 0; i < n_fds_in; i++)
        fake.fds_in[i] = fds_in[i];
    fake.n_fds_in = n_fds_in;
    if (!client_call(conn, proc, args, ret, err))
        return false;
    if (fds_out) {
        *fds_out = g_memdup2(fake.fds_out, sizeof(int) * fake.n_fds_out);
        *n_fds_out = fake.n_fds_out;
    }
    return true;
}

guint32
client_string_flag(ClientConn *conn)
{
    return VIR_TYPED_PARAM_STRING_OKAY;
}

void
client_domain_set_id(virDomainPtr domain, int id)
{
    fake.domain_id = id;
}

void
client_domain_set_name(virDomainPtr domain, const char *name)
{
    fake.domain_name = g_strdup(name);
}

/* Other public functions that stub_structs.c uses. */
int
virDomainFree(virDomainPtr domain)
{
    g_free(domain);
    return 0;
}

void
virTypedParamsFree(virTypedParameterPtr params, int nparams)
{
    for (int i = 0; i < nparams; i++) {
        if (params[i].type == VIR_TYPED_PARAM_STRING)
            g_free(params[i].value.s);
    }
    g_free(params);
}
