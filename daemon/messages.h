/* SPDX-License-Identifier: MIT */
/*
 * The messages of holtd that the catalog explains (units/holtd.catalog, `journalctl -x`), by their MESSAGE_ID=.
 */
#pragma once

#define MSG_READY "b4684822fa4d40efbb829194dcbab39b"       /* a node is ready */
#define MSG_ENDED "3a812034162a4b4ea349f9d0fd733d8d"       /* a node has ended well, for good */
#define MSG_STOPPED "8c1dc6e3ae294fc4bf497a5e6b8c91f6"     /* a node was stopped */
#define MSG_BACKOFF "7f3c3a6dc9a440d1a1e1a20509479fb8"     /* a node ended, and will be started again */
#define MSG_FAILED "74fdd71d0e6e46229573e596870586ad"      /* a node failed, for good */
#define MSG_CANNOT_RUN "16cfc7002db44599abf92ec3d8f4110f"  /* a command cannot be executed */
#define MSG_TREE_READY "a5d61b20be3445168080640f1067b40c"  /* all of the tree is ready */
#define MSG_TREE_FAILED "1c2338627c2e49dbbbe2279a166d4235" /* the tree failed */
#define MSG_FINALLY "e9de17906fda43b89efb7680d834b458"     /* a finally command failed or took too long */
#define MSG_LEFT "ed87ccf476b848b5b24b999b3e93ba9b"        /* something could not be killed */
#define MSG_WATCHDOG "280d977fb3a1436aaef067efc28fc2a5"    /* a process gave no sign of life */
