/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of keys, as the kernel calls them: KEY_ENTER. */
#pragma once

/* -1: there is no key of that name. */
int key_code(const char *name);
