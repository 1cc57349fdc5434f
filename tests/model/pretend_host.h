/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host with QEMU 7.2 for x86, for tests that fill in domains. */
#pragma once

#include "model/domain.h"

extern const DomainFillHost pretend_host;
