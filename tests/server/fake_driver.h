/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver behind the server in tests; see fake_driver.c. */
#pragma once

#include "object/driver.h"

extern Driver fake_driver;
/* Serves volumes on the connections of the other. */
extern Driver fake_service;

/* How many guests went because their connection did. */
guint fake_n_auto_destroyed(void);

/* From now on nobody waits at the gate. */
void fake_open_gate(void);
/* Volumes are files below this folder; before it is set there are none. */
void fake_set_volume_folder(const char *folder);
