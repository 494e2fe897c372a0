/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Tracepoints: links, connections and errors. Nothing on the data path.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM siw

#if !defined(_SIW_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SIW_TRACE_H

#include <linux/socket.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

/* A link came, went, or followed its netdev; @what is a word or two. */
TRACE_EVENT(siw_link,
	TP_PROTO(const char *dev, const char *netdev, const char *what),
	TP_ARGS(dev, netdev, what),
	TP_STRUCT__entry(
		__string(dev, dev)
		__string(netdev, netdev)
		__string(what, what)
	),
	TP_fast_assign(
		compat_assign_str(dev, dev);
		compat_assign_str(netdev, netdev);
		compat_assign_str(what, what);
	),
	TP_printk("dev=%s netdev=%s %s", __get_str(dev), __get_str(netdev),
		  __get_str(what))
);

/* An endpoint changed state; @status: 0 or why, a negative errno. */
TRACE_EVENT(siw_ep_state,
	TP_PROTO(const void *ep, const char *from, const char *to, int status),
	TP_ARGS(ep, from, to, status),
	TP_STRUCT__entry(
		__field(const void *, ep)
		__string(from, from)
		__string(to, to)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->ep = ep;
		compat_assign_str(from, from);
		compat_assign_str(to, to);
		__entry->status = status;
	),
	TP_printk("ep=%p %s -> %s status=%d", __entry->ep, __get_str(from),
		  __get_str(to), __entry->status)
);

/* A connection was handed to its QP. */
TRACE_EVENT(siw_conn,
	TP_PROTO(u32 qpn, bool active, const struct sockaddr_storage *local,
		 const struct sockaddr_storage *remote, bool crc, u32 ird,
		 u32 ord),
	TP_ARGS(qpn, active, local, remote, crc, ird, ord),
	TP_STRUCT__entry(
		__field(u32, qpn)
		__field(bool, active)
		__field(bool, crc)
		__field(u32, ird)
		__field(u32, ord)
		__array(u8, local, sizeof(struct sockaddr_storage))
		__array(u8, remote, sizeof(struct sockaddr_storage))
	),
	TP_fast_assign(
		__entry->qpn = qpn;
		__entry->active = active;
		__entry->crc = crc;
		__entry->ird = ird;
		__entry->ord = ord;
		memcpy(__entry->local, local, sizeof(*local));
		memcpy(__entry->remote, remote, sizeof(*remote));
	),
	TP_printk("qpn=%u %s local=%pISpc remote=%pISpc crc=%d ird=%u ord=%u",
		  __entry->qpn, __entry->active ? "active" : "passive",
		  __entry->local, __entry->remote, __entry->crc, __entry->ird,
		  __entry->ord)
);

/* A QP changed state; enum ib_qp_state. */
TRACE_EVENT(siw_qp_state,
	TP_PROTO(u32 qpn, int from, int to),
	TP_ARGS(qpn, from, to),
	TP_STRUCT__entry(
		__field(u32, qpn)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__entry->qpn = qpn;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("qpn=%u %d -> %d", __entry->qpn, __entry->from, __entry->to)
);

/* The connection of a QP ends; @cause: enum siw_down_cause, @err: a name. */
TRACE_EVENT(siw_qp_down,
	TP_PROTO(u32 qpn, int cause, const char *err),
	TP_ARGS(qpn, cause, err),
	TP_STRUCT__entry(
		__field(u32, qpn)
		__field(int, cause)
		__string(err, err)
	),
	TP_fast_assign(
		__entry->qpn = qpn;
		__entry->cause = cause;
		compat_assign_str(err, err);
	),
	TP_printk("qpn=%u cause=%d err=%s", __entry->qpn, __entry->cause,
		  __get_str(err))
);

/* Terminate sent or received; @octets: its first four, as on the wire. */
TRACE_EVENT(siw_term,
	TP_PROTO(u32 qpn, bool sent, u32 octets),
	TP_ARGS(qpn, sent, octets),
	TP_STRUCT__entry(
		__field(u32, qpn)
		__field(bool, sent)
		__field(u32, octets)
	),
	TP_fast_assign(
		__entry->qpn = qpn;
		__entry->sent = sent;
		__entry->octets = octets;
	),
	TP_printk("qpn=%u %s %x/%x/%02x octets=%08x", __entry->qpn,
		  __entry->sent ? "sent" : "received", __entry->octets >> 28,
		  __entry->octets >> 24 & 0xf, __entry->octets >> 16 & 0xff,
		  __entry->octets)
);

/* A fault that was found; @err: its name, @detail: what the finder knows. */
TRACE_EVENT(siw_error,
	TP_PROTO(u32 qpn, const char *err, u64 detail),
	TP_ARGS(qpn, err, detail),
	TP_STRUCT__entry(
		__field(u32, qpn)
		__string(err, err)
		__field(u64, detail)
	),
	TP_fast_assign(
		__entry->qpn = qpn;
		compat_assign_str(err, err);
		__entry->detail = detail;
	),
	TP_printk("qpn=%u err=%s detail=%#llx", __entry->qpn, __get_str(err),
		  __entry->detail)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
