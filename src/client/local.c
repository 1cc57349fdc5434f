/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Public functions that make no call of their own: the login dialogue for terminals, and those that are answered with "not
 * supported" because nothing behind them exists yet. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <libvirt/libvirt-lxc.h>

#include "base/error.h"
#include "client/conn.h"

/* ---- virConnectAuthPtrDefault: ask the person at the terminal ---- */

static char *
read_answer(bool is_secret)
{
    struct termios before, quiet;
    bool is_quiet = is_secret && tcgetattr(STDIN_FILENO, &before) == 0;
    char line[1024];
    char *got;

    if (is_quiet) {
        quiet = before;
        quiet.c_lflag &= ~ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    got = fgets(line, sizeof line, stdin);
    if (is_quiet) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        putchar('\n');
    }
    if (!got)
        return NULL;
    line[strcspn(line, "\n")] = '\0';
    return g_strdup(line);
}

static int
ask_terminal(virConnectCredentialPtr credentials, unsigned int n, void *opaque)
{
    for (unsigned int i = 0; i < n; i++) {
        virConnectCredentialPtr credential = &credentials[i];
        bool is_secret =
            credential->type == VIR_CRED_PASSPHRASE || credential->type == VIR_CRED_NOECHOPROMPT;

        printf("%s: ", credential->prompt ? credential->prompt : "");
        fflush(stdout);
        credential->result = read_answer(is_secret);
        if (!credential->result)
            return -1;
        if (!*credential->result && credential->defresult) {
            g_free(credential->result);
            credential->result = g_strdup(credential->defresult);
        }
        credential->resultlen = strlen(credential->result);
    }
    return 0;
}

static int default_types[] = {
    VIR_CRED_AUTHNAME,   VIR_CRED_ECHOPROMPT,   VIR_CRED_REALM,
    VIR_CRED_PASSPHRASE, VIR_CRED_NOECHOPROMPT, VIR_CRED_EXTERNAL,
};

static virConnectAuth default_auth = {default_types, G_N_ELEMENTS(default_types), ask_terminal,
                                      NULL};

virConnectAuthPtr virConnectAuthPtrDefault = &default_auth;

/* ---- older names ---- */

virDomainPtr
virDomainCreateLinux(virConnectPtr conn, const char *xmlDesc, unsigned int flags)
{
    return virDomainCreateXML(conn, xmlDesc, flags);
}

/* ---- migration: the phases have procedures, the conductor does not exist yet ---- */

static void *
refuse(ClientConn *conn, const char *function)
{
    g_autoptr(GError) err = NULL;

    if (!conn)
        return NULL;
    fail(&err, VIR_ERR_NO_SUPPORT, "%s", function);
    return client_fail_null(conn, err);
}

static int
refuse_int(ClientConn *conn, const char *function)
{
    refuse(conn, function);
    return -1;
}

virDomainPtr
virDomainMigrate(virDomainPtr domain, virConnectPtr dconn, unsigned long flags, const char *dname,
                 const char *uri, unsigned long bandwidth)
{
    return refuse(client_enter_domain(domain, __func__), __func__);
}

virDomainPtr
virDomainMigrate2(virDomainPtr domain, virConnectPtr dconn, const char *dxml, unsigned long flags,
                  const char *dname, const char *uri, unsigned long bandwidth)
{
    return refuse(client_enter_domain(domain, __func__), __func__);
}

virDomainPtr
virDomainMigrate3(virDomainPtr domain, virConnectPtr dconn, virTypedParameterPtr params,
                  unsigned int nparams, unsigned int flags)
{
    return refuse(client_enter_domain(domain, __func__), __func__);
}

int
virDomainMigrateToURI(virDomainPtr domain, const char *duri, unsigned long flags, const char *dname,
                      unsigned long bandwidth)
{
    return refuse_int(client_enter_domain(domain, __func__), __func__);
}

int
virDomainMigrateToURI2(virDomainPtr domain, const char *dconnuri, const char *miguri,
                       const char *dxml, unsigned long flags, const char *dname,
                       unsigned long bandwidth)
{
    return refuse_int(client_enter_domain(domain, __func__), __func__);
}

int
virDomainMigrateToURI3(virDomainPtr domain, const char *dconnuri, virTypedParameterPtr params,
                       unsigned int nparams, unsigned int flags)
{
    return refuse_int(client_enter_domain(domain, __func__), __func__);
}

/* Its prototype is not published with the tables this project has; the symbol exists, and says so. */
int virDomainAnnounceInterface(virDomainPtr domain);

int
virDomainAnnounceInterface(virDomainPtr domain)
{
    return refuse_int(client_enter_domain(domain, __func__), __func__);
}
