/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt-lxc.so.0: entering a container is done by the calling process itself, not by the daemon. */
#define ERROR_DOMAIN VIR_FROM_LXC

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libvirt/libvirt-lxc.h>

#include "base/error.h"
#include "client/stub_runtime.h"

int
virDomainLxcEnterNamespace(virDomainPtr domain, unsigned int nfdlist, int *fdlist,
                           unsigned int *noldfdlist, int **oldfdlist, unsigned int flags)
{
    ClientConn *conn = client_enter_domain(domain, __func__);
    static const char *const names[] = {"user", "ipc", "uts", "net", "pid", "mnt"};
    g_autoptr(GError) err = NULL;

    if (!conn)
        return -1;
    if (!client_need_array(fdlist, nfdlist, "fdlist", __func__, &err))
        return client_fail_int(conn, err);
    if (noldfdlist && oldfdlist) {
        *oldfdlist = g_new0(int, G_N_ELEMENTS(names));
        *noldfdlist = 0;
        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
            g_autofree char *path = g_strdup_printf("/proc/self/ns/%s", names[i]);
            int fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd >= 0)
                (*oldfdlist)[(*noldfdlist)++] = fd;
        }
    }
    for (unsigned int i = 0; i < nfdlist; i++) {
        if (fdlist[i] >= 0 && setns(fdlist[i], 0) < 0) {
            fail_errno(&err, "enter", "namespace of the container");
            return client_fail_int(conn, err);
        }
    }
    return 0;
}

static int
refuse(const char *function)
{
    g_autoptr(GError) err = NULL;

    fail(&err, VIR_ERR_NO_SUPPORT, "%s", function);
    return client_fail_int(NULL, err);
}

int
virDomainLxcEnterSecurityLabel(virSecurityModelPtr model, virSecurityLabelPtr label,
                               virSecurityLabelPtr oldlabel, unsigned int flags)
{
    return refuse(__func__);
}

int
virDomainLxcEnterCGroup(virDomainPtr domain, unsigned int flags)
{
    return client_enter_domain(domain, __func__) ? refuse(__func__) : -1;
}
