/* SPDX-License-Identifier: MIT */
/*
 * The two interfaces that every service has: org.varlink.service, by which it describes itself, and io.holt, which holds
 * nothing but the error that tells of a system's error number.
 */
#include <errno.h>
#include <string.h>

#include "varlink/idl.h"
#include "varlink/server.h"

static const char service_idl[] = "# How a service describes itself, and what it answers to calls that do not reach a method.\n"
				  "interface org.varlink.service\n"
				  "\n"
				  "# Who made this service, what it is, and which interfaces it has.\n"
				  "method GetInfo() -> (\n"
				  "  vendor: string,\n"
				  "  product: string,\n"
				  "  version: string,\n"
				  "  url: string,\n"
				  "  interfaces: []string\n"
				  ")\n"
				  "\n"
				  "# The text that describes one of its interfaces.\n"
				  "method GetInterfaceDescription(interface: string) -> (description: string)\n"
				  "\n"
				  "# It has no such interface.\n"
				  "error InterfaceNotFound (interface: string)\n"
				  "\n"
				  "# The interface has no such method.\n"
				  "error MethodNotFound (method: string)\n"
				  "\n"
				  "# The interface describes the method, and this service does not have it.\n"
				  "error MethodNotImplemented (method: string)\n"
				  "\n"
				  "# A parameter is missing, or not what it should be.\n"
				  "error InvalidParameter (parameter: string)\n"
				  "\n"
				  "# Who calls may not do so.\n"
				  "error PermissionDenied ()\n"
				  "\n"
				  "# The method has several replies, so it must be called with \"more\".\n"
				  "error ExpectedMore ()\n";

static const char holt_idl[] = "# What a service on holt may answer to any call.\n"
			       "interface io.holt\n"
			       "\n"
			       "# The method failed, with an error number of Linux and what that says.\n"
			       "error System (errno: int, message: ?string)\n";

static int set_string(json_t *object, const char *key, const char *value)
{
	return holt__json.object_set_new(object, key, holt__json.string(value ? value : ""));
}

static int add_interface(json_t *list, const char *idl)
{
	size_t n;
	const char *name = holt__varlink_idl_name(idl, &n);

	return holt__json.array_append_new(list, holt__json.stringn(name, n));
}

static json_t *list_interfaces(const struct holt_varlink_service *s)
{
	json_t *list = holt__json.array();
	int r = list ? 0 : -1;

	for (size_t i = 0; i < HOLT__VARLINK_BUILTIN && r == 0; i++)
		r = add_interface(list, holt__varlink_builtin[i].idl);
	for (size_t i = 0; i < s->n_interfaces && r == 0; i++)
		r = add_interface(list, s->interfaces[i].idl);
	if (r == 0)
		return list;
	json_decref(list);
	return NULL;
}

static int get_info(void *arg, holt_varlink_request *q, json_t *params)
{
	const struct holt_varlink_service *s = &q->conn->server->s;
	json_t *info = holt__json.object();

	(void)arg;
	(void)params;
	if (!info || set_string(info, "vendor", s->vendor) < 0 || set_string(info, "product", s->product) < 0 ||
		set_string(info, "version", s->version) < 0 || set_string(info, "url", s->url) < 0 ||
		holt__json.object_set_new(info, "interfaces", list_interfaces(s)) < 0) {
		json_decref(info);
		return -ENOMEM;
	}
	return holt_varlink_reply(q, info);
}

static int get_interface_description(void *arg, holt_varlink_request *q, json_t *params)
{
	const char *name = holt__json.string_value(holt__json.object_get(params, "interface"));
	const struct holt_varlink_interface *i;
	json_t *answer;

	(void)arg;
	if (!name)
		return holt_varlink_invalid(q, "interface");
	i = holt__varlink_interface(q->conn->server, name, strlen(name));
	answer = holt__json.object();
	if (!answer || set_string(answer, i ? "description" : "interface", i ? i->idl : name) < 0) {
		json_decref(answer);
		return -ENOMEM;
	}
	return i ? holt_varlink_reply(q, answer) : holt_varlink_error(q, HOLT_VARLINK_INTERFACE_NOT_FOUND, answer);
}

static const struct holt_varlink_method service_methods[] = {
	{ .name = "GetInfo", .fn = get_info },
	{ .name = "GetInterfaceDescription", .fn = get_interface_description },
};

const struct holt_varlink_interface holt__varlink_builtin[HOLT__VARLINK_BUILTIN] = {
	{ .idl = service_idl, .methods = service_methods, .n_methods = HOLT__N(service_methods) },
	{ .idl = holt_idl },
};
