/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --xpath and --wrap of the commands that print XML. libxml2 is loaded only then. */
#pragma once

#include "tools/virsh/shell.h"

/* Print @xml as --xpath and --wrap of @args ask, or whole. */
bool print_xml_parts(Shell *shell, const Args *args, const char *xml);
