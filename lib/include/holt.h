/* SPDX-License-Identifier: MIT */
/* The short way to write <holt/holt.h>. It holds nothing of its own. */
#include <holt/holt.h>
