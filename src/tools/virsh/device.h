/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What commands about devices have in common. */
#pragma once

#include "tools/virsh/shell.h"
#include "tools/virsh/xml.h"

typedef struct {
    int (*call)(virDomainPtr domain, const char *xml, unsigned int flags);
    const char *name, *done;
} DeviceVerb;

extern const DeviceVerb device_attach, device_detach, device_update;

/* Do it to @what ("disk"), and say so. */
bool device_do(Shell *shell, virDomainPtr domain, const DeviceVerb *verb, const char *what,
               const char *xml, unsigned int flags);
/* The first device that @is_it says yes to, in the state that @affect is about. It lives as long as *root (xml_free). */
XmlNode *device_find(virDomainPtr domain, unsigned int affect,
                     bool (*is_it)(XmlNode *device, void *opaque), void *opaque, XmlNode **root);
